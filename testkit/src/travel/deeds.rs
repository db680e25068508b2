//! What is done to a silo, now or at a moment to come.

use super::{Moment, TimeTravel};
use crate::sim::SimCluster;
use crate::stage::Stage;
use quark_core::{Instant, WallTime};
use quark_env::Clock;

/// One silo of a test, to which something is about to happen: at once from [`TimeTravel::silo`], or at the moment of
/// [`TimeTravel::at`], while [`TimeTravel::advance`] or a call lets time pass.
#[must_use = "nothing happens to the silo until it is said what"]
pub struct Deed<'a> {
    pub(super) test: &'a mut TimeTravel,
    pub(super) silo: usize,
    /// In true time; now, if there is none.
    pub(super) at: Option<Instant>,
}

impl Deed<'_> {
    /// To the silo of this number; without it, to number 0.
    ///
    /// Panics: if there is none.
    pub fn silo(self, number: usize) -> Self {
        self.test.name(number);
        Self { silo: number, ..self }
    }

    /// It loses power: what it has not committed is gone. Nothing, if it is down.
    pub fn crash(self) {
        self.perform(|cluster, name| cluster.crash(name));
    }

    /// It starts again. Its actors serve once the lease of the process that crashed is over: ten minutes.
    ///
    /// At a moment to come, the silo begins to start then. At once, this returns when it serves.
    ///
    /// Panics: if it does not start; if that is later, whoever lets time pass does.
    pub fn restart(self) {
        let (cluster, name) = (self.test.cluster.clone(), self.test.name(self.silo).to_owned());
        let start = async move {
            let started = cluster.begin_start(&name).await;
            started.unwrap_or_else(|reason| panic!("{name} did not start: {reason}"));
        };
        match self.at {
            None => self.test.world.block_on(start),
            Some(at) => {
                let moment = self.test.world.sleep_until(at);
                self.test.world.driver("deed", async move {
                    moment.await;
                    start.await;
                });
            }
        }
    }

    /// It freezes: nothing runs on it, its clocks go on.
    pub fn pause(self) {
        self.perform(|cluster, name| cluster.pause(name));
    }

    /// It goes on after [`Deed::pause`].
    pub fn resume(self) {
        self.perform(|cluster, name| cluster.resume(name));
    }

    /// Its wall clock is set forward by so many nanoseconds, or back if there are fewer than none. Its monotonic clock goes
    /// on as if nothing had happened.
    pub fn step_wall_clock(self, by_ns: i64) {
        self.perform(move |cluster, name| cluster.world().step_wall_clock(cluster.node(name), by_ns));
    }

    /// Its wall clock is set to a moment. Its monotonic clock goes on as if nothing had happened.
    pub fn set_wall_clock(self, to: impl Into<Moment>) {
        let to = to.into();
        self.perform(move |cluster, name| {
            let node = cluster.node(name);
            let wall = Moment::from(cluster.world().host(node).wall());
            cluster.world().step_wall_clock(node, to.ns_after(wall));
        });
    }

    /// Its clocks run too fast by so many parts per million from then on, or too slow if there are fewer than none.
    pub fn set_clock_rate(self, ppm: i64) {
        self.perform(move |cluster, name| cluster.world().set_clock_rate(cluster.node(name), ppm));
    }

    fn perform(self, deed: impl FnOnce(&SimCluster, &str) + Send + 'static) {
        let name = self.test.name(self.silo).to_owned();
        let cluster = self.test.cluster.clone();
        match self.at {
            None => deed(&cluster, &name),
            Some(at) => {
                let moment = self.test.world.sleep_until(at);
                self.test.world.driver("deed", async move {
                    moment.await;
                    deed(&cluster, &name);
                });
            }
        }
    }
}

/// What is read off a silo.
impl TimeTravel {
    /// What the wall clock of a silo says.
    ///
    /// Panics: if there is none of this number.
    pub fn now_of(&self, silo: usize) -> WallTime {
        self.world.host(self.cluster.node(self.name(silo))).wall()
    }
}
