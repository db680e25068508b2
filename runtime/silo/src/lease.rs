//! The gate that promise P2 stands on: no turn starts, and no suspended turn goes on, outside of a proven lease.

use parking_lot::Mutex;
use quark_core::{Instant, mutant};
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Waker;

/// Until when this silo may run turns. Read on every turn; written by membership.
#[derive(Default)]
pub(crate) struct Lease {
    until: AtomicU64,
    waiting: Mutex<Vec<Waker>>,
}

impl Lease {
    /// The lease is proven until `until`. Turns that waited go on.
    pub fn hold(&self, until: Instant) {
        self.until.store(until.0, Ordering::Release);
        let waiting = std::mem::take(&mut *self.waiting.lock());
        for waker in waiting {
            waker.wake();
        }
    }

    /// The lease is gone, before its time or at it.
    pub fn lose(&self) {
        if !mutant!("m04") {
            self.until.store(0, Ordering::Release);
        }
    }

    /// Whether a turn may run at `now`.
    #[inline]
    pub fn valid(&self, now: Instant) -> bool {
        now.0 < self.until.load(Ordering::Acquire) || mutant!("m04")
    }

    /// As [`Lease::valid`]; when not, `waker` is woken once it is held again.
    pub fn valid_or_wait(&self, now: Instant, waker: &Waker) -> bool {
        if self.valid(now) {
            return true;
        }
        self.waiting.lock().push(waker.clone());
        // The lease may have been proven between the look and the push.
        self.valid(now)
    }
}
