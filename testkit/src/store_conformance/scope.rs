//! What a case works with: the store, names of its own, and short ways to say what must succeed.

use bytes::Bytes;
use quark_core::hash::mix;
use quark_core::{Version, WriteId};
use quark_env::Store;
use quark_env::store::{Batch, Committed, Partition, Record, RecordKey, ScanRange, StoreError};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A store, seen by one case.
pub(super) struct Scope {
    pub(super) store: Arc<dyn Store>,
    pub(super) seed: u64,
    case: &'static str,
    writes: AtomicU64,
}

impl Scope {
    pub(super) fn new(store: Arc<dyn Store>, case: &'static str, seed: u64) -> Self {
        Self { store, seed, case, writes: AtomicU64::new(0) }
    }

    /// A partition that no other case and no other seed uses.
    pub(super) fn partition(&self, name: &str) -> Partition {
        Partition::from(format!("conformance/{}/{:x}/{name}", self.case, self.seed).as_str())
    }

    /// A write id that was not used before.
    pub(super) fn write_id(&self) -> WriteId {
        let count = self.writes.fetch_add(1, Ordering::Relaxed);
        let (high, low) = (mix(self.seed ^ mix(count)), mix(self.seed).wrapping_add(count));
        WriteId(u128::from(high) << 64 | u128::from(low))
    }

    /// An empty batch of a partition, with a fresh write id.
    pub(super) fn batch(&self, partition: &str) -> Batch {
        Batch::new(self.partition(partition), self.write_id())
    }

    /// Commits what must commit.
    pub(super) async fn commit(&self, batch: Batch) -> Version {
        match self.store.commit(batch.clone()).await {
            Ok(Committed { version }) => version,
            Err(error) => panic!("{self}: {batch:?} must commit, but: {error}"),
        }
    }

    /// Commits what must not commit.
    pub(super) async fn refused(&self, batch: Batch) -> StoreError {
        match self.store.commit(batch.clone()).await {
            Ok(committed) => panic!("{self}: {batch:?} must be refused, but: {committed:?}"),
            Err(error) => error,
        }
    }

    /// Puts one row without checks.
    pub(super) async fn put(&self, partition: &str, row: &str, value: impl Into<Bytes>) -> Version {
        self.commit(self.batch(partition).put(row, value)).await
    }

    /// Reads a row.
    pub(super) async fn read(&self, partition: &str, row: &str) -> Option<Record> {
        let key = RecordKey::new(self.partition(partition), row);
        match self.store.read(&key).await {
            Ok(record) => record,
            Err(error) => panic!("{self}: {key:?} must be readable, but: {error}"),
        }
    }

    /// Reads the value of a row that must exist.
    pub(super) async fn value(&self, partition: &str, row: &str) -> Bytes {
        match self.read(partition, row).await {
            Some(record) => record.value,
            None => panic!("{self}: row `{row}` must exist"),
        }
    }

    /// Scans what must be scannable.
    pub(super) async fn scan(&self, range: ScanRange, limit: usize) -> Vec<Record> {
        match self.store.scan(range.clone(), limit).await {
            Ok(records) => records,
            Err(error) => panic!("{self}: {range:?} must be readable, but: {error}"),
        }
    }

    /// All records of a partition.
    pub(super) async fn all(&self, partition: &str) -> Vec<Record> {
        self.scan(self.range(partition, "", ""), usize::MAX).await
    }

    /// A range of rows of a partition.
    pub(super) fn range(&self, partition: &str, from: &str, to: &str) -> ScanRange {
        ScanRange { partition: self.partition(partition), from: from.into(), to: to.into() }
    }
}

impl std::fmt::Display for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "case {}, seed {}", self.case, self.seed)
    }
}
