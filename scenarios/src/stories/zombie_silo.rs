//! Story 8: a silo sleeps through its own death, and its hands still write.

use crate::bank::Account;
use crate::workload::Deposits;
use quark_sim::{Config, Spread};
use quark_testkit::stage::Stage;
use quark_testkit::story::{Scenario, Story};
use std::time::Duration;

/// See its premise.
pub const SCENARIO: Scenario = Scenario {
    name: "zombie-silo",
    premise: "A silo freezes for a minute in the middle of its turns, some of whose commits are on a slow way to the \
              store. The cluster moves on. What arrives late is fenced, and the silo that wakes serves nobody.",
    sometimes: &["turns.fenced", "sim.store.spike"],
    world,
    describe: |silo| silo.actor::<Account>(),
    tell: |story| Box::pin(tell(story)),
    anywhere: None,
    heavy: false,
};

/// A commit that is slow is slower than an eviction: it arrives when another silo owns the account.
fn world(seed: u64) -> Config {
    let mut config = Config::new(seed);
    config.store.spike = Spread::Uniform { min: Duration::from_secs(1), max: Duration::from_secs(25) };
    config
}

const SILOS: [&str; 5] = ["a", "b", "c", "d", "e"];

async fn tell(s: Story) {
    s.given("five silos and steady deposits to a dozen accounts");
    s.cluster.start_all(&SILOS).await;
    let load = Deposits::start(&s, 4, 12).await;
    s.cluster.sleep(Duration::from_secs(1) + s.draw_time("freeze", 0, Duration::from_secs(2))).await;

    let zombie = SILOS[s.draw("zombie", 0, 5) as usize];
    s.when("some writes take the long way to the store");
    s.world.set_store_slow(300_000, 1000);
    s.cluster.sleep(Duration::from_millis(10) + s.draw_time("long-way", 0, Duration::from_millis(200))).await;
    s.when(format!("{zombie} freezes"));
    let generation = s.cluster.silo(zombie).map(|silo| silo.id());
    let turns = s.cluster.silo(zombie).map_or(0, |silo| silo.status().turns);
    s.cluster.pause(zombie);
    s.world.set_store_slow(0, 1000);
    let cluster = s.cluster.clone();
    s.eventually("P12", "the others have dropped it from their rings", Duration::from_secs(40), || {
        let others = cluster.silos().into_iter().filter(|(name, _)| name != zombie);
        others.into_iter().all(|(_, silo)| silo.view().active().all(|m| Some(m.id) != generation))
    })
    .await;
    s.cluster
        .sleep(Duration::from_secs(60).saturating_sub(s.draw_time("wake", 0, Duration::from_secs(40))))
        .await;

    s.when(format!("{zombie} wakes"));
    let sleeper = s.cluster.silo(zombie);
    s.cluster.resume(zombie);
    let cluster = s.cluster.clone();
    s.eventually("P1", "it knows that it is dead, and has stopped", Duration::from_secs(10), || {
        cluster.silo(zombie).is_none()
    })
    .await;
    if let Some(sleeper) = sleeper {
        let after = sleeper.status();
        s.require("P2", !after.lease_valid, || format!("{zombie} is dead and believes in its lease"));
        s.then(format!("it ran {} more turns to their end", after.turns - turns));
    }
    s.cluster.sleep(s.draw_time("linger", 0, Duration::from_secs(5))).await;
    s.finally("every account serves, and has every acknowledged deposit");
    load.stop_and_check(&s).await;
}
