//! One batch, inside a transaction that may hold many.

use crate::schema::{self, Recent};
use quark_core::Version;
use quark_env::store::{Batch, Committed, Expect, Op, StoreError};
use rusqlite::{Connection, OptionalExtension, params};
use std::sync::Arc;

/// A partition as the transaction sees it now.
struct PartitionState {
    /// `None` until its first commit.
    id: Option<i64>,
    version: u64,
    recent: Recent,
}

/// Evaluates a batch and, if its checks hold, writes it.
///
/// The inner result is the batch's own outcome. It is decided before the first write, so a refused batch needs no
/// savepoint to leave no trace. The outer error is SQLite's: the transaction may then hold half of the batch, and
/// must be rolled back.
pub(crate) fn apply(
    connection: &Connection,
    batch: &Batch,
) -> Result<Result<Committed, StoreError>, rusqlite::Error> {
    let mut state = find(connection, batch)?;
    if !state.recent.fits(state.version) {
        let reason = format!("{} commits cannot have left {} bytes", state.version, state.recent.0.len());
        return Ok(Err(StoreError::Corrupt { partition: batch.partition.clone(), row: "".into(), reason }));
    }
    if let Some(first) = state.recent.find(batch.write_id, state.version) {
        quark_core::reached!("sqlite.commit.retried");
        return Ok(Ok(Committed { version: Version(first) }));
    }
    for check in &batch.checks {
        let found = match state.id {
            None => None,
            Some(id) => version_of(connection, id, &check.row)?,
        };
        let holds = match check.expect {
            Expect::Absent => found.is_none(),
            Expect::Version(version) => found == Some(version),
        };
        if !holds {
            let (partition, row) = (batch.partition.clone(), check.row.clone());
            return Ok(Err(StoreError::Conflict { partition, row, expected: check.expect, found }));
        }
    }
    write(connection, batch, &mut state)?;
    Ok(Ok(Committed { version: Version(state.version) }))
}

fn find(connection: &Connection, batch: &Batch) -> Result<PartitionState, rusqlite::Error> {
    let found = connection
        .prepare_cached(schema::FIND_PARTITION)?
        .query_row([&*batch.partition.0], |row| {
            Ok(PartitionState { id: Some(row.get(0)?), version: row.get(1)?, recent: Recent(row.get(2)?) })
        })
        .optional()?;
    Ok(found.unwrap_or(PartitionState { id: None, version: 0, recent: Recent(Vec::new()) }))
}

fn version_of(connection: &Connection, id: i64, row: &str) -> Result<Option<Version>, rusqlite::Error> {
    let mut statement = connection.prepare_cached(schema::FIND_VERSION)?;
    statement.query_row(params![id, row], |row| Ok(Version(row.get(0)?))).optional()
}

fn write(connection: &Connection, batch: &Batch, state: &mut PartitionState) -> Result<(), rusqlite::Error> {
    state.version += 1;
    state.recent.remember(batch.write_id, state.version);
    let id = match state.id {
        Some(id) => {
            let mut statement = connection.prepare_cached(schema::ADVANCE_PARTITION)?;
            statement.execute(params![id, state.version, state.recent.0])?;
            id
        }
        None => {
            let mut statement = connection.prepare_cached(schema::ADD_PARTITION)?;
            statement.insert(params![&*batch.partition.0, state.version, state.recent.0])?
        }
    };
    let write_id = batch.write_id.0.to_be_bytes();
    for op in &batch.ops {
        match op {
            Op::Put { row, value } => {
                let mut statement = connection.prepare_cached(schema::PUT)?;
                let checksum = schema::checksum(&batch.partition, row, state.version, write_id, value);
                statement.execute(params![id, &**row, state.version, &write_id[..], checksum, &**value])?;
            }
            Op::Delete { row } => {
                connection.prepare_cached(schema::DELETE)?.execute(params![id, &**row])?;
            }
        }
    }
    Ok(())
}

/// The row to name when a whole batch fails: its first.
pub(crate) fn first_row(batch: &Batch) -> Arc<str> {
    let of_check = batch.checks.first().map(|check| &check.row);
    let of_op = batch.ops.first().map(|op| match op {
        Op::Put { row, .. } | Op::Delete { row } => row,
    });
    of_op.or(of_check).cloned().unwrap_or_else(|| "".into())
}
