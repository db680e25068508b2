//! A store in memory, for the little that a silo of volatile actors stores: its row of the membership table, and its lease.
//!
//! Not the simulator's or the test kit's: what links the simulator has its system calls looked at.

use quark_core::{Version, WriteId};
use quark_env::store::{Batch, Committed, Expect, Op, Partition, Record, RecordKey, ScanRange, StoreError};
use quark_env::{BoxFuture, Store};
use std::collections::BTreeMap;
use std::future::ready;
use std::sync::{Arc, Mutex, PoisonError};

/// The store. It keeps every write id for ever.
#[derive(Default)]
pub struct MemoryStore {
    partitions: Mutex<BTreeMap<Partition, Rows>>,
}

#[derive(Default)]
struct Rows {
    version: Version,
    committed: BTreeMap<WriteId, Version>,
    records: BTreeMap<Arc<str>, Record>,
}

impl MemoryStore {
    fn with<R>(&self, partition: &Partition, act: impl FnOnce(&mut Rows) -> R) -> R {
        let mut partitions = self.partitions.lock().unwrap_or_else(PoisonError::into_inner);
        act(partitions.entry(partition.clone()).or_default())
    }
}

impl Rows {
    fn commit(&mut self, batch: Batch) -> Result<Committed, StoreError> {
        if let Some(&version) = self.committed.get(&batch.write_id) {
            return Ok(Committed { version });
        }
        for check in batch.checks {
            let found = self.records.get(&check.row).map(|record| record.version);
            if found
                != match check.expect {
                    Expect::Absent => None,
                    Expect::Version(version) => Some(version),
                }
            {
                let (partition, expected) = (batch.partition, check.expect);
                return Err(StoreError::Conflict { partition, row: check.row, expected, found });
            }
        }
        let (version, write_id) = (self.version.next(), batch.write_id);
        for op in batch.ops {
            match op {
                Op::Put { row, value } => {
                    let key = RecordKey { partition: batch.partition.clone(), row: row.clone() };
                    self.records.insert(row, Record { key, version, write_id, value });
                }
                Op::Delete { row } => {
                    self.records.remove(&row);
                }
            }
        }
        self.version = version;
        self.committed.insert(write_id, version);
        Ok(Committed { version })
    }
}

impl Store for MemoryStore {
    fn read(&self, key: &RecordKey) -> BoxFuture<'static, Result<Option<Record>, StoreError>> {
        Box::pin(ready(Ok(self.with(&key.partition, |rows| rows.records.get(&key.row).cloned()))))
    }

    fn commit(&self, batch: Batch) -> BoxFuture<'static, Result<Committed, StoreError>> {
        Box::pin(ready(self.with(&batch.partition.clone(), |rows| rows.commit(batch))))
    }

    fn scan(&self, range: ScanRange, limit: usize) -> BoxFuture<'static, Result<Vec<Record>, StoreError>> {
        let is_in = |row: &str| *row >= *range.from && (range.to.is_empty() || *row < *range.to);
        let found = self.with(&range.partition, |rows| {
            let of_range = rows.records.values().filter(|record| is_in(&record.key.row));
            of_range.take(limit).cloned().collect()
        });
        Box::pin(ready(Ok(found)))
    }
}
