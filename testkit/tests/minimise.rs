//! A failing run is made small, and what is left is what matters.

use quark_chaos::{Fault, FaultPlan, Route};
use quark_core::Instant;
use quark_sim::{Config, Scheduler};
use quark_testkit::case::Case;
use quark_testkit::minimise::{Failure, MinimiseError, minimise};
use quark_testkit::runner;
use quark_testkit::sim::carry_out;
use quark_testkit::story::{Scenario, Story};
use std::time::Duration;

/// Two silos that never meet an actor, ten pauses by plan, clogs and crashes by hand, and operations of which nothing
/// comes. It fails if `b` is paused while `a` is down and the third client has done its fifth operation.
const STORY: Scenario = Scenario {
    name: "three-unlucky-events",
    premise: "fails for three reasons at once",
    world: |seed| Config { scheduler: Scheduler::Random, ..Config::new(seed) },
    describe: |silo| silo,
    tell: |story| Box::pin(tell(story)),
    ..Scenario::BLANK
};

fn second(n: u64) -> Duration {
    Duration::from_secs(n)
}

async fn tell(s: Story) {
    let silos = &["a", "b", "c", "d"][..s.knob("silos", 4, 2) as usize];
    s.cluster.start_all(silos).await;
    let plan = s.faults(|| {
        (0..10).fold(FaultPlan::new(), |plan, n| {
            let node = ["a", "b"][n as usize % 2].to_owned();
            plan.with(second(3 * n), second(2), Fault::Pause { node })
        })
    });
    let cluster = s.cluster.clone();
    s.world.driver("plan", async move {
        carry_out(plan, &cluster).await;
    });
    let (mut done, mut is_down) = (0, false);
    for turn in 0..12 {
        for client in 0..4 {
            if s.does(&format!("client-{client}"), turn) && (client, turn) == (3, 5) {
                done += 1;
            }
        }
        s.world.clog(s.cluster.node("a"), s.cluster.node("b"));
        if turn == 6 {
            s.stage.crash("a");
            is_down = !s.stage.is_up("a");
        }
        s.stage.sleep(second(1)).await;
        s.world.unclog(s.cluster.node("a"), s.cluster.node("b"));
        let is_paused = s.world.pauses(s.cluster.node("b")) > 0;
        // As a checker of the history would say it.
        let met = is_down && is_paused && done == 1;
        s.require("P3", !met, || format!("ledger: turn {turn}: three things met"));
        if turn == 10 {
            let _ = s.stage.start("a").await;
        }
    }
    s.stage.sleep(second(60)).await;
}

#[test]
fn what_is_left_is_what_the_failure_needs_and_nothing_else() {
    let whole = runner::tell(&STORY, 3);
    assert_eq!(whole.violations.first().expect("it fails").checker, "P3", "{:?}", whole.violations);
    let small = minimise(&STORY, &Case::of(STORY.name, 3), |_| true).expect("it fails");
    assert_eq!((small.whole.faults, small.left.faults), (10 + 12 + 1, 2), "{:?}", small.case);
    let plan = small.case.plan.as_ref().expect("the story draws one");
    assert_eq!(plan.events.len(), 1, "{plan:?}");
    assert_eq!(plan.events[0].fault, Fault::Pause { node: "b".into() });
    let own = small.case.faults.as_ref().expect("all but one are gone");
    assert!(own.len() == 1 && own[0].note.contains("Crash a"), "{own:?}");
    assert_eq!((small.whole.operations, small.left.operations), (48, 1));
    assert_eq!(small.case.operations.as_ref().expect("all but one are gone")[0].note, "client-3, 5");
    assert_eq!(small.case.knobs["silos"], 2);
    assert_eq!((small.left.deviations, small.case.is_even, small.is_minimal), (0, true, true));
    assert!(small.whole.deviations > 0);

    // It is what it says it is, told again and read back.
    let case = Case::from_json(&small.case.to_json()).expect("it was just written");
    let again = runner::tell_case(&STORY, &case);
    assert!(small.failure.is_in(&again));
    assert_eq!(again.hash, small.report.hash);
}

#[test]
fn without_any_one_of_its_faults_the_small_run_is_good() {
    let small = minimise(&STORY, &Case::of(STORY.name, 3), |_| true).expect("it fails");
    let mut cases = Vec::new();
    let plan = small.case.plan.clone().expect("there is one");
    for at in 0..plan.events.len() {
        let mut fewer = plan.clone();
        fewer.events.remove(at);
        cases.push(Case { plan: Some(fewer), ..small.case.clone() });
    }
    let faults = small.case.faults.clone().expect("there are some");
    for at in 0..faults.len() {
        let mut fewer = faults.clone();
        fewer.remove(at);
        cases.push(Case { faults: Some(fewer), ..small.case.clone() });
    }
    assert_eq!(cases.len(), 2);
    for case in cases {
        assert!(!small.failure.is_in(&runner::tell_case(&STORY, &case)), "{case:?}");
    }
}

#[test]
fn what_a_story_says_for_itself_presumes_its_own_faults() {
    let mut told = STORY;
    told.tell = |s| {
        Box::pin(async move {
            s.cluster.start_all(&["a", "b"]).await;
            for _ in 0..3 {
                s.stage.pause("a");
                s.stage.sleep(second(1)).await;
                s.stage.resume("a");
            }
            let did = s.does("client", 1) && s.does("client", 2);
            s.require("I7", !did, || "the silo that was frozen serves no more".into());
        })
    };
    let small = minimise(&told, &Case::of(STORY.name, 3), |_| true).expect("it fails");
    assert_eq!((small.whole.faults, small.left.faults), (3, 3));
    assert_eq!((small.whole.operations, small.left.operations), (2, 2));
    assert_eq!(small.case.faults, None);
}

#[test]
fn the_search_is_deterministic_and_ends_when_told_to() {
    let case = Case::of(STORY.name, 3);
    let [one, two] = [(), ()].map(|()| minimise(&STORY, &case, |_| true).expect("it fails"));
    assert_eq!((one.case, one.runs), (two.case, two.runs));
    let cut_short = minimise(&STORY, &case, |progress| progress.runs < 4).expect("it fails");
    // And one run more, which tells what is handed out to its end.
    assert!(cut_short.runs == 4 + 1 && !cut_short.is_minimal);
    assert!(cut_short.failure.is_in(&runner::tell_case(&STORY, &cut_short.case)));
}

#[test]
fn a_good_run_is_not_made_smaller() {
    let mut case = Case::of(STORY.name, 3);
    case.operations = Some(Vec::new());
    let error = minimise(&STORY, &case, |_| true).expect_err("nothing fails");
    assert_eq!(error, MinimiseError::Good { story: STORY.name.into(), seed: 3 });
    assert!(error.to_string().contains("nothing to make smaller"));
    assert_eq!(Failure::of(&runner::tell(&STORY, 3).violations[0]).promise, "P3");
}

/// Six faults, of which one matters: the loss, wherever it touches `a` and takes a tenth of the frames or more for ten seconds.
async fn weathered(s: Story) {
    s.cluster.start_all(&["a", "b"]).await;
    let everywhere = Route { from: Vec::new(), to: Vec::new() };
    let plan = s.faults(|| {
        let pauses = (0..5).fold(FaultPlan::new(), |plan, n| {
            plan.with(second(3 * n), second(2), Fault::Pause { node: "b".into() })
        });
        pauses.with(second(1), second(40), Fault::Loss { route: everywhere, ppm: 800_000 })
    });
    let touches_a = |route: &Route| route.from.is_empty() || route.from == ["a"];
    let is_met = plan.events.iter().any(|event| {
        matches!(&event.fault, Fault::Loss { route, ppm } if *ppm >= 100_000 && touches_a(route))
            && event.lasts >= Some(second(10))
    });
    s.stage.sleep(second(2)).await;
    s.require("P3", !is_met, || "ledger: too much is lost".into());
    // Long after it was decided, and nobody has to wait for it.
    s.stage.sleep(second(3600)).await;
}

fn weathered_story() -> Scenario {
    Scenario { tell: |story| Box::pin(weathered(story)), ..STORY }
}

#[test]
fn what_is_left_of_a_fault_is_what_the_failure_needs_of_it() {
    let story = weathered_story();
    let small = minimise(&story, &Case::of(STORY.name, 3), |_| true).expect("it fails");
    let plan = small.case.plan.as_ref().expect("the story draws one");
    let [left] = &plan.events[..] else { panic!("one fault is to blame: {plan:?}") };
    let Fault::Loss { route, ppm } = &left.fault else { panic!("{left:?}") };
    // A step is half of the way to nothing, or a quarter of it: what is left is within a third of what is needed.
    assert!((100_000..134_000).contains(ppm), "of 800 000 ppm {ppm} are left, and 100 000 are needed");
    assert_eq!(route.from, ["a"], "one end of the paths is enough");
    let lasts = left.lasts.expect("it ends");
    assert!((second(10)..second(14)).contains(&lasts), "of 40 s {lasts:?} are left, and 10 s are needed");
    assert!(small.is_minimal);

    // No smaller variant fails, as the fault's own kind has them.
    for variant in left.shrinks(&["a", "b"]) {
        let plan = FaultPlan { events: vec![variant.clone()], ..plan.clone() };
        let told = runner::tell_case(&story, &Case { plan: Some(plan), ..small.case.clone() });
        assert!(!small.failure.is_in(&told), "{variant:?}");
    }
    let again = minimise(&story, &Case::of(STORY.name, 3), |_| true).expect("it fails");
    assert_eq!((again.case, again.runs), (small.case, small.runs));
}

#[test]
fn runs_are_told_until_they_have_failed_and_what_is_handed_out_to_its_end() {
    let story = weathered_story();
    let whole = runner::tell_in_full(&story, &Case::of(STORY.name, 3), None);
    assert!(whole.report.simulated > second(3600));
    let small = minimise(&story, &Case::of(STORY.name, 3), |_| true).expect("it fails");
    assert!(small.report.simulated > second(3600), "{:?}", small.report.simulated);
    let cut = runner::tell_until(&story, &small.case, whole.report.simulated, Instant(7_000_000_000));
    assert_eq!(cut.report.simulated, second(7));
    assert!(small.failure.is_in(&cut.report));
    assert_eq!(cut.report.violations[0], small.report.violations[0]);
}

#[test]
fn no_case_is_told_twice() {
    let mut parts = Vec::new();
    let small = minimise(&STORY, &Case::of(STORY.name, 3), |progress| {
        parts.push(progress.part);
        true
    })
    .expect("it fails");
    // A second round finds nothing, and most of what it would try is known: it costs less than half of the first.
    let second_round = parts
        .iter()
        .enumerate()
        .skip(1)
        .rfind(|(at, part)| **part == "clients" && parts[at - 1] != "clients");
    let from = second_round.map_or(parts.len(), |(at, _)| at);
    assert!(parts.len() - from < from / 2, "{} of {} runs: {parts:?}", parts.len() - from, small.runs);
}
