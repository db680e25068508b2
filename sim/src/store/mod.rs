//! The store that all nodes share: linearizable, slow, and sometimes silent about what it did.
//!
//! A call has three moments: it leaves (first poll), takes effect (one event: the linearization point), and is
//! answered (another). Whatever breaks in between decides what the caller learns; what has left is not called back by
//! dropping the future, or by losing the node.

mod call;
mod record;
mod replica;

use crate::config::StoreConfig;
use crate::pool::Pool;
use call::Call;
pub use record::Commit;
use record::Records;
pub use replica::Lost;
use replica::{Memories, Replica};
use std::collections::BTreeSet;

/// Sees every commit at the instant at which it takes effect.
pub(crate) type CommitWatch = Box<dyn FnMut(&Commit<'_>) + Send>;

/// The store's state.
pub(crate) struct StoreState {
    pub(crate) config: StoreConfig,
    pub(crate) records: Records,
    calls: Pool<Call>,
    pub(crate) outages: u32,
    /// Whether it has no room for anything that would be written.
    pub(crate) is_full: bool,
    /// How many times as long everything takes, in thousandths.
    pub(crate) slowness_milli: u32,
    pub(crate) watch: Option<CommitWatch>,
    /// A copy that is behind, if the world has one.
    pub(crate) replica: Option<Replica>,
    /// What the processes were told; kept only where there is a replica.
    pub(crate) memories: Memories,
    /// How often a replica has taken over.
    pub(crate) history: u64,
    /// Nodes whose reads are answered by the replica.
    pub(crate) stale: BTreeSet<u32>,
    pub(crate) meters: StoreMeters,
}

impl StoreState {
    pub(crate) fn new(config: StoreConfig) -> Self {
        Self {
            config,
            records: Records::default(),
            calls: Pool::default(),
            outages: 0,
            is_full: false,
            slowness_milli: 1000,
            watch: None,
            replica: config.replica_lag.map(|lag| Replica::new(crate::spread::ns(lag))),
            memories: Memories::default(),
            history: 0,
            stale: BTreeSet::new(),
            meters: StoreMeters::default(),
        }
    }
}

/// What the store did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct StoreMeters {
    /// Operations that left their caller.
    pub calls: u64,
    /// Batches that took effect.
    pub commits: u64,
    /// Batches whose checks did not hold.
    pub conflicts: u64,
    /// Batches answered from the list of write ids.
    pub repeats: u64,
    /// Answered with `Unavailable`.
    pub unavailable: u64,
    /// Of these, for want of room.
    pub no_room: u64,
    /// Answered with `Indeterminate` although they took effect.
    pub hidden_applied: u64,
    /// Answered with `Indeterminate`, and they did not take effect.
    pub hidden_lost: u64,
    /// Operations that took a spike longer.
    pub spikes: u64,
    /// Commits that were applied, and lost when the replica took over.
    pub lost: u64,
    /// Answered with `WentBack`.
    pub went_back: u64,
    /// Reads and scans that the replica answered.
    pub stale_reads: u64,
}
