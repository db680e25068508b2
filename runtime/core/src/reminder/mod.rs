//! Durable reminders: the core that fires them.
//!
//! The truth about a reminder is a row in its actor's own partition, committed with the actor's state. What is due when
//! is found in a global *index*: [`SHARDS`] partitions, each owned by one silo of the view, whose rows are named by due
//! time ([`RowKey`]). Index rows are hints, under one invariant:
//!
//! > For each live reminder there is at least one index row whose time is not later than the truth's next due time.
//!
//! A row that is too early or belongs to nothing costs one call and is harmless: the actor compares it with the truth.
//! So two owners of one shard, a repeated call and a lost answer are harmless too, and every race may be decided for
//! the extra row.
//!
//! | step | what keeps the invariant |
//! | --- | --- |
//! | register | index row first, then the truth's commit, then word to the shard's owner, until it acknowledges |
//! | fire | the owner asks the actor, which runs its handler only if the truth is due at just that time, and commits the handler's state with the truth's next due time; in both cases it answers what is due next |
//! | move | only then the owner, in one commit, deletes the row *if it is still of the version that was read*, and puts one for the next due time |
//!
//! The version matters: a reminder that was cancelled and set again for the same time has the same row, and must keep
//! it. A registration and a fire of one actor must not interleave (they are exclusive turns): between the index row and
//! the commit the truth would deny what it is about to say.
//!
//! A shard is read from its beginning by whoever owns it in a new view. What is left is a registration by a silo that
//! knows neither that view nor the new owner, acknowledged by an old owner that does not know it either, after the new
//! one has read: that row is found by the next re-reading ([`Config::recheck_every`]), late and not lost.
//!
//! [`Reminders`] holds, for each shard that its silo owns, a window of the earliest rows, and where the rest begins.
//! Catching up after an outage goes round the shards, at a capped rate.

mod bucket;
mod config;
mod core;
mod event;
mod index;
#[cfg(test)]
mod tests;
mod wall;
mod window;

pub use config::Config;
pub use core::{Counts, Reminders};
pub use event::{Action, Answer, Input, MoveError, RequestId, ScanFailed, ScannedRows};
pub use index::{IndexRow, RowKey, SHARDS, Shard, StoredRow};
pub use wall::{ANSWER_KEPT, ASKED_MAX, AgreedClock, ROUND_TRIP_MAX};
