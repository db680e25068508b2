//! Evicting the suspected, and the one change of the table that this silo may have under way.

use super::Membership;
use super::ballot::{Ballot, Charge, Verdict};
use super::event::{Action, RequestId};
use super::life::Phase;
use super::message::{BALLOT_TARGETS_MAX, MembershipMessage, Vote};
use super::suspicion::{Target, Vouchers, WatchRead};
use super::table::{Change, Row, RowKey, StoreFault, THIS, Table, Tenure};
use super::{join, tables::Sight};
use crate::view::Status;
use crate::{Instant, SiloId, Version, ViewVersion};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Evictions that were decided and are not yet committed.
#[derive(Clone, Hash, Debug)]
pub(super) struct Sentence {
    charges: BTreeMap<SiloId, Charge>,
    until: Instant,
    /// The version of the table on which the last commit was tried.
    tried_on: ViewVersion,
}

/// A change of the table that is under way.
#[derive(Clone, Hash, Debug)]
pub(super) struct PendingChange {
    request: RequestId,
    sent: Instant,
    purpose: Purpose,
    change: Change,
    base: Arc<Table>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Purpose {
    Activate,
    Drain,
    Leave,
    Evict,
    /// Removing joins that were abandoned and rows that are long dead.
    Tidy,
    /// Writing what the store has lost.
    Restore,
}

impl Membership {
    pub(super) fn may_change(&self, now: Instant) -> bool {
        self.change.is_none() && !self.stale && now >= self.change_at
    }

    pub(super) fn commit(&mut self, now: Instant, purpose: Purpose, change: Change, out: &mut Vec<Action>) {
        let request = self.next_number();
        let base = self.table.clone().expect("a change has a table to change");
        self.commit_on(now, purpose, request, base, change, out);
    }

    /// The same on a table that need not be the one known.
    pub(super) fn commit_on(
        &mut self,
        now: Instant,
        purpose: Purpose,
        request: RequestId,
        base: Arc<Table>,
        change: Change,
        out: &mut Vec<Action>,
    ) {
        assert!(self.change.is_none(), "one change at a time");
        self.change = Some(PendingChange { request, sent: now, purpose, change: change.clone(), base });
        out.push(Action::Commit { request, change });
    }

    pub(super) fn committed(
        &mut self,
        now: Instant,
        request: RequestId,
        result: Result<Version, StoreFault>,
        out: &mut Vec<Action>,
    ) {
        let Some(pending) = self.change.take_if(|pending| pending.request == request) else {
            return self.renewed(now, request, result, out);
        };
        if self.lease.as_ref().is_some_and(|lease| lease.has_sent(request)) {
            // It carried a renewal.
            self.renewed(now, request, result.clone(), out);
        }
        match result {
            Ok(version) => {
                self.conflicts = 0;
                if pending.purpose == Purpose::Evict {
                    crate::reached!("membership.evicted");
                    self.sentence = None;
                }
                self.adopt(now, Arc::new(pending.base.after(&pending.change, version)), out);
                self.hint(out);
            }
            Err(fault) => self.change_failed(now, &fault, out),
        }
    }

    fn change_failed(&mut self, now: Instant, fault: &StoreFault, out: &mut Vec<Action>) {
        self.stale = true;
        if *fault != StoreFault::Conflict {
            self.change_at = now + CHANGE_PAUSE;
            return self.read_table_at_once(now, out);
        }
        crate::reached!("membership.change.conflict");
        // Of many that change the table at once only one can win: the more often we lost, the longer we stay away,
        // and read only when we come back, or what we read would be old again.
        self.conflicts += 1;
        if self.conflicts == 1 {
            return self.read_table_at_once(now, out);
        }
        let pause = Duration::from_nanos(
            self.draw() % (CONFLICT_PAUSE * (1 << self.conflicts.min(7))).as_nanos() as u64,
        );
        self.read_table_at(now + pause);
    }

    pub(super) fn change_deadline(&self) -> Instant {
        let overdue = self.change.as_ref().map_or(Instant::NEVER, |c| c.sent + self.config.store_timeout);
        let held_back = if self.change.is_none() && !self.stale && self.change_at > self.now {
            self.change_at
        } else {
            Instant::NEVER
        };
        overdue.min(held_back)
    }

    pub(super) fn tick_change(&mut self, now: Instant, out: &mut Vec<Action>) {
        if self.change.as_ref().is_some_and(|c| now >= c.sent + self.config.store_timeout) {
            crate::reached!("membership.change.overdue");
            self.change = None;
            self.change_failed(now, &StoreFault::Indeterminate(String::new()), out);
        }
        if self.phase == Phase::Serving && self.may_change(now) {
            self.tidy(now, out);
        }
    }

    pub(super) fn ballot_deadline(&self) -> Instant {
        if self.phase != Phase::Serving {
            return Instant::NEVER;
        }
        if let Some(ballot) = &self.ballot {
            return ballot.until;
        }
        if self.change.is_some() || self.stale {
            return Instant::NEVER;
        }
        if self.sentence.is_some() {
            return self.change_at;
        }
        let now = self.now;
        // While one lease row is being read, the other suspects wait for it.
        let reading = self.targets.values().any(|t| t.is_due(now) && t.is_being_read());
        let of_target = |target: &Target| match (target.ballot_at, target.watch_read) {
            (Some(at), WatchRead::Asked { sent, .. }) => at.max(sent + self.config.store_timeout),
            (Some(at), _) if at > now || !reading => at,
            (None, _) if self.view.member(target.id).is_some_and(|m| m.status == Status::Joining) => {
                target.contact + self.config.join_abandoned_after
            }
            _ => Instant::NEVER,
        };
        let targets = self.targets.values().map(of_target).min().unwrap_or(Instant::NEVER);
        targets.max(self.change_at)
    }

    /// Opens a ballot on the suspected, closes one that is over.
    pub(super) fn tick_ballot(&mut self, now: Instant, out: &mut Vec<Action>) {
        if self.phase != Phase::Serving {
            return;
        }
        if let Some(ballot) = &self.ballot {
            if now >= ballot.until || ballot.waiting.is_empty() {
                self.close_ballot(now, out);
            }
            return;
        }
        if self.sentence.is_some() {
            return self.carry_out_sentence(now, out);
        }
        self.suspect_the_leaseless(now);
        if !self.may_change(now) {
            return;
        }
        self.read_leases_of_suspects(now, out);
        self.open_ballot(now, out);
    }

    /// Silos that live but cannot serve. Only for those whose own leases come from the store: the others have no say
    /// about what is wrong.
    fn suspect_the_leaseless(&mut self, now: Instant) {
        let settled = self.lease.as_ref().is_some_and(|lease| {
            let since = lease.from_store_since.unwrap_or(Instant::NEVER);
            lease.held && !lease.failing && now.since(since) >= self.config.leaseless_max
        });
        if !settled {
            return;
        }
        let view = self.view.clone();
        for target in self.targets.values_mut() {
            let is_holder = || view.member(target.id).is_some_and(|m| super::table::holds_lease(m.status));
            if target.ballot_at.is_none() && target.is_leaseless(now, &self.config) && is_holder() {
                crate::reached!("membership.leaseless.suspected");
                target.suspect(now);
            }
        }
    }

    /// What is known of a lease must be older than the votes, and as new as can be: so it is read just before.
    fn read_leases_of_suspects(&mut self, now: Instant, out: &mut Vec<Action>) {
        let timeout = self.config.store_timeout;
        let unread = |target: &&Target| {
            target.is_due(now)
                && match target.watch_read {
                    WatchRead::Idle => true,
                    WatchRead::Asked { sent, .. } => now >= sent + timeout,
                    WatchRead::Done { at } => now.since(at) >= WATCH_FRESH,
                }
        };
        let suspects: Vec<SiloId> = self.targets.values().filter(unread).map(|t| t.id).collect();
        for id in suspects {
            self.watch_lease(now, id, out);
        }
    }

    fn open_ballot(&mut self, now: Instant, out: &mut Vec<Action>) {
        if self.targets.values().any(|t| t.is_due(now) && t.is_being_read()) {
            return;
        }
        let read: Vec<SiloId> = self.targets.values().filter(|t| t.is_due(now)).map(|t| t.id).collect();
        let mut charges = BTreeMap::new();
        for id in read.into_iter().take(BALLOT_TARGETS_MAX) {
            let target = self.targets.get_mut(&id).expect("just listed");
            let Some(lease) = target.watch.filter(|_| matches!(target.watch_read, WatchRead::Done { .. }))
            else {
                target.ballot_lost(now);
                continue;
            };
            if matches!(lease.vouchers, Vouchers::HoldersIn(named) if named > self.view.version) {
                target.ballot_lost(now);
                self.read_table_soon(now, out);
                continue;
            }
            // We vote first, and may be bound by a vouch of ours.
            match self.vote_on(now, id) {
                Vote::Object => self.targets.get_mut(&id).expect("just listed").ballot_lost(now),
                _ => {
                    let votes = BTreeMap::from([(self.me, Vote::Suspect)]);
                    charges.insert(id, Charge { lease, votes });
                }
            }
        }
        if charges.is_empty() {
            return;
        }
        crate::reached!("membership.ballot.opened");
        let round = self.next_number();
        let view = self.view.clone();
        let asked = view.members.iter().filter(|m| super::table::holds_lease(m.status)).map(|m| m.id);
        let waiting = asked.filter(|id| *id != self.me && !charges.contains_key(id)).collect();
        let targets: Vec<SiloId> = charges.keys().copied().collect();
        let msg = MembershipMessage::Ballot { round, view: view.version, targets };
        let ballot = Ballot { round, until: now + self.config.ballot_timeout, charges, waiting };
        out.extend(ballot.waiting.iter().map(|to| Action::Send { to: *to, msg: msg.clone() }));
        self.ballot = Some(ballot);
        self.tick_ballot(now, out);
    }

    pub(super) fn votes_arrived(&mut self, from: SiloId, round: u64, votes: Vec<(SiloId, Vote)>) {
        let Some(ballot) = self.ballot.as_mut().filter(|ballot| ballot.round == round) else { return };
        if ballot.waiting.remove(&from) {
            for (target, vote) in votes {
                if let Some(charge) = ballot.charges.get_mut(&target) {
                    charge.votes.insert(from, vote);
                }
            }
        }
    }

    /// Counts, and remembers whom to evict.
    fn close_ballot(&mut self, now: Instant, out: &mut Vec<Action>) {
        let (Some(ballot), Some(table)) = (self.ballot.take(), self.table.clone()) else { return };
        let mut charges = ballot.charges;
        charges.retain(|id, charge| {
            let verdict = charge.verdict(now, *id, self.me, &table, &self.config);
            let won = verdict != Verdict::Spared && self.is_still_suspected(*id);
            let evict = won && !self.must_be_won_again(*id, charge, verdict);
            if !evict && let Some(target) = self.targets.get_mut(id).filter(|t| t.ballot_at.is_some()) {
                target.ballot_lost(now);
            }
            evict
        });
        if !charges.is_empty() {
            self.sentence = Some(Sentence { charges, until: now + SENTENCE_KEPT, tried_on: ViewVersion(0) });
            self.carry_out_sentence(now, out);
        }
    }

    /// A vote against an objection, unless the one before was won as well: two silos may by chance fail to hear the
    /// same third, and not for long.
    fn must_be_won_again(&mut self, id: SiloId, charge: &Charge, verdict: Verdict) -> bool {
        let Some(target) = self.targets.get_mut(&id) else { return false };
        let contested = verdict == Verdict::Voted && charge.is_contested();
        let again = contested && !target.contested;
        if again {
            crate::reached!("membership.ballot.contested");
        }
        target.contested = contested;
        again
    }

    fn is_still_suspected(&self, id: SiloId) -> bool {
        self.targets.get(&id).is_some_and(|target| target.ballot_at.is_some())
    }

    /// Commits the evictions that a ballot has decided. A conflict with another change of the table does not undo
    /// the votes, which bind for longer than we try; a conflict with a renewal does.
    fn carry_out_sentence(&mut self, now: Instant, out: &mut Vec<Action>) {
        if !self.may_change(now) {
            return;
        }
        let (Some(mut sentence), Some(table)) = (self.sentence.take(), self.table.clone()) else { return };
        if now >= sentence.until || sentence.tried_on == table.view.version {
            return self.end_ballot(now);
        }
        let mut change = Change::of_membership(&table);
        for (id, charge) in &sentence.charges {
            let entry = table.entry(*id).filter(|entry| entry.row.holds_lease());
            let Some(entry) = entry.filter(|_| self.is_still_suspected(*id)) else { continue };
            // Counted anew: the table may tell more, or less, about who had a vote.
            let left_of_lease = match charge.verdict(now, *id, self.me, &table, &self.config) {
                Verdict::Voted => charge.lease.until.since(now),
                Verdict::Outwaited => Duration::ZERO,
                Verdict::Spared => continue,
            };
            let mut row = entry.row.clone();
            row.grace = left_of_lease.max(self.grace_left(now, &row));
            row.status = Status::Dead;
            row.tenure = row.tenure.map(|t| Tenure { left: Some(THIS), ..t });
            change.expects.push((RowKey::Silo(id.name), Some(entry.version)));
            change.expects.push((RowKey::Lease(id.name), Some(charge.lease.row)));
            change.puts.push(Row::Silo(row));
        }
        if change.puts.len() > 1 {
            sentence.tried_on = table.view.version;
            self.sentence = Some(sentence);
            self.commit(now, Purpose::Evict, change, out);
        } else {
            self.end_ballot(now);
        }
    }

    /// The ballot, or the commit it led to, came to nothing: whoever is still suspected is tried again later.
    fn end_ballot(&mut self, now: Instant) {
        self.sentence = None;
        for target in self.targets.values_mut().filter(|t| t.is_due(now)) {
            target.ballot_lost(now);
        }
    }

    /// Removes abandoned joins, and, if this silo is the first of the table, rows that have long been dead.
    fn tidy(&mut self, now: Instant, out: &mut Vec<Action>) {
        let Some(table) = self.table.clone() else { return };
        let abandoned: Vec<SiloId> =
            self.targets.values().filter(|t| self.has_abandoned_its_join(now, t)).map(|t| t.id).collect();
        let long_dead =
            |(_, sight): &(&SiloId, &Sight)| sight.dead && now.since(sight.first) >= self.config.dead_kept;
        let first = table.holders().next().is_some_and(|row| row.id == self.me);
        let forgotten: Vec<SiloId> = match first {
            true => {
                self.sights.iter().filter(long_dead).map(|(id, _)| *id).take(BALLOT_TARGETS_MAX).collect()
            }
            false => Vec::new(),
        };
        if abandoned.is_empty() && forgotten.is_empty() {
            return;
        }
        let mut change = Change::of_membership(&table);
        for entry in abandoned.iter().filter_map(|id| table.entry(*id)) {
            crate::reached!("membership.join.abandoned");
            let mut row = entry.row.clone();
            row.grace = self.grace_left(now, &row);
            row.status = Status::Dead;
            change.expects.push((RowKey::Silo(row.id.name), Some(entry.version)));
            change.puts.push(Row::Silo(row));
        }
        for entry in forgotten.iter().filter_map(|id| table.entry(*id)) {
            crate::reached!("membership.row.removed");
            let row = &entry.row;
            change.expects.push((RowKey::Silo(row.id.name), Some(entry.version)));
            change.deletes.extend([RowKey::Silo(row.id.name), RowKey::Lease(row.id.name)]);
            let view = change.view_row();
            view.generation_floor = view.generation_floor.max(row.id.generation);
            for tenure in row.tenures() {
                join::forget(view, tenure.left);
            }
        }
        self.commit(now, Purpose::Tidy, change, out);
    }
}

/// How long to try to commit what a ballot has decided.
const SENTENCE_KEPT: Duration = Duration::from_secs(3);
/// Doubles with each conflict in a row.
const CONFLICT_PAUSE: Duration = Duration::from_millis(5);
/// How long to leave a store alone that did not take a change, other than because of a conflict.
const CHANGE_PAUSE: Duration = Duration::from_millis(250);
/// A lease row read so lately need not be read again before a ballot.
const WATCH_FRESH: Duration = Duration::from_millis(500);
