//! `quark up` as a user meets it: real processes, real ports, real signals.

mod bad_input;
mod harness;
mod http;
mod life;
mod redis_dark;
mod redis_store;
mod redis_wrong;
#[path = "../../../redis/tests/server/mod.rs"]
mod server;
mod terminal;
