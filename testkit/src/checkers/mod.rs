//! Checkers: pure functions from a history to a verdict, one per promise, on in every scenario.
//!
//! A checker accepts every history that the promise allows, also where it cannot see well: what it cannot decide it
//! counts as nothing examined. `docs/checkers.md` says for each what it looks at and what it cannot see.

mod at_most_once;
mod conservation;
mod deadlines;
mod detection;
mod directory;
mod durability;
mod exactly_once;
mod fencing;
mod fifo;
mod leak;
mod ledger;
mod linearizable;
mod liveness;
mod memory;
mod one_runner;
mod one_writer;
mod oracle;
mod outcomes;
mod partitions;
mod placement;
mod reminders;
#[cfg(test)]
pub(crate) mod script;
mod search;
mod silos;
#[cfg(test)]
mod tests;
mod versions;
mod views;
mod write_behind;

pub use at_most_once::AtMostOnce;
pub use conservation::Conservation;
pub use deadlines::Deadlines;
pub use detection::Detection;
pub use directory::Directory;
pub use durability::Durability;
pub use exactly_once::ExactlyOnce;
pub use fencing::Fencing;
pub use fifo::Fifo;
pub use leak::Leaks;
pub use ledger::Ledger;
pub use linearizable::{Linear, Linearizable};
pub use liveness::Liveness;
pub use memory::BoundedMemory;
pub use one_runner::OneRunner;
pub use one_writer::OneWriter;
pub use oracle::{Seen, VersionOracle, Versioned};
pub use outcomes::Outcomes;
pub use placement::Placement;
pub use reminders::Reminders;
pub use search::Limits;
pub use versions::Versions;
pub use views::Views;
pub use write_behind::WriteBehindLoss;

pub(crate) use directory::{Sample, disagreements};
pub(crate) use partitions::{actor_of as actor_of_partition, partition_of};
pub(crate) use reminders::standing;
pub(crate) use silos::{Life, Silos};

use crate::history::{History, WorldEvent};
use quark_core::Instant;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// Reads a history and says what in it breaks a promise. Offline and pure: the same history, the same verdict.
pub trait Checker: Send + Sync {
    /// Its name, in kebab case.
    fn name(&self) -> &'static str;

    /// Examines the history.
    fn check(&self, history: &History) -> Verdict;
}

impl<C: Checker + ?Sized> Checker for Arc<C> {
    fn name(&self) -> &'static str {
        (**self).name()
    }

    fn check(&self, history: &History) -> Verdict {
        (**self).check(history)
    }
}

/// What a checker found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Verdict {
    /// What does not hold; empty is good.
    pub violations: Vec<Violation>,
    /// How many facts could have been violations. Zero is a vacuous verdict.
    pub examined: usize,
}

/// A promise that was broken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Violation {
    /// Which: `P1` to `P18`.
    pub promise: &'static str,
    /// When, in true time.
    pub at: Instant,
    /// What was seen, for people.
    pub message: String,
}

impl Verdict {
    /// One more fact was looked at.
    pub(crate) fn examine(&mut self) {
        self.examined += 1;
    }

    /// One more fact was looked at, and must hold.
    pub(crate) fn require(
        &mut self,
        promise: &'static str,
        at: Instant,
        holds: bool,
        message: impl FnOnce() -> String,
    ) {
        self.examine();
        if !holds {
            self.violations.push(Violation { promise, at, message: message() });
        }
    }
}

/// The checkers of every scenario.
pub fn always_on() -> Vec<Box<dyn Checker>> {
    vec![
        Box::new(Completeness),
        Box::new(OneWriter),
        Box::new(Fencing),
        Box::new(Versions),
        Box::new(OneRunner),
        Box::new(Ledger),
        Box::new(Linearizable::default()),
        Box::new(AtMostOnce),
        Box::new(ExactlyOnce),
        Box::new(Conservation),
        Box::new(Reminders::default()),
        Box::new(Fifo),
        Box::new(Outcomes::default()),
        Box::new(Deadlines),
        Box::new(Detection::default()),
        Box::new(BoundedMemory::default()),
        Box::new(Liveness::default()),
        Box::new(Views),
        Box::new(Placement),
        Box::new(Directory),
        Box::new(Durability),
        Box::new(Leaks),
    ]
}

/// Applies checkers to a history.
pub fn check_all(history: &History, checkers: &[Box<dyn Checker>]) -> Report {
    let waivers: Vec<(Instant, &'static str)> = history
        .world_events()
        .filter_map(|(_, at, event)| match event {
            WorldEvent::Waived { promise, .. } => Some((at, *promise)),
            _ => None,
        })
        .collect();
    let mut report = Report::default();
    for checker in checkers {
        let mut verdict = checker.check(history);
        let is_waived = |v: &Violation| waivers.iter().any(|(at, p)| *p == v.promise && *at <= v.at);
        let (waived, standing) = std::mem::take(&mut verdict.violations).into_iter().partition(is_waived);
        verdict.violations = standing;
        report.waived.extend::<Vec<Violation>>(waived);
        report.verdicts.push((checker.name(), verdict));
    }
    report
}

/// All verdicts on a history.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Report {
    /// By checker, in the order in which they were applied.
    pub verdicts: Vec<(&'static str, Verdict)>,
    /// Violations of promises that the story had waived before.
    pub waived: Vec<Violation>,
}

impl Report {
    /// What does not hold, with the checker that says so.
    pub fn violations(&self) -> impl Iterator<Item = (&'static str, &Violation)> {
        self.verdicts.iter().flat_map(|(name, verdict)| verdict.violations.iter().map(|v| (*name, v)))
    }

    /// Whether nothing was found.
    pub fn is_clean(&self) -> bool {
        self.violations().next().is_none()
    }

    /// How many facts each checker examined; those of one name are added up.
    pub fn examined(&self) -> BTreeMap<String, u64> {
        let mut examined = BTreeMap::new();
        for (name, verdict) in &self.verdicts {
            *examined.entry((*name).to_owned()).or_default() += verdict.examined as u64;
        }
        examined
    }

    /// The checkers that examined fewer than `least` facts: their silence means nothing.
    pub fn vacuous(&self, least: usize) -> Vec<&'static str> {
        self.verdicts.iter().filter(|(_, v)| v.examined < least).map(|(name, _)| *name).collect()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, verdict) in &self.verdicts {
            writeln!(f, "{name}: {} violations, {} examined", verdict.violations.len(), verdict.examined)?;
            for violation in &verdict.violations {
                writeln!(f, "  {} at {:?}: {}", violation.promise, violation.at, violation.message)?;
            }
        }
        Ok(())
    }
}

/// The history is whole, or nothing else that is said about it counts.
struct Completeness;

impl Checker for Completeness {
    fn name(&self) -> &'static str {
        "completeness"
    }

    fn check(&self, history: &History) -> Verdict {
        let mut verdict = Verdict { examined: history.records().len(), ..Verdict::default() };
        if history.dropped() > 0 {
            verdict.require("P18", history.end(), false, || {
                format!("the history is full: {} records are missing", history.dropped())
            });
        }
        verdict
    }
}
