//! Probes: our own, those we make for others, and the answers.

use super::Membership;
use super::event::{Action, RequestId};
use super::life::Phase;
use super::message::{MembershipMessage, Pulse};
use super::suspicion::{Indirect, OutstandingProbe, Target, WatchRead};
use super::table::{LeaseRow, StoreFault, holds_lease};
use crate::view::Status;
use crate::{Generation, Instant, SiloId, SiloName, Version, ViewVersion};
use std::collections::BTreeSet;
use std::time::Duration;

/// A probe that we make because another silo asked.
#[derive(Clone, Copy, Hash, Debug)]
pub(super) struct Proxied {
    asker: SiloId,
    asker_nonce: u64,
    target: SiloId,
    until: Instant,
}

/// What we happened to learn of a silo, by our own probes or others'.
#[derive(Clone, Copy, Hash, Debug, Default)]
pub(super) struct Sighting {
    /// When it last spoke to us, and whether it said that it serves.
    pub(super) heard: Option<(Instant, bool)>,
    /// When it last left a probe unanswered that we made for another.
    pub(super) missed: Option<Instant>,
}

/// The most probes under way for others; more are dropped, and the asker counts on another.
pub(super) const PROXIED_MAX: usize = 256;

impl Membership {
    pub(super) fn message(
        &mut self,
        now: Instant,
        from: SiloId,
        msg: MembershipMessage,
        out: &mut Vec<Action>,
    ) {
        use MembershipMessage as M;
        if self.phase == Phase::Idle || from == self.me || self.refuse_the_dead(from, &msg, out) {
            return;
        }
        if self.view.member(from).is_none() {
            // Not in our table yet, or no longer: answer its probes, trust it with nothing else.
            self.read_table_soon_for_stranger(now, out);
            if !matches!(
                msg,
                M::Probe { .. } | M::ProbeAck { .. } | M::ViewHint { .. } | M::YouAreDead { .. }
            ) {
                return;
            }
        }
        match msg {
            M::Probe { nonce, pulse } => {
                let answer = M::ProbeAck { nonce, pulse: self.pulse(now) };
                out.push(Action::Send { to: from, msg: answer });
                self.heard(now, from, &pulse, out);
            }
            M::ProbeAck { nonce, pulse } => {
                self.check_passed();
                self.heard(now, from, &pulse, out);
                self.proxied_answered(nonce, from, pulse, out);
            }
            M::ProbeFor { nonce, target } => self.probe_for(now, from, nonce, target, out),
            M::ProbedFor { nonce, target, pulse } => self.probed_for(now, from, nonce, target, pulse),
            M::ViewHint { view } => self.view_seen(now, view, out),
            M::Ballot { round, view, targets } => {
                self.view_seen(now, view, out);
                self.vote(now, from, round, &targets, out);
            }
            M::Votes { round, votes } => self.votes_arrived(from, round, votes),
            M::VouchRequest { round } => self.vouch_requested(now, from, round, out),
            M::Vouch { round } => self.vouched(now, from, round, out),
            M::YouAreDead { generation, view } => self.told_dead(now, generation, view, out),
        }
    }

    /// Answers a dead generation that it is dead, and hears nothing else from it.
    fn refuse_the_dead(&mut self, from: SiloId, msg: &MembershipMessage, out: &mut Vec<Action>) -> bool {
        let removed = self.view.named(from.name).is_none()
            && self.table.as_ref().is_some_and(|t| from.generation <= t.view.generation_floor);
        if !(self.view.is_dead(from) || removed) || crate::mutant!("m16") {
            return false;
        }
        crate::reached!("membership.dead_sender.refused");
        if !matches!(msg, MembershipMessage::YouAreDead { .. }) {
            let (generation, view) = (from.generation, self.view_version());
            out.push(Action::Send { to: from, msg: MembershipMessage::YouAreDead { generation, view } });
        }
        true
    }

    fn told_dead(&mut self, now: Instant, generation: Generation, view: ViewVersion, out: &mut Vec<Action>) {
        if generation == self.me.generation && view > self.view_version() {
            crate::reached!("membership.told_dead");
            self.read_table_at_once(now, out);
        }
    }

    fn read_table_soon_for_stranger(&mut self, now: Instant, out: &mut Vec<Action>) {
        if self.phase != Phase::Reading {
            self.read_table_soon(now, out);
        }
    }

    /// A sign of life from a peer.
    fn heard(&mut self, now: Instant, from: SiloId, pulse: &Pulse, out: &mut Vec<Action>) {
        if let Some(target) = self.targets.get_mut(&from) {
            target.heard(now, pulse, &self.config);
        }
        if self.view.member(from).is_some() {
            self.sightings.entry(from).or_default().heard = Some((now, pulse.serving));
        }
        if !crate::mutant!("m49") {
            self.view_seen(now, pulse.view, out);
        }
    }

    pub(super) fn link_down(&mut self, now: Instant, peer: SiloId) {
        if let Some(target) = self.targets.get_mut(&peer).filter(|target| target.probe.is_none()) {
            target.probe_at = now;
        }
    }

    fn probe_for(
        &mut self,
        now: Instant,
        asker: SiloId,
        asker_nonce: u64,
        target: SiloId,
        out: &mut Vec<Action>,
    ) {
        if self.proxied.len() >= PROXIED_MAX || self.view.is_dead(target) || target == self.me {
            return;
        }
        let nonce = self.next_number();
        let until = now + PROXIED_TIMEOUT.min(self.config.probe_timeout);
        self.proxied.insert(nonce, Proxied { asker, asker_nonce, target, until });
        let pulse = self.pulse(now);
        out.push(Action::Send { to: target, msg: MembershipMessage::Probe { nonce, pulse } });
    }

    fn proxied_answered(&mut self, nonce: u64, from: SiloId, pulse: Pulse, out: &mut Vec<Action>) {
        if self.proxied.get(&nonce).is_some_and(|proxied| proxied.target == from) {
            let Proxied { asker, asker_nonce: nonce, target, .. } =
                self.proxied.remove(&nonce).expect("looked up above");
            let msg = MembershipMessage::ProbedFor { nonce, target, pulse: Some(pulse) };
            out.push(Action::Send { to: asker, msg });
        }
    }

    fn probed_for(&mut self, now: Instant, from: SiloId, nonce: u64, id: SiloId, pulse: Option<Pulse>) {
        let Some(target) = self.targets.get_mut(&id) else { return };
        let Indirect::Asked { nonce: asked, waiting, .. } = &mut target.indirect else { return };
        if *asked != nonce {
            return;
        }
        match pulse {
            Some(pulse) => {
                crate::reached!("membership.indirect.cleared");
                target.heard(now, &pulse, &self.config);
            }
            None => {
                waiting.remove(&from.name);
                if waiting.is_empty() {
                    target.indirect = Indirect::InVain;
                    target.suspect(now);
                }
            }
        }
    }

    pub(super) fn probes_deadline(&self) -> Instant {
        let targets = self.targets.values().map(|t| self.target_deadline(t));
        let proxied = self.proxied.values().map(|p| p.until);
        targets.chain(proxied).min().unwrap_or(Instant::NEVER)
    }

    fn target_deadline(&self, target: &Target) -> Instant {
        let is_joining = || !self.view.member(target.id).is_some_and(|m| holds_lease(m.status));
        target.next_deadline(is_joining, &self.config)
    }

    pub(super) fn tick_probes(&mut self, now: Instant, out: &mut Vec<Action>) {
        self.end_proxied(now, out);
        if self.sightings.len() > 4 * self.config.monitors {
            let fresh = |at: Instant| now.since(at) < SIGHTING_KEPT;
            self.sightings
                .retain(|_, s| s.heard.is_some_and(|(at, _)| fresh(at)) || s.missed.is_some_and(fresh));
        }
        if self.targets.values().all(|t| now < self.target_deadline(t)) {
            return;
        }
        let due: Vec<SiloId> = self.targets.keys().copied().collect();
        for id in due {
            self.tick_target(now, id, out);
        }
        self.act_for_suspects(now);
    }

    /// Watches in the place of those whom we suspect, and no longer in that of those who came back.
    fn act_for_suspects(&mut self, now: Instant) {
        let suspected = |t: &&Target| matches!(t.indirect, Indirect::InVain);
        let suspects: BTreeSet<SiloName> =
            self.targets.values().filter(suspected).map(|t| t.id.name).collect();
        if suspects != self.acts_for {
            self.acts_for = suspects;
            self.choose_targets(now);
        }
    }

    fn end_proxied(&mut self, now: Instant, out: &mut Vec<Action>) {
        while let Some((nonce, ended)) =
            self.proxied.iter().find(|(_, p)| now >= p.until).map(|(n, p)| (*n, *p))
        {
            self.proxied.remove(&nonce);
            self.sightings.entry(ended.target).or_default().missed = Some(now);
            let msg =
                MembershipMessage::ProbedFor { nonce: ended.asker_nonce, target: ended.target, pulse: None };
            out.push(Action::Send { to: ended.asker, msg });
        }
    }

    fn tick_target(&mut self, now: Instant, id: SiloId, out: &mut Vec<Action>) {
        let config = self.config.clone();
        let (number, pulse) = (self.next_number(), self.pulse(now));
        let holder = self.view.member(id).is_some_and(|m| holds_lease(m.status));
        let target = self.targets.get_mut(&id).expect("called with a key of the map");
        let mut watch = false;
        if let Some(probe) = &mut target.probe {
            if !probe.late && now >= probe.sent + config.watch_after {
                probe.late = true;
                watch = holder;
            }
            if now >= probe.sent + config.probe_timeout {
                crate::reached!("membership.probe.missed");
                target.probe = None;
                target.misses += 1;
                target.probe_at = now;
            }
        }
        if target.probe.is_none() && now >= target.probe_at {
            target.probe = Some(OutstandingProbe { nonce: number, sent: now, late: target.misses > 0 });
            out.push(Action::Send { to: id, msg: MembershipMessage::Probe { nonce: number, pulse } });
        }
        let silent = target.is_silent(now, &config);
        match &target.indirect {
            Indirect::NotAsked if silent && holder => self.ask_others(now, id, out),
            Indirect::Asked { until, .. } if now >= *until => {
                target.indirect = Indirect::InVain;
                target.suspect(now);
            }
            _ => {}
        }
        if watch {
            self.watch_lease(now, id, out);
        }
    }

    fn ask_others(&mut self, now: Instant, id: SiloId, out: &mut Vec<Action>) {
        let others = self.some_holders(self.config.indirect_probes, &[id]);
        let nonce = self.next_number();
        let target = self.targets.get_mut(&id).expect("called with a key of the map");
        if others.is_empty() || crate::mutant!("m53") {
            target.indirect = Indirect::InVain;
            return target.suspect(now);
        }
        let waiting = others.iter().map(|other| other.name).collect();
        // Twice the time of a probe: the others have to wait for it themselves.
        let until = now + self.config.probe_timeout + INDIRECT_EXTRA;
        target.indirect = Indirect::Asked { nonce, until, waiting };
        let msg = MembershipMessage::ProbeFor { nonce, target: id };
        out.extend(others.into_iter().map(|to| Action::Send { to, msg: msg.clone() }));
    }

    /// Begins to watch a peer's lease row.
    pub(super) fn watch_lease(&mut self, now: Instant, id: SiloId, out: &mut Vec<Action>) {
        let request = self.next_number();
        if let Some(target) = self.targets.get_mut(&id) {
            target.watch_read = WatchRead::Asked { request, sent: now };
            out.push(Action::ReadLease { request, name: id.name });
        }
    }

    pub(super) fn lease_read(
        &mut self,
        now: Instant,
        request: RequestId,
        result: Result<Option<(LeaseRow, Version)>, StoreFault>,
        out: &mut Vec<Action>,
    ) {
        if self.own_lease_answered(now, request, &result, out) {
            return;
        }
        let asked = |t: &Target| matches!(t.watch_read, WatchRead::Asked { request: r, .. } if r == request);
        let Some(target) = self.targets.values_mut().find(|t| asked(t)) else { return };
        match result {
            Ok(Some((row, version))) if row.generation == target.id.generation => {
                target.lease_read(now, &row, version, &self.config);
            }
            // Of another generation, or none: our table is old. A suspect without a row cannot be tried before that.
            Ok(_) => {
                if target.is_due(now) {
                    target.ballot_lost(now);
                }
                target.watch_read = WatchRead::Idle;
                self.read_table_soon(now, out);
            }
            Err(_) => target.watch_read = WatchRead::Idle,
        }
    }

    /// Whether a joining silo has been silent for so long that it will not come.
    pub(super) fn has_abandoned_its_join(&self, now: Instant, target: &Target) -> bool {
        now.since(target.contact) >= self.config.join_abandoned_after
            && self.view.member(target.id).is_some_and(|m| m.status == Status::Joining)
    }
}

/// A helper answers before the asker gives up on it.
const PROXIED_TIMEOUT: Duration = Duration::from_millis(400);
const INDIRECT_EXTRA: Duration = Duration::from_millis(100);
const SIGHTING_KEPT: Duration = Duration::from_secs(5);
