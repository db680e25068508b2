//! The stories, one per file.

use quark_testkit::story::Scenario;

mod ambiguous_write;
mod crash_no_leave;
mod create_race;
mod directory_owner_dies;
mod drain_in_order;
mod first_call_race;
mod pressure_cycle;
mod rotten_pipe;
mod zombie_silo;

/// All of them, in the order of their numbers.
pub fn all() -> Vec<Scenario> {
    vec![
        crash_no_leave::SCENARIO,
        first_call_race::SCENARIO,
        zombie_silo::SCENARIO,
        directory_owner_dies::SCENARIO,
        pressure_cycle::SCENARIO,
        create_race::SCENARIO,
        ambiguous_write::SCENARIO,
        drain_in_order::SCENARIO,
        rotten_pipe::SCENARIO,
    ]
}
