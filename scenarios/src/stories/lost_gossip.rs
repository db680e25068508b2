//! Story 2: the notices of who came and went get lost, arrive twice, and overtake one another.

use crate::bank::Account;
use crate::workload::Deposits;
use quark_sim::{Conditions, Config, Spread};
use quark_testkit::stage::Stage;
use quark_testkit::story::{Scenario, Story};
use std::time::Duration;

/// See its premise.
pub const SCENARIO: Scenario = Scenario {
    name: "lost-gossip",
    premise: "A third of all notices is lost, others arrive twice or in the wrong order, and readings of the table come \
              back late, while silos join, leave and crash. Periodic reading makes all agree all the same, and no two \
              silos ever have different views of one version.",
    sometimes: &["sim.net.lost", "membership.view.older_refused", "membership.change.conflict"],
    world: |seed| {
        let mut world = Config::new(seed);
        world.store.spike =
            Spread::Uniform { min: Duration::from_millis(20), max: Duration::from_millis(2500) };
        world
    },
    describe: |silo| silo.actor::<Account>(),
    tell: |story| Box::pin(tell(story)),
    ..Scenario::BLANK
};

/// How long until a periodic reading has found what every notice missed: a silence, a lease and a ballot for the
/// crashed, then a reading each five seconds, which a slow store may hold up twice.
const AGREE: Duration = Duration::from_secs(40);

async fn tell(s: Story) {
    s.given("three silos that hold no actors yet");
    s.cluster.start_all(&["a", "b", "c"]).await;

    s.when("a third of all frames is lost, and others arrive twice or out of order");
    // Only now, before there are actors: calls rely on a transport that delivers at most once, membership does not.
    s.world.set_default_conditions(Conditions {
        loss_ppm: 300_000,
        duplicate_ppm: 300_000,
        reorder_ppm: 300_000,
        reorder_by: Duration::from_millis(500),
        ..Conditions::CLEAR
    });
    s.when("one answer of the store in ten is late");
    s.world.set_store_slow(100_000, 1000);
    let mut coming = Vec::new();
    for (turn, name) in ["d", "e", "f"].into_iter().enumerate() {
        s.world.sleep(s.draw_time("joins", turn as u64, Duration::from_millis(600))).await;
        s.when(format!("{name} joins"));
        coming.push((name, s.cluster.begin_start(name)));
    }
    for (name, started) in coming {
        if let Err(reason) = started.await {
            // A newcomer may be given up on in such weather, and says so; it is not there then, and that is agreed on.
            s.then(format!("{name} gave up: {reason}"));
        }
    }
    let leaver = ["a", "b", "c"][s.draw("leaver", 0, 3) as usize];
    let victim = ["a", "b", "c"].into_iter().find(|name| *name != leaver).expect("there are three");
    s.when(format!("{victim} loses power, and {leaver} leaves"));
    s.cluster.crash(victim);
    s.world.sleep(s.draw_time("leaves", 0, Duration::from_secs(3))).await;
    s.cluster.stop(leaver).await;

    let cluster = s.cluster.clone();
    s.eventually("I8", "all agree on who is there", AGREE, || cluster.has_converged()).await;

    s.when("the weather clears");
    s.world.set_default_conditions(Conditions::CLEAR);
    s.world.heal_store();
    let load = Deposits::start(&s, 2, 10).await;
    s.world.sleep(Duration::from_secs(2)).await;
    s.finally("every account serves, and has every acknowledged deposit");
    let acknowledged = load.stop_and_check(&s).await;
    s.require("I7", acknowledged > 0, || "nothing was acknowledged in good weather".into());
}
