//! Story 28: the store does what it was asked, and loses the answer.

use crate::bank::Account;
use crate::workload::Deposits;
use quark_sim::Config;
use quark_testkit::stage::Stage;
use quark_testkit::story::{Scenario, Story};
use std::time::Duration;

/// See its premise.
pub const SCENARIO: Scenario = Scenario {
    name: "ambiguous-write",
    premise: "Three in ten commits end without an answer, half of them applied. Doubt is resolved by the write id: an \
              acknowledged deposit counts exactly once, a refused one not at all, and the rest says that it is unknown.",
    sometimes: &["durable.indeterminate", "durable.doubt_resolved"],
    world: Config::new,
    describe: |silo| silo.actor::<Account>(),
    tell: |story| Box::pin(tell(story)),
    ..Scenario::BLANK
};

async fn tell(s: Story) {
    s.given("three silos and steady deposits to twelve accounts");
    s.cluster.start_all(&["a", "b", "c"]).await;
    let load = Deposits::start(&s, 4, 12).await;
    s.cluster.sleep(Duration::from_secs(1)).await;

    s.when("the store begins to lose answers");
    s.world.set_store_indeterminate(300_000, 500_000);
    let crash_at = s.draw_time("crash", 0, Duration::from_secs(4));
    s.cluster.sleep(crash_at).await;
    if s.draw("crashes", 0, 2) == 1 {
        s.when("a silo that may be in doubt loses power");
        s.cluster.crash("b");
    }
    s.cluster.sleep(Duration::from_secs(6).saturating_sub(crash_at)).await;

    s.when("the store recovers");
    s.world.heal_store();
    s.cluster.sleep(Duration::from_secs(2)).await;
    s.finally("every account has what was acknowledged, once");
    load.stop_and_check(&s).await;
}
