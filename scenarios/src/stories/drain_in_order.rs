//! A silo is stopped in order, under load.

use crate::bank::Account;
use crate::workload::Deposits;
use quark_sim::Config;
use quark_testkit::stage::Stage;
use quark_testkit::story::{Scenario, Story};
use std::time::Duration;

/// See its premise.
pub const SCENARIO: Scenario = Scenario {
    name: "drain-in-order",
    premise: "One of four silos is stopped in order while deposits go on: its ranges and accounts move, it leaves the \
              table, and no call fails.",
    sometimes: &["directory.request_held", "caller.bounced"],
    world: Config::new,
    describe: |silo| silo.actor::<Account>(),
    tell: |story| Box::pin(tell(story)),
    anywhere: None,
    heavy: false,
};

async fn tell(s: Story) {
    s.given("four silos and steady deposits to forty accounts");
    let names = ["a", "b", "c", "d"];
    s.cluster.start_all(&names).await;
    let cluster = s.cluster.clone();
    s.eventually("I7", "all agree", Duration::from_secs(20), || cluster.has_converged()).await;
    let load = Deposits::start(&s, 4, 40).await;
    s.cluster.sleep(Duration::from_secs(1) + s.draw_time("stop", 0, Duration::from_secs(1))).await;

    let leaver = names[s.draw("leaver", 0, 4) as usize];
    s.when(format!("{leaver} is told to stop"));
    let start = s.world.now_true();
    s.cluster.stop(leaver).await;
    s.then(format!("it has left after {:?}", s.world.now_true().since(start)));
    s.require("P15", s.world.now_true().since(start) < Duration::from_secs(15), || {
        format!("stopping took {:?}", s.world.now_true().since(start))
    });
    s.require("P15", !s.cluster.is_up(leaver), || format!("{leaver} still runs"));
    s.cluster.sleep(Duration::from_secs(2)).await;
    let failed = load.failed();
    s.require("P15", failed == 0, || format!("{failed} calls failed, the last: {:?}", load.last_failure()));
    load.stop_and_check(&s).await;
}
