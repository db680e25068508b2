//! How a command ended, in one number for scripts.

use quark_testkit::runner::Report;
use std::process::ExitCode;

/// How a command ended. The worst of several counts; the order here is from good to worst.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Verdict {
    /// Everything was good.
    Good,
    /// Every run was good, and a story never came to what it is about: it has proven nothing.
    Vacuous,
    /// A promise or an invariant did not hold.
    Violation,
    /// Nothing can ever happen again, and somebody waits.
    Deadlock,
    /// The same seed gave two stories, or something left the simulation: no other verdict can be trusted.
    Nondeterminism,
}

/// What the codes mean, for `--help`. A code that is not here is a signal's, or a panic's of the program itself.
pub const EXIT_CODES: &str = "\
Exit codes: 0 all good | 1 a violation | 2 could not do what it was asked (infrastructure, wrong flags) |
3 a deadlock | 4 nondeterminism | 5 vacuous: good runs that never came to what they are about";

impl Verdict {
    /// The code with which a process should end. 2 is for what could not be done, as for wrong flags.
    pub fn code(self) -> u8 {
        match self {
            Self::Good => 0,
            Self::Violation => 1,
            Self::Deadlock => 3,
            Self::Nondeterminism => 4,
            Self::Vacuous => 5,
        }
    }

    /// In a word, for JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Violation => "violation",
            Self::Deadlock => "deadlock",
            Self::Nondeterminism => "nondeterminism",
            Self::Vacuous => "vacuous",
        }
    }

    /// The verdict on some runs, of which these probes were never reached.
    pub fn of<'a>(reports: impl IntoIterator<Item = &'a Report>, unreached: &[String]) -> Self {
        let probes = if unreached.is_empty() { Self::Good } else { Self::Vacuous };
        reports.into_iter().map(Self::of_run).fold(probes, Self::max)
    }

    /// The verdict on one run: that of its first violation, as the one that is shown.
    fn of_run(report: &Report) -> Self {
        match report.violations.first().map(|violation| violation.checker.as_str()) {
            None => Self::Good,
            Some("deadlock") => Self::Deadlock,
            Some("tripwire" | "I12") => Self::Nondeterminism,
            Some(_) => Self::Violation,
        }
    }
}

impl From<bool> for Verdict {
    fn from(is_good: bool) -> Self {
        if is_good { Self::Good } else { Self::Violation }
    }
}

impl From<Verdict> for ExitCode {
    fn from(verdict: Verdict) -> Self {
        Self::from(verdict.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quark_core::Instant;
    use quark_testkit::story::Violation;
    use std::time::Duration;

    fn run(checker: Option<&str>) -> Report {
        let violation = |c: &str| Violation { checker: c.into(), message: "no".into(), at: Instant::ZERO };
        Report {
            seed: 1,
            violations: checker.map(violation).into_iter().collect(),
            steps: Vec::new(),
            simulated: Duration::ZERO,
            delivered: 0,
            hash: (0, 0),
            examined: Default::default(),
        }
    }

    #[test]
    fn the_worst_of_several_runs_counts() {
        let of = |checkers: &[Option<&str>]| {
            Verdict::of(checkers.iter().map(|c| run(*c)).collect::<Vec<_>>().iter(), &[])
        };
        assert_eq!(of(&[None, None]), Verdict::Good);
        assert_eq!(of(&[None, Some("I1")]), Verdict::Violation);
        assert_eq!(of(&[Some("deadlock"), Some("I1")]), Verdict::Deadlock);
        assert_eq!(of(&[Some("deadlock"), Some("I12"), None]), Verdict::Nondeterminism);
        assert_eq!(of(&[Some("tripwire")]), Verdict::Nondeterminism);
    }

    #[test]
    fn good_runs_that_never_came_to_the_point_are_vacuous() {
        let unreached = ["a: b.c".to_owned()];
        assert_eq!(Verdict::of([&run(None)], &unreached), Verdict::Vacuous);
        assert_eq!(Verdict::of([&run(Some("I1"))], &unreached), Verdict::Violation);
    }

    #[test]
    fn every_class_has_a_code_of_its_own_and_none_that_of_wrong_flags() {
        let all =
            [Verdict::Good, Verdict::Vacuous, Verdict::Violation, Verdict::Deadlock, Verdict::Nondeterminism];
        let codes: std::collections::BTreeSet<u8> = all.iter().map(|v| v.code()).collect();
        assert_eq!(codes.len(), all.len());
        assert!(!codes.contains(&2));
    }
}
