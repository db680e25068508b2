//! The store of a client, which has none.

use quark_env::store::{Batch, Committed, Record, RecordKey, ScanRange, StoreError};
use quark_env::{BoxFuture, Store};

/// Nobody asks it.
pub struct NoStore;

impl Store for NoStore {
    fn read(&self, _: &RecordKey) -> BoxFuture<'static, Result<Option<Record>, StoreError>> {
        unreachable!("a client reads nothing")
    }

    fn commit(&self, _: Batch) -> BoxFuture<'static, Result<Committed, StoreError>> {
        unreachable!("a client commits nothing")
    }

    fn scan(&self, _: ScanRange, _: usize) -> BoxFuture<'static, Result<Vec<Record>, StoreError>> {
        unreachable!("a client scans nothing")
    }
}
