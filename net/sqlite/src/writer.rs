//! Group commit: one thread, one transaction, many batches.
//!
//! ```text
//! callers   c1 c2 c3        c4 c5 c6 c7             c8
//! writer       [c1 .. fsync][c2 c3 .. fsync][c4 c5 c6 c7 .. fsync][c8 ..
//! replies                   c1              c2 c3                 c4 c5 c6 c7
//! ```
//! What arrives while one group is synced to disk is the next group, so the price of a sync is shared by all who
//! wait for it. Nobody is kept waiting for a group to fill.

use crate::apply::{apply, first_row};
use crate::fault;
use crate::known::Known;
use crate::queue::{AbandonOnExit, Queue};
use quark_env::store::{Batch, Committed, StoreError};
use rusqlite::Connection;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// What a batch came to.
pub(crate) type Outcome = Result<Committed, StoreError>;

/// A batch and who waits for it; perhaps nobody any more, which changes nothing.
pub(crate) struct Pending {
    pub(crate) batch: Batch,
    pub(crate) reply: oneshot::Sender<Outcome>,
}

/// The thread that commits.
pub(crate) struct Writer {
    pub(crate) path: PathBuf,
    pub(crate) connection: Connection,
    pub(crate) queue: Arc<Queue<Pending>>,
    pub(crate) busy_timeout: Duration,
    /// No version below this is given out.
    pub(crate) floor: u64,
    pub(crate) known: Known,
}

impl Writer {
    /// Works the queue off until it is finished.
    pub(crate) fn run(mut self) {
        let _abandon = AbandonOnExit(self.queue.clone());
        let mut group = Vec::new();
        while self.queue.take(&mut group, GROUP_BATCHES_MAX, GROUP_BYTES_MAX) {
            let (batches, replies): (Vec<_>, Vec<_>) = group.drain(..).map(|p| (p.batch, p.reply)).unzip();
            let outcomes = self.commit(&batches);
            assert_eq!(outcomes.len(), replies.len(), "every batch has an outcome");
            for (reply, outcome) in replies.into_iter().zip(outcomes) {
                let _ = reply.send(outcome); // maybe: the caller has lost interest
            }
        }
    }

    /// Commits the batches in as few transactions as possible: one, unless a batch cannot be written.
    fn commit(&mut self, batches: &[Batch]) -> Vec<Outcome> {
        let mut outcomes = Vec::with_capacity(batches.len());
        let mut rest = batches;
        while !rest.is_empty() {
            match self.commit_together(rest) {
                Ok(group) => {
                    outcomes.extend(group);
                    break;
                }
                Err((at, error)) => {
                    // One batch must not take the others down: its predecessors go again without it, then the rest.
                    quark_core::reached!("sqlite.group.split");
                    outcomes.extend(self.commit(&rest[..at]));
                    outcomes.push(Err(self.refused(&error, &rest[at])));
                    rest = &rest[at + 1..];
                }
            }
        }
        outcomes
    }

    /// One transaction. The error is of the batch at this index; nothing of any batch was written.
    fn commit_together(&mut self, batches: &[Batch]) -> Result<Vec<Outcome>, (usize, rusqlite::Error)> {
        if let Err(error) = self.begin().and_then(|()| self.known.refresh(&self.connection)) {
            self.roll_back();
            return Ok(batches.iter().map(|batch| Err(self.refused(&error, batch))).collect());
        }
        let mut outcomes = Vec::with_capacity(batches.len());
        for (at, batch) in batches.iter().enumerate() {
            match apply(&self.connection, &mut self.known, self.floor, batch) {
                Ok(outcome) => outcomes.push(outcome),
                Err(error) => {
                    self.roll_back();
                    return Err((at, error));
                }
            }
        }
        if let Err(error) = self.connection.prepare_cached("COMMIT").and_then(|mut s| s.execute([])) {
            self.roll_back();
            outcomes = outcomes.into_iter().map(|outcome| self.unsettled(outcome, &error)).collect();
        }
        Ok(outcomes)
    }

    /// Takes the write lock of the file, waiting for other processes up to the time-out.
    fn begin(&self) -> Result<(), rusqlite::Error> {
        let deadline = Instant::now() + self.busy_timeout;
        loop {
            match self.connection.prepare_cached("BEGIN IMMEDIATE").and_then(|mut s| s.execute([])) {
                Ok(_) => return Ok(()),
                Err(error) if fault::is_busy(&error) && Instant::now() < deadline => {
                    quark_core::reached!("sqlite.begin.contended");
                    std::thread::sleep(BUSY_POLL);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Leaves no transaction open. SQLite has rolled back on its own after some errors.
    fn roll_back(&mut self) {
        self.known.forget();
        if !self.connection.is_autocommit()
            && let Err(error) = self.connection.execute_batch("ROLLBACK")
        {
            assert!(self.connection.is_autocommit(), "a transaction that cannot be ended: {error}");
        }
    }

    /// What to say of a batch of which nothing was written.
    fn refused(&self, error: &rusqlite::Error, batch: &Batch) -> StoreError {
        if fault::is_full(error) {
            return fault::full(&self.path);
        }
        fault::refused(error, &batch.partition, &first_row(batch))
    }

    /// What is known of a batch whose transaction failed to commit.
    fn unsettled(&self, outcome: Outcome, error: &rusqlite::Error) -> Outcome {
        if fault::is_busy(error) {
            return Err(StoreError::Unavailable(error.to_string())); // the lock was refused before the first write
        }
        if fault::is_full(error) {
            // What makes a transaction count is the last thing that is written to the log, and whatever comes after
            // that (the sync, the index, the checkpoint) fails with other words. So that frame is not whole, a
            // recovery stops before it, and the next commit overwrites it.
            return Err(fault::full(&self.path));
        }
        quark_core::reached!("sqlite.commit.indeterminate");
        match outcome {
            // Its frames may be in the log, synced or not, and a recovery may or may not find them.
            Ok(_) => Err(StoreError::Indeterminate(error.to_string())),
            // It would have written nothing; but what it saw may be of a neighbour whose own outcome is unknown.
            Err(_) => Err(StoreError::Unavailable(error.to_string())),
        }
    }
}

/// The most batches in one transaction. More would save little and make the first wait for the last.
const GROUP_BATCHES_MAX: usize = 1024;
/// A transaction takes no further batch once its batches have so many bytes.
const GROUP_BYTES_MAX: usize = 8 << 20;
/// How often a waiting process asks for the write lock. SQLite's own waits grow to 100 ms, many times what a commit
/// takes.
const BUSY_POLL: Duration = Duration::from_micros(300);

#[cfg(test)]
mod tests;
