//! Running a world in pieces: up to a moment, a look around, and on.

use super::World;
use crate::run::{Main, Stopped, run};
use crate::spread::ns;
use crate::task::{MAIN_SLOT, TaskRef, TaskWake};
use quark_core::Instant;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// What to do after a pause.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Next {
    /// Go on, and pause again at this instant of true time, before anything that is due then happens.
    Until(Instant),
    /// Go on to the end.
    ToTheEnd,
    /// Stop here: the rest is of no interest.
    Abandon,
}

impl World {
    /// Runs the world until this future, which lives outside of all nodes, is done.
    ///
    /// Panics: if nothing is left to happen (deadlock), true time passes the configured limit, a task panics, something
    /// spins without time passing, or a task leaves the simulation. The seed is printed.
    pub fn block_on<T>(&mut self, driver: impl Future<Output = T>) -> T {
        self.block_on_with_pauses(driver, |_| Next::ToTheEnd).expect("nobody abandons it")
    }

    /// As [`World::block_on`], and pauses when told to. `pause` is called at once, and then at each instant that it asked
    /// for, with the time that it is; nothing happens in the world meanwhile, and nothing in it can tell that there was a
    /// pause. `None` if it was abandoned.
    ///
    /// Panics: as [`World::block_on`]; also if a pause does not lie ahead.
    ///
    /// ```
    /// use quark_core::Instant;
    /// use quark_sim::{Config, Next, World};
    /// use std::time::Duration;
    ///
    /// let mut world = World::new(Config::new(7));
    /// let nap = world.sleep(Duration::from_secs(60));
    /// let mut pauses = 0;
    /// world.block_on_with_pauses(nap, |now| {
    ///     pauses += 1;
    ///     Next::Until(now + Duration::from_secs(10))
    /// });
    /// assert_eq!((pauses, world.now_true()), (7, Instant(60_000_000_000)));
    /// ```
    pub fn block_on_with_pauses<T>(
        &mut self,
        driver: impl Future<Output = T>,
        mut pause: impl FnMut(Instant) -> Next,
    ) -> Option<T> {
        let mut driver = pin!(driver);
        let mut output = None;
        let mut poll = |cx: &mut Context<'_>| match driver.as_mut().poll(cx) {
            Poll::Ready(value) => {
                output = Some(value);
                true
            }
            Poll::Pending => false,
        };
        let shared = self.0.shared.clone();
        let (serial, limit_ns) = {
            let mut state = shared.lock();
            state.task_serial = state.task_serial.wrapping_add(1);
            (state.task_serial, ns(state.config.time_limit))
        };
        let wake = TaskWake::new(TaskRef { slot: MAIN_SLOT, serial }, &shared.woken);
        let waker = Waker::from(wake.clone());
        waker.wake_by_ref();
        let mut main = Main { poll: &mut poll, wake, waker, serial };
        loop {
            let until = match pause(self.now_true()) {
                Next::Until(at) if at.0 <= limit_ns => Some(at),
                Next::Until(_) | Next::ToTheEnd => None,
                Next::Abandon => return None,
            };
            let now = self.now_true();
            assert!(until.is_none_or(|at| at > now), "a pause lies ahead: {until:?}, and it is {now:?}");
            // Up to the instant, and not what is due in it: whoever branches there decides on that, too.
            match (run(&shared, until.map_or(limit_ns, |at| at.0 - 1), Some(&mut main)), until) {
                (Stopped::Done, _) => break,
                (Stopped::Idle, _) => self.fail("deadlock: the driver waits, and nothing will ever happen"),
                (Stopped::Limit, Some(at)) => shared.lock().pass(at.0),
                (Stopped::Limit, None) => self.fail("the driver still waits at the limit of true time"),
            }
        }
        Some(output.expect("a driver that is done has an output"))
    }
}
