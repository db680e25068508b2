//! Tasks, and how they are woken.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Wake, Waker};

/// Names a task for ever: slots are used again, serials are not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct TaskRef {
    pub(crate) slot: u32,
    pub(crate) serial: u32,
}

/// The slot of the future given to `block_on`, which lives on the caller's stack and not in the pool.
pub(crate) const MAIN_SLOT: u32 = u32::MAX;

/// A task of a node incarnation.
pub(crate) struct Task {
    pub(crate) node: u32,
    pub(crate) serial: u32,
    pub(crate) name: &'static str,
    pub(crate) name_hash: u64,
    pub(crate) is_aborted: bool,
    /// `None` while it is being polled.
    pub(crate) body: Option<Body>,
}

/// What is needed to poll a task.
pub(crate) struct Body {
    pub(crate) future: Pin<Box<dyn Future<Output = ()> + Send>>,
    pub(crate) wake: Arc<TaskWake>,
    pub(crate) waker: Waker,
}

impl Body {
    pub(crate) fn new(
        future: Pin<Box<dyn Future<Output = ()> + Send>>,
        task: TaskRef,
        woken: &Arc<Woken>,
    ) -> Self {
        let wake = TaskWake::new(task, woken);
        Self { future, waker: Waker::from(wake.clone()), wake }
    }
}

/// Tasks that were woken, in the order of waking. The executor moves them to their nodes' ready sets.
///
/// A lock of its own, so that waking is allowed everywhere, also while the world's state is locked.
#[derive(Default)]
pub(crate) struct Woken(Mutex<Vec<TaskRef>>);

impl Woken {
    pub(crate) fn push(&self, task: TaskRef) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(task);
    }

    /// Swaps the woken tasks into `out`, which must be empty.
    pub(crate) fn swap(&self, out: &mut Vec<TaskRef>) {
        debug_assert!(out.is_empty(), "the previous batch was handled");
        std::mem::swap(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), out);
    }
}

/// Wakes one task. Holds no future, so that dropping a waker never runs user code.
pub(crate) struct TaskWake {
    task: TaskRef,
    is_queued: AtomicBool,
    woken: Arc<Woken>,
}

impl TaskWake {
    pub(crate) fn new(task: TaskRef, woken: &Arc<Woken>) -> Arc<Self> {
        Arc::new(Self { task, is_queued: AtomicBool::new(false), woken: woken.clone() })
    }

    /// To be called before a poll: wakes from here on count again.
    pub(crate) fn rearm(&self) {
        self.is_queued.store(false, Ordering::Relaxed);
    }
}

impl Wake for TaskWake {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.is_queued.swap(true, Ordering::Relaxed) {
            self.woken.push(self.task);
        }
    }
}
