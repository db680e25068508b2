//! What a store is, in its simplest words.

use quark_core::{Version, WriteId};
use quark_env::store::{
    Batch, Committed, Expect, Op, Partition, Record, RecordKey, ScanRange, StoreError, WRITE_IDS_KEPT,
    check_limits,
};
use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::sync::Arc;

/// The contract of [`Store`](quark_env::Store) as a pure value: no sharing, no waiting, no failures of its own.
///
/// Real stores are compared with it; [`MemoryStore`](super::MemoryStore) serves it.
#[derive(Clone, Default, Debug)]
pub struct ModelStore {
    partitions: BTreeMap<Partition, ModelPartition>,
}

#[derive(Clone, Default, Debug)]
struct ModelPartition {
    /// The number of commits so far.
    version: Version,
    /// The last commits, newest last.
    recent: VecDeque<(WriteId, Version)>,
    rows: BTreeMap<Arc<str>, Record>,
}

impl ModelStore {
    /// A store without records.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads one record.
    pub fn read(&self, key: &RecordKey) -> Option<Record> {
        self.partitions.get(&key.partition)?.rows.get(&key.row).cloned()
    }

    /// Commits a batch, or says why not; then nothing has changed.
    ///
    /// Errors: [`StoreError::TooLarge`] and [`StoreError::Conflict`].
    pub fn commit(&mut self, batch: &Batch) -> Result<Committed, StoreError> {
        check_limits(batch)?;
        let known = self.partitions.get(&batch.partition);
        if let Some((_, version)) =
            known.and_then(|p| p.recent.iter().find(|(write_id, _)| *write_id == batch.write_id))
        {
            return Ok(Committed { version: *version });
        }
        for check in &batch.checks {
            let found = known.and_then(|p| p.rows.get(&check.row)).map(|record| record.version);
            let holds = match check.expect {
                Expect::Absent => found.is_none(),
                Expect::Version(version) => found == Some(version),
            };
            if !holds {
                return Err(StoreError::Conflict {
                    partition: batch.partition.clone(),
                    row: check.row.clone(),
                    expected: check.expect,
                    found,
                });
            }
        }
        Ok(self.partitions.entry(batch.partition.clone()).or_default().apply(batch))
    }

    /// Reads up to `limit` records of a range in byte order of their rows.
    pub fn scan(&self, range: &ScanRange, limit: usize) -> Vec<Record> {
        let to = if range.to.is_empty() { Bound::Unbounded } else { Bound::Excluded(&*range.to) };
        if matches!(to, Bound::Excluded(to) if to <= &*range.from) {
            return Vec::new(); // a range of a map must not end before it begins
        }
        let Some(partition) = self.partitions.get(&range.partition) else { return Vec::new() };
        let rows = partition.rows.range::<str, _>((Bound::Included(&*range.from), to));
        rows.take(limit).map(|(_, record)| record.clone()).collect()
    }

    /// The partitions that have seen a commit.
    pub fn partitions(&self) -> impl Iterator<Item = &Partition> {
        self.partitions.keys()
    }

    /// The number of commits of a partition.
    pub fn version(&self, partition: &Partition) -> Version {
        self.partitions.get(partition).map_or(Version(0), |p| p.version)
    }
}

impl ModelPartition {
    fn apply(&mut self, batch: &Batch) -> Committed {
        let (version, write_id) = (self.version.next(), batch.write_id);
        for op in &batch.ops {
            match op {
                Op::Put { row, value } => {
                    let key = RecordKey { partition: batch.partition.clone(), row: row.clone() };
                    self.rows.insert(row.clone(), Record { key, version, write_id, value: value.clone() });
                }
                Op::Delete { row } => {
                    self.rows.remove(row);
                }
            }
        }
        self.version = version;
        self.recent.push_back((write_id, version));
        if self.recent.len() > WRITE_IDS_KEPT {
            self.recent.pop_front();
        }
        assert!(self.rows.values().all(|record| record.version <= version));
        Committed { version }
    }
}
