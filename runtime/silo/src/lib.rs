//! Quark: virtual actors whose guarantees are checked.
//!
//! An actor is an object with an identity: it is called by kind and key, lives on whichever silo of the cluster
//! placement chose, and is activated on its first call. A silo asks the world for time, tasks, entropy, messages and
//! a store through the traits of `quark-env`, so the same silo runs on tokio, gRPC and SQLite or inside the seeded
//! simulator.
//!
//! ```
//! use quark::{Serialize, Deserialize};
//!
//! #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
//! struct Refused { balance: u64 }
//!
//! #[derive(Default, Serialize, Deserialize)]
//! struct Account { balance: u64 }
//!
//! #[quark::actor(kind = "account", durable)]
//! impl Account {
//!     async fn withdraw(&mut self, amount: u64) -> Result<u64, Refused> {
//!         if amount > self.balance {
//!             return Err(Refused { balance: self.balance });
//!         }
//!         self.balance -= amount;
//!         Ok(self.balance)
//!     }
//!
//!     fn balance(&self) -> u64 {
//!         self.balance
//!     }
//! }
//! ```
#![deny(missing_docs)]

// The macro writes `::quark::..`, also in this crate's own tests.
extern crate self as quark;

mod activation;
pub mod actor;
mod attempts;
mod audit;
mod because;
mod body_cell;
mod bring_up;
pub mod call;
mod caller;
mod calls;
mod catalog;
mod cluster_client;
mod config;
mod context;
mod control;
mod durable;
mod early;
mod errands;
mod error;
mod filter;
mod forwarded;
#[doc(hidden)]
pub mod generated;
mod glue;
mod guarded;
mod handling;
mod inbound;
mod inbox;
mod inline;
mod kept_call;
mod kernel;
mod lease;
mod locator;
mod losses;
pub mod membership;
mod message;
mod observer;
mod outbound;
mod outbox;
mod own_call;
mod parked;
mod pending;
mod placing;
mod portable;
mod registry;
mod reminders;
mod reply;
mod routes;
pub mod rows;
mod saving;
mod silo;
mod slots;
mod staging;
pub mod stored;
mod supervision;
mod sweeper;
mod timers;
mod turns;
mod write_behind;

pub use actor::Actor;
pub use call::{ActorHandle, Call};
pub use cluster_client::{ClientConfig, ClusterClient};
pub use config::SiloConfig;
pub use context::ActorContext;
pub use error::{CallError, Failure, Happened};
pub use filter::CallFilter;
pub use observer::{Event, Observer, Once, ReminderChange};
pub use outbox::{LetterId, LetterStatus, Outbox, OutboxError};
pub use quark_core as core;
pub use quark_core::schedule::{MissedPolicy, Schedule, ScheduleError};
pub use quark_env as env;
pub use quark_macros::{actor, state};
pub use reminders::{Reminder, ReminderError, ReminderStatus, Reminders, Tick};
pub use saving::SaveError;
pub use serde::{Deserialize, Serialize};
pub use silo::{Client, Silo, SiloBuilder, SiloStatus, StartError};
pub use slots::{SLOTS_MAX, Slot, SlotField};
pub use timers::{TimerError, TimerStatus, Timers};
