//! One store, three verbs. Everything durable is a layer on it, so that everything durable of one actor can
//! commit together.

use bytes::Bytes;
use futures_util::future::BoxFuture;
use quark_core::{Version, WriteId};
use std::fmt;
use std::sync::Arc;

/// A durable map of records, grouped in partitions. See the conformance suite in `quark-testkit` for the contract
/// in executable form.
pub trait Store: Send + Sync {
    /// Reads one record. Linearizable: it sees every commit that was acknowledged before the read began.
    fn read(&self, key: &RecordKey) -> BoxFuture<'static, Result<Option<Record>, StoreError>>;

    /// Commits a batch: all of it or nothing, if every check holds.
    ///
    /// A batch with a `write_id` that this partition has committed among its last [`WRITE_IDS_KEPT`] commits is not
    /// applied again; the first outcome is returned. So a batch may be retried after [`StoreError::Indeterminate`].
    fn commit(&self, batch: Batch) -> BoxFuture<'static, Result<Committed, StoreError>>;

    /// Reads up to `limit` records of a range in row order (byte order of the row name). Linearizable as a whole.
    fn scan(&self, range: ScanRange, limit: usize) -> BoxFuture<'static, Result<Vec<Record>, StoreError>>;

    /// A number that grows when the store finds that it may have lost acknowledged commits, as by a fail-over. Asked after
    /// each answer, so it must cost next to nothing. Whoever has something in memory that rests on the store looks at it
    /// again then. 0, and for ever, for a store that loses nothing.
    fn history(&self) -> u64 {
        0
    }
}

/// How many write ids a partition remembers.
pub const WRITE_IDS_KEPT: usize = 64;
/// The longest partition or row name in bytes.
pub const NAME_BYTES_MAX: usize = 1024;
/// The largest value in bytes.
pub const VALUE_BYTES_MAX: usize = 1 << 20;
/// The most operations (puts and deletes) and the most checks in one batch.
pub const BATCH_OPS_MAX: usize = 128;

/// The unit of atomicity: records of one partition commit together.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Partition(pub Arc<str>);

impl fmt::Debug for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for Partition {
    fn from(name: &str) -> Self {
        Self(name.into())
    }
}

/// Where a record lives.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RecordKey {
    /// Its partition.
    pub partition: Partition,
    /// Its row in the partition.
    pub row: Arc<str>,
}

impl RecordKey {
    /// Joins the two.
    pub fn new(partition: impl Into<Partition>, row: &str) -> Self {
        Self { partition: partition.into(), row: row.into() }
    }
}

/// A stored record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    /// Where it lives.
    pub key: RecordKey,
    /// The number of the partition's commit that wrote it. Grows by one with every commit of the partition, and is
    /// never reissued, also not after a delete: so a check on it cannot be fooled by delete and re-create.
    pub version: Version,
    /// The commit attempt that wrote it.
    pub write_id: WriteId,
    /// Its content.
    pub value: Bytes,
}

/// What must hold of a row for a batch to commit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Expect {
    /// The row does not exist.
    Absent,
    /// The row exists with exactly this version.
    Version(Version),
}

/// A check of one row, which the batch may write or only read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Check {
    /// The row.
    pub row: Arc<str>,
    /// What must hold.
    pub expect: Expect,
}

/// One write of a batch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Op {
    /// Writes a row, whether it exists or not.
    Put {
        /// The row.
        row: Arc<str>,
        /// Its new content.
        value: Bytes,
    },
    /// Removes a row; nothing happens if it does not exist.
    Delete {
        /// The row.
        row: Arc<str>,
    },
}

/// What to commit: checks first, then operations in order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Batch {
    /// The partition that it is about.
    pub partition: Partition,
    /// Names this attempt; draw a fresh one per batch, keep it for retries.
    pub write_id: WriteId,
    /// What must hold.
    pub checks: Vec<Check>,
    /// What to write.
    pub ops: Vec<Op>,
}

impl Batch {
    /// A batch without checks or writes.
    pub fn new(partition: impl Into<Partition>, write_id: WriteId) -> Self {
        Self { partition: partition.into(), write_id, checks: Vec::new(), ops: Vec::new() }
    }

    /// Adds: the row must not exist.
    #[must_use]
    pub fn expect_absent(mut self, row: &str) -> Self {
        self.checks.push(Check { row: row.into(), expect: Expect::Absent });
        self
    }

    /// Adds: the row must have this version.
    #[must_use]
    pub fn expect_version(mut self, row: &str, version: Version) -> Self {
        self.checks.push(Check { row: row.into(), expect: Expect::Version(version) });
        self
    }

    /// Adds a write.
    #[must_use]
    pub fn put(mut self, row: &str, value: impl Into<Bytes>) -> Self {
        self.ops.push(Op::Put { row: row.into(), value: value.into() });
        self
    }

    /// Adds a delete.
    #[must_use]
    pub fn delete(mut self, row: &str) -> Self {
        self.ops.push(Op::Delete { row: row.into() });
        self
    }

    /// About what it holds in memory while it waits, in bytes: its names and values.
    pub fn bytes_held(&self) -> usize {
        let ops = self.ops.iter().map(|op| match op {
            Op::Put { row, value } => row.len() + value.len(),
            Op::Delete { row } => row.len(),
        });
        let checks = self.checks.iter().map(|check| check.row.len());
        self.partition.0.len() + ops.sum::<usize>() + checks.sum::<usize>()
    }
}

/// The commit happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Committed {
    /// The version that every put of the batch now has.
    pub version: Version,
}

/// Rows `from <= row < to` of one partition; an empty `to` means to the end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ScanRange {
    /// The partition.
    pub partition: Partition,
    /// First row, included.
    pub from: Arc<str>,
    /// Last row, excluded; empty for no bound.
    pub to: Arc<str>,
}

impl ScanRange {
    /// All rows that start with `prefix`.
    ///
    /// Panics: if the prefix ends in a character beyond `~` (our row names are ASCII).
    pub fn prefix(partition: impl Into<Partition>, prefix: &str) -> Self {
        let mut to = prefix.as_bytes().to_vec();
        if let Some(last) = to.last_mut() {
            assert!(*last <= b'~', "row prefixes are ASCII");
            *last += 1;
        }
        Self {
            partition: partition.into(),
            from: prefix.into(),
            to: String::from_utf8(to).expect("ASCII plus one is ASCII").into(),
        }
    }
}

/// Why a store did not do as asked.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum StoreError {
    /// A check did not hold: nothing was written. Read again, decide again.
    #[error("row `{row}` of `{partition:?}`: expected {expected:?}, found version {found:?}")]
    Conflict {
        /// The partition.
        partition: Partition,
        /// The first row whose check failed.
        row: Arc<str>,
        /// What the batch wanted.
        expected: Expect,
        /// What the store has; `None` if the row does not exist.
        found: Option<Version>,
    },
    /// It did not happen. Retry when you like.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// It may or may not have happened. Read back the write id, or retry the same batch.
    #[error("the outcome is unknown: {0}")]
    Indeterminate(String),
    /// It did not happen, and never will: a limit is exceeded.
    #[error("{what} has {size}, the limit is {limit}")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// How large it is.
        size: usize,
        /// The limit.
        limit: usize,
    },
    /// It did not happen: the store has lost commits that it had acknowledged, such as by a fail-over. Whatever was
    /// read from this partition before is void: read again, decide again. Versions that were lost are not given out a
    /// second time.
    #[error(
        "the store went back in time: `{partition:?}` had version {}, and has {} now",
        .seen.0,
        .found.0
    )]
    WentBack {
        /// The partition.
        partition: Partition,
        /// The version that was acknowledged or read.
        seen: Version,
        /// The version that the partition has.
        found: Version,
    },
    /// It did not happen: what is stored cannot be understood. Retrying does not help; a person must look.
    #[error("row `{row}` of `{partition:?}` is corrupt: {reason}")]
    Corrupt {
        /// The partition.
        partition: Partition,
        /// The row.
        row: Arc<str>,
        /// What is wrong with it.
        reason: String,
    },
}

/// Checks a batch against the limits that all stores share. Stores call it first.
pub fn check_limits(batch: &Batch) -> Result<(), StoreError> {
    let too_large = |what, size, limit| Err(StoreError::TooLarge { what, size, limit });
    if batch.partition.0.len() > NAME_BYTES_MAX {
        return too_large("the partition name", batch.partition.0.len(), NAME_BYTES_MAX);
    }
    if batch.ops.len() > BATCH_OPS_MAX {
        return too_large("the batch's list of operations", batch.ops.len(), BATCH_OPS_MAX);
    }
    if batch.checks.len() > BATCH_OPS_MAX {
        return too_large("the batch's list of checks", batch.checks.len(), BATCH_OPS_MAX);
    }
    for check in &batch.checks {
        if check.row.len() > NAME_BYTES_MAX {
            return too_large("a row name", check.row.len(), NAME_BYTES_MAX);
        }
    }
    for op in &batch.ops {
        let (row, value) = match op {
            Op::Put { row, value } => (row, value.len()),
            Op::Delete { row } => (row, 0),
        };
        if row.len() > NAME_BYTES_MAX {
            return too_large("a row name", row.len(), NAME_BYTES_MAX);
        }
        if value > VALUE_BYTES_MAX {
            return too_large("a record's value in bytes", value, VALUE_BYTES_MAX);
        }
    }
    Ok(())
}
