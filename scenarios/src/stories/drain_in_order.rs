//! A silo is stopped in order, under load.

use crate::bank::Account;
use crate::views::agree;
use crate::workload::Deposits;
use quark_sim::Config;
use quark_testkit::story::{Scenario, Tale};
use std::time::Duration;

/// See its premise.
pub const SCENARIO: Scenario = Scenario {
    name: "drain-in-order",
    premise: "One of four silos is stopped in order while deposits go on: its ranges and accounts move, it leaves the \
              table, and no call fails.",
    sometimes: &["directory.request_held", "caller.bounced"],
    world: Config::new,
    describe: |silo| silo.actor::<Account>(),
    tell: |story| Box::pin(tell(story.tale())),
    anywhere: Some(|tale| Box::pin(tell(tale))),
    ..Scenario::BLANK
};

const SILOS: [&str; 4] = ["a", "b", "c", "d"];

async fn tell(s: Tale) {
    s.given("four silos and steady deposits to forty accounts");
    if !s.start_all(&SILOS).await {
        return;
    }
    s.eventually("I7", "all agree", Duration::from_secs(20), || agree(&s, &SILOS)).await;
    let load = Deposits::start(&s, 4, 40).await;
    s.stage.sleep(Duration::from_secs(1) + s.draw_time("stop", 0, Duration::from_secs(1))).await;

    let leaver = SILOS[s.draw("leaver", 0, 4) as usize];
    s.when(format!("{leaver} is told to stop"));
    let start = s.stage.now();
    s.stage.stop(leaver).await;
    let took = s.stage.now().since(start);
    s.then(format!("it has left after {took:?}"));
    s.require("P15", took < Duration::from_secs(15), || format!("stopping took {took:?}"));
    s.require("P15", !s.stage.is_up(leaver), || format!("{leaver} still runs"));
    s.stage.sleep(Duration::from_secs(2)).await;
    let failed = load.failed();
    s.require("P15", failed == 0, || format!("{failed} calls failed, the last: {:?}", load.last_failure()));
    load.stop_and_check(&s).await;
}
