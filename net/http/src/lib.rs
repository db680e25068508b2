//! HTTP for people and scripts: calls of actors as JSON, the cluster's view, and whether it is healthy.
//!
//! ```text
//!   POST /actors/{kind}/{key}/{method}   the arguments as a JSON object; an empty body is no arguments
//!   GET  /cluster                        who is in the cluster
//!   GET  /health                         200 if calls are served, 503 if not
//! ```
//!
//! This crate knows HTTP and JSON. What an actor is, it learns through [`Backend`], so that it can be mounted on a
//! silo, on a client outside of the cluster, or on a fake.
#![deny(missing_docs)]

mod backend;
mod problem;
mod routes;

pub use backend::{ActorCall, Backend, BoxFuture, Health};
pub use problem::{Problem, Reason};
pub use routes::{BODY_BYTES_MAX, serve};
