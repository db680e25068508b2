//! Story 30: letters are taken once, wherever a crash cuts in.

use crate::givers::{self, Givers};
use crate::purse::Purse;
use quark_sim::{Conditions, Config};
use quark_testkit::story::{Scenario, Story};
use std::time::Duration;

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
    ..Scenario::BLANK
};

const SILOS: [&str; 3] = ["a", "b", "c"];
/// How late a letter may be taken once all is well: a retry's longest pause, a reading of a shard of the index, waking.
const SETTLED: Duration = Duration::from_secs(90);

async fn tell(s: Story) {
    s.given("three silos, and purses that give coins to one another");
    s.cluster.start_all(&SILOS).await;
    let givers = Givers::start(&s).await;
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
    s.world.heal_store();
    s.world.set_default_conditions(Conditions::CLEAR);
    for name in SILOS {
        if !s.stage.is_up(name) {
            let _ = s.stage.start(name).await;
        }
    }
    givers.stop().await;
    s.stage.sleep(SETTLED).await;
    s.finally("every letter has been taken once, and no coin is gone or new");
    givers::audit(&s).await;
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
