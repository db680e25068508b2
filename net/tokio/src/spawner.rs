//! Tasks on a tokio runtime.

use quark_env::{BoxFuture, Spawner, TaskHandle};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::runtime::Handle;

/// Runs tasks on a tokio runtime and counts them by name.
pub struct TokioSpawner {
    runtime: Handle,
    counts: Mutex<BTreeMap<&'static str, Arc<AtomicUsize>>>,
}

impl TokioSpawner {
    /// Spawns onto this runtime, from whatever thread is asked.
    pub fn new(runtime: Handle) -> Self {
        Self { runtime, counts: Mutex::new(BTreeMap::new()) }
    }

    /// How many tasks of each name have neither completed nor been dropped: for leak checks and diagnostics.
    pub fn live(&self) -> BTreeMap<&'static str, usize> {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts
            .iter()
            .map(|(name, count)| (*name, count.load(Ordering::Acquire)))
            .filter(|(_, count)| *count > 0)
            .collect()
    }

    fn enter(&self, name: &'static str) -> Alive {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(name).or_default().clone();
        count.fetch_add(1, Ordering::AcqRel);
        Alive { name, count }
    }
}

impl Spawner for TokioSpawner {
    fn spawn_boxed(&self, name: &'static str, task: BoxFuture<'static, ()>) -> TaskHandle {
        let alive = self.enter(name);
        let task = self.runtime.spawn(async move {
            // Named before the task, hence dropped after it: an aborted task counts until its future is gone.
            let _alive = alive;
            task.await;
        });
        let abort = task.abort_handle();
        TaskHandle::new(move || abort.abort())
    }
}

/// Counts one task for as long as it lives, and names it if it dies of a panic, which tokio swallows.
struct Alive {
    name: &'static str,
    count: Arc<AtomicUsize>,
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::AcqRel);
        if std::thread::panicking() {
            tracing::error!(task = self.name, "a task panicked");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::oneshot;

    #[tokio::test]
    async fn a_task_runs_though_its_handle_is_dropped() {
        let spawner = TokioSpawner::new(Handle::current());
        let (done, finished) = oneshot::channel();
        drop(spawner.spawn_boxed(
            "test",
            Box::pin(async move {
                done.send(()).expect("the test waits");
            }),
        ));
        finished.await.expect("the task ran");
    }

    #[tokio::test]
    async fn an_aborted_task_drops_its_future_and_is_no_longer_counted() {
        let spawner = TokioSpawner::new(Handle::current());
        let (held, dropped) = oneshot::channel::<()>();
        let handle = spawner.spawn_boxed(
            "held",
            Box::pin(async move {
                let _held = held;
                std::future::pending().await
            }),
        );
        assert_eq!(spawner.live().get("held"), Some(&1));
        handle.abort();
        dropped.await.expect_err("the sender is dropped, not used");
        while spawner.live().contains_key("held") {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_task_that_panics_ends_alone_and_is_no_longer_counted() {
        let spawner = TokioSpawner::new(Handle::current());
        spawner.spawn_boxed("broken", Box::pin(async { panic!("on purpose") }));
        while spawner.live().contains_key("broken") {
            tokio::task::yield_now().await;
        }
        let (done, finished) = oneshot::channel();
        spawner.spawn_boxed("next", Box::pin(async move { done.send(()).expect("the test waits") }));
        finished.await.expect("the spawner still works");
    }
}
