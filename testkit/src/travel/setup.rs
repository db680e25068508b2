//! What a test starts from: how many silos, when, with which clocks, from which seed.

use super::{Moment, TimeTravel};
use crate::sim::SimCluster;
use quark::SiloBuilder;
use quark_sim::{Config, World};
use std::sync::Arc;
use std::time::Duration;

/// The description of a [`TimeTravel`]: one silo, right clocks, 2026-01-01 at 0:00 UTC and seed 0, unless it says otherwise.
///
/// ```
/// use quark_testkit::travel::{Moment, TimeTravel};
/// use std::time::Duration;
///
/// let test = TimeTravel::setup()
///     .silos(3)
///     .begins(Moment::of("2028-02-28T12:00:00Z"))
///     .clocks_off_by(Duration::from_millis(50))
///     .start(|silo| silo);
/// assert!(test.true_time() >= Moment::of("2028-02-28T12:00:00Z"));
/// ```
#[derive(Clone, Debug)]
pub struct Setup {
    seed: u64,
    silos: usize,
    begins: Moment,
    clocks_off_by: Duration,
    drift_ppm: u32,
}

/// The lease of a silo. Long, because a year has many renewals; a silo that crashed is replaced when it is over.
const LEASE: Duration = Duration::from_secs(600);
/// Often enough for an answer to be there when it is needed.
const ASK_TIME_EVERY: Duration = Duration::from_secs(25);

impl Setup {
    pub(super) fn new() -> Self {
        Self { seed: 0, silos: 1, begins: world_begins(), clocks_off_by: Duration::ZERO, drift_ppm: 0 }
    }

    /// What chance decides is drawn from this seed: latencies, and the order of what is simultaneous.
    pub fn seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// So many silos, numbered from 0.
    ///
    /// Panics: if there is none.
    pub fn silos(self, silos: usize) -> Self {
        assert!(silos > 0, "a test without a silo tests nothing: ask for 1 or more");
        Self { silos, ..self }
    }

    /// It begins at this moment, a little before the silos serve.
    pub fn begins(self, at: Moment) -> Self {
        Self { begins: at, ..self }
    }

    /// Each silo's wall clock is off by up to this much from the start, ahead or behind as the seed says.
    pub fn clocks_off_by(self, at_most: Duration) -> Self {
        Self { clocks_off_by: at_most, ..self }
    }

    /// Each silo's clocks run too fast or too slow by up to so many parts per million, as the seed says.
    pub fn drift_ppm(self, at_most: u32) -> Self {
        Self { drift_ppm: at_most, ..self }
    }

    /// Starts the silos, each as described, and returns when they serve.
    ///
    /// Panics: if one does not start.
    pub fn start(self, describe: impl Fn(SiloBuilder) -> SiloBuilder + Send + Sync + 'static) -> TimeTravel {
        let mut config = Config::new(self.seed);
        config.time_limit = Duration::MAX;
        config.clocks.rate_ppm_max = self.drift_ppm;
        config.clocks.wall_offset_max = self.clocks_off_by;
        let mut world = World::new(config);
        let has_others = self.silos > 1;
        let describe = Arc::new(move |silo| patient(describe(silo), has_others));
        let cluster = SimCluster::new(world.handle(), "time-travel", describe, None);
        let names: Vec<String> = (0..self.silos).map(|number| format!("silo-{number}")).collect();
        let ahead_ns = self.begins.ns_after(world_begins());
        let starting: Vec<_> = names.iter().map(|name| cluster.begin_start(name)).collect();
        for name in names.iter().filter(|_| ahead_ns != 0) {
            world.step_wall_clock(cluster.node(name), ahead_ns);
        }
        world.block_on(async {
            for (name, started) in names.iter().zip(starting) {
                started.await.unwrap_or_else(|reason| panic!("{name} did not start: {reason}"));
            }
        });
        TimeTravel { world, cluster, names, ahead_ns, draws: 0 }
    }
}

/// When every simulated world begins.
fn world_begins() -> Moment {
    Moment::of("2026-01-01T00:00:00Z")
}

/// A silo that does what it does all the time a little less often.
fn patient(silo: SiloBuilder, has_others: bool) -> SiloBuilder {
    let mut membership = silo.membership_config().clone();
    membership.lease = LEASE;
    membership.renew_every = LEASE / 3;
    membership.read_every = LEASE;
    let mut config = silo.silo_config().clone();
    config.reminders.wall_recheck = Duration::from_secs(6 * 3600);
    config.reminders.ask_time_every = Duration::from_secs(24 * 3600);
    if has_others {
        // A silo that has crashed is missed after some minutes. What others say of the time is forgotten after one, so it
        // is asked for more often than that: a wrong clock is outvoted at all times.
        membership.probe_every = LEASE / 10;
        config.reminders.wall_recheck = ASK_TIME_EVERY;
        config.reminders.ask_time_every = ASK_TIME_EVERY;
        config.reminders.recheck_every = Duration::from_secs(3600);
    } else {
        // There is one silo, which forgets nothing while it lives.
        config.reminders.recheck_every = Duration::MAX;
    }
    config.idle_after = config.idle_after.max(Duration::from_secs(3600));
    silo.membership(membership).config(config)
}
