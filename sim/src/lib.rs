//! A whole cluster on one thread, in one seed.
//!
//! A [`World`] implements the five traits of `quark-env` for any number of nodes: time jumps to the next event, tasks
//! are picked by seed, clocks drift, the network and the store misbehave as told. Everything that happens is a function
//! of the [`Config`], so a failure is a seed, and running it again shows the same failure.
//!
//! ```
//! use quark_sim::{Config, World};
//! use quark_env::Clock;
//! use std::time::Duration;
//!
//! let mut world = World::new(Config::new(42));
//! let node = world.add_node("alpha");
//! let host = world.host(node);
//! world.spawn(node, "napper", async move {
//!     host.sleep_until(host.now() + Duration::from_secs(3600)).await;
//! });
//! world.run_for(Duration::from_secs(3700));
//! assert!(world.tasks(node).is_empty());
//! ```
#![deny(missing_docs)]
// For the tripwire, which has to know per thread whether a simulation runs. Clippy reports this lint at the crate's root.
#![expect(
    clippy::disallowed_macros,
    reason = "whether this thread is inside a simulation is a fact of the thread"
)]

mod choice;
mod clock;
mod config;
mod deed;
mod effects;
pub mod fork;
mod host;
mod net;
mod node;
mod pool;
mod queue;
mod run;
mod spread;
mod state;
mod store;
mod task;
mod timer;
mod trace;
pub mod tripwire;
mod version;
mod world;

pub use choice::{Branch, ChoiceId, Decision, Purpose, Replay, key};
pub use config::{Buggify, ClockConfig, Conditions, Config, NetworkConfig, Scheduler, StoreConfig};
pub use deed::{Deed, DeedKind};
pub use effects::Effects;
pub use host::{Host, Identity};
pub use net::{Dialling, FrameEvent, FrameLoss, FrameStep, NetMeters, SimTransport};
pub use node::NodeId;
pub use spread::Spread;
pub use store::{Commit, Lost, StoreMeters};
pub use trace::{
    CHECKPOINT_EVENTS, Checkpoint, Divergence, Trace, TraceEvent, TraceKind, audit, first_divergence,
};
pub use version::ENGINE_VERSION;
pub use world::{Meters, Next, NodeLook, PathLook, Whims, World, WorldHandle};
