//! Story 5: two silos cannot reach each other, and a third reaches both.

use crate::bank::Account;
use crate::views::agree;
use crate::workload::Deposits;
use quark_sim::Config;
use quark_testkit::story::{Scenario, Tale};
use std::time::Duration;

/// See its premise.
pub const SCENARIO: Scenario = Scenario {
    name: "bridge-node",
    premise: "The link between a and b is cut, both ways or one way, while the others reach both. One bad link evicts \
              nobody: the others' word clears both, the view stays as it is, and all accounts serve when it heals.",
    sometimes: &["membership.probe.missed", "membership.indirect.cleared"],
    world: Config::new,
    describe: |silo| silo.actor::<Account>(),
    tell: |story| Box::pin(tell(story.tale())),
    anywhere: Some(|tale| Box::pin(tell(tale))),
    ..Scenario::BLANK
};

/// How long until all that have started see one another.
const AGREE: Duration = Duration::from_secs(10);

async fn tell(s: Tale) {
    let all = ["a", "b", "c", "d", "e"];
    let count = 3 + s.draw("silos", 0, 3) as usize;
    let names = &all[..count];
    s.given(format!("{count} silos and steady deposits to twenty accounts"));
    if !s.start_all(names).await {
        return;
    }
    let load = Deposits::start(&s, 3, 20).await;
    s.eventually("I8", "all see all", AGREE, || agree(&s, names)).await;
    s.stage.sleep(Duration::from_secs(1) + s.draw_time("cut", 0, Duration::from_secs(2))).await;

    let version = || s.stage.look("c").map_or(0, |look| look.view.version.0);
    let before = version();
    let acknowledged = load.acknowledged();
    let (cuts_ab, cuts_ba, how) = match s.draw("which way", 0, 3) {
        0 => (true, true, "a and b no longer reach each other"),
        1 => (true, false, "a no longer reaches b, but hears it"),
        _ => (false, true, "b no longer reaches a, but hears it"),
    };
    s.when(how);
    if cuts_ab {
        s.stage.cut_way("a", "b");
    }
    if cuts_ba {
        s.stage.cut_way("b", "a");
    }
    s.stage.sleep(Duration::from_secs(8) + s.draw_time("stays", 0, Duration::from_secs(20))).await;
    s.then("nobody was evicted, and the view stands still");
    for name in names {
        s.require("P12", s.stage.is_up(name), || {
            format!("{name} is gone, and all that was wrong was the link between a and b")
        });
    }
    let after = version();
    s.require("P12", after == before, || {
        format!("the view went from {before} to {after} because of one bad link")
    });
    s.require("I7", load.acknowledged() > acknowledged, || {
        "no deposit was acknowledged while one link of many was cut".into()
    });

    s.when("the link heals");
    s.stage.heal();
    s.stage.sleep(Duration::from_secs(2)).await;
    s.finally("every account serves, and has every acknowledged deposit");
    load.stop_and_check(&s).await;
}
