//! What SQLite's errors mean for a caller.

use quark_env::store::{Partition, StoreError};
use rusqlite::types::Type;
use rusqlite::{Error, ErrorCode};
use std::sync::Arc;

/// Whether another connection holds a lock that we need.
pub(crate) fn is_busy(error: &Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

/// Whether what is stored does not make sense.
pub(crate) fn is_corrupt(error: &Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
        || matches!(
            error,
            Error::InvalidColumnType(..)
                | Error::FromSqlConversionFailure(..)
                | Error::IntegralValueOutOfRange(..)
                | Error::Utf8Error(..)
        )
}

/// A record that reads well and is not what was written.
pub(crate) fn bad_checksum() -> Error {
    let column = 3; // where the queries of `schema` have the checksum
    Error::FromSqlConversionFailure(column, Type::Integer, "the checksum does not match".into())
}

/// The error of something that certainly did not happen.
pub(crate) fn refused(error: &Error, partition: &Partition, row: &Arc<str>) -> StoreError {
    if is_corrupt(error) {
        quark_core::reached!("sqlite.corrupt");
        return StoreError::Corrupt {
            partition: partition.clone(),
            row: row.clone(),
            reason: error.to_string(),
        };
    }
    if is_busy(error) {
        quark_core::reached!("sqlite.busy");
        return StoreError::Unavailable(format!("another process holds the lock of the database: {error}"));
    }
    StoreError::Unavailable(error.to_string())
}
