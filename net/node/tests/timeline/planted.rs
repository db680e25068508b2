//! A run in which a violation was planted: a story that says that something does not hold, right after a cut.

use quark_core::Instant;
use quark_scenarios::bank::Account;
use quark_scenarios::cli::select;
use quark_scenarios::workload::Deposits;
use quark_testkit::story::{Scenario, Tale};
use quark_testkit::telling::Telling;
use quark_testkit::telling::curve::{Curve, Jump, Point};
use std::time::Duration;

/// What the violation says.
pub const SAID: &str = "account/account-1 is not what it should be";

/// The run, with a curve as it might have been measured.
pub fn telling() -> Telling {
    let world = select(&["zombie-silo".to_owned()]).expect("it exists")[0].world;
    let scenario = Scenario {
        name: "planted",
        premise: "Three silos, of which one is cut off for a while; then somebody says <b>that</b> something \"broke\".",
        world,
        describe: |silo| silo.actor::<Account>(),
        tell: |story| Box::pin(tell(story.tale())),
        ..Scenario::BLANK
    };
    let mut telling = Telling::record(&scenario, 7).expect("it is told twice alike");
    let point = |at, failed| Point { at: Instant(at), futures: 10, failed, failed_otherwise: 0 };
    let at = telling.report.violations[0].at.0;
    telling.curve = Some(Curve {
        checker: Some("P2".into()),
        points: vec![point(0, 1), point(at / 2, 2), point(at - 40_000_000, 2), point(at, 10)],
        jump: Some(Jump {
            from: Instant(at - 40_000_000),
            to: Instant(at),
            failed_ppm: (200_000, 1_000_000),
        }),
    });
    telling
}

async fn tell(s: Tale) {
    s.given("three silos and steady deposits to four accounts");
    if !s.start_all(&["a", "b", "c"]).await {
        return;
    }
    let load = Deposits::start(&s, 2, 4).await;
    s.stage.sleep(Duration::from_secs(2)).await;
    s.when("c is cut off from the others");
    s.stage.partition(&[&["a", "b"], &["c"]]);
    s.stage.sleep(Duration::from_secs(1)).await;
    s.violated("P2", SAID);
    s.stage.sleep(Duration::from_secs(1)).await;
    s.when("the cut heals");
    s.stage.heal();
    s.finally("every account serves");
    load.stop_and_check(&s).await;
}
