//! What the laboratory found: the bug in a sentence, what is left of its story, and how to tell it again.

use crate::case::{Case, Kept};
use crate::lab::settings::{CASE, SEEDS};
use crate::minimise::Minimised;
use crate::story::{Step, Violation};
use std::fmt;
use std::path::PathBuf;

/// A run that failed.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The story.
    pub story: &'static str,
    /// What did not hold.
    pub violation: Violation,
    /// The run: as small as it became, or whole.
    pub case: Case,
    /// How it was made small. `None` if it was not: a case that was told again, or a run that fails by not being the same
    /// twice, of which no one telling shows the failure.
    pub small: Option<Box<Minimised>>,
    /// The story as it was told in that run.
    pub steps: Vec<Step>,
    /// Where the case is kept.
    pub case_file: Option<PathBuf>,
    /// Where its timeline is.
    pub page_file: Option<PathBuf>,
    /// Why one of these is missing.
    pub unwritten: Vec<String>,
    /// The test, as `cargo test` knows it.
    pub test: String,
}

impl Finding {
    /// How many faults are left, where that is known.
    pub fn faults(&self) -> Option<usize> {
        self.small.as_ref().map(|small| small.left.faults).or_else(|| self.case.faults_left())
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Violation { checker, message, at } = &self.violation;
        writeln!(f, "{}, seed {}: {checker} violated at {at:?}", self.story, self.case.seed)?;
        writeln!(f, "    {message}")?;
        if let Some(small) = &self.small {
            size(f, small)?;
        }
        faults(f, &self.case)?;
        let lists =
            [("faults of the story itself", &self.case.faults), ("operations", &self.case.operations)];
        for (what, list) in lists {
            kept(f, what, list.as_deref().unwrap_or_default())?;
        }
        writeln!(f, "\nthe story:")?;
        for Step { at, part, text } in self.steps.iter().take(SHOWN_MAX) {
            writeln!(f, "{:>14}  {part:<8} {text}", format!("{at:?}"))?;
        }
        writeln!(f)?;
        for reason in &self.unwritten {
            writeln!(f, "not written: {reason}")?;
        }
        if let Some(page) = &self.page_file {
            writeln!(f, "look at it:   {}", page.display())?;
        }
        if let Some(case) = &self.case_file {
            writeln!(f, "tell it again: {CASE}={} cargo test {}", case.display(), self.test)?;
        }
        write!(f, "the whole run: {SEEDS}={} cargo test {}", self.case.seed, self.test)
    }
}

fn size(f: &mut fmt::Formatter<'_>, small: &Minimised) -> fmt::Result {
    let (whole, left) = (small.whole, small.left);
    let minimal = if small.is_minimal {
        "without any one of its faults it is good"
    } else {
        "the budget ended the search: it may be smaller still"
    };
    writeln!(f, "\nmade small in {} runs; {minimal}:", small.runs)?;
    for (what, before, after) in [
        ("faults", whole.faults, left.faults),
        ("operations", whole.operations, left.operations),
        ("schedule deviations", whole.deviations, left.deviations),
        ("knobs turned", whole.knobs, left.knobs),
    ] {
        writeln!(f, "    {what:<20} {before:>6} -> {after}")?;
    }
    Ok(())
}

fn faults(f: &mut fmt::Formatter<'_>, case: &Case) -> fmt::Result {
    let Some(plan) = case.plan.as_ref().filter(|plan| !plan.events.is_empty()) else { return Ok(()) };
    writeln!(f, "\nfaults:")?;
    for event in plan.events.iter().take(SHOWN_MAX) {
        let lasts = event.lasts.map_or_else(String::new, |lasts| format!(" for {lasts:?}"));
        writeln!(f, "    at {:?}{lasts}: {:?}", event.at, event.fault)?;
    }
    more(f, plan.events.len())
}

fn kept(f: &mut fmt::Formatter<'_>, what: &str, list: &[Kept]) -> fmt::Result {
    if list.is_empty() {
        return Ok(());
    }
    writeln!(f, "\n{what}:")?;
    for kept in list.iter().take(SHOWN_MAX) {
        writeln!(f, "    {}", kept.note)?;
    }
    more(f, list.len())
}

fn more(f: &mut fmt::Formatter<'_>, count: usize) -> fmt::Result {
    if count > SHOWN_MAX { writeln!(f, "    and {} more", count - SHOWN_MAX) } else { Ok(()) }
}

/// How many of a list are shown.
const SHOWN_MAX: usize = 30;
