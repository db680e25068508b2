//! Tasks, as the world runs them.

use futures_util::future::BoxFuture;

/// Runs futures.
pub trait Spawner: Send + Sync {
    /// Starts a task. It runs until it completes or is aborted; dropping the handle does not stop it.
    ///
    /// `name` says what kind of task it is, for traces and leak checks.
    fn spawn_boxed(&self, name: &'static str, task: BoxFuture<'static, ()>) -> TaskHandle;
}

/// Stops a task.
pub struct TaskHandle(Option<Box<dyn FnOnce() + Send + Sync>>);

impl TaskHandle {
    /// Wraps the action that stops the task.
    pub fn new(abort: impl FnOnce() + Send + Sync + 'static) -> Self {
        Self(Some(Box::new(abort)))
    }

    /// A handle of a task that cannot be stopped.
    pub const fn detached() -> Self {
        Self(None)
    }

    /// Stops the task at its next await point; its future is dropped. Does nothing when it has ended.
    pub fn abort(mut self) {
        if let Some(abort) = self.0.take() {
            abort();
        }
    }
}
