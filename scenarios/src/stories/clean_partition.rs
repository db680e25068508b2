//! Story 4: two silos are cut off from three, and from the store, or only from the three.

use crate::bank::Account;
use crate::views::agree;
use crate::workload::Deposits;
use quark_sim::{Config, Spread};
use quark_testkit::story::{Scenario, Tale};
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
    tell: |story| Box::pin(tell(story.tale())),
    anywhere: Some(|tale| Box::pin(tell(tale))),
    ..Scenario::BLANK
};

/// Silence, suspicion, the last lease with its margin, a ballot; all of it on clocks that are 4 % off, and again if the
/// first ballot met a late answer.
const EVICTED: Duration = Duration::from_secs(20);
/// A lease, on a clock that is 4 % slow, and the time of a last renewal's answer.
const LEASE_OVER: Duration = Duration::from_millis(3_200);
/// How long until a silo that was evicted has heard of it: a probe, or a reading of the table that a slow store held up.
const STOPPED: Duration = Duration::from_secs(20);

async fn tell(s: Tale) {
    s.given("five silos, and steady deposits to thirty accounts by clients on both sides");
    let (many, few) = (["a", "b", "c"], ["d", "e"]);
    if !s.start_all(&["a", "b", "c", "d", "e"]).await {
        return;
    }
    let load = Deposits::start(&s, 4, 30).await;
    // Everybody's lease row names all five by then. One that named fewer might have to be outwaited for half a minute,
    // in which those few could have vouched for one another.
    s.stage.sleep(Duration::from_secs(3)).await;
    s.stage.slow_store(s.draw("late answers", 0, 3) as u32 * 100_000);
    s.stage.sleep(Duration::from_secs(2) + s.draw_time("cut", 0, Duration::from_secs(2))).await;

    s.stage.partition(&[
        &["a", "b", "c", "client-0", "client-1", "client-checker"],
        &["d", "e", "client-2", "client-3"],
    ]);
    let loses_store = s.draw("loses store", 0, 3) > 0 && few.iter().all(|name| s.stage.cut_store(name));
    s.when(if loses_store {
        "d and e are cut off from the others and from the store"
    } else {
        "d and e are cut off from the others, and reach the store"
    });
    let cut_at = s.stage.now();
    let sleeper = few[s.draw("sleeper", 0, 2) as usize];
    if s.draw("sleeps", 0, 2) == 1 {
        s.stage.sleep(s.draw_time("falls asleep", 0, Duration::from_secs(1))).await;
        s.when(format!("{sleeper} freezes for a while"));
        s.stage.pause(sleeper);
        s.stage.sleep(s.draw_time("wakes", 0, Duration::from_secs(6))).await;
        s.stage.resume(sleeper);
    }
    if loses_store {
        s.stage.sleep((cut_at + LEASE_OVER).since(s.stage.now())).await;
        let holds = |name: &&&str| s.stage.is_up(name) && s.stage.look(name).is_some_and(|l| l.lease_valid);
        let holders: Vec<_> = few.iter().filter(holds).collect();
        s.require("P2", holders.is_empty(), || {
            format!("{holders:?} hold leases {LEASE_OVER:?} after they were cut off from the store")
        });
    }
    let before = load.acknowledged();
    s.eventually("P12", "the three have gone on without the two", EVICTED, || agree(&s, &many)).await;
    s.eventually("I7", "deposits are acknowledged", Duration::from_secs(10), || load.acknowledged() > before)
        .await;
    s.stage.sleep(s.draw_time("heal", 0, Duration::from_secs(5))).await;

    s.when("the cut heals");
    s.stage.heal();
    if loses_store {
        few.iter().for_each(|name| s.stage.mend_store(name));
    }
    s.eventually("P12", "the two have stopped themselves", STOPPED, || {
        few.iter().all(|name| !s.stage.is_up(name))
    })
    .await;
    s.when("they come back as new generations");
    for name in few {
        if let Err(reason) = s.stage.start(name).await {
            s.violated("I7", format!("{name} could not come back: {reason}"));
        }
    }
    s.finally("every account serves, and has every acknowledged deposit");
    load.stop_and_check(&s).await;
}
