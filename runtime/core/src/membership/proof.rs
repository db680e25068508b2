//! Proving the lease, through the store and, when the store is dark, by the others' vouches.

use super::Membership;
use super::event::{Action, RequestId};
use super::lease::is_alone;
use super::life::Phase;
use super::message::{MembershipMessage, Pulse};
use super::table::{Change, LeaseRow, Row, RowKey, StoreFault};
use crate::{Instant, SiloId, Version};
use std::time::Duration;

impl Membership {
    pub(super) fn pulse(&self, now: Instant) -> Pulse {
        let view = self.view_version();
        match &self.lease {
            Some(lease) => lease.pulse(now, view, &self.config),
            None => Pulse { view, serving: false, lease: None },
        }
    }

    pub(super) fn lease_deadline(&self) -> Instant {
        let Some(lease) = &self.lease else { return Instant::NEVER };
        let end = if lease.held { lease.until } else { Instant::NEVER };
        let ask = if lease.held { lease.ask_at } else { Instant::NEVER };
        let answer = match (lease.in_flight_since(), self.own_lease_read) {
            (Some(sent), _) | (None, Some((_, sent))) => sent + self.config.renew_timeout,
            (None, None) => lease.renew_at,
        };
        end.min(ask).min(answer)
    }

    pub(super) fn tick_lease(&mut self, now: Instant, out: &mut Vec<Action>) {
        self.pledges.prune(now);
        let timeout = self.config.renew_timeout;
        let Some(lease) = &mut self.lease else { return };
        let overdue = |sent: Instant| now >= sent + timeout;
        if lease.in_flight_since().is_some_and(overdue) {
            crate::reached!("membership.renewal.overdue");
            self.renewal_failed(now, out);
        } else if self.own_lease_read.is_some_and(|(_, sent)| overdue(sent)) {
            self.own_lease_read = None;
            self.renewal_failed(now, out);
        }
        self.announce_lease(now, out);
        self.renew_if_due(now, out);
        self.ask_if_due(now, out);
    }

    fn renew_if_due(&mut self, now: Instant, out: &mut Vec<Action>) {
        let Some(lease) = self.lease.as_mut().filter(|_| self.own_lease_read.is_none()) else { return };
        lease.compare(self.me, &self.view);
        if self.drain_wanted && crate::mutant!("m51") {
            lease.renew_at = Instant::NEVER;
        }
        let too_few = lease.names_too_few();
        if too_few {
            crate::reached!("membership.renewal.names_too_few");
        }
        if too_few || now >= lease.renew_at && lease.in_flight.is_none() {
            self.renew(now, out);
        }
    }

    fn renew(&mut self, now: Instant, out: &mut Vec<Action>) {
        let request = self.next_number();
        let view = self.view.clone();
        let Some(lease) = &mut self.lease else { return };
        lease.renew_at = now + self.config.renew_every;
        if lease.row_unknown || lease.would_name_only(self.me, &view) {
            lease.read_at(view.version);
            self.own_lease_read = Some((request, now));
            return out.push(Action::ReadLease { request, name: self.me.name });
        }
        let (seq, named) = lease.attempt(now, request, &view);
        let (own, row) = (RowKey::Silo(self.me.name), RowKey::Lease(self.me.name));
        let mut expects = vec![(own, Some(self.own_row)), (row, Some(lease.row))];
        if let Some(table) = self.table.as_ref().filter(|_| is_alone(&view, self.me)) {
            // Nobody could ever vote us out by this row, so it is written only if it is true: there is nobody.
            expects.push((RowKey::View, Some(table.view_version)));
        }
        let change = Change {
            expects,
            puts: vec![Row::Lease(
                self.me.name,
                LeaseRow { generation: self.me.generation, seq, view: named },
            )],
            deletes: Vec::new(),
        };
        out.push(Action::Commit { request, change });
    }

    /// The answer to a renewal.
    pub(super) fn renewed(
        &mut self,
        now: Instant,
        request: RequestId,
        result: Result<Version, StoreFault>,
        out: &mut Vec<Action>,
    ) {
        let config = self.config.clone();
        let Some(lease) = &mut self.lease else { return };
        let awaited = lease.in_flight == Some(request);
        match result {
            Ok(row) => {
                if lease.committed(now, request, row, &config) {
                    self.vouch_requests.clear();
                    self.announce_lease(now, out);
                } else {
                    // Written so late that we no longer know when we sent it: whatever the row says now is news.
                    lease.row_unknown = true;
                }
            }
            Err(StoreFault::Conflict) if awaited => {
                // Our row has changed, or an earlier renewal was written after all. Death is told by the table.
                crate::reached!("membership.renewal.conflict");
                lease.in_flight = None;
                lease.row_unknown = true;
                lease.renew_at = now;
                self.read_table_at_once(now, out);
            }
            Err(_) if awaited => self.renewal_failed(now, out),
            Err(_) => {}
        }
    }

    /// Our own lease row was read; false if that was not the question.
    pub(super) fn own_lease_answered(
        &mut self,
        now: Instant,
        request: RequestId,
        result: &Result<Option<(LeaseRow, Version)>, StoreFault>,
        out: &mut Vec<Action>,
    ) -> bool {
        if self.own_lease_read.is_none_or(|(r, _)| r != request) {
            return false;
        }
        self.own_lease_read = None;
        let config = self.config.clone();
        match (result, &mut self.lease) {
            (Ok(Some((row, version))), Some(lease)) if row.generation == self.me.generation => {
                let (known, met_a_conflict) = (lease.row, lease.row_unknown);
                lease.read(now, self.me, row, *version, &config);
                // The row is as we knew it, and a renewal met a conflict all the same: then it is our silo's row that has
                // changed, and until the table has been read the next renewal would meet the same, as fast as the
                // store can answer.
                let in_vain = met_a_conflict && lease.row == known;
                lease.renew_at = if in_vain { now + CONFLICT_PAUSE } else { now };
                self.announce_lease(now, out);
            }
            (Ok(_), Some(_)) => self.read_table_at_once(now, out),
            (Err(_), Some(_)) => self.renewal_failed(now, out),
            (_, None) => {}
        }
        true
    }

    fn renewal_failed(&mut self, now: Instant, out: &mut Vec<Action>) {
        let Some(lease) = &mut self.lease else { return };
        lease.failed(now);
        // Now we know that the store is dark to us as well.
        for (to, round) in std::mem::take(&mut self.vouch_requests) {
            self.vouch_for(now, to, round, out);
        }
    }

    fn ask_if_due(&mut self, now: Instant, out: &mut Vec<Action>) {
        let Some(lease) = &mut self.lease else { return };
        if !lease.failing || !lease.held || now < lease.ask_at {
            return;
        }
        let round = lease.ask(now, self.me, &self.config);
        let electors = lease.electors(self.me);
        let msg = MembershipMessage::VouchRequest { round };
        out.extend(electors.into_iter().map(|to| Action::Send { to, msg: msg.clone() }));
        self.announce_lease(now, out);
    }

    /// Another silo asks us to vouch for it.
    ///
    /// We do so only if the store is dark to us too, or it would be the asker alone that is cut off, and should stop.
    /// Whether it is dark we find out before we answer, because the asker's lease may end before our next renewal.
    pub(super) fn vouch_requested(&mut self, now: Instant, from: SiloId, round: u64, out: &mut Vec<Action>) {
        let config = self.config.clone();
        let Some(lease) = &mut self.lease else { return };
        if !self.view.member(from).is_some_and(|m| super::table::holds_lease(m.status)) {
            return;
        }
        if lease.failing {
            return self.vouch_for(now, from, round, out);
        }
        let proven_lately = lease.renew_at.since(now) + PROOF_FRESH >= config.renew_every;
        if lease.in_flight.is_some() || self.own_lease_read.is_some() || !proven_lately {
            self.vouch_requests.insert(from, round);
            if lease.in_flight.is_none() {
                lease.renew_at = now;
            }
        }
    }

    fn vouch_for(&mut self, now: Instant, target: SiloId, round: u64, out: &mut Vec<Action>) {
        if self.pledges.vouch(now, target, &self.config) {
            crate::reached!("membership.vouched");
            out.push(Action::Send { to: target, msg: MembershipMessage::Vouch { round } });
        } else {
            crate::reached!("membership.vouch.refused_by_vote");
        }
    }

    /// Somebody vouches for us.
    pub(super) fn vouched(&mut self, now: Instant, from: SiloId, round: u64, out: &mut Vec<Action>) {
        let config = self.config.clone();
        let me = self.me;
        if let Some(lease) = &mut self.lease {
            lease.vouched(now, from, round, me, &config);
            self.announce_lease(now, out);
        }
    }

    /// Tells the driver what has changed about the lease.
    pub(super) fn announce_lease(&mut self, now: Instant, out: &mut Vec<Action>) {
        let until = match &self.lease {
            Some(lease) if matches!(self.phase, Phase::Serving) => lease.until,
            _ => Instant::ZERO,
        };
        let held = now < until;
        let was_held = self.announced > Instant::ZERO;
        if let Some(lease) = &mut self.lease {
            lease.held = held;
        }
        if held && until != self.announced {
            self.announced = until;
            out.push(Action::LeaseHeld { until });
        } else if !held && was_held && !crate::mutant!("m04") {
            crate::reached!("membership.lease.lost");
            self.announced = Instant::ZERO;
            out.push(Action::LeaseLost);
        }
    }
}

/// How long to wait for the table after a renewal that met a conflict although the lease row had not changed.
const CONFLICT_PAUSE: Duration = Duration::from_millis(100);
/// A renewal sent so lately need not be repeated to know that the store is not dark.
const PROOF_FRESH: Duration = Duration::from_millis(200);
