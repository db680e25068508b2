//! A bounded queue between the callers and a lane.

use crate::request::Request;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::Notify;

/// Bounded in requests and in bytes, counted until they are *answered*: so what is on its way counts too. Pushing never
/// waits: a full queue is an answer that the caller hears.
pub(crate) struct Queue {
    state: Mutex<State>,
    filled: Notify,
    load: Arc<Load>,
    requests_max: usize,
    bytes_max: usize,
}

struct State {
    requests: VecDeque<Request>,
    pushed: u64,
    finished: bool,
}

#[derive(Default)]
struct Load {
    requests: AtomicUsize,
    bytes: AtomicUsize,
}

/// A place in the queue; given back when the request has been answered.
pub(crate) struct Place {
    load: Arc<Load>,
    bytes: usize,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.load.requests.fetch_sub(1, Ordering::Relaxed);
        self.load.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Why something was not queued.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Refusal {
    Full { requests: usize, bytes: usize },
    Ended,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Refusal::Full { requests, bytes } => {
                write!(f, "{requests} requests ({bytes} bytes) wait for an answer already")
            }
            Refusal::Ended => f.write_str("the thread that talks to Redis has ended"),
        }
    }
}

impl Queue {
    pub(crate) fn new(requests_max: usize, bytes_max: usize) -> Self {
        let state = State { requests: VecDeque::new(), pushed: 0, finished: false };
        Self {
            state: Mutex::new(state),
            filled: Notify::new(),
            load: Arc::default(),
            requests_max,
            bytes_max,
        }
    }

    /// Queues a request, giving it its number and its place. While nothing waits, any size is taken, or what is too
    /// large for the queue could never be sent at all.
    pub(crate) fn push(&self, mut request: Request, bytes: usize) -> Result<(), Refusal> {
        let mut state = self.state.lock();
        if state.finished {
            return Err(Refusal::Ended);
        }
        let waiting = self.load.requests.load(Ordering::Relaxed);
        let held = self.load.bytes.load(Ordering::Relaxed);
        if waiting > 0 && (waiting >= self.requests_max || held + bytes > self.bytes_max) {
            return Err(Refusal::Full { requests: waiting, bytes: held });
        }
        self.load.requests.fetch_add(1, Ordering::Relaxed);
        self.load.bytes.fetch_add(bytes, Ordering::Relaxed);
        request.place = Some(Place { load: self.load.clone(), bytes });
        state.pushed += 1;
        request.number = state.pushed;
        state.requests.push_back(request);
        let first = state.requests.len() == 1;
        drop(state);
        if first {
            self.filled.notify_one();
        }
        Ok(())
    }

    /// Waits for requests and moves them all into `out`. False, with nothing moved, once the queue is finished and
    /// empty. Nothing is lost if this future is dropped.
    pub(crate) async fn take(&self, out: &mut VecDeque<Request>) -> bool {
        loop {
            {
                let mut state = self.state.lock();
                if !state.requests.is_empty() {
                    out.append(&mut state.requests);
                    return true;
                }
                if state.finished {
                    return false;
                }
            }
            self.filled.notified().await;
        }
    }

    /// Takes nothing new from now on; what is queued is still worked off.
    pub(crate) fn finish(&self) {
        self.state.lock().finished = true;
        self.filled.notify_one();
    }

    /// Drops what is queued and takes nothing new: the lane has ended.
    pub(crate) fn abandon(&self) {
        let mut state = self.state.lock();
        state.finished = true;
        let orphans = std::mem::take(&mut state.requests);
        drop(state);
        drop(orphans); // outside the lock: a dropped reply may run a waker, and a waker may run anything
    }
}

/// Abandons the queue when its lane ends, also by a panic: else callers would wait for ever.
pub(crate) struct AbandonOnExit(pub(crate) Arc<Queue>);

impl Drop for AbandonOnExit {
    fn drop(&mut self) {
        self.0.abandon();
    }
}
