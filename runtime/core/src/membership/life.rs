//! The phases of a silo, from its reserved row to its last commit.
//!
//! ```text
//! Idle ─start─ Reading ─ Checking ─heard, or 2 s─ Activating ─commit─ Active ─ Draining ─ Leaving ─ Stopped
//!                 └────────────────────── its row is dead or superseded ──────────────────────────────┘
//! ```

use super::Membership;
use super::event::{Action, StopReason};
use super::evict::Purpose;
use super::lease::OwnLease;
use super::message::MembershipMessage;
use super::pledge::Pledges;
use super::table::{Change, LeaseRow, Row, RowKey, SiloRow, THIS, TableEntry, Tenure};
use crate::view::Status;
use crate::{Instant, Version};
use std::time::Duration;

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) enum Phase {
    /// Not started.
    Idle,
    /// Started; the table has not been read.
    Reading,
    /// Joining: waits to be heard by another silo, or for the time when it gives up on that.
    Checking { until: Instant },
    /// Joining: commits to be active. `first_sent` is when the first such commit was sent.
    Activating { first_sent: Option<Instant> },
    /// Serving, perhaps draining.
    Serving,
    /// Has stopped running turns and commits its own death. Gives up at `until`.
    Leaving { until: Instant },
    /// Over.
    Stopped,
}

impl Membership {
    pub(super) fn start(&mut self, now: Instant, out: &mut Vec<Action>) {
        if self.phase == Phase::Idle {
            self.phase = Phase::Reading;
            if self.me.generation.0 > 1 {
                self.pledges = Pledges::of_a_new_generation(now, &self.config);
            }
            self.read_table_at_once(now, out);
        }
    }

    pub(super) fn leave(&mut self, now: Instant, out: &mut Vec<Action>) {
        match self.phase {
            Phase::Idle => self.stop(StopReason::Left, out),
            Phase::Leaving { .. } | Phase::Stopped => {}
            _ => {
                // The death that follows leaves no grace, so no turn may run from here on.
                self.lease = None;
                self.announce_lease(now, out);
                self.phase = Phase::Leaving { until: now + LEAVING_MAX };
            }
        }
    }

    pub(super) fn stop(&mut self, reason: StopReason, out: &mut Vec<Action>) {
        if crate::mutant!("m04") && matches!(reason, StopReason::DeclaredDead { .. }) {
            return;
        }
        self.phase = Phase::Stopped;
        self.lease = None;
        self.announced = Instant::ZERO;
        self.targets.clear();
        self.ballot = None;
        self.sentence = None;
        out.push(Action::Stop { reason });
    }

    /// What the table says of this silo itself.
    pub(super) fn note_own_row(&mut self, now: Instant, out: &mut Vec<Action>) {
        let table = self.table.clone().expect("called with a table");
        let leaving = matches!(self.phase, Phase::Leaving { .. });
        let Some(TableEntry { row, version }) = table.named(self.me.name) else {
            crate::reached!("membership.own_row.gone");
            return self.stop(StopReason::DeclaredDead { id: self.me }, out);
        };
        if row.id.generation > self.me.generation {
            crate::reached!("membership.own_row.superseded");
            return self.stop(StopReason::Superseded { id: self.me, newer: row.id.generation }, out);
        }
        if row.id != self.me || row.status == Status::Dead {
            crate::reached!("membership.own_row.dead");
            let reason = if leaving { StopReason::Left } else { StopReason::DeclaredDead { id: self.me } };
            return self.stop(reason, out);
        }
        self.own_row = *version;
        match (&self.phase, row.status) {
            (Phase::Reading, Status::Joining) => self.begin_checking(now, out),
            (Phase::Activating { first_sent: Some(sent) }, Status::Active | Status::Draining) => {
                self.become_active(now, *sent, *version, out);
            }
            (Phase::Serving, Status::Draining) => self.note_draining(out),
            _ => {}
        }
    }

    fn note_draining(&mut self, out: &mut Vec<Action>) {
        if !self.drain_wanted {
            self.drain_wanted = true;
        }
        out.push(Action::Draining);
    }

    /// Asks a few members whether they hear us: a silo that nobody can reach would only do harm.
    fn begin_checking(&mut self, now: Instant, out: &mut Vec<Action>) {
        let peers = self.some_holders(self.config.indirect_probes, &[]);
        let until = if peers.is_empty() { now } else { now + self.config.join_check };
        self.phase = Phase::Checking { until };
        let pulse = self.pulse(now);
        for to in peers {
            let nonce = self.next_number();
            out.push(Action::Send { to, msg: MembershipMessage::Probe { nonce, pulse } });
        }
    }

    /// A member has heard us.
    pub(super) fn check_passed(&mut self) {
        if let Phase::Checking { .. } = self.phase {
            self.phase = Phase::Activating { first_sent: None };
        }
    }

    fn become_active(&mut self, now: Instant, sent: Instant, version: Version, out: &mut Vec<Action>) {
        // The lease row was written by the same commit as ours.
        self.lease = Some(OwnLease::granted(now, sent, version, &self.config));
        self.phase = Phase::Serving;
        out.push(Action::Joined { id: self.me });
        self.announce_lease(now, out);
    }

    pub(super) fn tick_life(&mut self, now: Instant, out: &mut Vec<Action>) {
        if let Phase::Checking { until } = self.phase
            && now >= until
        {
            if self.view.active().any(|m| m.id != self.me) {
                crate::reached!("membership.join.unheard");
            }
            self.phase = Phase::Activating { first_sent: None };
        }
        if self.change.is_some() || !self.may_change(now) {
            if matches!(self.phase, Phase::Leaving { until } if now >= until) {
                self.stop(StopReason::Left, out);
            }
            return;
        }
        match self.phase {
            Phase::Activating { first_sent } => {
                self.phase = Phase::Activating { first_sent: first_sent.or(Some(now)) };
                self.commit_own(now, Purpose::Activate, out);
            }
            Phase::Serving if self.drain_wanted && self.own_status() == Some(Status::Active) => {
                self.commit_own(now, Purpose::Drain, out);
            }
            Phase::Leaving { until } if now >= until => self.stop(StopReason::Left, out),
            Phase::Leaving { .. } => self.commit_own(now, Purpose::Leave, out),
            _ => {}
        }
    }

    pub(super) fn life_deadline(&self) -> Instant {
        match self.phase {
            Phase::Checking { until } | Phase::Leaving { until } => until,
            _ => Instant::NEVER,
        }
    }

    fn own_status(&self) -> Option<Status> {
        self.view.member(self.me).map(|m| m.status)
    }

    /// Commits the next status of our own row.
    fn commit_own(&mut self, now: Instant, purpose: Purpose, out: &mut Vec<Action>) {
        let Some(table) = self.table.clone() else { return };
        let Some(entry) = table.entry(self.me) else { return };
        let mut change = Change::of_membership(&table);
        change.expects.push((RowKey::Silo(self.me.name), Some(entry.version)));
        let mut row = entry.row.clone();
        row.grace = self.grace_left(now, &row);
        match purpose {
            Purpose::Activate => {
                row.status = Status::Active;
                row.address = self.address.clone();
                row.contract = self.contract;
                row.tenure = Some(Tenure { since: THIS, left: None });
            }
            // A deliberate bug: the status that the silo has written since it serves is written again.
            Purpose::Drain if crate::mutant!("m50") => {}
            Purpose::Drain => row.status = Status::Draining,
            Purpose::Leave => {
                row.status = Status::Dead;
                if let Some(tenure) = &mut row.tenure {
                    tenure.left = Some(THIS);
                }
            }
            Purpose::Evict | Purpose::Tidy | Purpose::Restore => unreachable!("those are about others"),
        }
        change.puts.push(Row::Silo(row));
        if purpose == Purpose::Activate {
            let lease = LeaseRow { generation: self.me.generation, seq: LeaseRow::FIRST, view: THIS };
            change.puts.push(Row::Lease(self.me.name, lease));
        }
        self.commit(now, purpose, change, out);
    }

    /// What is left of a row's grace, which counts from when we first saw it.
    pub(super) fn grace_left(&self, now: Instant, row: &SiloRow) -> Duration {
        match self.sights.get(&row.id) {
            Some(seen) => row.grace.saturating_sub(now.since(seen.first)),
            None => row.grace,
        }
    }
}

/// How long a silo tries to write its own death before it goes without.
const LEAVING_MAX: Duration = Duration::from_secs(5);
