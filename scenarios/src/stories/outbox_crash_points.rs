//! Story 30: letters are taken once, wherever a crash cuts in.

use crate::purse::{self, Purse};
use futures_util::future::join_all;
use quark::Client;
use quark_core::ActorId;
use quark_sim::{Conditions, Config};
use quark_testkit::history::WorldEvent;
use quark_testkit::story::{Scenario, Story};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::oneshot;

/// See its premise.
pub const SCENARIO: Scenario = Scenario {
    name: "outbox-crash-points",
    premise: "Purses give coins to one another by letter, while silos crash, hang and come back, the store loses answers \
              and the network messages, so that letters come again, from activations that are no more, too. In the end \
              every letter that was committed has been taken once, in its order, and no coin is gone or new.",
    sometimes: &[
        "outbox.taken_before",
        "outbox.not_taken",
        "outbox.resumed",
        "outbox.swept",
        "outbox.woken",
        "durable.doubt_resolved",
        "checked:exactly-once",
        "checked:conservation",
    ],
    world: |seed| {
        let mut world = Config::new(seed);
        // Clocks that are wrong are the matter of other stories.
        world.clocks.wall_offset_max = Duration::ZERO;
        world.clocks.rate_ppm_max = 0;
        world
    },
    describe: |silo| silo.actor::<Purse>(),
    tell: |story| Box::pin(tell(story)),
    anywhere: None,
    heavy: false,
};

const SILOS: [&str; 3] = ["a", "b", "c"];
const PURSES: u64 = 6;
const GIVERS: u64 = 4;
const DEADLINE: Duration = Duration::from_secs(2);
/// How late a letter may be taken once all is well: a retry's longest pause, a reading of a shard of the index, waking.
const SETTLED: Duration = Duration::from_secs(90);

async fn tell(s: Story) {
    s.given("three silos, and purses that give coins to one another");
    s.cluster.start_all(&SILOS).await;
    let fund = "coins".into();
    record(&s, WorldEvent::Endowed { fund, total: purse::COINS * PURSES });
    let stop = Arc::new(AtomicBool::new(false));
    let mut givers = Vec::new();
    for number in 0..GIVERS {
        let client = s.stage.client(&format!("client-{number}")).await;
        let (story, stop) = (s.clone(), stop.clone());
        let (done, ended) = oneshot::channel();
        s.world.driver("giver", async move {
            give(&story, &client, number, &stop).await;
            let _ = done.send(());
        });
        givers.push(ended);
    }
    s.stage.sleep(Duration::from_secs(1)).await;

    s.when("the store loses answers, and the network messages, so that letters come again");
    s.world.set_store_indeterminate(s.draw("lost answers", 0, 3) as u32 * 100_000, 500_000);
    s.world.set_default_conditions(Conditions {
        loss_ppm: s.draw("lost messages", 0, 3) as u32 * 20_000,
        ..Conditions::CLEAR
    });
    for turn in 0..4 {
        trouble(&s, turn).await;
    }

    s.when("all is healed");
    stop.store(true, Ordering::Relaxed);
    s.world.heal_store();
    s.world.set_default_conditions(Conditions::CLEAR);
    for name in SILOS {
        if !s.stage.is_up(name) {
            let _ = s.stage.start(name).await;
        }
    }
    join_all(givers).await;
    s.stage.sleep(SETTLED).await;
    s.finally("every letter has been taken once, and no coin is gone or new");
    let client = s.stage.client("client-auditor").await;
    audit(&s, &client).await;
}

/// A crash point is wherever this cuts in: before the index row, before the commit, before the letter leaves, while it is
/// taken, before the answer, before its row is deleted, and after.
async fn trouble(s: &Story, turn: u64) {
    s.stage.sleep(s.draw_time("calm", turn, Duration::from_secs(2))).await;
    let victim = SILOS[s.draw("victim", turn, 3) as usize];
    let lasts = Duration::from_millis(500) + s.draw_time("lasts", turn, Duration::from_secs(5));
    if !s.stage.is_up(victim) {
        let _ = s.stage.start(victim).await;
    }
    match s.draw("trouble", turn, 4) {
        0 => s.stage.sleep(lasts).await,
        1 => {
            s.when(format!("{victim} hangs for a while"));
            s.stage.pause(victim);
            s.stage.sleep(lasts * 2).await;
            s.stage.resume(victim);
        }
        _ => {
            s.when(format!("{victim} loses power, and comes back"));
            s.stage.crash(victim);
            s.stage.sleep(lasts).await;
            let _ = s.stage.start(victim).await;
        }
    }
}

fn purse(number: u64) -> String {
    format!("purse-{number}")
}

/// Gives until told to stop. What becomes of a call does not matter: what was committed is in the purses.
async fn give(s: &Story, client: &Client, number: u64, stop: &AtomicBool) {
    for turn in 0.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let from = s.draw(&format!("from-{number}"), turn, PURSES);
        let to = (from + 1 + s.draw(&format!("to-{number}"), turn, PURSES - 1)) % PURSES;
        let coins = 1 + s.draw(&format!("coins-{number}"), turn, 5);
        let call = client.actor::<Purse>(&purse(from)).give(coins, purse(to));
        let _ = call.deadline(DEADLINE).await;
        s.stage
            .sleep(Duration::from_millis(40) + s.draw_time("pause", turn, Duration::from_millis(80)))
            .await;
    }
}

fn record(s: &Story, event: WorldEvent) {
    if let Some(recorder) = s.recorder() {
        recorder.world(event);
    }
}

async fn audit(s: &Story, client: &Client) {
    let mut purses = BTreeMap::new();
    for number in 0..PURSES {
        match client.actor::<Purse>(&purse(number)).look().await {
            Ok(found) => purses.insert(purse(number), found),
            Err(error) => return s.violated("I7", format!("{} does not serve: {error}", purse(number))),
        };
    }
    let actor = |key: &String| ActorId::new("purse", key.as_str()).expect("a short key");
    let parts = purses.iter().map(|(key, purse)| (actor(key), purse.coins())).collect();
    record(s, WorldEvent::Counted { fund: "coins".into(), parts, settled: true });
    for fault in Purse::faults_among(&purses) {
        s.violated("I3", fault);
    }
}
