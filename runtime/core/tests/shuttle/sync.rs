//! Shuttle's types under the names that the small activation uses.

pub use shuttle::sync::atomic::{AtomicUsize, Ordering};
pub use shuttle::sync::{Arc, Mutex, MutexGuard};
use std::sync::RwLock;

/// A value that the turn guards: it fails the run when somebody is inside who must not be there with who comes.
pub struct Guarded<T> {
    value: RwLock<T>,
    /// Touched by who is inside, so that others may come meanwhile.
    moment: AtomicUsize,
}

impl<T> Guarded<T> {
    pub fn new(value: T) -> Self {
        Self { value: RwLock::new(value), moment: AtomicUsize::new(0) }
    }

    pub fn write<R>(&self, change: impl FnOnce(&mut T) -> R) -> R {
        let mut value = self.value.try_write().expect("an exclusive turn runs alone");
        self.moment.fetch_add(1, Ordering::SeqCst);
        change(&mut value)
    }

    pub fn read<R>(&self, look: impl FnOnce(&T) -> R) -> R {
        let value = self.value.try_read().expect("no exclusive turn runs beside a shared one");
        self.moment.fetch_add(1, Ordering::SeqCst);
        look(&value)
    }
}
