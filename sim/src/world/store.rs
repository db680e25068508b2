//! The store as the test sees it: what goes wrong with it, and what it holds.

use super::WorldHandle;
use crate::deed::DeedKind;
use crate::node::NodeId;
use crate::store::{Commit, Lost};
use crate::trace::TraceKind;
use quark_env::store::{Partition, Record, RecordKey, ScanRange, StoreError};

impl WorldHandle {
    /// The store goes dark for everyone. Outages add up.
    pub fn begin_store_outage(&self) {
        let mut state = self.shared.lock();
        if !state.fault_begins(DeedKind::StoreOutage, &[], String::new) {
            return;
        }
        state.store.outages += 1;
        state.record(TraceKind::Fault, 0, 10);
    }

    /// Ends one outage.
    pub fn end_store_outage(&self) {
        let mut state = self.shared.lock();
        if !state.fault_ends(DeedKind::StoreOutage, &[]) {
            return;
        }
        state.store.outages = state.store.outages.saturating_sub(1);
        state.record(TraceKind::Fault, 0, 11);
    }

    /// One node no longer reaches the store. Cuts add up.
    pub fn cut_store(&self, node: NodeId) {
        let mut state = self.shared.lock();
        if !state.fault_begins(DeedKind::StoreCut, &[&[node]], String::new) {
            return;
        }
        state.nodes[node.index()].store_cuts += 1;
        state.record(TraceKind::Fault, node.0, 12);
    }

    /// Heals one such cut.
    pub fn uncut_store(&self, node: NodeId) {
        let mut state = self.shared.lock();
        if !state.fault_ends(DeedKind::StoreCut, &[&[node]]) {
            return;
        }
        let cuts = &mut state.nodes[node.index()].store_cuts;
        *cuts = cuts.saturating_sub(1);
        state.record(TraceKind::Fault, node.0, 13);
    }

    /// Whether the store has no room from now on: a commit that would write is refused as `Unavailable`. Reads, refusals
    /// and repeats of what was committed go on.
    pub fn set_store_full(&self, is_full: bool) {
        let mut state = self.shared.lock();
        if !state.fault_sets(DeedKind::StoreFull, &[], !is_full, String::new) {
            return;
        }
        state.store.is_full = is_full;
        state.record(TraceKind::Fault, 0, u64::from(is_full) << 8 | 18);
    }

    /// From now on so many commits (in parts per million) hide their outcome; of these, so many were applied.
    pub fn set_store_indeterminate(&self, ppm: u32, applied_ppm: u32) {
        let mut state = self.shared.lock();
        let detail = || format!("{ppm} ppm of the commits, {applied_ppm} ppm of these applied");
        if !state.fault_sets(DeedKind::StoreSilence, &[], ppm == 0, detail) {
            return;
        }
        state.store.config.indeterminate_ppm = ppm;
        state.store.config.applied_ppm = applied_ppm;
        state.record(TraceKind::Fault, 0, u64::from(ppm) << 8 | 14);
    }

    /// From now on so many operations (in parts per million) take a spike longer, and all take so many thousandths of the
    /// usual time.
    pub fn set_store_slow(&self, spike_ppm: u32, slowness_milli: u32) {
        let mut state = self.shared.lock();
        let is_usual = spike_ppm == state.config.store.spike_ppm && slowness_milli == 1000;
        let detail = || format!("spikes {spike_ppm} ppm, {slowness_milli} thousandths of the usual time");
        if !state.fault_sets(DeedKind::StoreSlow, &[], is_usual, detail) {
            return;
        }
        state.store.config.spike_ppm = spike_ppm;
        state.store.slowness_milli = slowness_milli;
        state.record(TraceKind::Fault, 0, u64::from(spike_ppm) << 8 | 15);
    }

    /// Whether the store has a replica that is behind.
    pub fn has_replica(&self) -> bool {
        self.shared.lock().store.replica.is_some()
    }

    /// The replica takes over from the servers of those partitions for which `fails` holds: what it had not received is
    /// lost, although it was acknowledged. What was under way is answered with doubt. Returns what was lost.
    ///
    /// That breaks the store's contract. Versions are not given out again, and processes that were told of what is lost
    /// notice: [`StoreError::WentBack`].
    ///
    /// Panics: if the world has no replica, see [`StoreConfig::replica_lag`](crate::StoreConfig::replica_lag).
    pub fn fail_over_store(&self, fails: impl Fn(&Partition) -> bool) -> Vec<Lost> {
        let mut guard = self.shared.lock();
        let state = &mut *guard;
        if !state.fault_begins(DeedKind::StoreFailover, &[], String::new) {
            return Vec::new();
        }
        let (now, nodes) = (state.now, &state.nodes);
        let lives = |node: NodeId, incarnation| {
            nodes[node.index()].is_up && nodes[node.index()].incarnation == incarnation
        };
        let lost = state.store.fail_over(now, fails, lives);
        let lost = lost.expect("the store of this world has a replica: set `store.replica_lag`");
        state.record(TraceKind::Fault, 0, (lost.len() as u64) << 8 | 19);
        lost
    }

    /// Whether the replica answers the reads of a node from now on: as old as it is behind. Commits go to the primary all
    /// the same. That breaks the store's contract; see [`WorldHandle::fail_over_store`] for what is noticed.
    pub fn set_store_stale(&self, node: NodeId, is_stale: bool) {
        let mut state = self.shared.lock();
        if !state.fault_sets(DeedKind::StoreStale, &[&[node]], !is_stale, String::new) {
            return;
        }
        if is_stale {
            state.store.stale.insert(node.0);
        } else {
            state.store.stale.remove(&node.0);
        }
        state.record(TraceKind::Fault, node.0, u64::from(is_stale) << 8 | 20);
    }

    /// The store is well again: no outage, no cut, no hidden outcome, no old read, room, usual
    /// speed. What was lost stays lost.
    pub fn heal_store(&self) {
        let mut state = self.shared.lock();
        let config = state.config.store;
        state.store.config = config;
        state.store_healed();
        state.store.outages = 0;
        state.store.is_full = false;
        state.store.stale.clear();
        state.store.slowness_milli = 1000;
        state.nodes.iter_mut().for_each(|node| node.store_cuts = 0);
        state.record(TraceKind::Fault, 0, 16);
    }

    /// Makes a record unreadable until it is written again. Returns whether it exists.
    pub fn corrupt_record(&self, key: &RecordKey, reason: &str) -> bool {
        let mut state = self.shared.lock();
        if !state.fault_begins(DeedKind::Corrupt, &[], || format!("{key:?}: {reason}")) {
            return false;
        }
        state.record(TraceKind::Fault, 0, 17);
        state.store.records.corrupt(key, reason)
    }

    /// What the store holds right now, without asking it.
    pub fn peek(&self, key: &RecordKey) -> Result<Option<Record>, StoreError> {
        self.shared.lock().store.records.read(key)
    }

    /// All records of a partition right now, without asking the store.
    pub fn peek_partition(&self, partition: &Partition) -> Result<Vec<Record>, StoreError> {
        let range = ScanRange { partition: partition.clone(), from: "".into(), to: "".into() };
        self.shared.lock().store.records.scan(&range, usize::MAX)
    }

    /// All partitions that were ever written.
    pub fn partitions(&self) -> Vec<Partition> {
        self.shared.lock().store.records.partitions().cloned().collect()
    }

    /// Calls `watch` for every commit, at the instant at which it takes effect. Replaces an earlier one.
    ///
    /// `watch` runs while the world is locked: it must not call the world.
    pub fn watch_commits(&self, watch: impl FnMut(&Commit<'_>) + Send + 'static) {
        let old = self.shared.lock().store.watch.replace(Box::new(watch));
        drop(old);
    }
}
