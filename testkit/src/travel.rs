//! Time travel: a test says "thirty days later", and is there.
//!
//! Silos and their store in a simulated world, whose time passes when the test says so, and as fast as there is nothing to
//! do. What runs is the code that runs in production: the same silo, reminders, commits and clocks.
//!
//! ```
//! use quark::{ActorContext, Deserialize, Reminder, Schedule, Serialize};
//! use quark_testkit::travel::TimeTravel;
//! use std::time::Duration;
//!
//! #[derive(Default, Serialize, Deserialize)]
//! struct Plant { watered: u32 }
//!
//! #[quark::actor(kind = "plant", durable)]
//! impl Plant {
//!     fn care(&mut self, ctx: &ActorContext) -> Result<(), String> {
//!         let daily = Schedule::cron("0 8 * * *", "Europe/Berlin").map_err(|e| e.to_string())?;
//!         let water = ctx.myself::<Self>().water();
//!         ctx.reminders().and_then(|all| all.set(Reminder::new("water", daily), water)).map_err(|e| e.to_string())
//!     }
//!
//!     fn water(&mut self) { self.watered += 1; }
//!
//!     fn watered(&self) -> u32 { self.watered }
//! }
//!
//! let mut test = TimeTravel::new(|silo| silo.actor::<Plant>());
//! let ficus = test.client().actor::<Plant>("ficus");
//! test.run(ficus.care()).expect("it is set");
//! test.advance(Duration::from_secs(30 * 24 * 3600));
//! assert_eq!(test.run(ficus.watered()), Ok(30));
//! ```
//!
//! Things happen to silos at once or at a moment to come, also in the middle of a call:
//! `test.at(due - Duration::from_millis(1)).crash()`, `test.at(due).silo(2).set_wall_clock(..)`. And a test says "whatever
//! happens after this moment" with [`TimeTravel::what_if`]. All of it, with an example, is in `docs/time-travel.md`.

mod deeds;
mod moment;
mod setup;
mod what_if;

pub use deeds::Deed;
pub use moment::Moment;
pub use setup::Setup;

use crate::sim::SimCluster;
use crate::stage::Stage;
use quark::{Client, SiloBuilder};
use quark_core::{Instant, WallTime};
use quark_sim::World;
use std::future::IntoFuture;
use std::time::Duration;

/// Silos, their store, and their time. It begins on 2026-01-01 at 0:00 UTC unless [`Setup::begins`] says otherwise.
pub struct TimeTravel {
    world: World,
    cluster: SimCluster,
    names: Vec<String>,
    /// How far the calendar is ahead of the world's own.
    ahead_ns: i64,
    draws: u64,
}

impl TimeTravel {
    /// A silo as described, serving.
    ///
    /// Panics: if it does not start.
    pub fn new(describe: impl Fn(SiloBuilder) -> SiloBuilder + Send + Sync + 'static) -> Self {
        Self::setup().start(describe)
    }

    /// As [`TimeTravel::new`], with what chance decides drawn from a seed: latencies, and the order of what is
    /// simultaneous.
    ///
    /// Panics: if the silo does not start.
    pub fn seeded(seed: u64, describe: impl Fn(SiloBuilder) -> SiloBuilder + Send + Sync + 'static) -> Self {
        Self::setup().seed(seed).start(describe)
    }

    /// As [`TimeTravel::new`], with several silos, numbered from 0.
    ///
    /// Panics: if there is none, or one does not start.
    pub fn with_silos(
        silos: usize,
        describe: impl Fn(SiloBuilder) -> SiloBuilder + Send + Sync + 'static,
    ) -> Self {
        Self::setup().silos(silos).start(describe)
    }

    /// Describes what the test starts from.
    pub fn setup() -> Setup {
        Setup::new()
    }

    /// Calls the silos' actors, from within the process of the first silo that runs; to be made anew after a crash.
    ///
    /// Panics: if no silo runs.
    pub fn client(&self) -> Client {
        self.cluster.silo(self.home()).expect("`home` is a silo that runs").client()
    }

    /// Runs the world until a call has its outcome. Time passes for as long as that takes, and no longer.
    ///
    /// Panics: if it never ends, or the silo that calls crashes first.
    pub fn run<F>(&mut self, call: F) -> F::Output
    where
        F: IntoFuture,
        F::IntoFuture: Send + 'static,
        F::Output: Send + 'static,
    {
        let (tell, told) = tokio::sync::oneshot::channel();
        let call = call.into_future();
        self.world.spawn(self.cluster.node(self.home()), "test", async move {
            let _ = tell.send(call.await);
        });
        self.world.block_on(told).expect("the silo lives until the call has its outcome")
    }

    /// What the wall clock of silo 0 says.
    pub fn now(&self) -> WallTime {
        self.now_of(0)
    }

    /// What a clock that is right says. No silo's need be.
    pub fn true_time(&self) -> Moment {
        Moment::from(self.world.true_wall()).moved(self.ahead_ns)
    }

    /// Lets this much time pass, and all that is due in it happen.
    pub fn advance(&mut self, time: Duration) {
        self.world.run_for(time);
    }

    /// Lets time pass until the wall clock of silo 0 would say this if nobody set it meanwhile; none if it is past.
    pub fn advance_to(&mut self, time: impl Into<Moment>) {
        let ahead_ns = time.into().ns_after(self.now().into());
        self.world.run_for(Duration::from_nanos(u64::try_from(ahead_ns).unwrap_or(0)));
    }

    /// Says what happens to a silo, number 0 if no other is named, at a moment to come by a clock that is right.
    ///
    /// ```
    /// # use quark_testkit::travel::{Moment, TimeTravel};
    /// # use std::time::Duration;
    /// # let mut test = TimeTravel::with_silos(2, |silo| silo);
    /// let due = Moment::of("2026-02-01T09:00[Europe/Berlin]");
    /// test.at(due - Duration::from_millis(1)).crash();
    /// test.at(due + Duration::from_secs(3600)).restart();
    /// test.at(due).silo(1).set_wall_clock(Moment::of("1970-01-01T00:00:00Z"));
    /// test.advance(Duration::from_secs(60 * 24 * 3600));
    /// ```
    ///
    /// Panics: if the moment is past.
    pub fn at(&mut self, moment: impl Into<Moment>) -> Deed<'_> {
        let (moment, now) = (moment.into(), self.true_time());
        let ahead_ns = u64::try_from(moment.ns_after(now));
        let ahead_ns = ahead_ns.unwrap_or_else(|_| {
            panic!("{moment} is past, it is {now}: say what happens before time gets there")
        });
        let at = Instant(self.world.now_true().0.saturating_add(ahead_ns));
        Deed { test: self, silo: 0, at: Some(at) }
    }

    /// Something happens to a silo, now.
    ///
    /// Panics: if there is none of this number.
    pub fn silo(&mut self, number: usize) -> Deed<'_> {
        self.name(number);
        Deed { test: self, silo: number, at: None }
    }

    /// Silo 0 loses power: what it has not committed is gone.
    pub fn crash(&mut self) {
        self.silo(0).crash();
    }

    /// Starts silo 0 again. Its actors serve once the lease of the process that crashed is over: ten minutes.
    ///
    /// Panics: if it does not start.
    pub fn restart(&mut self) {
        self.silo(0).restart();
    }

    /// Sets the wall clock of silo 0 forward by so many nanoseconds, or back if there are fewer than none. Its monotonic
    /// clock goes on as if nothing had happened.
    pub fn step_wall_clock(&mut self, by_ns: i64) {
        self.silo(0).step_wall_clock(by_ns);
    }

    fn name(&self, silo: usize) -> &str {
        let count = self.names.len();
        self.names.get(silo).unwrap_or_else(|| panic!("there is no silo {silo}: they are 0 to {}", count - 1))
    }

    /// The first silo that runs.
    fn home(&self) -> &str {
        let running = self.names.iter().find(|name| self.cluster.is_up(name));
        running.expect("a silo runs: restart one before you call")
    }
}
