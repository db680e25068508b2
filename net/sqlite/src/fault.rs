//! What SQLite's errors mean for a caller.

use quark_env::store::{Partition, StoreError};
use rusqlite::types::Type;
use rusqlite::{Error, ErrorCode};
use std::path::Path;
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

/// Whether there was no room for a write.
///
/// SQLite says so only of a write to the file or its log that the system cut short for lack of space, and of a file
/// that has reached its page limit. A quota and a limit on file sizes are general errors to it.
pub(crate) fn is_full(error: &Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DiskFull)
}

/// The error of a commit that did not happen because there was no room.
pub(crate) fn full(path: &Path) -> StoreError {
    quark_core::reached!("sqlite.full");
    StoreError::Unavailable(format!(
        "no room for {path:?} and its log: free space on that disk, or move the files to a larger one; commits go on by themselves when there is room"
    ))
}

/// A record that reads well and is not what was written.
pub(crate) fn bad_checksum() -> Error {
    let column = 3; // where the queries of `schema` have the checksum
    Error::FromSqlConversionFailure(column, Type::Integer, "the checksum does not match".into())
}

/// The file says that its versions are at their end, which none is in the age of the universe.
pub(crate) fn no_versions_left() -> Error {
    Error::FromSqlConversionFailure(1, Type::Integer, "the least version is no version".into())
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
