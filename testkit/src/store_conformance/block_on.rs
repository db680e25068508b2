//! The smallest executor: this thread.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

/// Runs a future to its end on this thread, which sleeps while the future waits. May be nested.
///
/// For stores that work on threads of their own; inside the simulator, use the simulator's executor.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let alarm = Arc::new(Alarm { rung: AtomicBool::new(false), sleeper: thread::current() });
    let waker = Waker::from(alarm.clone());
    let mut context = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        while !alarm.rung.swap(false, Ordering::Acquire) {
            thread::park();
        }
    }
}

/// Remembers a wake by itself: a thread's park token alone could be taken by a nested `block_on`.
struct Alarm {
    rung: AtomicBool,
    sleeper: Thread,
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.rung.store(true, Ordering::Release);
        self.sleeper.unpark();
    }
}
