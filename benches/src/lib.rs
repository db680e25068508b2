//! Our own figures. Each program in `src/bin` says in its head what it measures and how.
#![deny(missing_docs)]

pub mod frames;
pub mod hot_paths;
pub mod processor;
pub mod real_silo;
