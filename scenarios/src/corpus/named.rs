//! Runs that once failed, made small, under names: told before any seed, so that what was mended stays mended.
//!
//! A seed of `scenarios/seeds` goes on meaning what it meant only as long as nobody changes what its story draws. A case
//! says itself what is left of its run: these faults, these operations, this order. Each is a file of `scenarios/cases`, as
//! `quark sim shrink --name` writes it. A failure of a bug that is planted (`quark_core::mutant!`) is kept as well: without
//! the bug it has to hold, and with it, it has to fail as it did.

use crate::shrink::story_of;
use quark_testkit::case::{Case, CaseError};
use quark_testkit::minimise::Failure;
use quark_testkit::runner::{self, Report};
use quark_testkit::story::Violation;
use serde::{Deserialize, Serialize};

/// A run that once failed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedCase {
    /// What was wrong, in a sentence.
    pub because: String,
    /// How it failed: the promise, and the checker that said so.
    pub failed: Failure,
    /// The commit that mended it, by its hash or its first line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mended_by: Option<String>,
    /// The planted bug that it shows, if it is one of those.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mutant: Option<String>,
    /// What is left of the run.
    pub case: Case,
}

/// A named case that proves nothing.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum StaleCase {
    /// It cannot be read, or told.
    #[error("scenarios/cases/{name}.json: {reason}")]
    Untold {
        /// Its name.
        name: String,
        /// Why.
        reason: CaseError,
    },
    /// It is told, and no longer comes to what it is about.
    #[error(
        "scenarios/cases/{name}.json: {checker}, who said that it failed, has nothing to look at in it any more: put the \
         bug back, make seed {seed} of {story} small anew, or delete the file"
    )]
    Vacuous {
        /// Its name.
        name: String,
        /// The checker.
        checker: String,
        /// Its story.
        story: String,
        /// Its seed.
        seed: u64,
    },
    /// It is of a planted bug, and does not show it.
    #[error(
        "scenarios/cases/{name}.json: with {mutant} planted it does not fail as it did ({failed}): make it anew with \
         `scenarios {story} --seeds {seed} --mutant {mutant} --shrink --name {name}`, or with another seed"
    )]
    Harmless {
        /// Its name.
        name: String,
        /// The planted bug.
        mutant: String,
        /// How it should fail.
        failed: Box<Failure>,
        /// Its story.
        story: String,
        /// Its seed.
        seed: u64,
    },
}

/// The files of `scenarios/cases`, by their names.
const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/cases.rs"));

/// The names of all named cases, in order.
pub fn names() -> impl Iterator<Item = &'static str> {
    FILES.iter().map(|(name, _)| *name)
}

/// The named case of this name. `None` if there is none.
///
/// Errors: its file is malformed, or of another simulator than this.
pub fn named(name: &str) -> Option<Result<NamedCase, StaleCase>> {
    let (name, text) = FILES.iter().find(|(known, _)| *known == name)?;
    let untold = |reason| StaleCase::Untold { name: (*name).to_owned(), reason };
    Some(NamedCase::from_json(text).map_err(untold))
}

impl NamedCase {
    /// Reads one.
    ///
    /// Errors: it is malformed, newer than this program, or of another simulator.
    pub fn from_json(text: &str) -> Result<Self, CaseError> {
        let malformed = |error: serde_json::Error| CaseError::Malformed(error.to_string());
        let value: serde_json::Value = serde_json::from_str(text).map_err(malformed)?;
        // The case first, so that one of a newer program is said to be that.
        Case::from_json(&value["case"].to_string())?;
        serde_json::from_value(value).map_err(malformed)
    }

    /// As it is kept in a file.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("it is plain data") + "\n"
    }

    /// Tells it, and says what does not hold. What a story says for itself presumes faults that may be gone: then only what
    /// checkers of the history say counts.
    ///
    /// Errors: its story is gone, or its checker has nothing to look at in it.
    pub fn tell(&self, name: &str) -> Result<(Report, Vec<Violation>), StaleCase> {
        let story = &self.case.story;
        let scenario = story_of(&self.case).map_err(|_| StaleCase::Untold {
            name: name.to_owned(),
            reason: CaseError::UnknownStory(story.clone()),
        })?;
        let report = runner::tell_case(&scenario, &self.case);
        let counts = |found: &&Violation| {
            let failure = Failure::of(found);
            failure == self.failed || failure.is_of_a_checker() || found.checker == "panic"
        };
        let broken: Vec<Violation> = report.violations.iter().filter(counts).cloned().collect();
        let checker = &self.failed.gist;
        let is_blind = self.failed.is_of_a_checker() && report.examined.get(checker).unwrap_or(&0) == &0;
        if is_blind && broken.is_empty() {
            return Err(StaleCase::Vacuous {
                name: name.to_owned(),
                checker: checker.clone(),
                story: story.clone(),
                seed: self.case.seed,
            });
        }
        Ok((report, broken))
    }

    /// Tells it with its planted bug switched on, and demands that it fails as it did. Nothing to do if it has none.
    ///
    /// Errors: it does not fail in that way, or cannot be told.
    #[cfg(feature = "mutants")]
    pub fn tell_with_its_bug(&self, name: &str) -> Result<(), StaleCase> {
        let Some(mutant) = &self.mutant else { return Ok(()) };
        quark_core::mutant::activate(mutant);
        let told = self.tell(name);
        quark_core::mutant::activate("");
        if told?.1.iter().any(|found| Failure::of(found) == self.failed) {
            return Ok(());
        }
        Err(StaleCase::Harmless {
            name: name.to_owned(),
            mutant: mutant.clone(),
            failed: Box::new(self.failed.clone()),
            story: self.case.story.clone(),
            seed: self.case.seed,
        })
    }
}

/// Tells the named cases of some stories, those of shard `is_told` by their numbers. Each gives a report of its story, which
/// is good if the case holds; one that proves nothing gives a violation of `corpus`.
pub fn tell_all(
    stories: &[quark_testkit::story::Scenario],
    is_told: impl Fn(u64) -> bool,
) -> Vec<(&'static str, Report)> {
    let mut reports = Vec::new();
    for (_, name) in (0..).zip(names()).filter(|(number, _)| is_told(*number)) {
        let case = named(name).expect("it is in the list");
        let of = case.as_ref().ok().map(|case| case.case.story.as_str());
        let story = stories.iter().find(|story| of.is_none_or(|of| of == story.name));
        // One of a story that was not asked for is not told; one that no program has is complained about.
        let is_gone = of.is_some_and(|of| crate::stories::named(of).is_none());
        let Some(story) = story.or(stories.first().filter(|_| is_gone)) else { continue };
        reports.push((story.name, reported(name, case)));
    }
    reports
}

/// What a named case came to, as the report of a run.
fn reported(name: &str, case: Result<NamedCase, StaleCase>) -> Report {
    let seed = case.as_ref().map_or(0, |case| case.case.seed);
    match case.and_then(|case| case.tell(name)) {
        Ok((mut report, broken)) => {
            report.violations = broken;
            for found in &mut report.violations {
                found.message = format!(
                    "{} (the case {name} fails again: quark sim replay --case scenarios/cases/{name}.json)",
                    found.message
                );
            }
            report
        }
        Err(stale) => complaint(seed, &stale),
    }
}

/// A report that says nothing but this.
fn complaint(seed: u64, stale: &StaleCase) -> Report {
    let at = quark_core::Instant::ZERO;
    Report {
        seed,
        violations: vec![Violation { checker: "corpus".into(), message: stale.to_string(), at }],
        steps: Vec::new(),
        simulated: std::time::Duration::ZERO,
        delivered: 0,
        hash: (0, 0),
        examined: Default::default(),
    }
}

/// Tells every named case without its bug, and with it: the first has to hold, the second to fail as it did. What does not,
/// as reports by the names of the cases.
#[cfg(feature = "mutants")]
pub fn tell_with_their_bugs() -> Vec<(&'static str, Report)> {
    let told = names().map(|name| {
        let case = named(name).expect("it is in the list");
        let seed = case.as_ref().map_or(0, |case| case.case.seed);
        let with = case.clone().and_then(|case| case.tell_with_its_bug(name));
        let mut report = reported(name, case);
        if let (Err(stale), true) = (with, report.violations.is_empty()) {
            report = complaint(seed, &stale);
        }
        (name, report)
    });
    told.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cases() -> Vec<(&'static str, NamedCase)> {
        let case = |name| named(name).expect("it is in the list").unwrap_or_else(|stale| panic!("{stale}"));
        names().map(|name| (name, case(name))).collect()
    }

    #[test]
    fn every_case_says_what_was_wrong_and_what_mended_it() {
        assert!(cases().len() >= 5);
        for (name, case) in cases() {
            assert_eq!(NamedCase::from_json(&case.to_json()), Ok(case.clone()), "{name}");
            assert!(story_of(&case.case).is_ok(), "{name}");
            assert!(case.because.contains(' '), "{name} does not say what was wrong");
            let is_mended = case.mended_by.as_ref().is_some_and(|commit| !commit.is_empty());
            assert!(is_mended || case.mutant.is_some(), "{name} does not say which commit mended it");
            assert!(case.case.engine.is_some(), "{name} does not say in which simulator it was told");
        }
    }

    #[test]
    fn every_case_holds_now_that_it_is_mended() {
        let told = tell_all(&crate::stories::all(), |_| true);
        assert_eq!(told.len(), names().count());
        for ((story, report), name) in told.iter().zip(names()) {
            assert_eq!(report.violations, [], "{name} of {story}");
        }
        let share = tell_all(&crate::stories::all(), |number| number == 1);
        assert_eq!(share.len(), 1, "a machine tells its share");
        assert_eq!(tell_all(&crate::stories::planted(), |_| true).len(), 0, "of other stories there is none");
    }

    /// One with each bug: it is what the case was kept for.
    #[cfg(feature = "mutants")]
    #[test]
    fn every_case_of_a_planted_bug_fails_with_it_as_it_did() {
        for (name, case) in cases() {
            case.tell_with_its_bug(name).unwrap_or_else(|stale| panic!("{stale}"));
            let other = NamedCase { mutant: Some("m00".into()), ..case };
            let stale = other.tell_with_its_bug(name).expect_err("there is no such bug");
            assert!(stale.to_string().contains("with m00 planted it does not fail as it did"), "{stale}");
        }
    }

    #[test]
    fn a_case_that_proves_nothing_says_so_and_what_to_do() {
        let (name, case) = cases().into_iter().find(|(_, case)| case.failed.is_of_a_checker()).expect("one");
        let told = |case: NamedCase| reported(name, Ok(case)).violations;
        let gone = Case { story: "vampire-silo".into(), ..case.case.clone() };
        let gone = told(NamedCase { case: gone, ..case.clone() });
        assert_eq!(gone[0].checker, "corpus");
        assert!(gone[0].message.contains("if the story was renamed"), "{gone:?}");

        // Nobody is reminded of anything in a story about joining.
        let failed = Failure { promise: "P14".into(), gist: "reminders".into() };
        let blind = NamedCase { failed, case: Case::of("crash-no-leave", 1), ..case.clone() };
        let blind = told(blind);
        assert!(blind[0].message.contains("has nothing to look at"), "{blind:?}");

        let other = case.to_json().replace("\"engine\": 1", "\"engine\": 99");
        let stale = NamedCase::from_json(&other).expect_err("of another simulator");
        assert!(stale.to_string().contains("of simulator 99"), "{stale}");

        // And one that fails again names its file.
        let fails = NamedCase {
            failed: Failure { promise: "canary".into(), gist: "the canary fell at seed".into() },
            case: Case::of("planted-canary", 100),
            ..case
        };
        let again = told(fails);
        assert!(again[0].message.contains("--case scenarios/cases/"), "{again:?}");
    }
}
