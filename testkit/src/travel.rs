//! Time travel: a test says "thirty days later", and is there.
//!
//! A silo and its store in a simulated world, whose time passes when the test says so, and as fast as there is nothing to
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

use crate::sim::SimCluster;
use crate::stage::Stage;
use quark::{Client, SiloBuilder};
use quark_core::WallTime;
use quark_env::Clock;
use quark_sim::{Config, World};
use std::future::IntoFuture;
use std::sync::Arc;
use std::time::Duration;

/// One silo, its store, and their time. It begins on 2026-01-01 at 0:00 UTC.
pub struct TimeTravel {
    world: World,
    cluster: SimCluster,
}

const SILO: &str = "here";
/// The lease of the silo. Long, because a year has many renewals; a silo that crashed is replaced when it is over.
const LEASE: Duration = Duration::from_secs(600);

impl TimeTravel {
    /// A silo as described, serving.
    ///
    /// Panics: if it does not start.
    pub fn new(describe: impl Fn(SiloBuilder) -> SiloBuilder + Send + Sync + 'static) -> Self {
        Self::seeded(0, describe)
    }

    /// As [`TimeTravel::new`], with what chance decides drawn from a seed: latencies, and the order of what is
    /// simultaneous.
    ///
    /// Panics: if the silo does not start.
    pub fn seeded(seed: u64, describe: impl Fn(SiloBuilder) -> SiloBuilder + Send + Sync + 'static) -> Self {
        let mut config = Config::new(seed);
        config.time_limit = Duration::MAX;
        config.clocks.rate_ppm_max = 0;
        config.clocks.wall_offset_max = Duration::ZERO;
        let mut world = World::new(config);
        let describe = Arc::new(move |silo| patient(describe(silo)));
        let cluster = SimCluster::new(world.handle(), "time-travel", describe, None);
        let starting = cluster.clone();
        world.block_on(async move { starting.start_all(&[SILO]).await });
        Self { world, cluster }
    }

    /// Calls the silo's actors, from within its process; to be made anew after a crash.
    ///
    /// Panics: after [`TimeTravel::crash`], before [`TimeTravel::restart`].
    pub fn client(&self) -> Client {
        self.cluster.silo(SILO).expect("the silo runs").client()
    }

    /// Runs the world until a call has its outcome. Time passes for as long as that takes, and no longer.
    ///
    /// Panics: if it never ends.
    pub fn run<F>(&mut self, call: F) -> F::Output
    where
        F: IntoFuture,
        F::IntoFuture: Send + 'static,
        F::Output: Send + 'static,
    {
        let (tell, told) = tokio::sync::oneshot::channel();
        let call = call.into_future();
        self.world.spawn(self.cluster.node(SILO), "test", async move {
            let _ = tell.send(call.await);
        });
        self.world.block_on(told).expect("the silo lives until the call has its outcome")
    }

    /// What the silo's wall clock says.
    pub fn now(&self) -> WallTime {
        self.world.host(self.cluster.node(SILO)).wall()
    }

    /// Lets this much time pass, and all that is due in it happen.
    pub fn advance(&mut self, time: Duration) {
        self.world.run_for(time);
    }

    /// Lets time pass until the silo's wall clock says this; none if it is past.
    pub fn advance_to(&mut self, time: WallTime) {
        let ahead_ns = time.0.saturating_sub(self.now().0);
        self.world.run_for(Duration::from_nanos(u64::try_from(ahead_ns).unwrap_or(0)));
    }

    /// The silo loses power: what it has not committed is gone.
    pub fn crash(&mut self) {
        self.cluster.crash(SILO);
    }

    /// Starts the silo again. Its actors serve once the lease of the one that crashed is over: ten minutes.
    ///
    /// Panics: if it does not start.
    pub fn restart(&mut self) {
        let cluster = self.cluster.clone();
        self.world.block_on(async move { cluster.start_all(&[SILO]).await });
    }

    /// Sets the silo's wall clock forward by so many nanoseconds, or back if there are fewer than none. Its monotonic
    /// clock goes on as if nothing had happened.
    pub fn step_wall_clock(&mut self, by_ns: i64) {
        self.world.step_wall_clock(self.cluster.node(SILO), by_ns);
    }
}

/// A silo that does what it does all the time a little less often.
fn patient(silo: SiloBuilder) -> SiloBuilder {
    let mut membership = silo.membership_config().clone();
    membership.lease = LEASE;
    membership.renew_every = LEASE / 3;
    membership.read_every = LEASE;
    let mut config = silo.silo_config().clone();
    config.reminders.wall_recheck = Duration::from_secs(6 * 3600);
    config.reminders.ask_time_every = Duration::from_secs(24 * 3600);
    // There is one silo, which forgets nothing while it lives.
    config.reminders.recheck_every = Duration::MAX;
    config.idle_after = config.idle_after.max(Duration::from_secs(3600));
    silo.membership(membership).config(config)
}
