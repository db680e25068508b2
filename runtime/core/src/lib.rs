//! The decisions of Quark, and nothing else.
//!
//! Everything here is *sans-IO*: no clock is read, no socket touched, no entropy drawn. Time arrives as an
//! argument, answers leave as values. That is what lets the same code run on real machines and in a seeded
//! simulator without knowing which.
#![deny(missing_docs)]
#![forbid(clippy::unwrap_used)]

pub mod buggify;
pub mod codec;
pub mod credit;
pub mod directory;
pub mod handshake;
pub mod hash;
pub mod ids;
pub mod lifecycle;
pub mod mailbox;
pub mod membership;
pub mod mutant;
pub mod placement;
pub mod probe;
pub mod reminder;
pub mod ring;
pub mod schedule;
mod sync;
pub mod time;
pub mod turn;
pub mod view;
pub mod view_cell;
pub mod wheel;
pub mod wire;

pub use ids::{
    ActorId, ActorIdError, Epoch, Generation, MethodId, SiloId, SiloName, Version, ViewVersion, WriteId,
};
pub use time::{Instant, WallTime};
