//! What a story can do to a cluster, whether it is simulated or made of real processes.

use quark::Client;
use quark_core::view::View;
use quark_core::{Instant, SiloId, Version, WallTime};
use quark_env::store::{Partition, Record, RecordKey};
use quark_env::{BoxFuture, Store};
use std::sync::Arc;
use std::time::Duration;

/// What a silo last said of itself.
#[derive(Clone, Debug)]
pub struct Look {
    /// Its name and generation.
    pub id: SiloId,
    /// The newest view in effect there.
    pub view: Arc<View>,
    /// Turns run since its start.
    pub turns: u64,
    /// Whether it believes that turns may run there.
    pub lease_valid: bool,
}

/// How a store goes dark for everybody.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Dark {
    /// It takes what is said to it, and answers nobody: `SIGSTOP`.
    Hangs,
    /// Its process ends, `kill -9`; what it has acknowledged is on its disk.
    Ends,
}

/// Commits to a partition that were acknowledged, and lost when a replica took over.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Lost {
    /// The partition.
    pub partition: Partition,
    /// The newest version that the replica had of it.
    pub found: Version,
    /// The newest version that was lost. It is never given out again.
    pub version: Version,
    /// The silos that live and were told of a version that is lost: they, and no others, can notice.
    pub told: Vec<String>,
}

/// A cluster that things happen to. Silos are known by name; a name's generations come and go.
pub trait Stage: Send + Sync {
    /// Starts a silo, at once; the future waits until it serves. Errors: its own reason, for people.
    fn start(&self, name: &str) -> BoxFuture<'static, Result<(), String>>;

    /// Stops a silo in order and waits until it has left.
    fn stop(&self, name: &str) -> BoxFuture<'static, ()>;

    /// Ends a silo's process without warning: power loss, `kill -9`.
    fn crash(&self, name: &str);

    /// Freezes a silo's process: `SIGSTOP`. The store stays in reach of all others.
    fn pause(&self, name: &str);

    /// Lets a frozen one go on: `SIGCONT`.
    fn resume(&self, name: &str);

    /// Cuts every link between silos and clients of different groups, both ways. The store stays in reach of all.
    fn partition(&self, groups: &[&[&str]]);

    /// Cuts the way from one silo to another: it no longer reaches it, but may still hear it.
    fn cut_way(&self, from: &str, to: &str);

    /// Mends all links.
    fn heal(&self);

    /// Takes the store out of a silo's reach. Returns whether the stage can: nobody is cut off from a file.
    fn cut_store(&self, name: &str) -> bool;

    /// Undoes [`Stage::cut_store`].
    fn mend_store(&self, name: &str);

    /// Makes this share of all requests to the store take long, in millionths, from now on. Returns whether the stage can.
    fn slow_store(&self, ppm: u32) -> bool;

    /// Takes the store out of everybody's reach.
    ///
    /// Panics: if nobody can be cut off from it, as from a file. So do the next five.
    fn darken_store(&self, how: Dark);

    /// Ends that, or the fail-over: the future waits until the store takes connections.
    fn light_store(&self) -> BoxFuture<'static, ()>;

    /// Loses this share of the store's answers, in millionths, from now on; 0 mends that.
    fn lose_answers(&self, ppm: u32);

    /// A replica takes the place of the servers of those partitions for which `fails` holds (of all of them, where there is
    /// one server), and lacks what was acknowledged in the last half second. The store is dark until
    /// [`Stage::light_store`]; what it will have then can be peeked at. Returns what was lost.
    fn fail_over_store(&self, fails: &dyn Fn(&Partition) -> bool) -> BoxFuture<'static, Vec<Lost>>;

    /// A record as the store has it, seen from outside of the cluster, also while it is out of everybody else's reach.
    fn peek(&self, key: &RecordKey) -> BoxFuture<'static, Option<Record>>;

    /// The store as a silo reaches it.
    fn store(&self, name: &str) -> BoxFuture<'static, Arc<dyn Store>>;

    /// The true time of day.
    fn wall(&self) -> WallTime;

    /// Sets a silo's wall clock, and nothing else of it, so many nanoseconds ahead, or back.
    fn step_wall(&self, name: &str, by_ns: i64);

    /// Lets so much time go by, in which no silo may run: where nobody can wait for it, by setting all wall clocks ahead.
    fn let_pass(&self, time: Duration) -> BoxFuture<'static, ()>;

    /// Whether a second of the story is a second of its listener's: then it waits no longer than it must.
    fn takes_real_time(&self) -> bool;

    /// A client outside of the cluster that knows all silos as gateways.
    fn client(&self, name: &str) -> BoxFuture<'static, Client>;

    /// What a silo says of itself, or said last before it stopped. `None` if it has not served yet, or lost power.
    fn look(&self, name: &str) -> Option<Look>;

    /// Whether the silo's process runs and has not stopped itself.
    fn is_up(&self, name: &str) -> bool;

    /// Time as the story sees it: true time in a simulation, the machine's otherwise.
    fn now(&self) -> Instant;

    /// Waits.
    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()>;

    /// Runs a part of the story beside the rest.
    fn spawn(&self, part: BoxFuture<'static, ()>);
}
