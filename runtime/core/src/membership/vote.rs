//! Voting on what others suspect.

use super::Membership;
use super::event::Action;
use super::life::Phase;
use super::message::{BALLOT_TARGETS_MAX, MembershipMessage, Vote};
use crate::{Instant, SiloId};
use std::time::Duration;

impl Membership {
    /// Answers a ballot. Whoever does not object is bound by it.
    pub(super) fn vote(
        &mut self,
        now: Instant,
        from: SiloId,
        round: u64,
        targets: &[SiloId],
        out: &mut Vec<Action>,
    ) {
        if self.phase != Phase::Serving || targets.len() > BALLOT_TARGETS_MAX {
            return;
        }
        let votes = targets.iter().map(|target| (*target, self.vote_on(now, *target))).collect();
        out.push(Action::Send { to: from, msg: MembershipMessage::Votes { round, votes } });
    }

    /// Our vote on one silo, our own suspicions included. Binds us unless it is an objection.
    pub(super) fn vote_on(&mut self, now: Instant, target: SiloId) -> Vote {
        let opinion = self.opinion(now, target);
        if opinion == Vote::Object || !self.pledges.vote(now, target, &self.config) {
            crate::reached!("membership.vote.object");
            return Vote::Object;
        }
        opinion
    }

    fn opinion(&self, now: Instant, id: SiloId) -> Vote {
        if id == self.me {
            return Vote::Object;
        }
        let sighting = self.sightings.get(&id).copied().unwrap_or_default();
        let recent = |at: Instant| now.since(at) < self.config.contact_fresh;
        if sighting.heard.is_some_and(|(at, serving)| serving && recent(at)) {
            return Vote::Object;
        }
        let missed = sighting.missed.is_some_and(|at| now.since(at) < MISSED_FRESH)
            || self.targets.get(&id).is_some_and(|target| {
                target.misses >= SUSPECT_MISSES || target.is_leaseless(now, &self.config)
            });
        if missed { Vote::Suspect } else { Vote::NoObjection }
    }
}

/// How long a probe that we made in vain for another counts.
const MISSED_FRESH: Duration = Duration::from_secs(3);
/// How many misses of our own make us agree with a suspicion.
const SUSPECT_MISSES: u32 = 2;
