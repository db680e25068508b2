//! One value that many read and one replaces: the current view and its ring.
//!
//! Reads are wait-free (two additions on one word, whatever writers do), so that finding an actor never waits for a
//! membership change. Read-copy-update with one counter of readers:
//!
//! ```text
//!   reader   readers + 1   |  pointer, clone  |  readers - 1
//!   writer   swap pointer  |  put the old one aside  |  readers seen at 0?  then drop what was put aside
//! ```
//!
//! Why it is sound: all changes of `readers` are read-modify-writes of one word, hence in one order. If the writer
//! sees 0 there, each reader is before it in that order, with both of its additions, and is done with the old value;
//! or it is behind it, and then sees the swap, which the writer's look releases and the reader's addition acquires.
//! If the writer sees a reader, it drops nothing and looks again next time: it never waits either. So a value may live
//! on until the publication after the next; views change rarely and readers stay for nanoseconds.
//!
//! Rejected: `arc-swap`, which loom cannot look into; a lock, whose readers wait for a writer that lost its CPU; two
//! counters that take turns, which bound what is put aside even if readers never pause, at twice the reader's cost.

use crate::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
use crate::sync::{Arc, Mutex};
use std::fmt;

#[cfg(all(test, not(any(quark_loom, quark_shuttle))))]
mod tests;

/// A cell with a current value. Reads are wait-free; see the module's text.
///
/// A reader that has seen a value never sees an older one.
pub struct ViewCell<T> {
    /// From `Arc::into_raw`: the cell owns one count of what it points to.
    current: AtomicPtr<T>,
    /// How many reads are under way.
    readers: AtomicUsize,
    /// Values that were current and may still be read. The lock is the writers'; readers never take it.
    retired: Mutex<Vec<Arc<T>>>,
}

impl<T> ViewCell<T> {
    /// A cell that holds a value.
    pub fn new(value: Arc<T>) -> Self {
        Self {
            current: AtomicPtr::new(Arc::into_raw(value).cast_mut()),
            readers: AtomicUsize::new(0),
            retired: Mutex::new(Vec::new()),
        }
    }

    /// The current value, to keep.
    #[inline]
    pub fn load(&self) -> Arc<T> {
        let reading = Reading::begin(self);
        // SAFETY: the pointer is from `Arc::into_raw`, and `reading` keeps its count from being given up (see the
        // module's text), so there is a count to add to; `from_raw` takes over the one that is added.
        unsafe {
            Arc::increment_strong_count(reading.pointer);
            Arc::from_raw(reading.pointer)
        }
    }

    /// Looks at the current value without touching its count: about half the cost of [`ViewCell::load`].
    ///
    /// Keep it short: what is replaced meanwhile cannot be freed until a writer finds no reader.
    #[inline]
    pub fn read<R>(&self, look: impl FnOnce(&T) -> R) -> R {
        let reading = Reading::begin(self);
        // SAFETY: as in `load`: the value is not dropped before `reading` is.
        look(unsafe { &*reading.pointer })
    }

    /// Replaces the value. Every read that begins after this returns sees it or a newer one.
    ///
    /// Waits for other writers, of which there should be none, and never for readers.
    pub fn publish(&self, value: Arc<T>) {
        let dropped = {
            let mut retired = self.retired.lock().expect("nothing panics while it is held");
            // A deliberate bug that only loom finds: a reader may see the pointer and not what it points to.
            let order = if crate::mutant!("m15") { Ordering::Relaxed } else { Ordering::AcqRel };
            let before = self.current.swap(Arc::into_raw(value).cast_mut(), order);
            // SAFETY: the pointer is from `Arc::into_raw`, and the cell gives up the count that it owned.
            retired.push(unsafe { Arc::from_raw(before) });
            // An addition of nothing, because a plain load may see an old number: see the module's text.
            if self.readers.fetch_add(0, Ordering::AcqRel) == 0 {
                std::mem::take(&mut *retired)
            } else {
                crate::reached!("view_cell.reader_seen");
                Vec::new()
            }
        };
        // Outside the lock: dropping a value runs its owner's code.
        drop(dropped);
    }
}

impl<T> Drop for ViewCell<T> {
    fn drop(&mut self) {
        let last = self.current.load(Ordering::Acquire);
        // SAFETY: the pointer is from `Arc::into_raw`, and the cell, which nobody else can reach, gives up its count.
        drop(unsafe { Arc::from_raw(last) });
    }
}

impl<T: fmt::Debug> fmt::Debug for ViewCell<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.read(|value| f.debug_tuple("ViewCell").field(value).finish())
    }
}

/// A read under way.
struct Reading<'c, T> {
    cell: &'c ViewCell<T>,
    pointer: *const T,
}

impl<'c, T> Reading<'c, T> {
    #[inline]
    fn begin(cell: &'c ViewCell<T>) -> Self {
        cell.readers.fetch_add(1, Ordering::Acquire);
        Self { cell, pointer: cell.current.load(Ordering::Acquire) }
    }
}

impl<T> Drop for Reading<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.cell.readers.fetch_sub(1, Ordering::Release);
    }
}
