//! I2, I7, promises P3 and P17, in the end: the store has every commit that was acknowledged, or a later one; whoever hosts
//! an actor is named by its owner row; and every actor that anybody ever used answers.
//!
//! Looks at what the epilogue wrote down after all was healed; a history without one shows nothing here.

use super::{Checker, Verdict};
use crate::history::{History, Numbers, SiloEvent, What, WorldEvent};
use quark_core::{ActorId, Epoch, SiloId, Version};
use std::collections::BTreeMap;

/// See the module.
pub struct Durability;

struct Known {
    /// By actor: the newest commit that a silo was told of, since the store last failed over. Nothing of an actor that
    /// was never active, and has no commit.
    acknowledged: Vec<Option<Version>>,
    /// By place: the durable activation that has begun there and not ended.
    active: Vec<Option<Epoch>>,
}

impl Checker for Durability {
    fn name(&self) -> &'static str {
        "durability"
    }

    fn check(&self, history: &History) -> Verdict {
        let mut verdict = Verdict::default();
        let numbers = history.numbers();
        let mut known = Known { acknowledged: numbers.of_actors(), active: numbers.of_places() };
        let mut hosts: BTreeMap<ActorId, SiloId> = BTreeMap::new();
        for (position, record) in history.records().iter().enumerate() {
            match &record.what {
                What::Silo(r) => known.note(numbers, position, &r.event),
                What::World(WorldEvent::StoreFailedOver) => {
                    known.acknowledged.iter_mut().flatten().for_each(|version| *version = Version(0));
                }
                What::World(WorldEvent::DirectorySampled { silo, hosts: hosted, .. }) => {
                    hosts.extend(hosted.iter().map(|actor| (actor.clone(), *silo)));
                }
                What::World(WorldEvent::Scanned { actor, version, owner }) => {
                    let number = numbers.number_of(actor);
                    let Some(acknowledged) = number.and_then(|at| known.acknowledged[at as usize]) else {
                        continue;
                    };
                    verdict.require("P3", record.at, *version >= acknowledged, || {
                        format!("{actor} is stored at version {version}, and {acknowledged} was acknowledged")
                    });
                    let host = hosts.get(actor).and_then(|silo| {
                        let place = numbers.place_of(*silo, actor)?;
                        Some((known.active[place as usize]?, *silo))
                    });
                    verdict.require("P17", record.at, host.is_none() || host == *owner, || {
                        format!("{actor} is active as {host:?}, and its owner row says {owner:?}")
                    });
                }
                What::World(WorldEvent::Served { actor, failure }) => {
                    verdict.require("P17", record.at, failure.is_none(), || {
                        let why = failure.as_deref().unwrap_or_default();
                        format!("all was healed, and {actor} does not answer: {why}")
                    });
                }
                What::World(_) | What::Client(_) | What::User(_) => {}
            }
        }
        verdict
    }
}

impl Known {
    fn note(&mut self, numbers: &Numbers, position: usize, event: &SiloEvent) {
        let named = numbers.at(position);
        match event {
            SiloEvent::Activated { epoch, .. } if *epoch > Epoch(0) => {
                self.active[named.place as usize] = Some(*epoch);
                self.acknowledged[named.actor as usize].get_or_insert(Version(0));
            }
            SiloEvent::Deactivated { .. } => self.active[named.place as usize] = None,
            SiloEvent::Committed { version, .. } => {
                let acknowledged = &mut self.acknowledged[named.actor as usize];
                *acknowledged = (*acknowledged).max(Some(*version));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::script::{Script, activated, actor, broken, committed, rejected, silo};
    use super::*;

    fn scanned(version: u64, epoch: u64, on: &str) -> WorldEvent {
        let owner = Some((Epoch(epoch), silo(on)));
        WorldEvent::Scanned { actor: actor("alice"), version: Version(version), owner }
    }

    fn served(failure: Option<&str>) -> WorldEvent {
        WorldEvent::Served { actor: actor("alice"), failure: failure.map(Into::into) }
    }

    /// Positions: 0 active on a, 1 commits; 2 active on b; 3 served; 4 b hosts it; 5 scanned.
    fn valid() -> Script {
        Script::new()
            .silo("a#1", activated("alice", 1))
            .silo("a#1", committed("alice", 1, 2))
            .silo("b#1", activated("alice", 3))
            .world(served(None))
            .world(WorldEvent::DirectorySampled {
                silo: silo("b#1"),
                hosts: [actor("alice")].into(),
                entries: [].into(),
            })
            .world(scanned(3, 3, "b#1"))
    }

    #[test]
    fn what_was_acknowledged_is_stored_and_whoever_hosts_owns() {
        // By themselves these records are all true; what was said must fit what is found.
        assert_eq!(rejected(&Durability, &valid()), "");
        let script = |version, epoch, on| {
            let valid = valid();
            valid.world(scanned(version, epoch, on))
        };
        assert_eq!(broken(&Durability, script(4, 3, "b#1")), [] as [&str; 0]);
        assert_eq!(broken(&Durability, script(1, 3, "b#1")), ["P3"]);
        assert_eq!(broken(&Durability, script(4, 3, "a#1")), ["P17"]);
        assert_eq!(broken(&Durability, script(4, 4, "b#1")), ["P17"]);
        assert_eq!(broken(&Durability, valid().world(served(Some("overloaded")))), ["P17"]);
    }

    #[test]
    fn what_a_fail_over_lost_is_not_asked_for() {
        let lost = valid().world(WorldEvent::StoreFailedOver).world(scanned(1, 3, "b#1"));
        assert_eq!(broken(&Durability, lost), [] as [&str; 0]);
    }
}
