//! I1 and I2, promises P1 and P3, as the store saw them: claims take growing epochs, state is written only by whoever made
//! the last claim, and what was acknowledged to a silo is in the store.
//!
//! Needs a history that watched the store ([`crate::recorder::Recorder::of_world`]); without one it examines nothing.

use super::{Checker, Verdict};
use crate::history::{History, NOTHING, SiloEvent, What, WorldEvent};
use quark_core::{ActorId, Epoch, Instant, Version};
use std::collections::BTreeMap;
use std::sync::Arc;

/// See the module.
pub struct Fencing;

/// A process: a node's index and its incarnation.
type Process = (usize, u32);

#[derive(Default)]
struct Partition {
    /// The last claim: epoch and process.
    claim: Option<(Epoch, Process)>,
    version: Version,
    /// Version → the epoch in which the state was written.
    states: BTreeMap<Version, Epoch>,
}

impl Checker for Fencing {
    fn name(&self) -> &'static str {
        "fencing"
    }

    fn check(&self, history: &History) -> Verdict {
        let mut verdict = Verdict::default();
        let is_watched = history.world_events().any(|(_, _, e)| matches!(e, WorldEvent::StoreCommit { .. }));
        if !is_watched {
            return verdict;
        }
        let numbers = history.numbers();
        let mut partitions: Vec<Partition> = numbers.of_actors();
        for (position, record) in history.records().iter().enumerate() {
            match &record.what {
                What::World(WorldEvent::StoreCommit { by, version, puts, claim, .. }) => {
                    let number = numbers.at(position).actor;
                    if number == NOTHING {
                        continue;
                    }
                    let (actor, state) = (numbers.actor(number), &mut partitions[number as usize]);
                    note_commit(actor, state, *by, *version, puts, *claim, record.at, &mut verdict);
                }
                What::Silo(r) => {
                    let SiloEvent::Committed { actor, epoch, version } = &r.event else { continue };
                    let stored = partitions[numbers.at(position).actor as usize].states.get(version).copied();
                    verdict.require("P3", record.at, stored == Some(*epoch), || {
                        format!(
                            "{} was told that version {version} of {actor} is committed in epoch {epoch}; the \
                             store has epoch {stored:?}",
                            r.silo
                        )
                    });
                }
                What::World(_) | What::Client(_) | What::User(_) => {}
            }
        }
        verdict
    }
}

#[allow(clippy::too_many_arguments)] // The fields of one record, and where to note them.
fn note_commit(
    actor: &ActorId,
    partition: &mut Partition,
    by: Process,
    version: Version,
    puts: &[Arc<str>],
    claim: Option<(Epoch, quark_core::SiloId)>,
    at: Instant,
    verdict: &mut Verdict,
) {
    verdict.require("P13", at, version > partition.version, || {
        format!("the store wrote version {version} of {actor} after version {}", partition.version)
    });
    partition.version = partition.version.max(version);
    if let Some((epoch, silo)) = claim {
        let before = partition.claim.map_or(Epoch(0), |(epoch, _)| epoch);
        verdict.require("P1", at, epoch > before, || {
            format!("{silo} claimed {actor} with epoch {epoch} after epoch {before}")
        });
        partition.claim = Some((epoch, by));
    }
    if puts.iter().any(|row| &**row != "owner") {
        let holder = partition.claim;
        verdict.require("P1", at, holder.is_some_and(|(_, process)| process == by), || {
            format!(
                "process {by:?} wrote the state of {actor} at version {version}; the last claim is of {holder:?}"
            )
        });
        partition.states.insert(version, holder.map_or(Epoch(0), |(epoch, _)| epoch));
    }
}

#[cfg(test)]
mod tests {
    use super::super::script::{Script, broken, committed, rejected, silo};
    use super::*;
    use quark_core::WriteId;

    fn commit(by: usize, version: u64, row: &str, epoch: Option<u64>) -> WorldEvent {
        WorldEvent::StoreCommit {
            by: (by, 1),
            partition: "a0.7/account/alice".into(),
            version: Version(version),
            write_id: WriteId(u128::from(version)),
            puts: vec![row.into()],
            deletes: Vec::new(),
            claim: epoch.map(|epoch| (Epoch(epoch), silo("a#1"))),
        }
    }

    /// Process 1 claims and writes, process 2 claims and writes.
    fn valid() -> Script {
        Script::new()
            .world(commit(1, 1, "owner", Some(1)))
            .world(commit(1, 2, "state", None))
            .world(commit(2, 3, "owner", Some(2)))
            .silo("a#1", committed("alice", 1, 2))
            .world(commit(2, 4, "state", None))
            .silo("b#1", committed("alice", 2, 4))
    }

    #[test]
    fn only_the_last_claim_writes() {
        assert_eq!(
            rejected(&Fencing, &valid()),
            "drop 0, dup 0, swap 0, drop 1, dup 1, swap 1, drop 2, dup 2, drop 4, dup 4, swap 4"
        );
        let stale = valid().world(commit(1, 5, "state", None));
        assert_eq!(broken(&Fencing, stale), ["P1"]);
    }

    #[test]
    fn epochs_are_never_reissued() {
        assert_eq!(broken(&Fencing, valid().world(commit(1, 5, "owner", Some(2)))), ["P1"]);
        assert_eq!(broken(&Fencing, valid().world(commit(1, 5, "owner", Some(3)))), [] as [&str; 0]);
    }
}
