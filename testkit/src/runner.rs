//! Tells a scenario with a seed: safety under chaos, then everything is healed and the cluster has to converge,
//! serve, and leave nothing behind; then the checkers read the history; then all of it once more, to the same hash.

use crate::case::Case;
use crate::checkers::{always_on, check_all};
use crate::history::{History, WorldEvent};
use crate::recorder::Recorder;
use crate::sim::{SimCluster, turned};
use crate::story::{Drawn, Scenario, Step, Story, Violation};
use quark_chaos::Knobs;
use quark_core::Instant;
use quark_sim::{Branch, Config, Decision, Deed, Next, World};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

/// What one telling gave.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// What did not hold; empty is good.
    pub violations: Vec<Violation>,
    /// The story as told.
    pub steps: Vec<Step>,
    /// How much true time passed in the world.
    pub simulated: Duration,
    /// Frames delivered.
    pub delivered: u64,
    /// The rolling hash over every event and its number.
    pub hash: (u64, u64),
    /// How many facts each checker examined: one that examined none has said nothing.
    pub examined: BTreeMap<String, u64>,
}

/// How long a healed cluster may take to agree: eviction, a lease, a hand-over, and slack for slow worlds.
const CONVERGE: Duration = Duration::from_secs(120);
/// How long until every table is empty: the longest deadline, and a tick.
const QUIESCE: Duration = Duration::from_secs(45);

/// Tells the scenario twice with this seed.
pub fn check(scenario: &Scenario, seed: u64) -> Report {
    let (mut report, again) =
        if scenario.heavy { tell_at_once(scenario, seed) } else { tell_again(scenario, seed) };
    if let Some(again) = again
        && again.hash != report.hash
    {
        report.violations.push(Violation {
            checker: "I12".into(),
            message: format!("the same seed gave another trace: {:x?} and {:x?}", report.hash, again.hash),
            at: Instant::ZERO,
        });
    }
    report
}

/// One telling after the other; none after one that went wrong.
fn tell_again(scenario: &Scenario, seed: u64) -> (Report, Option<Report>) {
    let report = tell(scenario, seed);
    let again = report.violations.is_empty().then(|| tell_again_for_its_hash(scenario, seed));
    (report, again)
}

/// Both tellings of a heavy story side by side: it is told for one seed, so the other processors have nothing else to do.
///
/// Comparing the second telling up to some checkpoint only would be cheaper, and blind to what comes after it. Memory
/// permits both: the worlds share what their silos derive from equal tables.
fn tell_at_once(scenario: &Scenario, seed: u64) -> (Report, Option<Report>) {
    std::thread::scope(|scope| {
        let again = scope.spawn(|| tell_again_for_its_hash(scenario, seed));
        let report = tell(scenario, seed);
        let again = again.join().expect("a telling catches the panics of its story");
        let again = report.violations.is_empty().then_some(again);
        (report, again)
    })
}

/// Tells the scenario once, and lets no checker read its history: one that gives the same hash is the same.
fn tell_again_for_its_hash(scenario: &Scenario, seed: u64) -> Report {
    let world = scenario.config(seed);
    tell_in(scenario, world, None, |_| Next::ToTheEnd, false).expect("nobody abandons it").report
}

/// Tells the scenario once.
pub fn tell(scenario: &Scenario, seed: u64) -> Report {
    tell_with_pauses(scenario, scenario.config(seed), |_| Next::ToTheEnd).expect("nobody abandons it")
}

/// Tells the scenario once: until `at` as this seed has it, from then on as `reseed` has it.
pub fn tell_branched(scenario: &Scenario, seed: u64, at: Instant, reseed: u64) -> Report {
    let branch = Branch { at_ns: at.0, seed: reseed };
    let world = Config { branch: Some(branch), ..scenario.config(seed) };
    tell_with_pauses(scenario, world, |_| Next::ToTheEnd).expect("nobody abandons it")
}

/// Tells what is left of a run.
pub fn tell_case(scenario: &Scenario, case: &Case) -> Report {
    let world = case.world_of(scenario);
    tell_in(scenario, world, Some(case), |_| Next::ToTheEnd, true).expect("nobody abandons it").report
}

/// Tells what is left of a run to its end, and pauses when told to.
///
/// Panics: if it is abandoned.
pub fn tell_case_with_pauses(scenario: &Scenario, case: &Case, pause: impl FnMut(&Story) -> Next) -> Report {
    let world = Config { log_decisions: true, ..case.world_of(scenario) };
    tell_in(scenario, world, Some(case), pause, true).expect("nobody abandons it").report
}

/// As [`tell_case_with_pauses`]. `None` if it was abandoned.
pub fn tell_case_or_abandon(
    scenario: &Scenario,
    case: &Case,
    pause: impl FnMut(&Story) -> Next,
) -> Option<Report> {
    Some(tell_in(scenario, case.world_of(scenario), Some(case), pause, true)?.report)
}

/// Tells what is left of a run, and hands out everything that was written down about it. The world lasts twice as long as
/// `whole_run` and ten minutes at most.
pub fn tell_in_full(scenario: &Scenario, case: &Case, whole_run: Option<Duration>) -> Telling {
    let mut world = case.world_of(scenario);
    world.log_decisions = true;
    if let Some(whole_run) = whole_run {
        world = Case::limit(world, whole_run);
    }
    tell_in(scenario, world, Some(case), |_| Next::ToTheEnd, true).expect("nobody abandons it")
}

/// As [`tell_in_full`], and not beyond a moment: what the checkers say is about what had happened by then.
pub fn tell_until(scenario: &Scenario, case: &Case, whole_run: Duration, until: Instant) -> Telling {
    let world = Config { log_decisions: true, ..Case::limit(case.world_of(scenario), whole_run) };
    // A pause stands just before what is due then.
    let pause = |story: &Story| match story.world.now_true() >= until {
        true => Next::Abandon,
        false => Next::Until(until),
    };
    tell_and_judge(scenario, world, Some(case), pause, true, true).expect("it is judged all the same")
}

/// One telling, and everything that was written down about it.
#[derive(Clone, Debug)]
pub struct Telling {
    /// What it came to.
    pub report: Report,
    /// What the story drew from its seed.
    pub drawn: Drawn,
    /// The knobs that were turned.
    pub turned: Knobs,
    /// Who did operations, by the hash under which their choices are known.
    pub operators: BTreeMap<u64, String>,
    /// Every choice that was not the benign one, if the world kept a list.
    pub decisions: Vec<Decision>,
    /// What was done to the world, if the world kept a list.
    pub deeds: Vec<Deed>,
    /// The names of the nodes, by index; the driver is 0.
    pub nodes: Vec<String>,
    /// What happened.
    pub history: History,
}

/// Tells the scenario once in this world, and pauses when told to; see [`World::block_on_with_pauses`]. `None` if it was
/// abandoned.
pub fn tell_with_pauses(
    scenario: &Scenario,
    world: Config,
    pause: impl FnMut(&Story) -> Next,
) -> Option<Report> {
    Some(tell_in(scenario, world, None, pause, true)?.report)
}

fn tell_in(
    scenario: &Scenario,
    world: Config,
    case: Option<&Case>,
    pause: impl FnMut(&Story) -> Next,
    is_judged: bool,
) -> Option<Telling> {
    tell_and_judge(scenario, world, case, pause, is_judged, false)
}

/// `None` if it was abandoned, unless that is how it was to end.
fn tell_and_judge(
    scenario: &Scenario,
    world: Config,
    case: Option<&Case>,
    mut pause: impl FnMut(&Story) -> Next,
    is_judged: bool,
    is_cut_short: bool,
) -> Option<Telling> {
    let seed = world.seed;
    let mut world = World::new(world);
    let recorder = Recorder::of_world(&world.handle());
    let knobs = case.and_then(|case| case.turned.clone()).unwrap_or_else(|| scenario.knobs(seed));
    let describe = turned(&knobs, Arc::new(scenario.describe));
    let cluster = SimCluster::new(world.handle(), "story", describe, Some(recorder.clone()));
    let story = Story::new(cluster);
    let story = if let Some(case) = case { story.reduced(case.clone()) } else { story };
    let told = story.clone();
    let outcome = std::panic::catch_unwind(AssertUnwindSafe(|| {
        let driver = async {
            (scenario.tell)(told.clone()).await;
            epilogue(&told).await;
        };
        world.block_on_with_pauses(driver, |_| pause(&story))
    }));
    if matches!(outcome, Ok(None)) && !is_cut_short {
        return None;
    }
    let mut violations = story.violations();
    if let Err(panic) = outcome {
        let message = panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()))
            .unwrap_or_else(|| "a panic without a message".into());
        let checker = ["tripwire", "deadlock"].into_iter().find(|c| message.contains(c)).unwrap_or("panic");
        violations.push(Violation { checker: checker.into(), message, at: story.world.now_true() });
    }
    let mut checkers = if is_judged { always_on() } else { Vec::new() };
    checkers.extend(recorder.checkers().into_iter().filter(|_| is_judged));
    let history = recorder.take_history();
    let checked = check_all(&history, &checkers);
    for (checker, violation) in checked.violations() {
        violations.push(Violation {
            checker: violation.promise.into(),
            message: format!("{checker}: {}", violation.message),
            at: violation.at,
        });
    }
    let world = &story.world;
    crate::whims::add(&world.whims());
    let nodes = std::iter::once("driver".to_owned()).chain(world.nodes().into_iter().map(|n| world.name(n)));
    Some(Telling {
        report: Report {
            seed,
            violations,
            steps: story.steps(),
            simulated: world.now_true().since(Instant::ZERO),
            delivered: world.meters().network.delivered,
            hash: world.hash(),
            examined: checked.examined(),
        },
        drawn: story.drawn(),
        turned: knobs,
        operators: story.operators(),
        decisions: world.decisions(),
        deeds: world.deeds(),
        nodes: nodes.collect(),
        history,
    })
}

/// Heals everything; then the cluster has to agree, and nothing may be left behind.
async fn epilogue(story: &Story) {
    story.finally("everything is healed");
    story.world.heal_network();
    story.world.heal_store();
    for node in story.world.nodes() {
        story.world.resume(node);
    }
    if let Some(recorder) = story.cluster.recorder() {
        recorder.world(WorldEvent::Healed);
    }
    let cluster = story.cluster.clone();
    let agreed =
        story.eventually("I7", "all silos agree on who is there", CONVERGE, || cluster.has_converged()).await;
    if !agreed {
        return;
    }
    crate::epilogue::serve(story).await;
    let cluster = story.cluster.clone();
    let is_quiet = story
        .eventually("I11", "every table is empty", QUIESCE, || {
            cluster.clients().iter().all(|c| c.pending() == 0)
                && cluster.silos().iter().all(|(_, silo)| {
                    let status = silo.status();
                    status.pending == 0
                        && status.held == 0
                        && status.forwarded == 0
                        && status.parked == 0
                        && status.early == 0
                })
        })
        .await;
    if let (true, Some(recorder)) = (is_quiet, story.cluster.recorder()) {
        recorder.world(WorldEvent::Quiet);
    }
    story.cluster.sample();
    crate::epilogue::scan(story).await;
}
