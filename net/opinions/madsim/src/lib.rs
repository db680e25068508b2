//! The silo's kernel on madsim: a third opinion, for which nothing waits.
//!
//! The transport of production cannot run here. madsim's stand-in for tonic passes typed messages and has no codec and no
//! connector, on which ours rests; and the real tonic, over madsim's TCP, asks for a tokio runtime, which madsim replaces
//! (`docs/engines.md` has both attempts). What can run is everything above the five traits: silo, directory, membership,
//! client. Time, tasks, chance and the network are madsim's; frames travel over its TCP by a small transport of our own,
//! and the store is the model in memory, some milliseconds away.
#![cfg(madsim)]
#![deny(missing_docs)]

mod env;
mod frames;

pub use env::{AwayStore, MadClock, MadEntropy, MadSpawner};
pub use frames::Frames;
