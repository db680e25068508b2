//! The simulated stage.

mod cluster;

pub use cluster::{Describe, SimCluster};
