//! A copy of the store that receives every commit some time after it was acknowledged, as an asynchronous replica does.
//!
//! Two things can come of it that no store may do, and that deployments do: it takes over, and what it had not received
//! is lost; or it answers reads, and they are old. Both are beyond the contract of
//! [`quark_env::Store`]; how much of it is noticed is what `net/redis` notices (see its module `history`):
//! each process remembers the newest version that it was told of each partition, and a server that took over gives out
//! no version that may have been given out before.

use super::record::Records;
use crate::node::NodeId;
use quark_core::{Version, WriteId};
use quark_env::store::{Batch, Partition};
use std::collections::{BTreeMap, VecDeque};

/// A commit that was lost when the replica took over.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Lost {
    /// Its partition.
    pub partition: Partition,
    /// The version that it had. It is not given out again.
    pub version: Version,
    /// Its write id.
    pub write_id: WriteId,
    /// Who asked for it.
    pub node: NodeId,
    /// The newest version of the partition that the replica had.
    pub found: Version,
    /// The processes that live and were told of this or a later version: they, and nobody else, can notice.
    pub told: Vec<NodeId>,
}

/// See the module.
pub(crate) struct Replica {
    lag_ns: u64,
    records: Records,
    /// What it has not received, oldest first.
    log: VecDeque<Logged>,
}

struct Logged {
    at_ns: u64,
    node: u32,
    batch: Batch,
    version: Version,
}

impl Replica {
    pub(crate) fn new(lag_ns: u64) -> Self {
        Self { lag_ns, records: Records::default(), log: VecDeque::new() }
    }

    /// The primary has committed.
    pub(crate) fn sent(&mut self, at_ns: u64, node: u32, batch: &Batch, version: Version) {
        self.catch_up(at_ns);
        self.log.push_back(Logged { at_ns, node, batch: batch.clone(), version });
    }

    /// What it has received by now.
    pub(crate) fn records(&mut self, now: u64) -> &Records {
        self.catch_up(now);
        &self.records
    }

    /// The primary forgets some partitions, and tells.
    pub(crate) fn evict(&mut self, which: impl Fn(&Partition) -> bool) {
        self.records.evict(&which);
        self.log.retain(|logged| !which(&logged.batch.partition));
    }

    fn catch_up(&mut self, now: u64) {
        while let Some(next) = self.log.pop_front_if(|next| next.at_ns + self.lag_ns <= now) {
            self.records.apply(&next.batch, next.version);
        }
    }

    /// Takes over from the primary of some partitions. What it had not received of them is lost.
    pub(crate) fn take_over(
        &mut self,
        now: u64,
        primary: &mut Records,
        fails: impl Fn(&Partition) -> bool,
        told: impl Fn(&Partition, Version) -> Vec<NodeId>,
    ) -> Vec<Lost> {
        self.catch_up(now);
        let mut lost = Vec::new();
        for logged in std::mem::take(&mut self.log) {
            let partition = &logged.batch.partition;
            if !fails(partition) {
                self.log.push_back(logged);
                continue;
            }
            lost.push(Lost {
                partition: partition.clone(),
                version: logged.version,
                write_id: logged.batch.write_id,
                node: NodeId(logged.node),
                found: self.records.counter(partition),
                told: told(partition, logged.version),
            });
        }
        primary.replace(&self.records, fails);
        lost
    }
}

/// What the processes were told, to notice a store that has forgotten it.
#[derive(Default)]
pub(crate) struct Memories(BTreeMap<u32, Memory>);

#[derive(Default)]
struct Memory {
    incarnation: u32,
    seen: BTreeMap<Partition, Version>,
}

impl Memories {
    /// The newest version of a partition that this process was told.
    pub(crate) fn seen(&self, node: u32, incarnation: u32, partition: &Partition) -> Version {
        let memory = self.0.get(&node).filter(|memory| memory.incarnation == incarnation);
        memory.and_then(|memory| memory.seen.get(partition)).copied().unwrap_or_default()
    }

    /// This process was told that the partition has this version.
    pub(crate) fn saw(&mut self, node: u32, incarnation: u32, partition: &Partition, version: Version) {
        let seen = &mut self.of(node, incarnation).seen;
        if seen.get(partition).is_none_or(|seen| *seen < version) {
            seen.insert(partition.clone(), version);
        }
    }

    /// This process was told that the version is lost: it is told once.
    pub(crate) fn lost(&mut self, node: u32, incarnation: u32, partition: &Partition, seen: Version) {
        let memory = self.of(node, incarnation);
        if memory.seen.get(partition).is_some_and(|known| *known <= seen) {
            memory.seen.remove(partition);
        }
    }

    /// The processes that were told of this version or a later one.
    pub(crate) fn who_saw(&self, partition: &Partition, version: Version) -> Vec<(NodeId, u32)> {
        let saw = |memory: &Memory| memory.seen.get(partition).is_some_and(|seen| *seen >= version);
        let all = self.0.iter().filter(|(_, memory)| saw(memory));
        all.map(|(node, memory)| (NodeId(*node), memory.incarnation)).collect()
    }

    fn of(&mut self, node: u32, incarnation: u32) -> &mut Memory {
        let memory = self.0.entry(node).or_default();
        if memory.incarnation < incarnation {
            *memory = Memory { incarnation, ..Memory::default() };
        }
        memory
    }
}
