//! What the checkers do with a history.

use quark_scenarios::stories;
use quark_testkit::case::Case;
use quark_testkit::checkers::{always_on, check_all};
use quark_testkit::history::History;
use quark_testkit::runner;
use std::hint::black_box;

/// All checkers that are always on, and the index that they share.
pub(super) fn check(times: u64) {
    let story = stories::named("short-swarm").expect("it is among the stories");
    let told = runner::tell_in_full(&story, &Case::of(story.name, 0), None);
    for _ in 0..times {
        // The index is made once for each history.
        let history = History::new(told.history.records().to_vec(), told.history.dropped());
        black_box(check_all(&history, &always_on()));
    }
}
