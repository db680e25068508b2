//! Story 8: a silo sleeps through its own death, and its hands still write.

use crate::bank::Account;
use crate::views::have_dropped;
use crate::workload::Deposits;
use quark_sim::{Config, Spread};
use quark_testkit::story::{Scenario, Tale};
use std::time::Duration;

/// See its premise.
pub const SCENARIO: Scenario = Scenario {
    name: "zombie-silo",
    premise: "A silo freezes for a minute in the middle of its turns, some of whose commits are on a slow way to the \
              store. The cluster moves on. What arrives late is fenced, and the silo that wakes serves nobody.",
    sometimes: &["turns.fenced", "sim.store.spike"],
    world,
    describe: |silo| silo.actor::<Account>(),
    tell: |story| Box::pin(tell(story.tale())),
    anywhere: Some(|tale| Box::pin(tell(tale))),
    ..Scenario::BLANK
};

/// A commit that is slow is slower than an eviction: it arrives when another silo owns the account.
fn world(seed: u64) -> Config {
    let mut config = Config::new(seed);
    config.store.spike = Spread::Uniform { min: Duration::from_secs(1), max: Duration::from_secs(25) };
    config
}

const SILOS: [&str; 5] = ["a", "b", "c", "d", "e"];

async fn tell(s: Tale) {
    s.given("five silos and steady deposits to a dozen accounts");
    if !s.start_all(&SILOS).await {
        return;
    }
    let load = Deposits::start(&s, 4, 12).await;
    s.stage.sleep(Duration::from_secs(1) + s.draw_time("freeze", 0, Duration::from_secs(2))).await;

    let zombie = SILOS[s.draw("zombie", 0, 5) as usize];
    let others: Vec<&str> = SILOS.into_iter().filter(|name| *name != zombie).collect();
    if s.stage.slow_store(300_000) {
        s.when("some writes take the long way to the store");
    }
    s.stage.sleep(Duration::from_millis(10) + s.draw_time("long-way", 0, Duration::from_millis(200))).await;
    let Some(before) = s.stage.look(zombie) else {
        return s.violated("P12", format!("{zombie} stopped although nothing happened to it"));
    };
    s.when(format!("{zombie} freezes"));
    s.stage.pause(zombie);
    s.stage.slow_store(0);
    s.eventually("P12", "the others have dropped it from their rings", Duration::from_secs(40), || {
        have_dropped(&s, &others, before.id)
    })
    .await;
    s.stage
        .sleep(Duration::from_secs(60).saturating_sub(s.draw_time("wake", 0, Duration::from_secs(40))))
        .await;

    s.when(format!("{zombie} wakes"));
    s.stage.resume(zombie);
    s.eventually("P1", "it knows that it is dead, and has stopped", Duration::from_secs(10), || {
        !s.stage.is_up(zombie)
    })
    .await;
    match s.stage.look(zombie) {
        Some(after) => {
            s.require("P1", after.id == before.id, || format!("{zombie} woke as {}", after.id));
            s.require("P2", !after.lease_valid, || format!("{zombie} is dead and believes in its lease"));
            s.then(format!("it ran {} more turns to their end", after.turns.saturating_sub(before.turns)));
        }
        None => s.violated("P1", format!("{zombie} said nothing before it stopped")),
    }
    s.stage.sleep(s.draw_time("linger", 0, Duration::from_secs(5))).await;
    s.finally("every account serves, and has every acknowledged deposit");
    load.stop_and_check(&s).await;
}
