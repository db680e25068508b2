//! Exactly-once calls: whatever becomes of a call with an idempotency key, its effect happens once (promise P5).

use crate::bank::Account;
use crate::insisters::Insisters;
use quark_sim::{Conditions, Config};
use quark_testkit::story::{Scenario, Story};
use std::time::Duration;

/// See its premise.
pub const SCENARIO: Scenario = Scenario {
    name: "same-key",
    premise: "Deposits carry idempotency keys, and are repeated until they are acknowledged, through lost answers of the \
              store, lost messages, crashes of silos and moves of their accounts. Every account ends with the sum of \
              its deposits, to the last coin, and a repetition is told what the first was.",
    sometimes: &[
        "turns.taken_before",
        "attempts.again_under_a_key",
        "durable.doubt_resolved",
        "story.same_key.moved",
        "checked:exactly-once",
    ],
    world: Config::new,
    describe: |silo| silo.actor::<Account>(),
    tell: |story| Box::pin(tell(story)),
    ..Scenario::BLANK
};

async fn tell(s: Story) {
    s.given("three silos, and clients that repeat a deposit under its key until it is acknowledged");
    s.cluster.start_all(&["a", "b", "c"]).await;
    let insisters = Insisters::start(&s).await;
    s.stage.sleep(Duration::from_secs(1)).await;

    s.when("the store loses answers, and the network messages");
    s.world.set_store_indeterminate(s.draw("lost answers", 0, 4) as u32 * 100_000, 500_000);
    let loss_ppm = s.draw("lost messages", 0, 4) as u32 * 20_000;
    s.world.set_default_conditions(Conditions { loss_ppm, ..Conditions::CLEAR });
    for turn in 0..2 {
        s.stage.sleep(s.draw_time("crash", turn, Duration::from_secs(3))).await;
        let name = ["a", "b", "c"][s.draw("who", turn, 3) as usize];
        if s.stage.is_up(name) && s.draw("crashes", turn, 3) > 0 {
            s.when(format!("{name} loses power, and comes back"));
            s.stage.crash(name);
            s.stage.sleep(Duration::from_secs(1) + s.draw_time("back", turn, Duration::from_secs(4))).await;
            if s.stage.start(name).await.is_ok() {
                quark_core::reached!("story.same_key.moved");
            }
        }
    }

    s.when("all is healed");
    s.world.heal_store();
    s.world.set_default_conditions(Conditions::CLEAR);
    for name in ["a", "b", "c"] {
        if !s.stage.is_up(name) {
            let _ = s.stage.start(name).await;
        }
    }
    s.finally("every account has the sum of its deposits, and a repetition is told what the first was");
    insisters.stop_and_check(&s).await;
}
