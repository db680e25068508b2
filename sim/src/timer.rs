//! Sleeping in a node's own time.

use crate::queue::Event;
use crate::state::{Shared, State};
use quark_core::Instant;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// A sleep that somebody waits for.
pub(crate) struct Timer {
    pub(crate) node: u32,
    deadline: Instant,
    /// Tells queued events of this timer from those of an earlier one in the same slot, or of an earlier due time.
    serial: u32,
    /// Whether an event is queued under the serial.
    is_queued: bool,
    /// `None` once it has fired; the slot stays with the sleep until that is polled or dropped.
    waker: Option<Waker>,
}

impl State {
    fn add_timer(&mut self, node: u32, deadline: Instant, waker: Waker) -> u32 {
        let timer =
            self.timers.insert(Timer { node, deadline, serial: 0, is_queued: false, waker: Some(waker) });
        self.schedule_timer(timer);
        self.feel_pace(node);
        timer
    }

    fn schedule_timer(&mut self, at: u32) {
        self.timer_serial = self.timer_serial.wrapping_add(1);
        let timer = self.timers.get_mut(at).expect("the caller holds a live timer");
        timer.serial = self.timer_serial;
        let due = self.nodes[timer.node as usize].clock.true_time_of(timer.deadline);
        timer.is_queued = due.is_some();
        if let Some(due) = due {
            self.queue.push(due.max(self.now), Event::Timer { timer: at, serial: self.timer_serial });
        }
    }

    fn cancel_timer(&mut self, at: u32) -> Option<Waker> {
        let timer = self.timers.remove(at)?;
        if timer.is_queued {
            self.sweep_queue();
        }
        timer.waker
    }

    fn sweep_queue(&mut self) {
        let timers = &self.timers;
        self.queue.cancelled_one(|event| match event {
            Event::Timer { timer, serial } => {
                timers.get(*timer).is_some_and(|t| t.serial == *serial && t.is_queued)
            }
            _ => true,
        });
    }

    /// A timer's event came up. Returns its node and whom to wake, or `None` if it was cancelled meanwhile.
    pub(crate) fn fire_timer(&mut self, at: u32, serial: u32) -> Option<(u32, Waker)> {
        let timer = self.timers.get_mut(at).filter(|timer| timer.serial == serial && timer.is_queued);
        let Some(timer) = timer else {
            self.queue.popped_cancelled();
            return None;
        };
        timer.is_queued = false;
        Some((timer.node, timer.waker.take()?))
    }

    /// A node's clock changed its rate: its sleeps end at other times now.
    pub(crate) fn reschedule_timers(&mut self, node: u32) {
        let own: Vec<u32> = self
            .timers
            .iter()
            .filter(|(_, t)| t.node == node && t.waker.is_some())
            .map(|(at, _)| at)
            .collect();
        for at in own {
            let was_queued = self.timers.get(at).is_some_and(|timer| timer.is_queued);
            self.schedule_timer(at);
            if was_queued {
                self.sweep_queue();
            }
        }
    }
}

/// The future behind [`Clock::sleep_until`](quark_env::Clock::sleep_until).
pub(crate) struct SimSleep {
    shared: Arc<Shared>,
    node: u32,
    incarnation: u32,
    deadline: Instant,
    timer: Option<u32>,
}

impl SimSleep {
    pub(crate) fn new(shared: Arc<Shared>, node: u32, incarnation: u32, deadline: Instant) -> Self {
        Self { shared, node, incarnation, deadline, timer: None }
    }
}

impl Future for SimSleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let shared = this.shared.clone();
        let mut state = shared.lock();
        if !state.is_current(this.node, this.incarnation) {
            return Poll::Pending;
        }
        if state.nodes[this.node as usize].clock.mono(state.now) >= this.deadline {
            let old = this.timer.take().and_then(|timer| state.cancel_timer(timer));
            // Foreign wakers may run foreign code when dropped: never under the lock.
            drop(state);
            drop(old);
            return Poll::Ready(());
        }
        let old = match this.timer {
            None => {
                this.timer = Some(state.add_timer(this.node, this.deadline, cx.waker().clone()));
                None
            }
            Some(timer) => {
                let waker = &mut state.timers.get_mut(timer).expect("a sleep keeps its timer").waker;
                match waker {
                    Some(same) if same.will_wake(cx.waker()) => None,
                    _ => waker.replace(cx.waker().clone()),
                }
            }
        };
        drop(state);
        drop(old);
        Poll::Pending
    }
}

impl Drop for SimSleep {
    fn drop(&mut self) {
        if let Some(timer) = self.timer.take() {
            let old = self.shared.lock().cancel_timer(timer);
            drop(old);
        }
    }
}
