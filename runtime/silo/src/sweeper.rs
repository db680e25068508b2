//! Wakes the silo's clockwork (deadlines, idle collection) no more often than there is something to do.

use parking_lot::Mutex;
use quark_core::Instant;
use quark_env::{Clock, Sleep};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// The next time at which something is due. Setting an earlier one wakes the waiting task; a later one does not.
#[derive(Default)]
pub(crate) struct Sweeper {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    due: Option<Instant>,
    waker: Option<Waker>,
}

impl Sweeper {
    /// Makes sure that the waiting task wakes at `at` or before.
    pub fn wake_by(&self, at: Instant) {
        let mut state = self.state.lock();
        if state.due.is_none_or(|due| at < due) {
            state.due = Some(at);
            if let Some(waker) = state.waker.take() {
                drop(state);
                waker.wake();
            }
        }
    }

    /// Waits until something is due. Only one task may wait.
    pub async fn wait(&self, clock: &Arc<dyn Clock>) {
        let mut sleep: Option<(Instant, Sleep)> = None;
        std::future::poll_fn(|cx| self.poll(cx, clock, &mut sleep)).await;
    }

    fn poll(
        &self,
        cx: &mut Context<'_>,
        clock: &Arc<dyn Clock>,
        sleep: &mut Option<(Instant, Sleep)>,
    ) -> Poll<()> {
        let due = {
            let mut state = self.state.lock();
            state.waker = Some(cx.waker().clone());
            state.due
        };
        let Some(due) = due else { return Poll::Pending };
        if sleep.as_ref().is_none_or(|(at, _)| *at != due) {
            *sleep = Some((due, clock.sleep_until(due)));
        }
        let (_, timer) = sleep.as_mut().expect("just set");
        if timer.as_mut().poll(cx).is_ready() {
            self.state.lock().due = None;
            return Poll::Ready(());
        }
        Poll::Pending
    }
}
