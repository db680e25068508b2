//! Small complete applications, one file each in `src/bin`: run one with `cargo run -p quark-examples --bin NAME`.
//!
//! | example | shows |
//! | --- | --- |
//! | `chat_room` | actors in memory that call one another |
//! | `bank_transfer` | durable actors, and what to do when nobody knows whether a call happened |
#![deny(missing_docs)]

pub mod cluster;
