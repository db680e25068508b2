//! Story 1: a silo dies and says nothing.

use crate::bank::Account;
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
    heavy: false,
};

async fn tell(s: Tale) {
    let names = ["a", "b", "c", "d", "e"];
    s.given("five silos and steady deposits to forty accounts");
    for started in names.map(|name| s.stage.start(name)) {
        if let Err(reason) = started.await {
            return s.violated("start", reason);
        }
    }
    let load = Deposits::start(&s, 4, 40).await;
    s.stage.sleep(Duration::from_secs(2) + s.draw_time("crash", 0, Duration::from_secs(2))).await;

    s.when("b loses power");
    s.stage.crash("b");
    s.eventually_async("P12", "the others have dropped b from their rings", Duration::from_secs(8), || {
        all_have_dropped(&s, ["a", "c", "d", "e"], "b")
    })
    .await;
    s.stage.sleep(Duration::from_secs(3)).await;
    s.finally("every account serves, and has every acknowledged deposit");
    load.stop_and_check(&s).await;
}

/// Whether the views of `witnesses` count `gone` as active no more.
async fn all_have_dropped<const N: usize>(s: &Tale, witnesses: [&str; N], gone: &str) -> bool {
    for witness in witnesses {
        let active = s.stage.active_by(witness).await;
        if active.is_none_or(|active| active.iter().any(|(name, _)| name == gone)) {
            return false;
        }
    }
    true
}
