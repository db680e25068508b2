//! Who hosts whom: the directory that maps every actor to its one activation.
//!
//! It is partitioned by ring range. The owner of an actor's point keeps its entry and is the only silo that may
//! place it, so two silos can never place one actor; a host runs an actor only under a placement of the owner. When
//! the ring changes, entries move and activations stay (promise P10): the new owner locks the range, gets the
//! entries from the old owner, or, when that one is gone, from every host, and unlocks (promise P11).
//!
//! ```text
//!              Transfer ┌────────────────────┐ missing, or the old owner is gone
//! gained ──► locked ───►│ ask the old owner  ├──────────────┐
//!                       └─────────┬──────────┘              ▼
//!                                 │ all pages   ┌──────────────────────┐
//!                                 ▼             │ ask every host, wait │
//!                               open ◄──────────┤ for the dead's grace │
//!                                 │             └──────────────────────┘
//!                                 └──► lost: kept until the next owner asks, given away once
//! ```
//!
//! One [`Directory`] per silo plays all three parts: owner, giver and host. `docs/directory.md` has the protocol on a
//! page, with the argument for its safety.

mod core;
mod giver;
mod graces;
mod handover;
mod host;
mod message;
mod notices;
mod owner;
mod point_map;
mod span;
mod token;
mod view_change;

pub use core::{Action, Config, Directory, Input, Owners};
pub use host::Hosting;
pub use message::{DirectoryMessage, Page, Place, Registration};
pub use owner::Resolution;
pub use span::{Span, Spans};

#[cfg(test)]
mod tests;
