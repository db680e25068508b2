//! What can happen to the reminders of a silo, and what they want done.

use super::index::{IndexRow, RowKey, Shard, StoredRow};
use crate::{ActorId, Version, WallTime};

/// Matches an answer with its request. Never used twice by one core.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RequestId(pub u64);

/// What can happen. Each [`Action::Scan`], [`Action::Fire`] and [`Action::MoveRow`] is answered exactly once, if only by
/// a failure when its deadline has passed; what is never answered holds its place for ever.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Input {
    /// These shards are this silo's in the newest view, and no others. To be said for each view that is seen: shards
    /// that stay are read again, for views between may not have been seen.
    Owned {
        /// All of them.
        shards: Vec<Shard>,
    },
    /// A silo has written an index row and committed its truth.
    Registered {
        /// The row's shard.
        shard: Shard,
        /// The row's time.
        due: WallTime,
        /// Names the silo's message, for [`Action::Acknowledge`].
        message: u64,
    },
    /// The answer to [`Action::Scan`].
    Scanned {
        /// Of the action.
        request: RequestId,
        /// What was read.
        result: Result<ScannedRows, ScanFailed>,
    },
    /// The answer to [`Action::Fire`].
    FireAnswered {
        /// Of the action.
        request: RequestId,
        /// What the actor said, if it did.
        answer: Answer,
    },
    /// The answer to [`Action::MoveRow`].
    RowMoved {
        /// Of the action.
        request: RequestId,
        /// The version of the commit, which is that of the row for the next due time.
        result: Result<Version, MoveError>,
    },
    /// The deadline has come.
    Tick,
}

/// What was read of a shard.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ScannedRows {
    /// The first rows from the beginning of the range, in the order of their names.
    pub rows: Vec<StoredRow>,
    /// Whether there are more. At least one row has to come with it.
    pub more: bool,
}

/// A read that gave nothing. It is tried again.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a shard of the reminder index could not be read: it is tried again")]
pub struct ScanFailed;

/// What an actor says to [`Action::Fire`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer {
    /// The truth is no longer due at that time: it was fired now, or before, or set to another time, or cancelled.
    Advanced {
        /// What is due next by the truth; `None` when nothing is.
        next: Option<WallTime>,
    },
    /// The handler failed, the call did, or nobody knows. Whether it was fired is for the truth to say, next time.
    Failed,
}

/// A row that was not moved, as far as is known.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum MoveError {
    /// The row is gone, or of another version. Nothing was changed.
    #[error("an index row is not as it was read: it is read again")]
    Conflict,
    /// Nothing was changed, or nobody knows. Trying again is harmless: what has happened is then a conflict.
    #[error("an index row may not have been moved: it is tried again")]
    Unavailable,
}

/// What the core wants done. Performing an action never blocks the core.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Action {
    /// Read the first rows of a shard from a name on.
    Scan {
        /// For the answer.
        request: RequestId,
        /// Which shard.
        shard: Shard,
        /// The first name to read.
        from: RowKey,
        /// The most rows.
        limit: usize,
    },
    /// Tell an actor that its reminder is due, by an ordinary call.
    Fire {
        /// For the answer.
        request: RequestId,
        /// Whom.
        actor: ActorId,
        /// Which of its reminders.
        name: String,
        /// Which occurrence.
        due: WallTime,
    },
    /// In one commit on the shard: delete a row if it is still of this version, and put one for the next due time.
    MoveRow {
        /// For the answer.
        request: RequestId,
        /// Which shard.
        shard: Shard,
        /// The row to delete.
        old: RowKey,
        /// The version at which it was read.
        version: Version,
        /// The row to put, under the name that [`IndexRow::key`] gives.
        next: Option<IndexRow>,
    },
    /// Tell the silo that sent it that its registration will be looked at in time.
    Acknowledge {
        /// As it came.
        message: u64,
    },
}
