//! Reading the table, and taking in what it says.

use super::event::{Action, RequestId, StopReason};
use super::message::MembershipMessage;
use super::suspicion::Target;
use super::table::{StoreFault, Table, holds_lease};
use super::{Membership, monitors};
use crate::view::{Status, View};
use crate::{Instant, SiloId, ViewVersion};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// When a member was first seen in its present state.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Sight {
    pub(super) first: Instant,
    pub(super) dead: bool,
}

/// Where the reading of the table stands.
#[derive(Clone, Hash, Debug, Default)]
pub(super) struct Reading {
    in_flight: Option<(RequestId, Instant)>,
    /// The version that was known when it began.
    knew: ViewVersion,
    /// When to read next.
    at: Instant,
    /// When the last reading began.
    last: Instant,
    /// Read again as soon as the one in flight is back: it may have begun too early.
    again: bool,
    /// The newest version that anybody has mentioned.
    mentioned: ViewVersion,
    failures: u32,
}

impl Membership {
    pub(super) fn reading_deadline(&self) -> Instant {
        match self.reading.in_flight {
            Some((_, sent)) => sent + self.config.store_timeout,
            None => self.reading.at,
        }
    }

    pub(super) fn tick_reading(&mut self, now: Instant, out: &mut Vec<Action>) {
        if self.reading.in_flight.is_some_and(|(_, sent)| now >= sent + self.config.store_timeout) {
            self.reading.in_flight = None;
            self.reading_failed(now);
        }
        if self.reading.in_flight.is_none() && now >= self.reading.at {
            self.begin_reading(now, out);
        }
    }

    /// Somebody mentioned a version of the view.
    pub(super) fn view_seen(&mut self, now: Instant, view: ViewVersion, out: &mut Vec<Action>) {
        if view > self.view.version && view > self.reading.mentioned {
            crate::reached!("membership.view.hinted");
            self.reading.mentioned = view;
            self.read_table_soon(now, out);
        }
    }

    /// Reads the table now, or once more after the reading that is under way.
    pub(super) fn read_table_at_once(&mut self, now: Instant, out: &mut Vec<Action>) {
        match self.reading.in_flight {
            Some(_) => self.reading.again = true,
            None => self.begin_reading(now, out),
        }
    }

    /// Reads the table no later than then, unless a reading is under way.
    pub(super) fn read_table_at(&mut self, at: Instant) {
        match self.reading.in_flight {
            Some(_) => self.reading.again = true,
            None => self.reading.at = self.reading.at.min(at),
        }
    }

    /// Reads the table as soon as it is decent: many hints make one reading.
    pub(super) fn read_table_soon(&mut self, now: Instant, out: &mut Vec<Action>) {
        let gap = self.config.read_gap_min * (1 + self.view.members.len() as u32 / 100);
        let at = self.reading.last + gap;
        if self.reading.in_flight.is_some() {
            self.reading.again = true;
        } else if now >= at || self.reading.last == Instant::ZERO {
            self.begin_reading(now, out);
        } else {
            self.reading.at = self.reading.at.min(at);
        }
    }

    fn begin_reading(&mut self, now: Instant, out: &mut Vec<Action>) {
        let request = self.next_number();
        self.reading.in_flight = Some((request, now));
        self.reading.knew = self.view.version;
        self.reading.last = now;
        self.reading.again = false;
        self.reading.at = now + self.read_every();
        let changed = self.reading.mentioned > self.view.version || self.table.is_none();
        out.push(Action::ReadTable { request, known: (!changed).then_some(self.view.version) });
    }

    /// How long to do without a reading that nobody asks for. It alone is sure to come: all notices are hints.
    fn read_every(&self) -> Duration {
        if crate::mutant!("m49") { Duration::from_secs(86_400) } else { self.config.read_every }
    }

    fn reading_failed(&mut self, now: Instant) {
        self.reading.failures += 1;
        let pause = Duration::from_millis(250) * (1 << self.reading.failures.min(4));
        self.reading.at = now + pause.min(self.read_every());
    }

    pub(super) fn table_read(
        &mut self,
        now: Instant,
        request: RequestId,
        result: Result<Option<Arc<Table>>, StoreFault>,
        out: &mut Vec<Action>,
    ) {
        let awaited = self.reading.in_flight.is_some_and(|(r, _)| r == request);
        if awaited {
            self.reading.in_flight = None;
        }
        let knew = self.reading.knew;
        match result {
            Ok(news) => {
                if awaited {
                    self.reading.failures = 0;
                    self.reading.at = now + self.read_every();
                }
                // Also a late answer is the truth of its time; `adopt` keeps the newer one.
                if let Some(table) = news {
                    if awaited && table.view.version < knew {
                        self.found_back(now, table.clone());
                    }
                    self.adopt(now, table, out);
                }
                if awaited && !self.is_stopped() {
                    self.read_again(now, out);
                }
            }
            Err(StoreFault::Unusable(reason)) if self.lease.is_none() => {
                self.stop(StopReason::Unusable(reason), out);
            }
            // A silo that serves goes on with what it knows, and looks again.
            Err(_) if awaited => self.reading_failed(now),
            Err(_) => {}
        }
    }

    /// A reading has come back, and what it found is taken in. Not before that: what was found may say when to read
    /// next, and were a reading under way by then, that would mean at once, and again at once, for as long as it says so.
    fn read_again(&mut self, now: Instant, out: &mut Vec<Action>) {
        if self.reading.again {
            return self.begin_reading(now, out);
        }
        self.stale = false;
        self.doubt_what_was_mentioned();
    }

    /// A reading that began after every mention has come back. A version that it did not find is none: whoever made
    /// it up must not keep us from acting on true ones, nor have us read everything each time.
    fn doubt_what_was_mentioned(&mut self) {
        if self.reading.mentioned > self.view.version {
            crate::reached!("membership.view.made_up");
            self.reading.mentioned = self.view.version;
        }
    }

    /// Takes in a newer table.
    pub(super) fn adopt(&mut self, now: Instant, table: Arc<Table>, out: &mut Vec<Action>) {
        if table.view.cluster_id != self.config.cluster_id {
            let (ours, found) = (self.config.cluster_id.clone(), table.view.cluster_id.clone());
            let reason = super::join::OtherCluster { ours, found }.to_string();
            return self.stop(StopReason::Unusable(reason), out);
        }
        if self.table.is_some() && table.view.version <= self.view.version {
            if table.view.version < self.view.version {
                crate::reached!("membership.view.older_refused");
            }
            if !crate::mutant!("m16") || table.view.version == self.view.version {
                return;
            }
        } else if !self.says_no_less(now, &table) {
            return;
        }
        let before = std::mem::replace(&mut self.view, table.to_view());
        self.table = Some(table);
        out.push(Action::Publish(self.view.clone()));
        self.forget_the_gone(&before, out);
        self.note_sights(now);
        self.note_own_row(now, out);
        if !self.is_stopped() {
            self.choose_targets(now);
            self.spread(&before, out);
        }
    }

    fn forget_the_gone(&mut self, before: &View, out: &mut Vec<Action>) {
        let view = self.view.clone();
        let mut after = view.members.iter().peekable();
        for member in before.members.iter().filter(|m| m.status != Status::Dead) {
            // Both are sorted by name: one walk along the two, for the sake of a thousand members.
            while after.next_if(|m| m.id.name < member.id.name).is_some() {}
            let now = after.peek().filter(|m| m.id == member.id);
            if now.is_none_or(|m| m.status == Status::Dead) && member.id != self.me {
                out.push(Action::Forget { peer: member.id, reason: "declared dead, superseded, or left" });
                self.sightings.remove(&member.id);
                self.vouch_requests.remove(&member.id);
            }
        }
    }

    /// A dead row's grace counts from the first sight of the death, a living one's from that of the generation.
    fn note_sights(&mut self, now: Instant) {
        let old = std::mem::take(&mut self.sights);
        let view = self.view.clone();
        let noted = view.members.iter().filter(|m| m.status == Status::Dead || !m.grace.is_zero());
        self.sights = noted
            .map(|m| {
                let dead = m.status == Status::Dead;
                let sight = old.get(&m.id).copied().filter(|sight| sight.dead == dead);
                (m.id, sight.unwrap_or(Sight { first: now, dead }))
            })
            .collect();
    }

    pub(super) fn choose_targets(&mut self, now: Instant) {
        let Some(table) = self.table.clone() else { return };
        let watched = monitors::watched_by(self.me.name, &self.acts_for, &table, self.config.monitors);
        let mut kept = std::mem::take(&mut self.targets);
        let mut targets = BTreeMap::new();
        for (id, rank) in watched {
            let spread = self.config.probe_every.as_nanos() as u64;
            let target = match kept.remove(&id) {
                Some(mut target) => {
                    target.rank = rank;
                    target
                }
                None => {
                    let first_probe = now + Duration::from_nanos(self.draw() % spread);
                    Target::first_seen(now, id, rank, first_probe)
                }
            };
            targets.insert(id, target);
        }
        self.targets = targets;
    }

    /// In a large cluster the news of a view travels from silo to silo, a few each, rather than all from one.
    fn spread(&mut self, before: &View, out: &mut Vec<Action>) {
        if self.view.members.len() > HINT_ALL_MAX && before.version != ViewVersion(0) {
            self.hint_some(HINTS_FORWARDED, out);
        }
    }

    /// Tells the others that the table has changed, after a commit of ours.
    pub(super) fn hint(&mut self, out: &mut Vec<Action>) {
        if self.view.members.len() > HINT_ALL_MAX {
            return self.hint_some(HINTS_BY_COMMITTER, out);
        }
        let view = self.view_version();
        let others = self.view.alive().map(|m| m.id).filter(|id| *id != self.me);
        out.extend(others.map(|to| Action::Send { to, msg: MembershipMessage::ViewHint { view } }));
    }

    fn hint_some(&mut self, count: usize, out: &mut Vec<Action>) {
        let msg = MembershipMessage::ViewHint { view: self.view_version() };
        for to in self.some_holders(count, &[]) {
            out.push(Action::Send { to, msg: msg.clone() });
        }
    }

    /// A few silos that hold leases, other than this one and those excepted, drawn at random.
    pub(super) fn some_holders(&mut self, count: usize, except: &[SiloId]) -> Vec<SiloId> {
        let view = self.view.clone();
        let me = self.me;
        let mut chosen: Vec<SiloId> = Vec::new();
        if view.members.len() > 4 * count {
            // Large enough to draw until it fits.
            for _ in 0..8 * count {
                let member = &view.members[self.draw() as usize % view.members.len()];
                let fits = holds_lease(member.status) && member.id != me && !except.contains(&member.id);
                if fits && !chosen.contains(&member.id) {
                    chosen.push(member.id);
                }
                if chosen.len() == count {
                    return chosen;
                }
            }
        }
        let mut rest: Vec<SiloId> =
            view.members.iter().filter(|m| holds_lease(m.status)).map(|m| m.id).collect();
        rest.retain(|id| *id != me && !except.contains(id) && !chosen.contains(id));
        while chosen.len() < count && !rest.is_empty() {
            let at = self.draw() as usize % rest.len();
            chosen.push(rest.swap_remove(at));
        }
        chosen
    }
}

/// Up to so many members, whoever changes the table tells all of them.
const HINT_ALL_MAX: usize = 100;
const HINTS_BY_COMMITTER: usize = 32;
const HINTS_FORWARDED: usize = 4;
