//! `quark sim branch`: other futures of a moment.

use super::{explain, print, show_moment, story};
use crate::cli::{FAILURES_SHOWN, quiet_panics};
use quark_core::Instant;
use quark_testkit::machine::{self, MachineError};
use quark_testkit::runner::{self, Report};
use serde_json::json;
use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::ops::Range;

/// Which futures to look at.
#[derive(Clone, Debug)]
pub struct BranchPlan {
    /// The story.
    pub story: String,
    /// The seed of the past.
    pub seed: u64,
    /// Until when it is the past.
    pub at: Instant,
    /// The seeds of the futures.
    pub reseed: Range<u64>,
    /// How many futures at a time.
    pub jobs: usize,
    /// Print one JSON object instead of text.
    pub json: bool,
}

/// Tells the story with another future, or with many; `true` if all of them were good.
///
/// Errors: there is no such story, it is over by then, or the system makes no copies of this process.
pub fn branch(plan: &BranchPlan) -> Result<bool, String> {
    let told = story(&plan.story)?;
    quiet_panics();
    let futures = if plan.reseed.end - plan.reseed.start == 1 {
        one(&told, plan)
    } else {
        let shows_progress = !plan.json && std::io::stderr().is_terminal();
        let (mut done, mut failed) = (0, 0);
        let total = plan.reseed.end - plan.reseed.start;
        let on_end = |_, report: &Report| {
            done += 1;
            failed += u64::from(!report.violations.is_empty());
            if shows_progress {
                eprint!("\r\x1b[K{done}/{total} futures, {failed} failed");
                let _ = std::io::stderr().flush();
            }
        };
        let futures = machine::branch_many(&told, plan.seed, plan.at, plan.reseed.clone(), plan.jobs, on_end);
        if shows_progress {
            eprint!("\r\x1b[K");
        }
        futures
    };
    let futures = futures.map_err(|error| explain(&error, &plan.story, plan.seed))?;
    match &futures[..] {
        _ if plan.json => println!("{}", as_json(plan, &futures)),
        [(reseed, report)] => {
            println!("{}\n{}\n", title(plan, *reseed), told.premise);
            print!("{}", print::telling(report, Some(plan.at)));
        }
        _ => print!("{}", summary(plan, &futures)),
    }
    Ok(futures.iter().all(|(_, report)| report.violations.is_empty()))
}

/// One future needs no copy of anything.
fn one(
    story: &quark_testkit::story::Scenario,
    plan: &BranchPlan,
) -> Result<Vec<(u64, Report)>, MachineError> {
    let seed = plan.reseed.start;
    let report = runner::tell_branched(story, plan.seed, plan.at, seed);
    let end = Instant::ZERO + report.simulated;
    if end < plan.at {
        return Err(MachineError::AfterTheEnd { at: plan.at, end });
    }
    Ok(vec![(seed, report)])
}

fn title(plan: &BranchPlan, reseed: u64) -> String {
    format!("{}, seed {} until {}, then seed {reseed}", plan.story, plan.seed, show_moment(plan.at))
}

/// The command that tells one future again.
pub(super) fn replay(story: &str, seed: u64, at: Instant, reseed: u64) -> String {
    format!("quark sim branch {story} --seed {seed} --at {} --reseed {reseed}", show_moment(at))
}

fn summary(plan: &BranchPlan, futures: &[(u64, Report)]) -> String {
    let failed: Vec<_> =
        futures.iter().filter_map(|(seed, report)| Some((*seed, report.violations.first()?))).collect();
    let mut text = format!(
        "{}, seed {}: {} futures from {} on, {} failed\n",
        plan.story,
        plan.seed,
        futures.len(),
        show_moment(plan.at),
        failed.len(),
    );
    let mut checkers: BTreeMap<&str, u64> = BTreeMap::new();
    for (_, violation) in &failed {
        *checkers.entry(&violation.checker).or_default() += 1;
    }
    for (checker, count) in checkers {
        text += &format!("{count:>8}  {checker}\n");
    }
    for (reseed, violation) in failed.iter().take(FAILURES_SHOWN) {
        text += &format!("\nreseed {reseed}: {} violated at {:?}\n", violation.checker, violation.at);
        text += &print::folded(&violation.message, 4);
        text += &format!("    replay: {}\n", replay(&plan.story, plan.seed, plan.at, *reseed));
    }
    if failed.len() > FAILURES_SHOWN {
        text += &format!("\n{} more failed\n", failed.len() - FAILURES_SHOWN);
    }
    text
}

fn as_json(plan: &BranchPlan, futures: &[(u64, Report)]) -> serde_json::Value {
    let future = |(reseed, report): &(u64, Report)| {
        let first = report.violations.first();
        json!({
            "reseed": reseed,
            "trace": format!("{:016x}", report.hash.0),
            "events": report.hash.1,
            "simulated_s": report.simulated.as_secs_f64(),
            "violation": first.map(|violation| json!({
                "checker": violation.checker,
                "message": violation.message,
                "at_ns": violation.at.0,
                "replay": replay(&plan.story, plan.seed, plan.at, *reseed),
            })),
        })
    };
    json!({
        "story": plan.story,
        "seed": plan.seed,
        "at_ns": plan.at.0,
        "failed": futures.iter().filter(|(_, report)| !report.violations.is_empty()).count(),
        "futures": futures.iter().map(future).collect::<Vec<_>>(),
    })
}
