//! One wheel for all timers of a silo, and the task that turns it.

use super::table::Timer;
use crate::activation::Activation;
use crate::inline::yield_once;
use crate::kernel::Kernel;
use crate::message::{Message, ReplyTo};
use crate::sweeper::Sweeper;
use parking_lot::Mutex;
use quark_core::turn::Begin;
use quark_core::wheel::{TimerKey, Wheel};
use quark_core::wire::CallId;
use quark_core::{Instant, buggify, reached};
use std::sync::Arc;
use std::time::Duration;

/// How many ticks are delivered before the executor gets a look in.
const BATCH_MAX: usize = 64;

/// The wheel, and what wakes its task.
pub(crate) struct Clockwork {
    state: Mutex<State>,
    sweeper: Sweeper,
}

struct State {
    wheel: Wheel<Arc<Timer>>,
    /// When the task looks at the wheel next. Only a timer that is due before has to wake it.
    looks_at: Instant,
    /// The silo has stopped.
    closed: bool,
}

impl Clockwork {
    /// No timers.
    pub fn new(now: Instant) -> Self {
        let state = State { wheel: Wheel::new(now), looks_at: Instant::NEVER, closed: false };
        Self { state: Mutex::new(state), sweeper: Sweeper::default() }
    }

    /// How many timers wait for their time.
    pub fn len(&self) -> usize {
        self.state.lock().wheel.len()
    }

    /// Makes a timer tick at `at`. `None` once the silo has stopped.
    pub fn arm(&self, now: Instant, at: Instant, timer: Arc<Timer>) -> Option<TimerKey> {
        // Later than now by all means: a timer that is set again and again for now must not stop time.
        let at = at.max(now + Duration::from_nanos(1));
        let mut state = self.state.lock();
        if state.closed {
            return None;
        }
        let key = state.wheel.insert(at, timer);
        if at < state.looks_at {
            state.looks_at = at;
            drop(state);
            self.sweeper.wake_by(at);
        }
        Some(key)
    }

    /// Takes a timer away that may have ticked meanwhile.
    pub fn disarm(&self, key: TimerKey) {
        let timer = self.state.lock().wheel.cancel(key);
        // Here and not under the lock: it may be the last who knows it.
        drop(timer);
    }

    /// Takes all timers away, for good.
    pub fn close(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        let timers = std::mem::replace(&mut state.wheel, Wheel::new(Instant::ZERO));
        drop(state);
        drop(timers);
    }

    /// Collects what is due. Until [`Clockwork::look_again`] nobody need wake the task.
    fn advance(&self, now: Instant, due: &mut Vec<Arc<Timer>>) {
        let mut state = self.state.lock();
        state.looks_at = Instant::ZERO;
        state.wheel.advance(now, &mut |_, _, timer| due.push(timer));
    }

    fn look_again(&self) {
        let mut state = self.state.lock();
        let next = state.wheel.next_deadline();
        state.looks_at = next.unwrap_or(Instant::NEVER);
        drop(state);
        if let Some(next) = next {
            self.sweeper.wake_by(next);
        }
    }
}

impl Kernel {
    /// Delivers ticks when they are due, for as long as the silo runs.
    pub(crate) async fn keep_time(self: Arc<Self>) {
        let mut due = Vec::new();
        while !self.is_stopped() {
            self.timers.sweeper.wait(&self.env.clock).await;
            self.timers.advance(self.env.clock.now(), &mut due);
            let mut ticks = due.drain(..).peekable();
            while ticks.peek().is_some() {
                let now = self.env.clock.now();
                let is_one = buggify!(self.env.entropy, "ticks_one_by_one");
                for timer in ticks.by_ref().take(if is_one { 1 } else { BATCH_MAX }) {
                    self.tick(now, timer);
                }
                yield_once().await;
            }
            drop(ticks);
            self.timers.look_again();
        }
    }

    /// Delivers a tick to its activation, if that lives. It is no use of the actor: the collector of idle activations
    /// does not see it.
    fn tick(self: &Arc<Self>, now: Instant, timer: Arc<Timer>) {
        let Some(activation) = timer.activation.upgrade() else { return };
        let access = timer.access;
        let message = Message {
            call: CallId::default(),
            reply_to: ReplyTo::Nobody,
            actor: activation.id.clone(),
            method: timer.method,
            args: timer.args.clone(),
            deadline: now + self.config.deadline,
            chain: Arc::default(),
            order: None,
            idempotency: None,
            headers: Arc::default(),
            hops: 0,
            tick: Some(timer),
        };
        match activation.turn.begin(access.into()) {
            Begin::Run => self.start_turn(activation, message, access),
            Begin::Busy | Begin::Sealed => {
                reached!("timers.queued");
                self.enqueue(&activation, message);
            }
        }
    }

    /// The turn of a tick has ended, and its activation lives on.
    pub(crate) fn tick_ended(&self, activation: &Activation, timer: &Arc<Timer>) {
        activation.timers.ended(self.env.clock.now(), timer);
    }

    /// A tick could not run: its mailbox was full, or it waited there for too long.
    pub(crate) fn put_off(&self, activation: &Activation, timer: &Arc<Timer>) {
        reached!("timers.put_off");
        activation.timers.put_off(self.env.clock.now(), timer);
    }
}
