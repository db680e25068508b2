//! I2, promises P1 and P3, turn by turn and without a search: every turn knows of which version of its actor it is the
//! sequel, and every version has one predecessor.
//!
//! Held to it: a version is written once; what a commit rests on is what the store had; no turn has seen a version that was
//! never written; and no turn begins, under a lease, behind what an earlier turn has answered. Linear in the history, and for
//! every operation of every durable kind, so it also judges what no model describes and what is too wide to search.
//! Source of the idea: the version oracle of openraft's simulation tests. A workload whose own answers carry versions has the
//! same in [`super::VersionOracle`].

use super::silos::Life;
use super::{Checker, Verdict};
use crate::history::{History, NOTHING, Numbers, SiloEvent, SiloRecord, TurnStarted, What, WorldEvent};
use quark_core::{Instant, SiloId, Version, WriteId};
use std::collections::{BTreeMap, BTreeSet};

/// See the module.
pub struct Versions;

/// What is known of one actor.
#[derive(Default)]
struct Chain {
    /// Every version that the store ever had.
    written: BTreeSet<Version>,
    last: Version,
    /// The newest version that a turn has answered from.
    answered: Version,
    /// Whether the store, or a turn, has had any version of it.
    is_known: bool,
}

struct Chains<'a> {
    numbers: &'a Numbers,
    /// By actor.
    actors: Vec<Chain>,
    /// By place: what the activation there has seen.
    seen: Vec<Option<Version>>,
    /// Commits that were asked for: what they rest on.
    asked: BTreeMap<WriteId, Version>,
}

impl Checker for Versions {
    fn name(&self) -> &'static str {
        "versions"
    }

    fn check(&self, history: &History) -> Verdict {
        let mut verdict = Verdict::default();
        let is_watched = history.world_events().any(|(_, _, e)| matches!(e, WorldEvent::StoreCommit { .. }));
        if !is_watched {
            return verdict;
        }
        let lives = history.lives();
        let numbers = history.numbers();
        let mut chains = Chains {
            numbers,
            actors: numbers.of_actors(),
            seen: numbers.of_places(),
            asked: BTreeMap::new(),
        };
        for (position, record) in history.records().iter().enumerate() {
            match &record.what {
                What::World(WorldEvent::StoreCommit { version, write_id, .. }) => {
                    let actor = numbers.at(position).actor;
                    if actor != NOTHING {
                        chains.commit(actor, *version, *write_id, record.at, &mut verdict);
                    }
                }
                // What was answered from may be gone.
                What::World(WorldEvent::StoreFailedOver) => chains.forget(),
                What::Silo(r) => chains.silo(r, (position, record.at), &lives, &mut verdict),
                What::World(_) | What::Client(_) | What::User(_) => {}
            }
        }
        verdict
    }
}

impl Chains<'_> {
    fn commit(&mut self, number: u32, version: Version, write: WriteId, at: Instant, verdict: &mut Verdict) {
        let (actor, chain) = (self.numbers.actor(number), &mut self.actors[number as usize]);
        chain.is_known = true;
        verdict.require("P1", at, chain.written.insert(version), || {
            format!("version {version} of {actor} was written twice")
        });
        if let Some(after) = self.asked.remove(&write).filter(|_| chain.last > Version(0)) {
            verdict.require("P1", at, after == chain.last, || {
                format!("version {version} of {actor} rests on {after}, and comes after {}", chain.last)
            });
        }
        chain.last = version;
    }

    fn forget(&mut self) {
        self.asked.clear();
        for chain in &mut self.actors {
            (chain.last, chain.answered) = (Version(0), Version(0));
        }
        self.seen.fill(None);
    }

    fn silo(
        &mut self,
        record: &SiloRecord,
        (position, at): (usize, Instant),
        lives: &[Option<&Life>],
        verdict: &mut Verdict,
    ) {
        let (silo, named) = (record.silo, self.numbers.at(position));
        match &record.event {
            SiloEvent::CommitAsked(asked) => {
                self.asked.insert(asked.write, asked.after);
            }
            SiloEvent::TurnStarted(turn) if turn.version > Version(0) => {
                let leased = lives[named.silo as usize].is_some_and(|life| life.leased_at(record.local));
                self.begin(silo, turn, (position, leased), at, verdict);
            }
            SiloEvent::Committed { version, .. } if self.actors[named.actor as usize].is_known => {
                self.seen[named.place as usize] = Some(*version);
            }
            SiloEvent::TurnEnded { .. } => {
                if let Some(seen) = self.seen[named.place as usize] {
                    let chain = &mut self.actors[named.actor as usize];
                    chain.answered = chain.answered.max(seen);
                }
            }
            SiloEvent::Deactivated { .. } => self.seen[named.place as usize] = None,
            _ => {}
        }
    }

    fn begin(
        &mut self,
        silo: SiloId,
        turn: &TurnStarted,
        (position, leased): (usize, bool),
        at: Instant,
        verdict: &mut Verdict,
    ) {
        let (actor, version) = (&turn.actor, turn.version);
        let named = self.numbers.at(position);
        let chain = &mut self.actors[named.actor as usize];
        chain.is_known = true;
        verdict.require("P3", at, chain.written.contains(&version), || {
            format!("a turn of {actor} on {silo} has seen version {version}, which nobody wrote")
        });
        // Who has no lease is `one-runner`'s, and who has one is not behind.
        if leased {
            verdict.require("P3", at, version >= chain.answered, || {
                let answered = chain.answered;
                format!(
                    "a turn of {actor} on {silo} begins with version {version}; {answered} was answered from"
                )
            });
        }
        self.seen[named.place as usize] = Some(version);
    }
}

#[cfg(test)]
mod tests {
    use super::super::script::{Script, asked, broken, committed, ended, rejected, started_at, stored};
    use super::*;

    /// Positions: 0, 1 leases; 2 the claim of a; 3 to 7 a turn that commits; 8 the claim of b; 9 and 10 a read there.
    fn valid() -> Script {
        Script::new()
            .leased(&["a#1", "b#1"])
            .world(stored("alice", 1))
            .silo("a#1", started_at("alice", 1, 1))
            .silo("a#1", asked("alice", 1, 2, None))
            .world(stored("alice", 2))
            .silo("a#1", committed("alice", 1, 2))
            .silo("a#1", ended("alice", 1))
            .world(stored("alice", 3))
            .silo("b#1", started_at("alice", 2, 3))
            .silo("b#1", ended("alice", 2))
    }

    #[test]
    fn each_version_has_one_predecessor_and_nobody_falls_behind() {
        assert_eq!(rejected(&Versions, &valid()), "drop 2, dup 2, swap 2, dup 5, drop 8, dup 8, swap 8");
        let stale = valid().silo("a#1", started_at("alice", 3, 2));
        assert_eq!(broken(&Versions, stale), ["P3"]);
        // It rests on 3, and somebody else's 4 came between.
        let lost_update = valid()
            .silo("a#1", asked("alice", 1, 4, None))
            .world(stored("alice", 5))
            .world(stored("alice", 4));
        assert_eq!(broken(&Versions, lost_update), ["P1"]);
        let phantom = valid().silo("b#1", started_at("alice", 3, 9));
        assert_eq!(broken(&Versions, phantom), ["P3"]);
    }

    #[test]
    fn who_has_lost_its_lease_may_be_behind() {
        let stale = valid().silo("c#1", started_at("alice", 3, 2));
        assert_eq!(broken(&Versions, stale), [] as [&str; 0]);
    }

    #[test]
    fn what_a_fail_over_lost_need_not_be_followed() {
        let lost = valid().world(WorldEvent::StoreFailedOver).world(stored("alice", 1 << 20));
        assert_eq!(broken(&Versions, lost), [] as [&str; 0]);
    }
}
