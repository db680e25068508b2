//! What the store holds, and what its verbs mean.

use bytes::Bytes;
use quark_core::{Version, WriteId};
use quark_env::store::{
    Batch, Check, Committed, Expect, Op, Partition, Record, RecordKey, ScanRange, StoreError, WRITE_IDS_KEPT,
};
use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::sync::Arc;

/// A commit that just took effect, for whoever watches the store.
#[derive(Clone, Copy, Debug)]
pub struct Commit<'a> {
    /// True time in nanoseconds.
    pub at_ns: u64,
    /// Who asked for it.
    pub node: crate::NodeId,
    /// Which incarnation of that node. It may be dead by now: what has left is not called back.
    pub incarnation: u32,
    /// What was committed.
    pub batch: &'a Batch,
    /// The version that its puts now have.
    pub version: Version,
}

/// All records.
#[derive(Default)]
pub(crate) struct Records {
    partitions: BTreeMap<Partition, Rows>,
    /// The newest version that was ever given out in any partition.
    newest: u64,
    /// Every version from now on is at least this: see [`Records::replace`].
    floor: u64,
}

/// One partition.
#[derive(Clone, Default)]
struct Rows {
    /// The number of the last commit. Never goes back, also when all rows are gone.
    commits: u64,
    rows: BTreeMap<Arc<str>, Row>,
    /// The last write ids with the outcome of each, oldest first.
    writes: VecDeque<(WriteId, Committed)>,
}

#[derive(Clone)]
struct Row {
    version: Version,
    write_id: WriteId,
    value: Bytes,
    /// Why it cannot be understood, if it cannot.
    corruption: Option<String>,
}

/// How a commit went.
pub(crate) enum Outcome {
    Applied(Committed),
    /// The same batch had been committed before.
    Repeated(Committed),
    Refused(StoreError),
    /// It would have written something, and there is no room.
    NoRoom,
}

impl Records {
    pub(crate) fn read(&self, key: &RecordKey) -> Result<Option<Record>, StoreError> {
        let row = self.partitions.get(&key.partition).and_then(|rows| rows.rows.get_key_value(&key.row));
        row.map(|(name, row)| row.record(&key.partition, name)).transpose()
    }

    pub(crate) fn scan(&self, range: &ScanRange, limit: usize) -> Result<Vec<Record>, StoreError> {
        let Some(rows) = self.partitions.get(&range.partition) else { return Ok(Vec::new()) };
        let to = if range.to.is_empty() { Bound::Unbounded } else { Bound::Excluded(&*range.to) };
        if matches!(to, Bound::Excluded(to) if to <= &*range.from) {
            return Ok(Vec::new());
        }
        let found = rows.rows.range::<str, _>((Bound::Included(&*range.from), to)).take(limit);
        found.map(|(name, row)| row.record(&range.partition, name)).collect()
    }

    pub(crate) fn commit(&mut self, batch: &Batch, has_room: bool) -> Outcome {
        let unknown = Rows::default();
        let rows = self.partitions.get(&batch.partition).unwrap_or(&unknown);
        if let Some((_, first)) = rows.writes.iter().find(|(write_id, _)| *write_id == batch.write_id) {
            return Outcome::Repeated(*first);
        }
        for check in &batch.checks {
            if let Err(error) = rows.check(&batch.partition, check) {
                return Outcome::Refused(error);
            }
        }
        if !has_room {
            return Outcome::NoRoom;
        }
        let version = Version((rows.commits + 1).max(self.floor));
        self.apply(batch, version);
        Outcome::Applied(Committed { version })
    }

    /// Writes a batch whose checks held, with the version that it was given.
    pub(crate) fn apply(&mut self, batch: &Batch, version: Version) {
        let rows = self.partitions.entry(batch.partition.clone()).or_default();
        rows.commits = version.0;
        self.newest = self.newest.max(version.0);
        for op in &batch.ops {
            match op {
                Op::Put { row, value } => {
                    let (write_id, value) = (batch.write_id, value.clone());
                    rows.rows.insert(row.clone(), Row { version, write_id, value, corruption: None });
                }
                Op::Delete { row } => {
                    rows.rows.remove(row);
                }
            }
        }
        if rows.writes.len() == WRITE_IDS_KEPT {
            rows.writes.pop_front();
        }
        rows.writes.push_back((batch.write_id, Committed { version }));
    }

    /// Whether this partition remembers the batch: a retry gets the first outcome, whatever has happened since.
    pub(crate) fn has_written(&self, batch: &Batch) -> bool {
        let rows = self.partitions.get(&batch.partition);
        rows.is_some_and(|rows| rows.writes.iter().any(|(write_id, _)| *write_id == batch.write_id))
    }

    /// The version of a partition's last commit.
    pub(crate) fn counter(&self, partition: &Partition) -> Version {
        self.partitions.get(partition).map_or(Version(0), |rows| Version(rows.commits))
    }

    /// Somebody was told of this version: it is never given out again, though its commit is gone.
    pub(crate) fn skip_to(&mut self, partition: &Partition, version: Version) {
        let rows = self.partitions.entry(partition.clone()).or_default();
        rows.commits = rows.commits.max(version.0);
    }

    /// Some partitions become what another store has. No version that may have been given out is given out again: the
    /// next ones lie beyond all of them, as in `net/redis`, where the second of a fail-over is the upper half of them.
    pub(crate) fn replace(&mut self, with: &Records, which: impl Fn(&Partition) -> bool) {
        self.partitions.retain(|partition, _| !which(partition));
        let theirs = with.partitions.iter().filter(|(partition, _)| which(partition));
        self.partitions.extend(theirs.map(|(partition, rows)| (partition.clone(), rows.clone())));
        self.floor = (self.newest + 1).next_multiple_of(ERA);
    }

    /// Makes a row unreadable until it is written again. Returns whether it exists.
    pub(crate) fn corrupt(&mut self, key: &RecordKey, reason: &str) -> bool {
        let row = self.partitions.get_mut(&key.partition).and_then(|rows| rows.rows.get_mut(&key.row));
        row.map(|row| row.corruption = Some(reason.to_owned())).is_some()
    }

    /// Forgets some partitions, with every version that they ever had. Returns how many.
    pub(crate) fn evict(&mut self, which: impl Fn(&Partition) -> bool) -> u64 {
        let before = self.partitions.len();
        self.partitions.retain(|partition, _| !which(partition));
        (before - self.partitions.len()) as u64
    }

    pub(crate) fn partitions(&self) -> impl Iterator<Item = &Partition> {
        self.partitions.keys()
    }
}

impl Rows {
    fn check(&self, partition: &Partition, check: &Check) -> Result<(), StoreError> {
        let row = self.rows.get(&check.row);
        if let Some(reason) = row.and_then(|row| row.corruption.as_ref()) {
            return Err(corrupt(partition, &check.row, reason));
        }
        let found = row.map(|row| row.version);
        let holds = match check.expect {
            Expect::Absent => found.is_none() || quark_core::mutant!("m42"),
            Expect::Version(version) => found == Some(version) || quark_core::mutant!("m22"),
        };
        if holds {
            return Ok(());
        }
        let (partition, row) = (partition.clone(), check.row.clone());
        Err(StoreError::Conflict { partition, row, expected: check.expect, found })
    }
}

impl Row {
    fn record(&self, partition: &Partition, name: &Arc<str>) -> Result<Record, StoreError> {
        if let Some(reason) = &self.corruption {
            return Err(corrupt(partition, name, reason));
        }
        let key = RecordKey { partition: partition.clone(), row: name.clone() };
        Ok(Record { key, version: self.version, write_id: self.write_id, value: self.value.clone() })
    }
}

/// Versions of one second: no partition has so many commits in one.
const ERA: u64 = 1 << 20;

fn corrupt(partition: &Partition, row: &Arc<str>, reason: &str) -> StoreError {
    StoreError::Corrupt { partition: partition.clone(), row: row.clone(), reason: reason.to_owned() }
}
