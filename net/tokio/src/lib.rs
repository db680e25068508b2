//! The real world: time, tasks and entropy of a tokio runtime and its operating system.
//!
//! These are thin on purpose. Whatever is decided here cannot be seen by the simulator, so nothing is decided here:
//! each type forwards to tokio or the system and adds only what the traits of `quark-env` promise beyond that.
#![deny(missing_docs)]

mod clock;
mod entropy;
mod spawner;

pub use clock::TokioClock;
pub use entropy::OsEntropy;
pub use spawner::TokioSpawner;

use quark_env::{Env, Store, Transport};
use std::sync::Arc;
use tokio::runtime::Handle;

/// The whole world of a process on this runtime: tokio's time and tasks, the system's entropy, and the transport and
/// store given.
///
/// The runtime must have its timer enabled (`enable_time`), or the first sleep panics.
pub fn world(runtime: &Handle, transport: Arc<dyn Transport>, store: Arc<dyn Store>) -> Env {
    Env {
        clock: Arc::new(TokioClock::new(runtime.clone())),
        spawner: Arc::new(TokioSpawner::new(runtime.clone())),
        entropy: Arc::new(OsEntropy),
        transport,
        store,
    }
}
