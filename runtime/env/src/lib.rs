//! The five things a silo asks of the world: time, tasks, entropy, messages, and a store.
//!
//! Traits and value types only. Production implements them on tokio, gRPC and SQLite; the simulator implements
//! them nastier than any of those, and the silo cannot tell the difference.
#![deny(missing_docs)]

mod clock;
mod entropy;
mod spawner;
pub mod store;
pub mod transport;

pub use clock::{Clock, Sleep};
pub use entropy::{Entropy, EntropyExt};
pub use futures_util::future::BoxFuture;
pub use spawner::{Spawner, TaskHandle};
pub use store::Store;
pub use transport::Transport;

use std::sync::Arc;

/// The world, bundled. Cheap to clone.
#[derive(Clone)]
pub struct Env {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Tasks.
    pub spawner: Arc<dyn Spawner>,
    /// Entropy.
    pub entropy: Arc<dyn Entropy>,
    /// Messages.
    pub transport: Arc<dyn Transport>,
    /// The store.
    pub store: Arc<dyn Store>,
}
