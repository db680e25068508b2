//! The stories, one per file.

use quark_testkit::story::Scenario;

mod ambiguous_write;
mod crash_no_leave;
mod create_race;
mod drain_in_order;
mod rotten_pipe;

/// All of them, in the order of their numbers.
pub fn all() -> Vec<Scenario> {
    vec![
        crash_no_leave::SCENARIO,
        create_race::SCENARIO,
        ambiguous_write::SCENARIO,
        drain_in_order::SCENARIO,
        rotten_pipe::SCENARIO,
    ]
}
