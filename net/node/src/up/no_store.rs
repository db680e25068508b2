//! The store of a process that keeps nothing: a client's world has none.

use quark_env::store::{Batch, Committed, Record, RecordKey, ScanRange, StoreError};
use quark_env::{BoxFuture, Store};

/// Refuses everything: a client stores nothing, its silos do.
pub struct NoStore;

fn refuse<T: Send + 'static>() -> BoxFuture<'static, Result<T, StoreError>> {
    Box::pin(std::future::ready(Err(StoreError::Unavailable("a client has no store".into()))))
}

impl Store for NoStore {
    fn read(&self, _key: &RecordKey) -> BoxFuture<'static, Result<Option<Record>, StoreError>> {
        refuse()
    }

    fn commit(&self, _batch: Batch) -> BoxFuture<'static, Result<Committed, StoreError>> {
        refuse()
    }

    fn scan(&self, _range: ScanRange, _limit: usize) -> BoxFuture<'static, Result<Vec<Record>, StoreError>> {
        refuse()
    }
}
