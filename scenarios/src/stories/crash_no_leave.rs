//! Story 1: a silo dies and says nothing.

use crate::bank::Account;
use crate::views::have_dropped;
use crate::workload::Deposits;
use quark_sim::Config;
use quark_testkit::story::{Scenario, Tale};
use std::time::Duration;

/// See its premise.
pub const SCENARIO: Scenario = Scenario {
    name: "crash-no-leave",
    premise: "Five silos serve accounts; one loses power and says nothing. The others find out by silence alone, its \
              accounts reopen elsewhere within seconds, and no acknowledged deposit is lost.",
    sometimes: &["caller.failed_by_detection"],
    world: Config::new,
    describe: |silo| silo.actor::<Account>(),
    tell: |story| Box::pin(tell(story.tale())),
    anywhere: Some(|tale| Box::pin(tell(tale))),
    ..Scenario::BLANK
};

async fn tell(s: Tale) {
    s.given("five silos and steady deposits to forty accounts");
    if !s.start_all(&["a", "b", "c", "d", "e"]).await {
        return;
    }
    let load = Deposits::start(&s, 4, 40).await;
    s.stage.sleep(Duration::from_secs(2) + s.draw_time("crash", 0, Duration::from_secs(2))).await;

    let Some(b) = s.stage.look("b") else {
        return s.violated("P12", "b stopped although nothing happened to it");
    };
    s.when("b loses power");
    s.stage.crash("b");
    s.eventually("P12", "the others have dropped b from their rings", Duration::from_secs(8), || {
        have_dropped(&s, &["a", "c", "d", "e"], b.id)
    })
    .await;
    s.stage.sleep(Duration::from_secs(3)).await;
    s.finally("every account serves, and has every acknowledged deposit");
    load.stop_and_check(&s).await;
}
