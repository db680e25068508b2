//! `quark sim shrink`: makes a failing run small, shows what is left of it, and keeps it in a file.

use crate::cli::{Clock, cpu_time, quiet_panics, select};
use crate::corpus::{Keep, NamedCase};
use quark_testkit::case::CaseError;
pub use quark_testkit::case::{Case, Schedule};
use quark_testkit::minimise::{Minimised, Progress, minimise};
use quark_testkit::story::Scenario;
use serde_json::json;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What to make small.
#[derive(Clone, Debug)]
pub struct ShrinkPlan {
    /// The run, whole or made smaller before.
    pub case: Case,
    /// Where to keep what is left.
    pub out: Option<PathBuf>,
    /// Under which name it becomes part of the corpus.
    pub keep: Option<Keep>,
    /// How long to search, in real time.
    pub budget: Duration,
    /// Print one JSON object instead of text.
    pub json: bool,
}

/// Reads a case from a file: as `--out` has written it, or one of the corpus.
///
/// Errors: a sentence that names the file, what is wrong with it, and what to do.
pub fn read_case(path: &Path) -> Result<Case, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("`{}`: {error}", path.display()))?;
    let value: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    let case = match value.get("case") {
        Some(_) => NamedCase::from_json(&text).map(|named| named.case),
        None => Case::from_json(&text),
    };
    let named = |reason: String| format!("`{}`: {reason}", path.display());
    let case = case.map_err(|error| named(error.to_string()))?;
    story_of(&case).map_err(named)?;
    Ok(case)
}

/// The story of a case.
///
/// Errors: there is none of this name.
pub fn story_of(case: &Case) -> Result<Scenario, String> {
    select(std::slice::from_ref(&case.story))
        .map(|stories| stories[0])
        .map_err(|_| CaseError::UnknownStory(case.story.clone()).to_string())
}

/// Makes a failing run small and shows what is left. `false`: it fails, small or not. (`true` is never said: a good run is an
/// error.)
///
/// Errors: there is no such story, the run is good, or the file cannot be written.
pub fn shrink(plan: &ShrinkPlan) -> Result<bool, String> {
    let scenario = story_of(&plan.case)?;
    quiet_panics();
    let small = search(&scenario, &plan.case, plan.budget, !plan.json)?;
    let took = small.1;
    let small = small.0;
    if let Some(path) = &plan.out {
        std::fs::write(path, small.case.to_json())
            .map_err(|error| format!("`{}`: {error}", path.display()))?;
    }
    let kept = plan.keep.as_ref().map(|keep| keep.write(&small)).transpose()?;
    if plan.json {
        let mut value = serde_json::to_value(&small).expect("it is plain data");
        value["seconds"] = json!(took.as_secs_f64());
        value["cpu_seconds"] = json!(cpu_time().unwrap_or(took).as_secs_f64());
        println!("{value}");
    } else {
        print!("{}", shown(&scenario, &small, took, plan.out.as_deref().or(kept.as_deref())));
        if let Some(path) = &kept {
            println!(
                "it is part of the corpus: say in {} what was wrong, and what mended it",
                path.display()
            );
        }
    }
    Ok(false)
}

/// Makes a failing run small within a budget of real time. How long it took.
///
/// Errors: the run is good.
pub fn search(
    scenario: &Scenario,
    case: &Case,
    budget: Duration,
    shows: bool,
) -> Result<(Minimised, Duration), String> {
    let clock = Clock::start();
    let shows = shows && std::io::stderr().is_terminal();
    let small = minimise(scenario, case, |progress: Progress| {
        if shows {
            let Progress { runs, part, left } = progress;
            eprint!(
                "\r\x1b[K{runs} runs, {part}: {} faults, {} operations left",
                left.faults, left.operations
            );
            let _ = std::io::stderr().flush();
        }
        clock.elapsed() < budget
    })
    .map_err(|error| error.to_string());
    if shows {
        eprint!("\r\x1b[K");
    }
    Ok((small?, clock.elapsed()))
}

fn shown(scenario: &Scenario, small: &Minimised, took: Duration, out: Option<&Path>) -> String {
    let (whole, left) = (small.whole, small.left);
    let mut text = format!("{}, seed {}: {}\n\n", scenario.name, small.case.seed, small.failure);
    let rows = [
        ("faults", whole.faults, left.faults),
        ("operations", whole.operations, left.operations),
        ("schedule deviations", whole.deviations, left.deviations),
        ("knobs turned", whole.knobs, left.knobs),
    ];
    for (what, before, after) in rows {
        text += &format!("{what:>20}  {before:>7} -> {after}\n");
    }
    let minimal = if small.is_minimal {
        "without any one of its faults it is good"
    } else {
        "the budget ended the search: it may be smaller still"
    };
    text += &format!("\n{} runs, {:.1} s; {minimal}\n", small.runs, took.as_secs_f64());
    if let Some(plan) = small.case.plan.as_ref().filter(|plan| !plan.events.is_empty()) {
        text += "\nfaults of its plan:\n";
        for event in &plan.events {
            let lasts = event.lasts.map_or_else(String::new, |lasts| format!(" for {lasts:?}"));
            text += &format!("    at {:?}{lasts}: {:?}\n", event.at, event.fault);
        }
    }
    let lists = [("faults of the story", &small.case.faults), ("operations", &small.case.operations)];
    for (what, list) in lists {
        let Some(list) = list.as_ref().filter(|list| !list.is_empty()) else { continue };
        text += &format!("\n{what}:\n");
        list.iter().take(SHOWN_MAX).for_each(|kept| text += &format!("    {}\n", kept.note));
        if list.len() > SHOWN_MAX {
            text += &format!("    and {} more\n", list.len() - SHOWN_MAX);
        }
    }
    if let Some(violation) = small.report.violations.first() {
        text += &format!("\n{} at {:?}: {}\n", violation.checker, violation.at, violation.message);
    }
    match out {
        Some(path) => text += &format!("replay: quark sim replay --case {}\n", path.display()),
        None => text += "keep it: --out FILE\n",
    }
    text
}

/// How many of a list are shown.
const SHOWN_MAX: usize = 20;
