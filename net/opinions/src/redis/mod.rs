//! As much of a Redis server as our store's client needs, on a host of turmoil.
//!
//! It is a server and not a stand-in for the client: RESP goes over the simulated TCP, connections are killed by name, a
//! restart forgets the scripts and takes another replication id. The scripts are carried out by code of its own that does
//! what their Lua says; a script whose text is not one of those that were carried over is refused, and so is every command
//! that the client does not send today. What was refused is kept: a test that passes on a refusal is no test.

mod data;
mod resp;
mod scripts;
mod server;

pub use server::{HOST, LOST_MAX, Mischief, Redis};
