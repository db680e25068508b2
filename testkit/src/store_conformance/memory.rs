//! The model as a store.

use super::model::ModelStore;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use quark_env::Store;
use quark_env::store::{Batch, Committed, Expect, Record, RecordKey, ScanRange, StoreError};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

/// A [`Store`] in memory, for tests that need a store and not its durability. Clones share their records.
///
/// Every operation yields once before it takes effect: so callers that run concurrently really interleave, and a
/// compare-and-commit loop really meets conflicts.
#[derive(Clone, Default, Debug)]
pub struct MemoryStore {
    model: Arc<Mutex<ModelStore>>,
}

impl MemoryStore {
    /// A store without records.
    pub fn new() -> Self {
        Self::default()
    }

    /// A copy of what is stored now.
    pub fn snapshot(&self) -> ModelStore {
        self.model.lock().expect("no panic while held").clone()
    }

    fn after_a_yield<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut ModelStore) -> T + Send + 'static,
    ) -> BoxFuture<'static, T> {
        let model = self.model.clone();
        Yield(false).map(move |()| act(&mut model.lock().expect("no panic while held"))).boxed()
    }
}

impl Store for MemoryStore {
    fn read(&self, key: &RecordKey) -> BoxFuture<'static, Result<Option<Record>, StoreError>> {
        let key = key.clone();
        self.after_a_yield(move |model| Ok(model.read(&key)))
    }

    fn commit(&self, mut batch: Batch) -> BoxFuture<'static, Result<Committed, StoreError>> {
        if quark_core::mutant!("m22") {
            batch.checks.retain(|check| check.expect == Expect::Absent);
        }
        self.after_a_yield(move |model| model.commit(&batch))
    }

    fn scan(&self, range: ScanRange, limit: usize) -> BoxFuture<'static, Result<Vec<Record>, StoreError>> {
        self.after_a_yield(move |model| Ok(model.scan(&range, limit)))
    }
}

/// Pending once, having asked to be polled again.
struct Yield(bool);

impl Future for Yield {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.0, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}
