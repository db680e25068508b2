//! One batch, inside a transaction that may hold many.

use crate::known::{Known, PartitionState};
use crate::schema;
use quark_core::Version;
use quark_env::store::{Batch, Committed, Expect, Op, StoreError};
use rusqlite::{Connection, params};
use std::sync::Arc;

/// Evaluates a batch and, if its checks hold, writes it. Its version is at least `floor`.
///
/// The inner result is the batch's own outcome. It is decided before the first write, so a refused batch needs no
/// savepoint to leave no trace. The outer error is SQLite's: the transaction may then hold half of the batch, and
/// must be rolled back; what is known is then wrong.
pub(crate) fn apply(
    connection: &Connection,
    known: &mut Known,
    floor: u64,
    batch: &Batch,
) -> Result<Result<Committed, StoreError>, rusqlite::Error> {
    let state = known.find(connection, &batch.partition)?;
    if !state.recent.fits(state.version) {
        let reason = format!("{} commits cannot have left {} bytes", state.version, state.recent.0.len());
        return Ok(Err(StoreError::Corrupt { partition: batch.partition.clone(), row: "".into(), reason }));
    }
    if let Some(first) = state.recent.find(batch.write_id, state.version) {
        quark_core::reached!("sqlite.commit.retried");
        return Ok(Ok(Committed { version: Version(first) }));
    }
    for check in &batch.checks {
        let found = state.version_of(connection, &check.row)?.map(Version);
        let holds = match check.expect {
            Expect::Absent => found.is_none(),
            Expect::Version(version) => found == Some(version),
        };
        if !holds {
            let (partition, row) = (batch.partition.clone(), check.row.clone());
            return Ok(Err(StoreError::Conflict { partition, row, expected: check.expect, found }));
        }
    }
    write(connection, batch, state, floor)?;
    Ok(Ok(Committed { version: Version(state.version) }))
}

fn write(
    connection: &Connection,
    batch: &Batch,
    state: &mut PartitionState,
    floor: u64,
) -> Result<(), rusqlite::Error> {
    let last = state.version;
    let version = (last + 1).max(floor);
    state.version = version;
    state.recent.remember(batch.write_id, last, version);
    let id = match state.id {
        Some(id) => {
            let mut statement = connection.prepare_cached(schema::ADVANCE_PARTITION)?;
            statement.execute(params![id, version, state.recent.0])?;
            id
        }
        None => {
            let mut statement = connection.prepare_cached(schema::ADD_PARTITION)?;
            statement.insert(params![&*batch.partition.0, version, state.recent.0])?
        }
    };
    state.id = Some(id);
    let write_id = batch.write_id.0.to_be_bytes();
    for op in &batch.ops {
        match op {
            Op::Put { row, value } => {
                let checksum = schema::checksum(&batch.partition, row, version, write_id, value);
                let is_there = matches!(state.known(row), Some(Some(_)));
                let put = |sql| -> Result<usize, rusqlite::Error> {
                    let mut statement = connection.prepare_cached(sql)?;
                    statement.execute(params![id, &**row, version, &write_id[..], checksum, &**value])
                };
                // maybe: nothing replaced, where a damaged key hides the row from a search.
                if !is_there || put(schema::REPLACE)? == 0 {
                    put(schema::PUT)?;
                }
                state.note(row, Some(version));
            }
            Op::Delete { row } => {
                connection.prepare_cached(schema::DELETE)?.execute(params![id, &**row])?;
                state.note(row, None);
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
