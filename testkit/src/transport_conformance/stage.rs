//! What a network has to be able to do to be put under test.

use futures_util::future::BoxFuture;
use quark_core::SiloId;
use quark_env::Transport;
use std::sync::Arc;
use std::time::Duration;

/// What a transport is opened as.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// It listens.
    Silo,
    /// It only dials.
    Client,
}

/// A network with places in it, each with a name. A place has one process at a time.
///
/// Links take up to three seconds of silence to be given up, dials one second; a lane holds at least 1000 small frames,
/// and less than 32 MiB. Breaks are always told to who is still there, unless the case is about just that.
pub trait Stage: Send + Sync {
    /// Starts a process in the place that `who` is named after, and opens its transport.
    ///
    /// Panics: if a process runs there.
    fn open(&self, who: SiloId, role: Role) -> BoxFuture<'static, Arc<dyn Transport>>;

    /// The address at which the process in one place finds the place `to`, whether or not somebody listens there.
    fn address(&self, from: &str, to: &str) -> BoxFuture<'static, String>;

    /// Ends the process in a place between two instructions.
    fn crash(&self, name: &str) -> BoxFuture<'static, ()>;

    /// From now on what one place sends to another does not arrive, and it is not told so.
    fn cut(&self, from: &str, to: &str);

    /// Ends the cut between two places, both ways.
    fn mend(&self, one: &str, other: &str);

    /// From now on what two places send to one another waits.
    fn hold(&self, one: &str, other: &str);

    /// What was held arrives.
    fn release(&self, one: &str, other: &str);

    /// Time as it passes here.
    fn elapsed(&self) -> Duration;

    /// Waits.
    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()>;
}
