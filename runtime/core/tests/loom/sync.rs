//! Loom's types under the names that the small activation uses.

use loom::cell::UnsafeCell;
pub use loom::sync::atomic::{AtomicUsize, Ordering};
pub use loom::sync::{Arc, Mutex, MutexGuard};

/// A value without a lock, which fails the test when two accesses are not ordered, of which one writes.
pub struct Guarded<T>(UnsafeCell<T>);

// SAFETY: that it is written by one thread at a time, and not while others read, is what these tests check.
unsafe impl<T: Send + Sync> Sync for Guarded<T> {}

impl<T> Guarded<T> {
    pub fn new(value: T) -> Self {
        Self(UnsafeCell::new(value))
    }

    pub fn write<R>(&self, change: impl FnOnce(&mut T) -> R) -> R {
        // SAFETY: loom has just checked that nobody else is in here.
        self.0.with_mut(|value| change(unsafe { &mut *value }))
    }

    pub fn read<R>(&self, look: impl FnOnce(&T) -> R) -> R {
        // SAFETY: loom has just checked that nobody writes.
        self.0.with(|value| look(unsafe { &*value }))
    }
}
