//! Four of the five traits.

use madsim::rand::{RngCore, thread_rng};
use madsim::time::{sleep, sleep_until};
use quark_core::{Instant, WallTime};
use quark_env::store::{Batch, Committed, Record, RecordKey, ScanRange, StoreError};
use quark_env::{BoxFuture, Clock, Entropy, Sleep, Spawner, Store, TaskHandle};
use quark_testkit::store_conformance::MemoryStore;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// madsim's clocks, which are those of the standard library as long as it runs.
pub struct MadClock(std::time::Instant);

impl MadClock {
    /// A monotonic clock that starts now, at a thousand seconds.
    #[expect(clippy::new_without_default, reason = "it reads the world")]
    pub fn new() -> Self {
        Self(std::time::Instant::now())
    }
}

const ORIGIN: Duration = Duration::from_secs(1000);

impl Clock for MadClock {
    fn now(&self) -> Instant {
        Instant::ZERO.after(ORIGIN + self.0.elapsed())
    }

    fn wall(&self) -> WallTime {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("madsim lives after 1970");
        WallTime(since.as_nanos() as i64)
    }

    fn sleep_until(&self, at: Instant) -> Sleep {
        if at == Instant::NEVER {
            return Box::pin(std::future::pending());
        }
        let at = self.0 + Duration::from_nanos(at.0).saturating_sub(ORIGIN);
        Box::pin(sleep_until(at))
    }
}

/// madsim's tasks, on the node that spawns.
pub struct MadSpawner;

impl Spawner for MadSpawner {
    fn spawn_boxed(&self, _name: &'static str, task: BoxFuture<'static, ()>) -> TaskHandle {
        let task = madsim::task::spawn(task);
        TaskHandle::new(move || task.abort())
    }
}

/// madsim's one stream of chance.
pub struct MadEntropy;

impl Entropy for MadEntropy {
    fn fill(&self, _stream: &'static str, out: &mut [u8]) {
        thread_rng().fill_bytes(out);
    }
}

/// A store that takes some milliseconds there and back. Clones share their records.
#[derive(Clone, Default)]
pub struct AwayStore(MemoryStore);

async fn travel() {
    sleep(Duration::from_micros(300 + u64::from(thread_rng().next_u32()) % 3000)).await;
}

impl Store for AwayStore {
    fn read(&self, key: &RecordKey) -> BoxFuture<'static, Result<Option<Record>, StoreError>> {
        let (store, key) = (self.0.clone(), key.clone());
        Box::pin(async move {
            travel().await;
            let found = store.read(&key).await;
            travel().await;
            found
        })
    }

    fn commit(&self, batch: Batch) -> BoxFuture<'static, Result<Committed, StoreError>> {
        let store = self.0.clone();
        Box::pin(async move {
            travel().await;
            let outcome = store.commit(batch).await;
            travel().await;
            outcome
        })
    }

    fn scan(&self, range: ScanRange, limit: usize) -> BoxFuture<'static, Result<Vec<Record>, StoreError>> {
        let store = self.0.clone();
        Box::pin(async move {
            travel().await;
            let found = store.scan(range, limit).await;
            travel().await;
            found
        })
    }
}
