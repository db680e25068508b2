//! Reads and scans, on threads with connections of their own.
//!
//! In WAL mode a reader sees the last commit before its snapshot and is never blocked by the writer. The snapshot is
//! taken after the request arrived, so whatever was acknowledged before the request, by any process, is in it: that is
//! what makes reads linearizable.

use crate::queue::{AbandonOnExit, Queue};
use crate::{fault, schema};
use bytes::Bytes;
use quark_core::{Version, WriteId};
use quark_env::store::{Partition, Record, RecordKey, ScanRange, StoreError};
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::sync::Arc;
use tokio::sync::oneshot;

/// What is asked, and who waits for the answer.
pub(crate) enum Question {
    Read { key: RecordKey, reply: oneshot::Sender<Result<Option<Record>, StoreError>> },
    Scan { range: ScanRange, limit: usize, reply: oneshot::Sender<Result<Vec<Record>, StoreError>> },
}

/// A thread that reads.
pub(crate) struct Reader {
    pub(crate) connection: Connection,
    pub(crate) queue: Arc<Queue<Question>>,
}

impl Reader {
    /// Works the queue off until it is finished.
    pub(crate) fn run(self) {
        let _abandon = AbandonOnExit(self.queue.clone());
        let mut group = Vec::new();
        while self.queue.take(&mut group, GROUP_MAX, usize::MAX) {
            // One snapshot for the group saves each its own locks. If it cannot be opened, each tries by itself.
            let shared = group.len() > 1 && self.connection.execute_batch("BEGIN").is_ok();
            for question in group.drain(..) {
                self.answer(question);
            }
            if shared && self.connection.execute_batch("COMMIT").is_err() {
                let _ = self.connection.execute_batch("ROLLBACK"); // maybe: SQLite has done so already
            }
        }
    }

    fn answer(&self, question: Question) {
        match question {
            // Who has stopped waiting needs no answer.
            Question::Read { reply, .. } if reply.is_closed() => {}
            Question::Scan { reply, .. } if reply.is_closed() => {}
            Question::Read { key, reply } => {
                let found = read(&self.connection, &key);
                let _ = reply.send(found.map_err(|e| fault::refused(&e, &key.partition, &key.row)));
            }
            Question::Scan { range, limit, reply } => {
                let found = scan(&self.connection, &range, limit);
                let _ = reply.send(found.map_err(|e| fault::refused(&e, &range.partition, &range.from)));
            }
        }
    }
}

fn read(connection: &Connection, key: &RecordKey) -> Result<Option<Record>, rusqlite::Error> {
    let mut statement = connection.prepare_cached(schema::READ)?;
    let found = statement.query_row([&*key.partition.0, &*key.row], |row| record(&key.partition, row));
    found.optional()
}

fn scan(connection: &Connection, range: &ScanRange, limit: usize) -> Result<Vec<Record>, rusqlite::Error> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let (partition, from, to) = (&*range.partition.0, &*range.from, &*range.to);
    let each = |row: &Row<'_>| record(&range.partition, row);
    if to.is_empty() {
        let mut statement = connection.prepare_cached(schema::SCAN_FROM)?;
        statement.query_map(params![partition, from, limit], each)?.collect()
    } else {
        let mut statement = connection.prepare_cached(schema::SCAN_BETWEEN)?;
        statement.query_map(params![partition, from, limit, to], each)?.collect()
    }
}

fn record(partition: &Partition, row: &Row<'_>) -> Result<Record, rusqlite::Error> {
    let (name, version, write_id) = (row.get::<_, Arc<str>>(0)?, row.get(1)?, row.get(2)?);
    let value: Vec<u8> = row.get(4)?;
    if row.get::<_, u32>(3)? != schema::checksum(partition, &name, version, write_id, &value) {
        return Err(fault::bad_checksum());
    }
    Ok(Record {
        key: RecordKey { partition: partition.clone(), row: name },
        version: Version(version),
        write_id: WriteId(u128::from_be_bytes(write_id)),
        value: Bytes::from(value),
    })
}

/// The most requests that share a snapshot: few, so that the other threads get some too.
const GROUP_MAX: usize = 16;
