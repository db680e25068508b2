//! What loom cannot reach: more threads and longer runs of the turn, its queue and the wheel of timers, in interleavings
//! that shuttle draws.
//!
//! ```text
//! RUSTFLAGS="--cfg quark_shuttle" cargo test -p quark-core --release --test shuttle -- --nocapture
//! ```
//!
//! Half of the runs are uniform: each step is a random thread's. The other half are PCT (Burckhardt et al., 2010): threads
//! have random priorities, which change at a few random steps, so that one thread may sleep while another does all its
//! work. With `--features mutants`, and `--test-threads=1`, both are measured on deliberate bugs: those of the turn are races of
//! two neighbouring steps, which chance finds sooner (m83: 6 runs to 21; m86: 2 to 10). Shuttle sees no weak memory: that is
//! loom's.
#![cfg(quark_shuttle)]

#[path = "loom/actor.rs"]
mod actor;
#[path = "shuttle/crowds.rs"]
mod crowds;
#[path = "shuttle/order.rs"]
mod order;
#[cfg(feature = "mutants")]
#[path = "shuttle/race.rs"]
mod race;
#[path = "shuttle/sync.rs"]
mod sync;
