//! A store that went back in time is reported, whoever in the silo it was that asked (promise P13).
//!
//! What is done about a loss is decided where it is met: an activation is fenced, the table is read again. That somebody
//! gets to know of it must not depend on that, so it is noted here, on the way; and who has not asked is made to
//! (`audit.rs`).

use crate::observer::{Event, Observer};
use quark_core::{SiloId, reached};
use quark_env::store::{Batch, Committed, Record, RecordKey, ScanRange, StoreError};
use quark_env::{BoxFuture, Clock, Store};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::Notify;

/// The silo's store, and an eye on its answers.
pub(crate) struct Watched {
    store: Arc<dyn Store>,
    eye: Arc<Eye>,
}

struct Eye {
    silo: SiloId,
    clock: Arc<dyn Clock>,
    observer: Option<Arc<dyn Observer>>,
    losses: Arc<Losses>,
}

/// Whether the store may have lost something that nobody has asked for again.
#[derive(Default)]
pub(crate) struct Losses {
    /// The newest history that was looked at.
    history: AtomicU64,
    moved: Notify,
}

impl Losses {
    /// Waits until there is a suspicion. Those that come before anybody waits are one.
    pub async fn suspected(&self) {
        self.moved.notified().await;
    }

    fn see(&self, history: u64) {
        if self.history.load(Ordering::Relaxed) < history
            && self.history.fetch_max(history, Ordering::Relaxed) < history
        {
            self.moved.notify_one();
        }
    }
}

impl Watched {
    pub fn new(
        silo: SiloId,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        observer: Option<Arc<dyn Observer>>,
        losses: Arc<Losses>,
    ) -> Self {
        losses.history.store(store.history(), Ordering::Relaxed);
        Self { store, eye: Arc::new(Eye { silo, clock, observer, losses }) }
    }

    fn watch<T: 'static>(
        &self,
        answer: BoxFuture<'static, Result<T, StoreError>>,
    ) -> BoxFuture<'static, Result<T, StoreError>> {
        let (eye, store) = (self.eye.clone(), self.store.clone());
        Box::pin(async move {
            let answer = answer.await.inspect_err(|error| eye.see(error));
            eye.losses.see(store.history());
            answer
        })
    }
}

impl Eye {
    fn see(&self, error: &StoreError) {
        let StoreError::WentBack { partition, seen, found } = error else { return };
        reached!("losses.reported");
        self.losses.moved.notify_one();
        tracing::error!(silo = %self.silo, ?partition, %seen, %found, "the store has lost commits that it had acknowledged");
        if let Some(observer) = &self.observer {
            let event = Event::StoreWentBack { partition, seen: *seen, found: *found };
            observer.event(self.silo, self.clock.now(), event);
        }
    }
}

impl Store for Watched {
    fn read(&self, key: &RecordKey) -> BoxFuture<'static, Result<Option<Record>, StoreError>> {
        self.watch(self.store.read(key))
    }

    fn commit(&self, batch: Batch) -> BoxFuture<'static, Result<Committed, StoreError>> {
        self.watch(self.store.commit(batch))
    }

    fn scan(&self, range: ScanRange, limit: usize) -> BoxFuture<'static, Result<Vec<Record>, StoreError>> {
        self.watch(self.store.scan(range, limit))
    }

    fn history(&self) -> u64 {
        self.store.history()
    }
}
