//! Mutant m22, a store that ignores versions, is caught by the store contract.
//!
//! A mutant is switched on for the whole process, so this test must not share one with tests of healthy stores.
#![cfg(feature = "mutants")]

use quark_testkit::store_conformance::{Case, MemoryStore, block_on, cases};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

#[test]
fn a_store_that_ignores_versions_is_caught() {
    let failing = || -> Vec<_> {
        let fails = |case: &Case| {
            let run = || block_on(case.run(Arc::new(MemoryStore::new()), 1));
            catch_unwind(AssertUnwindSafe(run)).is_err()
        };
        cases().into_iter().filter(fails).map(|case| case.name()).collect()
    };
    quark_core::mutant::activate("m22");
    let with = failing();
    quark_core::mutant::activate("");
    assert_eq!(failing(), [""; 0], "without the mutant");
    for case in ["a_version_holds_only_exactly", "concurrent_increments_lose_nothing"] {
        assert!(with.contains(&case), "{case} does not notice; {with:?} do");
    }
}
