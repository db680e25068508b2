//! Every interleaving of the two pieces of code without locks, as loom explores them:
//!
//! ```text
//! RUSTFLAGS="--cfg quark_loom" cargo test -p quark-core --release --test loom
//! ```
//!
//! With `--features mutants` a deliberate bug is tried as well, which loom has to find.
#![cfg(quark_loom)]

#[path = "loom/actor.rs"]
mod actor;
#[path = "loom/turn.rs"]
mod turn;
#[path = "loom/view_cell.rs"]
mod view_cell;
