//! Every interleaving of the two pieces of code without locks, as loom explores them:
//!
//! ```text
//! RUSTFLAGS="--cfg quark_loom" cargo test -p quark-core --release --test loom
//! ```
//!
//! Deliberate bugs, which loom has to find, are in `loom_m15.rs` and `loom_turn.rs`.
#![cfg(quark_loom)]

#[path = "loom/actor.rs"]
mod actor;
#[path = "loom/sync.rs"]
mod sync;
#[path = "loom/turn.rs"]
mod turn;
#[path = "loom/turns.rs"]
mod turns;
#[path = "loom/view_cell.rs"]
mod view_cell;
