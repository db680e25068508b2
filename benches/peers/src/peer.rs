//! What a runtime has to do to be measured.

use std::future::Future;

/// One runtime, and its way to do what all of them do: count.
///
/// Every actor holds a number, and every message says what to add to it. An ask is told the new sum. Errors are panics:
/// nothing may fail in a measurement.
pub trait Peer: Send + Sync + Sized + 'static {
    /// Its name in the tables.
    const NAME: &'static str;
    /// Whether its actors run on any worker of a `multi_thread` runtime.
    const MOVES: bool = true;
    /// How a caller holds an actor.
    type Actor: Clone + Send + Sync + 'static;

    /// Starts what there is to start, on the tokio runtime that is entered.
    fn start() -> impl Future<Output = Self>;
    /// An actor of this number: a new one, or for virtual actors the one of this name.
    fn actor(&self, number: usize) -> impl Future<Output = Self::Actor> + Send;
    /// Asks an actor whose handler is a plain function (or the nearest that the runtime has).
    fn ask(actor: &Self::Actor, add: u64) -> impl Future<Output = u64> + Send;
    /// Asks an actor whose handler is async and waits for nothing.
    fn ask_async(actor: &Self::Actor, add: u64) -> impl Future<Output = u64> + Send;
    /// Sends without an answer.
    fn tell(actor: &Self::Actor, add: u64) -> impl Future<Output = ()> + Send;
    /// Ends what was started.
    fn stop(self) -> impl Future<Output = ()> {
        async {}
    }
}
