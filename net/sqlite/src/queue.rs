//! A bounded queue between the callers and the threads that own a connection.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

/// Bounded in items and in bytes. Pushing never waits: a full queue is an answer that the caller hears.
pub(crate) struct Queue<T> {
    state: Mutex<State<T>>,
    filled: Condvar,
    items_max: usize,
    bytes_max: usize,
}

struct State<T> {
    items: VecDeque<(T, usize)>,
    bytes: usize,
    phase: Phase,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Open,
    /// Takes nothing new; what is queued is still handed out.
    Finishing,
    /// Nobody will ever take anything out.
    Abandoned,
}

/// Why something was not queued.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Refusal {
    /// So many items, or so many bytes, wait already.
    Full { items: usize, bytes: usize },
    /// The threads behind the queue have ended.
    Ended,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Refusal::Full { items, bytes } => write!(f, "{items} requests ({bytes} bytes) wait already"),
            Refusal::Ended => f.write_str("its threads have ended"),
        }
    }
}

impl<T> Queue<T> {
    pub(crate) fn new(items_max: usize, bytes_max: usize) -> Self {
        let state = State { items: VecDeque::new(), bytes: 0, phase: Phase::Open };
        Self { state: Mutex::new(state), filled: Condvar::new(), items_max, bytes_max }
    }

    /// Queues an item that takes so many bytes. An empty queue takes any size, or what is too large for it could
    /// never be sent at all.
    pub(crate) fn push(&self, item: T, bytes: usize) -> Result<(), Refusal> {
        let mut state = self.lock();
        if state.phase != Phase::Open {
            return Err(Refusal::Ended);
        }
        let full = state.items.len() >= self.items_max || state.bytes + bytes > self.bytes_max;
        if full && !state.items.is_empty() {
            return Err(Refusal::Full { items: state.items.len(), bytes: state.bytes });
        }
        state.items.push_back((item, bytes));
        state.bytes += bytes;
        drop(state);
        self.filled.notify_one();
        Ok(())
    }

    /// Waits for items and moves some into `out`: at least one, at most `items_max`, no more once `bytes_max` is
    /// passed. False, with nothing moved, once the queue is finished and empty.
    pub(crate) fn take(&self, out: &mut Vec<T>, items_max: usize, bytes_max: usize) -> bool {
        assert!(items_max > 0, "taking nothing would spin");
        let mut state = self.lock();
        while state.items.is_empty() {
            if state.phase != Phase::Open {
                return false;
            }
            state = self.filled.wait(state).expect("no panic while held");
        }
        let mut taken = 0;
        for _ in 0..items_max {
            let Some((item, bytes)) = state.items.pop_front() else { break };
            state.bytes -= bytes;
            taken += bytes;
            out.push(item);
            if taken >= bytes_max {
                break;
            }
        }
        let more = !state.items.is_empty();
        drop(state);
        if more {
            self.filled.notify_one(); // another thread of the same queue may help
        }
        true
    }

    /// Takes nothing new from now on; what is queued is still worked off.
    pub(crate) fn finish(&self) {
        let mut state = self.lock();
        if state.phase == Phase::Open {
            state.phase = Phase::Finishing;
        }
        drop(state);
        self.filled.notify_all();
    }

    /// Drops what is queued and takes nothing new: the thread that worked it off has ended.
    pub(crate) fn abandon(&self) {
        let mut state = self.lock();
        state.phase = Phase::Abandoned;
        state.bytes = 0;
        let orphans = std::mem::take(&mut state.items);
        drop(state);
        drop(orphans); // outside the lock: a dropped reply may run a waker, and a waker may run anything
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().expect("no panic while held")
    }
}

/// Abandons the queue when the thread that works it off ends, also by a panic: else callers would wait for ever.
pub(crate) struct AbandonOnExit<T>(pub(crate) Arc<Queue<T>>);

impl<T> Drop for AbandonOnExit<T> {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_queue_says_so_and_an_empty_one_takes_any_size() {
        let queue = Queue::new(2, 100);
        assert_eq!(queue.push("huge", 1000), Ok(()));
        assert_eq!(queue.push("one more", 1), Err(Refusal::Full { items: 1, bytes: 1000 }));
        let mut out = Vec::new();
        assert!(queue.take(&mut out, 10, 10));
        assert_eq!((queue.push("a", 1), queue.push("b", 1)), (Ok(()), Ok(())));
        assert_eq!(queue.push("c", 1), Err(Refusal::Full { items: 2, bytes: 2 }));
    }

    #[test]
    fn what_was_queued_before_the_end_is_handed_out() {
        let queue = Queue::new(10, 100);
        (0..3).for_each(|n| queue.push(n, 40).unwrap_or_else(|_| assert_eq!(n, 2)));
        queue.finish();
        assert_eq!(queue.push(9, 1), Err(Refusal::Ended));
        let mut out = Vec::new();
        assert!(queue.take(&mut out, 1, 100));
        assert!(queue.take(&mut out, 10, 100));
        assert!(!queue.take(&mut out, 10, 100));
        assert_eq!(out, [0, 1]);
    }
}
