//! HTTP for people and scripts: calls of actors as JSON, the cluster's view, and whether it is healthy.
//!
//! ```text
//!   POST /actors/{kind}/{key}/{method}   the arguments as a JSON object; an empty body is no arguments
//!   GET  /cluster                        who is in the cluster
//!   GET  /health                         200 if calls are served, 503 if not
//! ```
//!
//! Whoever trickles a request, does not take the answer, or opens more connections than there may be, does not hold up
//! anybody else: [`Limits`] says what becomes of them.
//!
//! This crate knows HTTP and JSON. What an actor is, it learns through [`Backend`], so that it can be mounted on a
//! silo, on a client outside of the cluster, or on a fake.
#![deny(missing_docs)]

mod backend;
mod limits;
mod patience;
mod problem;
mod routes;
mod seats;
mod serve;

pub use backend::{ActorCall, Backend, BoxFuture, Health};
pub use limits::Limits;
pub use problem::{Problem, Reason};
pub use routes::BODY_BYTES_MAX;
pub use serve::serve;
