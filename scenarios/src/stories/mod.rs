//! The stories, one per file.

use quark_testkit::story::Scenario;

mod ambiguous_write;
mod bridge_node;
mod catch_up_herd;
mod clean_partition;
mod crash_no_leave;
mod create_race;
mod directory_owner_dies;
mod drain_in_order;
mod first_call_race;
mod lost_gossip;
mod outbox_crash_points;
mod planted;
mod pressure_cycle;
mod redis_dark;
mod redis_failover;
mod redis_rewind;
mod reminder_owner_change;
mod rotten_pipe;
mod same_key;
mod same_name_reborn;
mod short_swarm;
mod stale_replica_reads;
mod stale_routes;
mod store_only_partition;
mod swarm;
mod thousand_silos;
mod torn_slots;
mod wrong_clocks;
mod zombie_silo;

/// All of them, in the order of their numbers.
pub fn all() -> Vec<Scenario> {
    vec![
        crash_no_leave::SCENARIO,
        lost_gossip::SCENARIO,
        same_name_reborn::SCENARIO,
        clean_partition::SCENARIO,
        bridge_node::SCENARIO,
        thousand_silos::TWENTY,
        thousand_silos::SIXTY,
        thousand_silos::TWO_HUNDRED,
        thousand_silos::SCENARIO,
        first_call_race::SCENARIO,
        zombie_silo::SCENARIO,
        directory_owner_dies::SCENARIO,
        stale_routes::SCENARIO,
        wrong_clocks::FORWARD,
        wrong_clocks::BACK,
        reminder_owner_change::SCENARIO,
        catch_up_herd::SCENARIO,
        catch_up_herd::LARGE,
        pressure_cycle::SCENARIO,
        create_race::SCENARIO,
        ambiguous_write::SCENARIO,
        redis_dark::SCENARIO,
        redis_failover::SCENARIO,
        redis_rewind::SCENARIO,
        stale_replica_reads::SCENARIO,
        store_only_partition::SCENARIO,
        same_key::SCENARIO,
        outbox_crash_points::SCENARIO,
        torn_slots::SCENARIO,
        rotten_pipe::SCENARIO,
        drain_in_order::SCENARIO,
        swarm::SCENARIO,
        short_swarm::SCENARIO,
    ]
}

/// Those that are wrong on purpose, to see that somebody notices: told only when they are named.
pub fn planted() -> Vec<Scenario> {
    vec![
        planted::CANARY,
        planted::DECISION,
        planted::DEADLOCK,
        planted::VACUOUS,
        planted::HASH_ORDER,
        planted::ADDRESS_ORDER,
        planted::REAL_CLOCK,
    ]
}

/// The story of this name, planted or not.
pub fn named(name: &str) -> Option<Scenario> {
    all().into_iter().chain(planted()).find(|story| story.name == name)
}
