//! The simulated network keeps the transport's contract, whatever the seed.

use quark_testkit::transport_conformance::{Observation, cases, sim};
use std::collections::BTreeSet;

const SEEDS: std::ops::Range<u64> = 0..30;

#[test]
fn the_contract_holds_for_any_seed() {
    for case in cases() {
        for seed in SEEDS {
            sim::observe(&case, seed);
        }
    }
}

/// The simulator is to be nastier than any network that it stands for: where they differ, it does what each does.
#[test]
fn a_short_cut_is_survived_or_swallows_without_a_word_as_the_seed_decides() {
    let case = cases().into_iter().find(|case| case.name() == "a_short_cut_reorders_and_repeats_nothing");
    let case = case.expect("it is in the list");
    let seen: BTreeSet<_> = SEEDS.map(|seed| sim::observe(&case, seed)).collect();
    assert!(seen.contains(&Observation::Late) && seen.contains(&Observation::LostUnsaid), "{seen:?}");
}
