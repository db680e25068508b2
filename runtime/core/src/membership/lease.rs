//! This silo's own lease: when it may run turns, and how it proves it again and again.
//!
//! ```text
//! renewal:   send ───────── commit ──── answer          lease: send + 3 s, whenever the answer comes
//! vouches:   ask ── vouch A ── vouch B ── answer B      lease: ask + 3 s, with floor(n/2) of the others
//! ```
//! Measured from the *send*, because whoever waits for the lease to run out knows only that the send came before
//! the commit that it read. A lease that has lapsed can be taken up again through the store alone, never by vouches:
//! a voter's promise not to vouch has an end, and the lapse is what that end relies on.
//!
//! The row also says who could vouch, and a silo whom too few of today's members could have vouched for must be
//! outwaited when it crashes, for minutes. So a row that names a cluster much smaller than today's, or one of whom
//! most have gone, is renewed at once: see [`OwnLease::names_too_few`]. And the first row, which was written when the
//! others of a newborn cluster were not yet there, lets nobody vouch: a silo that has never renewed stops when its
//! lease ends, and all know it.

use super::config::Config;
use super::event::RequestId;
use super::message::Pulse;
use super::table::{LeaseRow, holds_lease};
use crate::view::View;
use crate::{Instant, SiloId, Version, ViewVersion};
use std::collections::BTreeMap;
use std::sync::Arc;

#[derive(Clone, Hash, Debug)]
pub(super) struct OwnLease {
    /// The version of the lease row, once known. A renewal checks it, so that no late renewal of ours can overwrite
    /// a newer one.
    pub(super) row: Version,
    pub(super) seq: u64,
    /// When the last renewal that is known to be committed was sent.
    confirmed: Instant,
    /// The lease, from the store or by vouches.
    pub(super) until: Instant,
    /// Whether the last word to the driver was that the lease is held.
    pub(super) held: bool,
    /// Since when leases have come from the store without a gap.
    pub(super) from_store_since: Option<Instant>,
    /// Renewals without a known outcome, oldest first. At most one of them was written: all check the same row.
    attempts: Vec<Attempt>,
    /// The attempt whose answer is waited for.
    pub(super) in_flight: Option<RequestId>,
    /// The last attempt failed, or has no answer yet after the time it should have had one.
    pub(super) failing: bool,
    /// The row has a version that we do not know: read it before the next attempt.
    pub(super) row_unknown: bool,
    /// The newest view that was known when the row was last read.
    read_at: ViewVersion,
    pub(super) renew_at: Instant,
    /// The view that our lease row is known to name, and the one that it may name instead.
    /// `None`, and then nobody can vouch, before the first renewal and while the view that the row names is not at hand.
    electorate: Option<Arc<View>>,
    electorate_pending: Option<Arc<View>>,
    /// The named and the present view that were compared last, and whether the named one would not do.
    compared: (ViewVersion, ViewVersion, bool),
    round: u64,
    rounds: Vec<(u64, Instant)>,
    /// For each voucher, when the request that it answered was sent.
    vouches: BTreeMap<SiloId, Instant>,
    pub(super) ask_at: Instant,
}

#[derive(Clone, Hash, Debug)]
struct Attempt {
    request: RequestId,
    seq: u64,
    sent: Instant,
}

impl OwnLease {
    /// The lease that came with becoming active: `sent` is when that commit was sent, `row` its version.
    pub(super) fn granted(now: Instant, sent: Instant, row: Version, config: &Config) -> Self {
        let mut lease = Self {
            row,
            seq: LeaseRow::FIRST,
            confirmed: sent,
            until: Instant::ZERO,
            held: false,
            from_store_since: Some(now),
            attempts: Vec::new(),
            in_flight: None,
            failing: false,
            row_unknown: false,
            read_at: ViewVersion(0),
            renew_at: sent + config.renew_every,
            electorate: None,
            electorate_pending: None,
            compared: (ViewVersion(0), ViewVersion(0), false),
            round: 0,
            rounds: Vec::new(),
            vouches: BTreeMap::new(),
            ask_at: Instant::NEVER,
        };
        lease.extend(lease.store_lease(now, config));
        lease
    }

    /// Until when the store's last word lets this silo run.
    fn store_lease(&self, now: Instant, config: &Config) -> Instant {
        let measured_from = if crate::mutant!("m02") { now } else { self.confirmed };
        measured_from + config.lease
    }

    fn extend(&mut self, until: Instant) {
        self.until = self.until.max(until);
    }

    /// Notes an attempt to renew and says which view it is to name.
    pub(super) fn attempt(
        &mut self,
        now: Instant,
        request: RequestId,
        view: &Arc<View>,
    ) -> (u64, ViewVersion) {
        assert!(self.in_flight.is_none(), "one renewal at a time");
        self.seq += 1;
        self.attempts.push(Attempt { request, seq: self.seq, sent: now });
        if self.attempts.len() > ATTEMPTS_KEPT {
            self.attempts.remove(0);
        }
        self.in_flight = Some(request);
        // Until the outcome of the attempts that name `pending` is known, no third view may come into play.
        let named = self.electorate_pending.get_or_insert_with(|| view.clone());
        (self.seq, named.version)
    }

    /// Compares whom the lease row names with who is there, if either has changed since the last time.
    pub(super) fn compare(&mut self, me: SiloId, view: &View) {
        let named = self.electorate.as_ref().map_or(ViewVersion(0), |named| named.version);
        if (self.compared.0, self.compared.1) != (named, view.version) {
            let too_few = self.electorate.as_ref().is_some_and(|named| spare(named, view, me) < enough(view));
            self.compared = (named, view.version, too_few);
        }
    }

    /// The row is read now, and this is the newest view known.
    pub(super) fn read_at(&mut self, view: ViewVersion) {
        self.read_at = view;
    }

    /// Whether an attempt would have to name a view in which this silo is alone, and it no longer is.
    pub(super) fn would_name_only(&self, me: SiloId, view: &View) -> bool {
        self.electorate_pending.as_ref().is_some_and(|p| is_alone(p, me) && p.version < view.version)
    }

    /// Whether this silo could hardly be voted out if it crashed now, and a renewal would help: its row names too few
    /// of those who are there.
    pub(super) fn names_too_few(&self) -> bool {
        self.compared.2 && self.in_flight.is_none() && !self.failing && !self.row_unknown
    }

    /// Whether this request is an attempt that is not forgotten.
    pub(super) fn has_sent(&self, request: RequestId) -> bool {
        self.attempts.iter().any(|attempt| attempt.request == request)
    }

    /// When the attempt in flight was sent.
    pub(super) fn in_flight_since(&self) -> Option<Instant> {
        let request = self.in_flight?;
        self.attempts.iter().find(|a| a.request == request).map(|a| a.sent)
    }

    /// The answer of an attempt, however late: its row has this version. False if it is none of ours, or so late
    /// that the row must have changed since.
    pub(super) fn committed(
        &mut self,
        now: Instant,
        request: RequestId,
        row: Version,
        config: &Config,
    ) -> bool {
        let Some(attempt) = self.attempts.iter().find(|a| a.request == request).cloned() else {
            return false;
        };
        self.confirm(now, attempt.sent, row, config);
        true
    }

    /// The lease row as it was read: one of our attempts may have been written without our knowing.
    pub(super) fn read(&mut self, now: Instant, me: SiloId, found: &LeaseRow, row: Version, config: &Config) {
        let (seq, view) = (found.seq, found.view);
        let was_unknown = std::mem::take(&mut self.row_unknown);
        if let Some(attempt) = self.attempts.iter().find(|a| a.seq == seq).cloned() {
            crate::reached!("membership.lease.found_written");
            return self.confirm(now, attempt.sent, row, config);
        }
        // An attempt that named us alone was also to check the view. The view was newer already when we read, and the
        // attempt had not been written: it never will be.
        let alone = |pending: &mut Arc<View>| self.read_at > pending.version && is_alone(pending, me);
        if row == self.row && self.electorate_pending.take_if(alone).is_some() {
            crate::reached!("membership.lease.not_alone");
            self.attempts.clear();
        }
        if row < self.row && was_unknown {
            // Nothing was confirmed while we read, so the store went back in time, and our last renewals with it. Whether
            // an attempt is still under way, and which view it names, is not known: all of that stays as it is.
            crate::reached!("membership.lease.row_went_back");
            self.row = row;
        }
        if row > self.row {
            self.row = row;
            self.attempts.clear();
            // No attempt on the earlier row can be written any more, so the row itself says whom we would ask.
            match self.electorate_pending.take() {
                Some(pending) if pending.version == view => self.electorate = Some(pending),
                _ => {}
            }
        }
    }

    fn confirm(&mut self, now: Instant, sent: Instant, row: Version, config: &Config) {
        if row < self.row {
            return;
        }
        let lapsed = sent > self.confirmed + config.lease;
        if lapsed || self.from_store_since.is_none() {
            self.from_store_since = Some(now);
        }
        self.row = row;
        self.confirmed = self.confirmed.max(sent);
        self.attempts.clear();
        self.in_flight = None;
        self.failing = false;
        self.row_unknown = false;
        if let Some(pending) = self.electorate_pending.take() {
            self.electorate = Some(pending);
        }
        self.rounds.clear();
        self.vouches.clear();
        self.ask_at = Instant::NEVER;
        let until = self.store_lease(now, config);
        self.extend(until);
    }

    /// The attempt failed, or has taken too long: the store may be dark.
    pub(super) fn failed(&mut self, now: Instant) {
        self.in_flight = None;
        if !self.failing {
            self.failing = true;
            self.ask_at = now;
        }
    }

    /// Whom to ask to vouch: everybody in the electorates that our lease row may name.
    pub(super) fn electors(&self, me: SiloId) -> Vec<SiloId> {
        let views = [self.electorate.as_ref(), self.electorate_pending.as_ref()];
        let mut electors: Vec<SiloId> = views.into_iter().flatten().flat_map(|v| others(v, me)).collect();
        electors.sort_unstable();
        electors.dedup();
        electors
    }

    /// Begins to ask for vouches; the round to put into the requests.
    pub(super) fn ask(&mut self, now: Instant, me: SiloId, config: &Config) -> u64 {
        self.round += 1;
        self.rounds.push((self.round, now));
        if self.rounds.len() > ROUNDS_KEPT {
            self.rounds.remove(0);
        }
        self.take_vouches(now, me, config);
        let comfortable = self.until.since(now) + config.renew_every >= config.lease;
        let pause = if comfortable { config.renew_every } else { config.renew_every / 2 };
        self.ask_at = now + pause;
        self.round
    }

    /// Somebody vouches for us.
    pub(super) fn vouched(&mut self, now: Instant, from: SiloId, round: u64, me: SiloId, config: &Config) {
        let Some(sent) = self.rounds.iter().find(|(r, _)| *r == round).map(|(_, sent)| *sent) else {
            return;
        };
        let newest = self.vouches.entry(from).or_insert(sent);
        *newest = (*newest).max(sent);
        self.take_vouches(now, me, config);
    }

    /// Extends the lease by the vouches at hand, if it has not lapsed.
    fn take_vouches(&mut self, now: Instant, me: SiloId, config: &Config) {
        let Some(electorate) = self.electorate.as_ref().filter(|_| now < self.until) else {
            return;
        };
        let of_electorate = |view: &Arc<View>| self.vouched_until(now, view, me, config);
        let mut until = of_electorate(electorate);
        if let Some(pending) = &self.electorate_pending {
            until = until.min(of_electorate(pending));
        }
        if until > self.until {
            crate::reached!("membership.lease.vouched");
            self.until = until;
        }
    }

    fn vouched_until(&self, now: Instant, view: &View, me: SiloId, config: &Config) -> Instant {
        let mut sent: Vec<Instant> =
            others(view, me).map(|o| self.vouches.get(&o).copied().unwrap_or_default()).collect();
        sent.sort_unstable_by(|a, b| b.cmp(a));
        let needed = if crate::mutant!("m18") { sent.len() / 2 } else { sent.len().div_ceil(2) };
        // `needed` is floor(n/2) for n = others + 1. Alone, nobody is needed: then the asking itself is the proof.
        let majority = if needed == 0 { now } else { sent[needed - 1] };
        let all = sent.last().copied().unwrap_or(now);
        let from_store = self.confirmed + config.lease;
        let capped = |sent: Instant, beyond| match sent {
            Instant::ZERO => Instant::ZERO,
            sent => (sent + config.lease).min(from_store + beyond),
        };
        capped(majority, config.dark_run_max).max(capped(all, config.dark_run_unanimous_max))
    }

    /// What to tell the others.
    pub(super) fn pulse(&self, now: Instant, view: ViewVersion, config: &Config) -> Pulse {
        let runs = (self.confirmed + config.lease).since(now);
        Pulse { view, serving: now < self.until, lease: Some((self.row, runs)) }
    }
}

fn others(view: &View, me: SiloId) -> impl Iterator<Item = SiloId> + '_ {
    view.members.iter().filter(move |m| holds_lease(m.status) && m.id.name != me.name).map(|m| m.id)
}

/// Whether nobody else holds a lease.
pub(super) fn is_alone(view: &View, me: SiloId) -> bool {
    others(view, me).next().is_none()
}

/// How many of those whom `named` names, and who are still there, could be silent without making it impossible to
/// vote `me` out. Negative if it is impossible as it is.
fn spare(named: &View, present: &View, me: SiloId) -> isize {
    let size = named.members.iter().filter(|m| holds_lease(m.status)).count();
    let mut present = others(present, me).peekable();
    let mut voters: isize = 0;
    for voter in others(named, me) {
        // Both are sorted by name.
        while present.next_if(|id| id.name < voter.name).is_some() {}
        voters += isize::from(present.peek().is_some_and(|id| id.name == voter.name));
    }
    voters - size.div_ceil(2) as isize
}

/// As many as a row that names all who are there can spare, but no more than it takes.
fn enough(present: &View) -> isize {
    let size = present.members.iter().filter(|m| holds_lease(m.status)).count() as isize;
    let most = size - 1 - (size + 1) / 2;
    most.min(SPARE_MIN.max(most - most / 4))
}

/// A row that can spare so many voters, or three quarters of what the best could, is good until it is renewed anyway.
const SPARE_MIN: isize = 2;
/// Older attempts could not give a lease any more.
const ATTEMPTS_KEPT: usize = 8;
const ROUNDS_KEPT: usize = 4;
