//! Exploration finds bugs: each one that was planted in the cores of membership and directory is met in a small world.
//!
//! The same world is explored without the bug first, as far, so that it is the bug that is found. Each test prints its row
//! of the table in docs/exploration.md. Run by `cargo ci mutants`, one at a time: the switch is the process's.
#![cfg(feature = "mutants")]

use quark_core::mutant;
use quark_testkit::explore::directory::{self, DirectoryWorld};
use quark_testkit::explore::membership::{self, MembershipWorld};
use quark_testkit::explore::{Bounds, Exploration, World, explore};

/// Explores with the bug, which has to be found with these words; then without it, as far, which has to find nothing.
fn finds<W: World>(id: &str, world: impl Fn() -> W, steps: u32, settle_every: u64, words: &str) {
    std::panic::set_hook(Box::new(|_| {}));
    let bounds = Bounds { steps, states_max: usize::MAX, settle_every };
    mutant::activate(id);
    let found = explore(world(), &bounds, |_| {});
    mutant::activate("");
    drop(std::panic::take_hook());
    let Exploration { states, transitions, failure, .. } = found;
    let failure = failure.unwrap_or_else(|| panic!("nobody noticed {id} in {states} states"));
    println!("| {id} | {states} | {transitions} | {} | {} |", failure.path.len(), failure.message);
    for (number, step) in failure.path.iter().enumerate() {
        println!("    {}. {step}", number + 1);
    }
    assert!(failure.message.contains(words), "{id} is noticed as something else: {}", failure.message);
    let depth = u32::try_from(failure.path.len()).expect("a short path");
    let healthy = explore(world(), &Bounds { steps: depth, ..bounds }, |_| {});
    assert_eq!(healthy.failure, None, "the same is found without {id}");
}

fn silos(nodes: usize) -> membership::Setup {
    membership::Setup { by_hand: 0, ..membership::Setup::new(nodes) }
}

#[test]
fn m01_a_place_that_is_taken_is_given_away() {
    finds("m01", || DirectoryWorld::new(&directory::Setup::new(3)), 4, 0, "P11");
}

#[test]
fn m02_a_lease_is_measured_from_the_answer() {
    let setup = membership::Setup { faults: 2, ..silos(3) };
    finds("m02", || MembershipWorld::new(&setup), 12, 0, "P2");
}

#[test]
fn m04_the_evicted_go_on_serving() {
    finds("m04", || MembershipWorld::new(&silos(3)), 12, 0, "P2");
}

#[test]
fn m16_an_older_view_is_accepted() {
    let setup = membership::Setup { by_hand: 3, orders: 1, ..silos(2) };
    finds("m16", || MembershipWorld::new(&setup), 9, 0, "I8");
}

#[test]
fn m17_a_sign_of_life_does_not_end_a_suspicion() {
    finds("m17", || MembershipWorld::new(&silos(3)), 12, 1, "P12");
}

#[test]
fn m18_one_voucher_too_few_is_a_majority() {
    let setup = membership::Setup { faults: 2, ..silos(2) };
    finds("m18", || MembershipWorld::new(&setup), 12, 0, "P2");
}

#[test]
fn m46_a_table_that_has_gone_back_is_taken_for_the_truth() {
    let setup = membership::Setup { rewinds: 1, ..silos(3) };
    finds("m46", || MembershipWorld::new(&setup), 10, 1, "");
}
