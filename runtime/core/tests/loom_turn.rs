//! Deliberate bugs of the turn, each of which some interleaving shows.
//!
//! A bug is switched on for the whole process: `cargo ci mutants m81` runs its test alone.
//! `RUSTFLAGS="--cfg quark_loom" cargo test -p quark-core --release --features mutants --test loom_turn m81`
#![cfg(all(quark_loom, feature = "mutants"))]

#[path = "loom/actor.rs"]
#[allow(dead_code, reason = "not every end has a bug that needs it")]
mod actor;
#[path = "loom/sync.rs"]
mod sync;
#[path = "loom/turn.rs"]
#[allow(dead_code, reason = "not every end has a bug that needs it")]
mod turn;

use quark_core::mutant::activate;
use quark_core::turn::Access::{Exclusive, Shared};
use turn::{End, explore};

#[test]
#[should_panic(expected = "Causality violation")]
fn m81_a_turn_that_does_not_see_what_the_last_one_wrote_is_found() {
    activate("m81");
    explore(3, &[&[Exclusive], &[Exclusive]], End::Never);
}

#[test]
#[should_panic(expected = "Causality violation")]
fn m82_a_turn_that_does_not_publish_what_it_wrote_is_found() {
    activate("m82");
    explore(3, &[&[Exclusive], &[Exclusive]], End::Never);
}

#[test]
#[should_panic(expected = "every message is handled or sent elsewhere, once")]
fn m83_a_sender_that_finds_nobody_running_and_does_not_drain_is_found() {
    activate("m83");
    explore(3, &[&[Exclusive], &[Exclusive]], End::Never);
}

#[test]
#[should_panic(expected = "every message is handled or sent elsewhere, once")]
fn m84_a_mark_that_ends_with_the_wrong_turn_is_found() {
    activate("m84");
    explore(3, &[&[Shared], &[Exclusive], &[Shared]], End::Never);
}

#[test]
#[should_panic(expected = "every message is handled or sent elsewhere, once")]
fn m85_a_queue_that_outlives_its_activation_is_found() {
    activate("m85");
    explore(3, &[&[], &[Exclusive]], End::Discard);
}

#[test]
#[should_panic(expected = "every message is handled or sent elsewhere, once")]
fn m86_a_drainer_that_forgets_who_still_waits_is_found() {
    activate("m86");
    explore(4, &[&[Exclusive], &[Shared, Exclusive, Shared]], End::Never);
}
