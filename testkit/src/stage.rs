//! What a story can do to a cluster, whether it is simulated or made of real processes.

use quark::Client;
use quark_core::Instant;
use quark_env::BoxFuture;
use std::time::Duration;

/// A cluster that things happen to. Silos are known by name; a name's generations come and go.
pub trait Stage: Send + Sync {
    /// Starts a silo and waits until it serves. Errors: its own reason, for people.
    fn start(&self, name: &str) -> BoxFuture<'static, Result<(), String>>;

    /// Stops a silo in order and waits until it has left.
    fn stop(&self, name: &str) -> BoxFuture<'static, ()>;

    /// Ends a silo's process without warning: power loss, `kill -9`.
    fn crash(&self, name: &str);

    /// Freezes a silo's process: `SIGSTOP`.
    fn pause(&self, name: &str);

    /// Lets a frozen one go on: `SIGCONT`.
    fn resume(&self, name: &str);

    /// Cuts every link between silos of different groups, both ways. The store stays in reach of all.
    fn partition(&self, groups: &[&[&str]]);

    /// Mends all links.
    fn heal(&self);

    /// A client outside of the cluster that knows all silos as gateways.
    fn client(&self, name: &str) -> BoxFuture<'static, Client>;

    /// The silos that are active by this silo's view, with their generations; `None` if it is not running.
    fn active_by(&self, name: &str) -> BoxFuture<'static, Option<Vec<(String, u64)>>>;

    /// Whether the silo's process runs and has not stopped itself.
    fn is_up(&self, name: &str) -> bool;

    /// Time as the story sees it: true time in a simulation, the machine's otherwise.
    fn now(&self) -> Instant;

    /// Waits.
    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()>;

    /// Runs a part of the story beside the rest.
    fn spawn(&self, part: BoxFuture<'static, ()>);
}
