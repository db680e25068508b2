//! The simulated stage.

mod cluster;
mod target;

pub use cluster::{Describe, SimCluster};
pub use target::{SimTarget, carry_out};
