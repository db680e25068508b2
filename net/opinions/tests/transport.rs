//! The transport's contract, where it is not the simulator that carries the frames.

use quark_opinions::stages::{on_sockets, on_turmoil};
use quark_testkit::transport_conformance::cases;

#[test]
fn the_contract_holds_on_turmoil_for_any_seed() {
    for case in cases() {
        for seed in 0..3 {
            let seen = on_turmoil(&case, seed);
            println!("{case:?} with seed {seed}: {seen}");
        }
    }
}

#[test]
fn the_contract_holds_on_sockets() {
    for case in cases() {
        let seen = on_sockets(&case);
        println!("{case:?}: {seen}");
    }
}
