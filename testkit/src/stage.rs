//! What a story can do to a cluster, whether it is simulated or made of real processes.

use quark::Client;
use quark_core::view::View;
use quark_core::{Instant, SiloId};
use quark_env::BoxFuture;
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
