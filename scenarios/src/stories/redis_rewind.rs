//! Story 34, its second half: what the replica lacks is a change of membership.

use crate::bank::Account;
use crate::views::agree;
use crate::workload::Deposits;
use quark::env::store::RecordKey;
use quark_core::membership::rows;
use quark_core::membership::table::SiloRow;
use quark_core::view::Status;
use quark_core::{SiloId, hash, reached};
use quark_sim::Config;
use quark_testkit::story::{Scenario, Story};
use std::time::Duration;

/// See its premise.
pub const SCENARIO: Scenario = Scenario {
    name: "redis-failover-rewinds-members",
    premise: "A replica takes over that lacks the last moments of the membership table: a silo has just joined, or has left, \
              or has died and been evicted. Those who knew write it again. Nobody who lives is stopped, nobody \
              who is dead comes back, all agree on one view, no version of it is given out twice, and no acknowledged \
              deposit is lost.",
    sometimes: &[
        "membership.table.went_back",
        "membership.restored.death",
        "membership.restored.self",
        "membership.table.held_off",
        "redis_rewind.lost_a_change",
    ],
    world: |seed| {
        let mut world = Config::new(seed);
        let lag_ms = 200 + hash::mix(seed ^ 0x1a6) % 2800;
        world.store.replica_lag = Some(Duration::from_millis(lag_ms));
        world
    },
    describe: |silo| silo.actor::<Account>(),
    tell: |story| Box::pin(tell(story)),
    ..Scenario::BLANK
};

const OLD: [&str; 5] = ["a", "b", "c", "d", "e"];
/// How long until all agree: a reading of the table, a commit, and another reading, with answers that were lost.
const AGREE: Duration = Duration::from_secs(20);

async fn tell(s: Story) {
    let tale = s.tale();
    s.given("five silos and steady deposits to forty accounts");
    s.cluster.start_all(&OLD).await;
    let load = Deposits::start(&tale, 3, 40).await;
    s.stage.sleep(Duration::from_secs(4) + s.draw_time("begins", 0, Duration::from_secs(2))).await;
    let e = s.stage.look("e").map(|look| look.id);
    let Some(e) = e else { return s.violated("P12", "e stopped although nothing happened to it") };

    let change = s.draw("change", 0, 3);
    let expected: &[&str] = match change {
        0 => {
            s.when("f joins");
            if let Err(error) = s.stage.start("f").await {
                return s.violated("P12", format!("f does not start: {error}"));
            }
            &["a", "b", "c", "d", "e", "f"]
        }
        1 => {
            s.when("e leaves in order");
            s.stage.stop("e").await;
            &OLD[..4]
        }
        _ => {
            s.when("e loses power, and is evicted");
            s.stage.crash("e");
            let known = || OLD[..4].iter().any(|name| is_dead(&s, name, e));
            s.eventually("P12", "somebody knows e for dead", Duration::from_secs(10), known).await;
            &OLD[..4]
        }
    };
    s.stage.sleep(s.draw_time("then", 0, Duration::from_millis(2500))).await;

    s.when("a replica takes over that lacks the last moments of the table");
    let before: Vec<(&str, bool)> = OLD[..4].iter().map(|name| (*name, is_dead(&s, name, e))).collect();
    s.world.begin_store_outage();
    let lost = s.world.fail_over_store(|partition| &*partition.0 == "cluster");
    if !has_change(&s, change) {
        reached!("redis_rewind.lost_a_change");
    }
    s.stage.sleep(s.draw_time("dark", 0, Duration::from_millis(1500))).await;
    s.world.end_store_outage();
    s.then(format!("all agree again; {} commits were lost", lost.len()));
    s.eventually("P12", "all agree on who is there", AGREE, || agree(&tale, expected)).await;
    for (name, knew) in before {
        s.require("P12", !knew || is_dead(&s, name, e), || format!("{name} forgot that e is dead"));
    }
    s.stage.sleep(Duration::from_secs(3)).await;
    s.require("P12", agree(&tale, expected), || "they agreed, and then no longer".into());
    s.finally("every account serves, and has every acknowledged deposit");
    load.stop_and_check(&tale).await;
}

fn is_dead(s: &Story, name: &str, id: SiloId) -> bool {
    s.stage.look(name).is_some_and(|look| look.view.is_dead(id))
}

/// Whether the store still has the change that was made: f is active, or e is dead.
fn has_change(s: &Story, change: u64) -> bool {
    let (row, wanted) = match change {
        0 => ("silo/f", Status::Active),
        _ => ("silo/e", Status::Dead),
    };
    let Some(record) = s.world.peek(&RecordKey::new("cluster", row)).ok().flatten() else { return false };
    let row = rows::decode::<SiloRow>(&record.value, record.version).expect("it was written by this build");
    row.status == wanted
}
