//! The transport's contract where it is not the simulator that carries the frames; further seeds than the table looks at.

use quark_opinions::stages::on_turmoil;
use quark_testkit::transport_conformance::{Observation, cases};
use std::collections::BTreeSet;

#[test]
fn the_contract_holds_on_turmoil_for_any_seed() {
    for case in cases() {
        for seed in 100..106 {
            on_turmoil(&case, seed);
        }
    }
}

/// turmoil never sends again what it lost: the stream is wedged, and only the keep-alive ends it.
#[test]
fn a_stream_that_a_cut_has_wedged_is_ended_by_the_keep_alive_and_its_loss_is_said() {
    let case = cases().into_iter().find(|case| case.name() == "a_short_cut_reorders_and_repeats_nothing");
    let case = case.expect("it is in the list");
    let seen: BTreeSet<_> = (0..10).map(|seed| on_turmoil(&case, seed)).collect();
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), [Observation::LostAndSaid]);
}
