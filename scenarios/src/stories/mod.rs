//! The stories, one per file.

use quark_testkit::story::Scenario;

mod crash_no_leave;

/// All of them, in the order of their numbers.
pub fn all() -> Vec<Scenario> {
    vec![crash_no_leave::SCENARIO]
}
