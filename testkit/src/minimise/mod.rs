//! Makes a failing run small: what is left of it is what matters.
//!
//! Everything that a run consists of can be taken away by itself, because every choice is keyed by what it is about: faults
//! first, then how long they last, operations, what the story drew (how many silos), the surprises of the schedule, and
//! the spread of durations. What is left fails the same promise, as the same checker sees it. What a story says for itself
//! presumes the faults that it brings about: these stay, if no checker of the history says anything.

mod failure;
mod parts;
mod shrink;

pub use failure::Failure;

use crate::case::{Case, Deviation, Kept};
use crate::runner::{self, Report, Telling};
use crate::story::Scenario;
use quark_sim::Purpose;
use serde::{Deserialize, Serialize};
use shrink::Search;
use std::time::Duration;

/// What a run consists of, in numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Size {
    /// Faults, of its plan and of the story itself.
    pub faults: usize,
    /// Operations of its workload.
    pub operations: usize,
    /// Picks that were not first in, first out.
    pub deviations: usize,
    /// Knobs that are not as in the simplest run.
    pub knobs: usize,
}

/// A run of which nothing more can be taken away.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Minimised {
    /// What is left.
    pub case: Case,
    /// How it fails, as the whole run does.
    pub failure: Failure,
    /// What the whole run consisted of.
    pub whole: Size,
    /// What is left of that.
    pub left: Size,
    /// How many runs that took.
    pub runs: u64,
    /// Whether it fails no more without any one of its faults. Not known if the budget ended the search.
    pub is_minimal: bool,
    /// The small run, told.
    pub report: Report,
}

/// What the search is about to try.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress {
    /// Runs so far.
    pub runs: u64,
    /// Which part of the run is being made smaller.
    pub part: &'static str,
    /// What the smallest failing run consists of, as far as is known.
    pub left: Size,
}

/// Why nothing was made smaller.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum MinimiseError {
    /// The run is good.
    #[error("seed {seed} of {story} is good: there is nothing to make smaller")]
    Good {
        /// The story.
        story: String,
        /// The seed.
        seed: u64,
    },
}

/// Makes a failing run small. `goes_on` is asked before every run, and ends the search by saying no: the smallest run so
/// far is returned.
///
/// Deterministic, as long as `goes_on` is.
///
/// Errors: the run does not fail.
pub fn minimise(
    scenario: &Scenario,
    case: &Case,
    mut goes_on: impl FnMut(Progress) -> bool,
) -> Result<Minimised, MinimiseError> {
    let whole = runner::tell_in_full(scenario, case, None);
    let Some(failure) = Failure::of_run(&whole.report) else {
        return Err(MinimiseError::Good { story: scenario.name.to_owned(), seed: case.seed });
    };
    let size = Size::of(&whole);
    let mut search = Search::new(scenario, case.clone(), whole, failure.clone(), &mut goes_on);
    let is_minimal = search.run();
    let (case, left, runs) = search.result();
    let report = left.report.clone();
    Ok(Minimised { case, failure, whole: size, left: Size::of(&left), runs, is_minimal, report })
}

impl Size {
    fn of(telling: &Telling) -> Self {
        let planned = telling.drawn.plan.as_ref().map_or(0, |plan| plan.events.len());
        Self {
            faults: planned + own_faults(telling).len(),
            operations: operations(telling).len(),
            deviations: deviations(telling).len(),
            knobs: telling.drawn.knobs.values().filter(|(value, simplest)| value != simplest).count()
                + telling.turned.names().len(),
        }
    }
}

/// The faults that the story itself brought about.
fn own_faults(telling: &Telling) -> Vec<Kept> {
    let own = telling.deeds.iter().filter_map(|deed| Some((deed.choice?, deed)));
    own.map(|((entity, counter), deed)| {
        let name = |node: &quark_sim::NodeId| telling.nodes[node.index()].as_str();
        let groups: Vec<String> =
            deed.groups.iter().map(|group| group.iter().map(name).collect::<Vec<_>>().join(" ")).collect();
        let at = Duration::from_nanos(deed.at_ns);
        let note = format!("{at:?}: {:?} {} {}", deed.kind, groups.join(" | "), deed.detail);
        Kept { entity, counter, note: note.trim_end().to_owned() }
    })
    .collect()
}

/// The operations of its workload.
fn operations(telling: &Telling) -> Vec<Kept> {
    let of = telling.decisions.iter().filter(|decision| decision.id.0 == Purpose::Operation);
    let mut kept: Vec<Kept> = of
        .map(|decision| {
            let (entity, counter) = (decision.id.1, decision.id.2);
            let who = telling.operators.get(&entity).map_or("somebody", String::as_str);
            Kept { entity, counter, note: format!("{who}, {counter}") }
        })
        .collect();
    kept.sort();
    kept.dedup();
    kept
}

/// The picks that were not first in, first out.
fn deviations(telling: &Telling) -> Vec<Deviation> {
    let picks = telling.decisions.iter().filter_map(|decision| {
        let (purpose, node, pick) = decision.id;
        // Nodes are told from one another by their numbers, and the driver's tasks by its own, which is 0 as well.
        let is_pick = purpose == Purpose::PickNode || purpose == Purpose::PickTask && node != 0;
        is_pick.then_some(Deviation { node, pick, chosen: decision.value })
    });
    picks.collect()
}
