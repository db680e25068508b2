//! I1, promise P1: at most one activation of an actor commits per epoch, and epochs grow.
//!
//! The order of commits is the order of their versions, not of their records: an acknowledgement may be late.

use super::{Checker, Verdict};
use crate::history::{History, SiloEvent};
use quark_core::{ActorId, Epoch, Instant, SiloId, Version};
use std::collections::BTreeMap;

/// See the module.
pub struct OneWriter;

/// An activation: the silo, and the position of the record that says that it is ready.
type Activation = (SiloId, usize);

#[derive(Default)]
struct Actor {
    /// Version → epoch, silo and time of the acknowledgement.
    commits: BTreeMap<Version, (Epoch, SiloId, Instant)>,
    /// Epoch → whose it is.
    epochs: BTreeMap<Epoch, Activation>,
}

impl Checker for OneWriter {
    fn name(&self) -> &'static str {
        "one-writer"
    }

    fn check(&self, history: &History) -> Verdict {
        let mut verdict = Verdict::default();
        let numbers = history.numbers();
        let mut actors: Vec<Actor> = numbers.of_actors();
        // The epoch of the activation at each place.
        let mut current: Vec<Option<Epoch>> = numbers.of_places();
        for (position, at, record) in history.silo_records() {
            let (silo, named) = (record.silo, numbers.at(position));
            match &record.event {
                SiloEvent::Activated { actor, epoch } if *epoch > Epoch(0) => {
                    current[named.place as usize] = Some(*epoch);
                    let state = &mut actors[named.actor as usize];
                    let holder = *state.epochs.entry(*epoch).or_insert((silo, position));
                    verdict.require("P1", at, holder == (silo, position), || {
                        format!("{actor} has epoch {epoch} on {silo}, and had it on {}", holder.0)
                    });
                }
                SiloEvent::Deactivated { epoch, .. } => {
                    current[named.place as usize].take_if(|current| *current == *epoch);
                }
                SiloEvent::Committed { actor, epoch, version } => {
                    let state = &mut actors[named.actor as usize];
                    let holds = current[named.place as usize] == Some(*epoch);
                    verdict.require("P1", at, holds, || {
                        format!("{actor} committed in epoch {epoch} on {silo}, which has no such activation")
                    });
                    let before = state.commits.insert(*version, (*epoch, silo, at));
                    verdict.require("P1", at, before.is_none(), || {
                        let (epoch, silo, _) = before.expect("it is there, or all is well");
                        format!("{actor}: version {version} is also the commit of epoch {epoch} on {silo}")
                    });
                }
                _ => {}
            }
        }
        for (number, state) in (0..).zip(&actors) {
            check_versions(numbers.actor(number), state, &mut verdict);
        }
        verdict
    }
}

/// Epochs never fall along the versions.
fn check_versions(actor: &ActorId, state: &Actor, verdict: &mut Verdict) {
    let mut newest = Epoch(0);
    for (version, (epoch, silo, at)) in &state.commits {
        verdict.require("P1", *at, *epoch >= newest, || {
            format!(
                "{actor}: version {version} was committed by {silo} in epoch {epoch}, \
                 after an earlier version in epoch {newest}"
            )
        });
        newest = newest.max(*epoch);
    }
}

#[cfg(test)]
mod tests {
    use super::super::script::{Script, activated, broken, committed, deactivated, rejected};
    use super::*;

    /// Epoch 1 on a, then epoch 2 on b; the last acknowledgement of epoch 1 comes late.
    fn valid() -> Script {
        Script::new()
            .silo("a#1", activated("alice", 1))
            .silo("a#1", committed("alice", 1, 2))
            .silo("b#1", activated("alice", 2))
            .silo("b#1", committed("alice", 2, 5))
            .silo("a#1", committed("alice", 1, 3))
            .silo("a#1", deactivated("alice", 1))
    }

    #[test]
    fn epochs_grow_along_the_versions() {
        assert_eq!(
            rejected(&OneWriter, &valid()),
            "drop 0, dup 0, swap 0, dup 1, drop 2, dup 2, swap 2, dup 3, dup 4, swap 4"
        );
    }

    #[test]
    fn a_stale_activation_never_commits_after_a_newer_one() {
        let stale = Script::new()
            .silo("a#1", activated("alice", 1))
            .silo("b#1", activated("alice", 2))
            .silo("b#1", committed("alice", 2, 5))
            .silo("a#1", committed("alice", 1, 6));
        assert_eq!(broken(&OneWriter, stale), ["P1"]);
    }

    #[test]
    fn an_epoch_is_taken_once() {
        let twice = Script::new().silo("a#1", activated("alice", 1)).silo("b#1", activated("alice", 1));
        assert_eq!(broken(&OneWriter, twice), ["P1"]);
        let volatile = Script::new().silo("a#1", activated("alice", 0)).silo("b#1", activated("alice", 0));
        assert_eq!(broken(&OneWriter, volatile), [] as [&str; 0]);
    }
}
