//! Story 4: two silos are cut off from three, and from the store, or only from the three.

use crate::bank::Account;
use crate::workload::Deposits;
use quark_sim::{Config, NodeId, Spread};
use quark_testkit::stage::Stage;
use quark_testkit::story::{Scenario, Story};
use std::time::Duration;

/// See its premise.
pub const SCENARIO: Scenario = Scenario {
    name: "clean-partition",
    premise: "Five silos split three to two, with clients on both sides, then the cut heals. The three go on without the \
              two; the two run nothing once their leases are over, however late the answers that they still get, and \
              stop when they learn that they are dead. No acknowledged deposit is lost.",
    sometimes: &["membership.lease.lost", "membership.own_row.dead", "glue.lease_lost", "sim.store.spike"],
    world: |seed| {
        let mut world = Config::new(seed);
        // An answer may come back so late that a lease measured from it would outlive the truth.
        world.store.spike =
            Spread::Uniform { min: Duration::from_millis(100), max: Duration::from_millis(2500) };
        // Rates may differ by less than a tenth, by promise P2.
        world.clocks.rate_ppm_max = 40_000;
        world
    },
    describe: |silo| silo.actor::<Account>(),
    tell: |story| Box::pin(tell(story)),
    anywhere: None,
    heavy: false,
};

/// Silence, suspicion, the last lease with its margin, a ballot; all of it on clocks that are 4 % off, and again if the
/// first ballot met a late answer.
const EVICTED: Duration = Duration::from_secs(20);
/// A lease, on a clock that is 4 % slow, and the time of a last renewal's answer.
const LEASE_OVER: Duration = Duration::from_millis(3_200);
/// How long until a silo that was evicted has heard of it: a probe, or a reading of the table that a slow store held up.
const STOPPED: Duration = Duration::from_secs(20);

async fn tell(s: Story) {
    s.given("five silos, and steady deposits to thirty accounts by clients on both sides");
    let (many, few) = (["a", "b", "c"], ["d", "e"]);
    s.cluster.start_all(&["a", "b", "c", "d", "e"]).await;
    let load = Deposits::start(&s, 4, 30).await;
    // Everybody's lease row names all five by then. One that named fewer might have to be outwaited for half a minute,
    // in which those few could have vouched for one another.
    s.world.sleep(Duration::from_secs(3)).await;
    s.world.set_store_slow(s.draw("late answers", 0, 3) as u32 * 100_000, 1000);
    s.world.sleep(Duration::from_secs(2) + s.draw_time("cut", 0, Duration::from_secs(2))).await;

    let node = |name: &str| s.world.node(name).expect("it is there");
    let majority: Vec<NodeId> = ["a", "b", "c", "client-0", "client-1", "client-checker"].map(node).into();
    let minority: Vec<NodeId> = ["d", "e", "client-2", "client-3"].map(node).into();
    let loses_store = s.draw("loses store", 0, 3) > 0;
    s.when(if loses_store {
        "d and e are cut off from the others and from the store"
    } else {
        "d and e are cut off from the others, and reach the store"
    });
    s.world.partition(&[&majority, &minority]);
    if loses_store {
        few.iter().for_each(|name| s.world.cut_store(s.cluster.node(name)));
    }
    let sleeper = few[s.draw("sleeper", 0, 2) as usize];
    let sleeps = s.draw("sleeps", 0, 2) == 1;
    let cut_at = s.world.now_true();
    if sleeps {
        s.world.sleep(s.draw_time("falls asleep", 0, Duration::from_secs(1))).await;
        s.when(format!("{sleeper} freezes for a while"));
        s.cluster.pause(sleeper);
        s.world.sleep(s.draw_time("wakes", 0, Duration::from_secs(6))).await;
        s.cluster.resume(sleeper);
    }
    if loses_store {
        s.world.sleep_until(cut_at + LEASE_OVER).await;
        let running = |name: &&&str| s.cluster.silo(name).is_some_and(|silo| silo.status().lease_valid);
        let holders: Vec<_> = few.iter().filter(running).collect();
        s.require("P2", holders.is_empty(), || {
            format!("{holders:?} hold leases {LEASE_OVER:?} after they were cut off from the store")
        });
    }
    let before = load.acknowledged();
    let cluster = s.cluster.clone();
    s.eventually("P12", "the three have gone on without the two", EVICTED, || {
        many.iter().all(|name| {
            cluster.silo(name).is_some_and(|silo| {
                silo.view().active().filter(|m| many.contains(&m.id.name.as_str())).count() == 3
                    && silo.view().active().count() == 3
            })
        })
    })
    .await;
    s.eventually("I7", "deposits are acknowledged", Duration::from_secs(10), || load.acknowledged() > before)
        .await;
    s.world.sleep(s.draw_time("heal", 0, Duration::from_secs(5))).await;

    s.when("the cut heals");
    s.world.unpartition(&[&majority, &minority]);
    if loses_store {
        few.iter().for_each(|name| s.world.uncut_store(s.cluster.node(name)));
    }
    s.eventually("P12", "the two have stopped themselves", STOPPED, || {
        few.iter().all(|name| cluster.silo(name).is_none())
    })
    .await;
    s.when("they come back as new generations");
    for name in few {
        if let Err(reason) = s.cluster.begin_start(name).await {
            s.violated("I7", format!("{name} could not come back: {reason}"));
        }
    }
    s.finally("every account serves, and has every acknowledged deposit");
    load.stop_and_check(&s).await;
}
