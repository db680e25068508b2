//! The search for the smallest run: what has been tried, what is the best so far, and in which order parts are taken away.
//!
//! Two things keep it short. A case that was told once is never told again, because it would end as it did. And while parts
//! are taken away, a run is told only until a little after the moment at which the best one failed: what comes later, the
//! long epilogue above all, says nothing about what had happened by then. A checker might say of a history that breaks off
//! what it would not say of a whole one, so whatever is handed out was told to its end.

use super::{Failure, Progress, Size};
use crate::case::Case;
use crate::runner::{self, Telling};
use crate::story::Scenario;
use quark_core::{Instant, hash};
use std::collections::BTreeSet;
use std::time::Duration;

/// Takes away whatever the failure does not need.
pub(super) struct Search<'a> {
    scenario: &'a Scenario,
    pub(super) failure: Failure,
    /// The smallest failing run so far, and how it was told: until the horizon, if there is one.
    pub(super) best: (Case, Telling),
    /// The smallest one that was told to its end.
    proven: (Case, Telling),
    whole_run: Duration,
    /// Whether a run that breaks off is as good as a whole one, as far as is known.
    breaks_off: bool,
    /// The names of cases that do not fail in the same way, told to their ends or not.
    good: BTreeSet<(u64, bool)>,
    pub(super) runs: u64,
    pub(super) part: &'static str,
    is_over: bool,
    goes_on: &'a mut dyn FnMut(Progress) -> bool,
}

/// How many times all parts are gone through: one may go only now that another is gone.
const ROUNDS: usize = 3;
/// How much later than the best one a smaller run may fail.
const LATER: Duration = Duration::from_secs(5);

impl<'a> Search<'a> {
    pub(super) fn new(
        scenario: &'a Scenario,
        case: Case,
        whole: Telling,
        failure: Failure,
        goes_on: &'a mut dyn FnMut(Progress) -> bool,
    ) -> Self {
        let whole_run = whole.report.simulated;
        // What a story says for itself it says when it comes to it.
        let breaks_off = failure.is_of_a_checker();
        Self {
            scenario,
            failure,
            best: (case.clone(), whole.clone()),
            proven: (case, whole),
            whole_run,
            breaks_off,
            good: BTreeSet::new(),
            runs: 1,
            part: "",
            is_over: false,
            goes_on,
        }
    }

    /// The smallest run, how it was told, and how many runs it took to find it.
    pub(super) fn result(self) -> (Case, Telling, u64) {
        (self.proven.0, self.proven.1, self.runs)
    }

    /// Whether the result fails no more without any one of its faults.
    pub(super) fn run(&mut self) -> bool {
        for _ in 0..ROUNDS {
            let before = self.proven.0.clone();
            // First of all whatever makes runs short.
            self.clients();
            self.faults();
            self.durations();
            self.parameters();
            self.operations();
            self.drawn_numbers();
            self.schedule();
            self.evenness();
            self.turned_knobs();
            self.prove();
            if self.is_over || self.proven.0 == before {
                break;
            }
        }
        // Whether a fault can go is asked of whole runs: without it the same may happen later.
        self.breaks_off = false;
        let is_minimal = self.faults();
        self.prove();
        is_minimal && !self.is_over
    }

    /// Tells a smaller run; it is the best if it fails in the same way. `None` when the search is over.
    pub(super) fn test(&mut self, case: Case) -> Option<bool> {
        let horizon = self.horizon();
        let name = (name(&case), horizon.is_none());
        if self.good.contains(&name) {
            return Some(false);
        }
        let progress = Progress { runs: self.runs, part: self.part, left: Size::of(&self.best.1) };
        if self.is_over || !(self.goes_on)(progress) {
            self.is_over = true;
            return None;
        }
        self.runs += 1;
        let telling = match horizon {
            Some(until) => runner::tell_until(self.scenario, &case, self.whole_run, until),
            None => runner::tell_in_full(self.scenario, &case, Some(self.whole_run)),
        };
        let fails = self.failure.is_in(&telling.report);
        if !fails {
            self.good.insert(name);
            return Some(false);
        }
        if horizon.is_none() {
            self.proven = (case.clone(), telling.clone());
        }
        self.best = (case, telling);
        Some(true)
    }

    /// Until when a run is told: until a little after the best one failed. `None` for to its end.
    fn horizon(&self) -> Option<Instant> {
        let seen = self.best.1.report.violations.iter().filter(|found| Failure::of(found) == self.failure);
        let at = seen.map(|found| found.at).min().filter(|_| self.breaks_off)?;
        let until = Instant(at.0 + at.0 / 4) + LATER;
        // If it fails at its end only, there is nothing to be saved.
        (until < Instant::ZERO + self.whole_run).then_some(until)
    }

    /// Tells the best one to its end. If it does not fail then, it never did, and no run is broken off any more.
    fn prove(&mut self) {
        if self.best.0 == self.proven.0 {
            return;
        }
        self.part = "the whole of it";
        self.runs += 1;
        let telling = runner::tell_in_full(self.scenario, &self.best.0, Some(self.whole_run));
        if self.failure.is_in(&telling.report) {
            self.best.1 = telling;
            self.proven = self.best.clone();
        } else {
            self.best = self.proven.clone();
            self.breaks_off = false;
        }
    }
}

/// A case in one number, whatever it says to people.
fn name(case: &Case) -> u64 {
    let mut bare = case.clone();
    let lists = [bare.faults.as_mut(), bare.operations.as_mut()];
    lists.into_iter().flatten().flatten().for_each(|kept| kept.note.clear());
    hash::point(bare.to_json().as_bytes())
}
