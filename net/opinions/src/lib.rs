//! Second opinions: what production runs, on engines that are not ours.
//!
//! The simulator's network and store are models that we wrote, and a model agrees with its author. Here the real gRPC
//! transport and the real Redis client run over [turmoil](https://docs.rs/turmoil)'s simulated TCP, with HTTP/2, RESP and
//! all, and pass the same conformance cases as the simulator, real sockets and real processes. Where the engines differ is
//! a table, `docs/engines.md`, which the tests compare with what they have just seen.
//!
//! Known of turmoil, and minded here: it goes on in steps of a millisecond; it never retransmits, so a stream from which a
//! segment was lost is wedged until a keep-alive ends it; a crash looks like an orderly end to the peer; and a dial into a
//! cut is refused at once.
//!
//! ```
//! use quark_opinions::Lab;
//! use std::time::Duration;
//!
//! let slept = Lab::run(7, |lab| Box::pin(async move {
//!     lab.sleep(Duration::from_secs(3600)).await; // as long as it takes to count to an hour in milliseconds
//!     lab.elapsed()
//! }));
//! assert!(slept >= Duration::from_secs(3600));
//! ```
#![deny(missing_docs)]

mod host;
mod lab;
pub mod redis;
pub mod silos;
pub mod stages;
pub mod streams;

pub use host::{HostClock, HostEntropy, Place, env};
pub use lab::Lab;
