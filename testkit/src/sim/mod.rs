//! The simulated stage.

mod cluster;
mod effects;
mod knobs;
mod mischief;
mod target;
mod values;

pub use cluster::{Describe, SimCluster};
pub use knobs::{turn_silo, turn_world, turned};
pub use target::{SimTarget, carry_out};
