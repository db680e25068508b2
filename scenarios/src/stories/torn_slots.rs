//! A state of three rows, and a crash at any point of a commit.

use crate::vault::Vault;
use futures_util::future::join_all;
use quark::{Client, Happened};
use quark_sim::Config;
use quark_testkit::story::{Scenario, Story};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::oneshot;

/// See its premise.
pub const SCENARIO: Scenario = Scenario {
    name: "torn-slots",
    premise: "Vaults of three rows each move coins between two of them, while silos crash, hang and come back, the store \
              loses answers and does not take some commits at all. Whoever loads a vault finds rows that belong together, \
              with every acknowledged move and none that did not happen.",
    sometimes: &["slots.written", "durable.indeterminate", "durable.doubt_resolved"],
    world: Config::new,
    describe: |silo| silo.actor::<Vault>(),
    tell: |story| Box::pin(tell(story)),
    ..Scenario::BLANK
};

const SILOS: [&str; 3] = ["a", "b", "c"];
const VAULTS: u64 = 4;
const DEADLINE: Duration = Duration::from_secs(2);

async fn tell(s: Story) {
    s.given("three silos, and vaults whose coins are moved");
    s.cluster.start_all(&SILOS).await;
    let stop = Arc::new(AtomicBool::new(false));
    let mut movers = Vec::new();
    for number in 0..VAULTS {
        let client = s.stage.client(&format!("client-{number}")).await;
        let (story, stop) = (s.clone(), stop.clone());
        let (done, ended) = oneshot::channel();
        s.world.driver("mover", async move {
            let _ = done.send(shift(&story, &client, number, &stop).await);
        });
        movers.push(ended);
    }
    s.stage.sleep(Duration::from_secs(1)).await;

    s.when("the store loses answers, and now and then all that it is sent");
    s.world.set_store_indeterminate(100_000 + s.draw("lost answers", 0, 3) as u32 * 100_000, 500_000);
    for turn in 0..3 {
        trouble(&s, turn).await;
    }

    s.when("all is healed");
    stop.store(true, Ordering::Relaxed);
    s.world.heal_store();
    for name in SILOS {
        if !s.stage.is_up(name) {
            let _ = s.stage.start(name).await;
        }
    }
    let counts = join_all(movers).await;
    s.stage.sleep(Duration::from_secs(20)).await;
    s.finally("the rows of every vault belong together, and have what was acknowledged");
    let client = s.stage.client("client-auditor").await;
    for (number, count) in (0..).zip(counts) {
        let count = count.expect("the mover has ended");
        audit(&s, &client, number, count).await;
    }
}

/// A crash point is wherever this cuts in.
async fn trouble(s: &Story, turn: u64) {
    s.stage.sleep(s.draw_time("calm", turn, Duration::from_secs(1))).await;
    let victim = SILOS[s.draw("victim", turn, 3) as usize];
    let lasts = Duration::from_millis(300) + s.draw_time("lasts", turn, Duration::from_secs(3));
    if !s.stage.is_up(victim) {
        let _ = s.stage.start(victim).await;
    }
    match s.draw("trouble", turn, 4) {
        0 => {
            s.when("the store is dark for a while");
            s.world.begin_store_outage();
            s.stage.sleep(lasts).await;
            s.world.end_store_outage();
        }
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

/// Moves that were acknowledged, and that may have happened.
struct Count {
    sure: u64,
    maybe: u64,
}

fn vault(number: u64) -> String {
    format!("vault-{number}")
}

/// Moves coins until told to stop, and looks after the vault meanwhile.
async fn shift(s: &Story, client: &Client, number: u64, stop: &AtomicBool) -> Count {
    let mut count = Count { sure: 0, maybe: 0 };
    let vault = client.actor::<Vault>(&vault(number));
    for turn in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        match s.draw(&format!("what-{number}"), turn, 4) {
            0 => drop(vault.rattle().deadline(DEADLINE).await),
            1 => {
                if let Ok((_, faults)) = vault.inspect().deadline(DEADLINE).await {
                    faults.into_iter().for_each(|fault| s.violated("P3", fault));
                }
            }
            coins => match vault.shift(coins as i64).deadline(DEADLINE).await {
                Ok(_) => count.sure += 1,
                Err(error) if error.failure().is_some_and(|failure| failure.happened() == Happened::No) => {}
                Err(_) => count.maybe += 1,
            },
        }
        s.stage
            .sleep(Duration::from_millis(10) + s.draw_time("pause", turn, Duration::from_millis(40)))
            .await;
    }
    count
}

async fn audit(s: &Story, client: &Client, number: u64, count: Count) {
    let name = vault(number);
    let (moves, faults) = match client.actor::<Vault>(&name).inspect().await {
        Ok(found) => found,
        Err(error) => return s.violated("I7", format!("{name} does not serve: {error}")),
    };
    for fault in faults {
        s.violated("P3", format!("{name}: {fault}"));
    }
    let Count { sure, maybe } = count;
    s.require("P3", (sure..=sure + maybe).contains(&moves), || {
        format!("{name} knows of {moves} moves: {sure} were acknowledged, and {maybe} more may have happened")
    });
}
