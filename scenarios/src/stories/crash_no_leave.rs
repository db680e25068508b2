//! Story 1: a silo dies and says nothing.

use crate::bank::Account;
use crate::workload::Deposits;
use quark_sim::Config;
use quark_testkit::stage::Stage;
use quark_testkit::story::{Scenario, Story};
use std::time::Duration;

/// See its premise.
pub const SCENARIO: Scenario = Scenario {
    name: "crash-no-leave",
    premise: "Five silos serve accounts; one loses power and says nothing. The others find out by silence alone, its \
              accounts reopen elsewhere within seconds, and no acknowledged deposit is lost.",
    sometimes: &["caller.failed_by_detection"],
    world: Config::new,
    describe: |silo| silo.actor::<Account>(),
    tell: |story| Box::pin(tell(story)),
};

async fn tell(s: Story) {
    let names = ["a", "b", "c", "d", "e"];
    s.given("five silos and steady deposits to forty accounts");
    s.cluster.start_all(&names).await;
    let load = Deposits::start(&s, 4, 40).await;
    s.cluster.sleep(Duration::from_secs(2) + s.draw_time("crash", 0, Duration::from_secs(2))).await;

    s.when("b loses power");
    s.cluster.crash("b");
    let cluster = s.cluster.clone();
    s.eventually("P12", "the others have dropped b from their rings", Duration::from_secs(8), || {
        cluster.silos().iter().all(|(_, silo)| silo.view().active().all(|m| m.id.name.as_str() != "b"))
    })
    .await;
    s.cluster.sleep(Duration::from_secs(3)).await;
    s.finally("every account serves, and has every acknowledged deposit");
    load.stop_and_check(&s).await;
}
