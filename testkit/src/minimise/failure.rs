//! Which failure it is: what has to stay the same while a run is made smaller.

use crate::checkers::always_on;
use crate::runner::Report;
use crate::story::Violation;
use serde::{Deserialize, Serialize};
use std::fmt;

/// How a run fails, without the particulars: two runs with equal failures show, as far as can be told, the same bug.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Failure {
    /// The promise or invariant: `P3`, `I7`, `panic`.
    pub promise: String,
    /// Who says so: a checker's name, or the beginning of what a story expected, without numbers and short names.
    pub gist: String,
}

/// How many words of a story's own sentence are compared.
const WORDS: usize = 6;

impl Failure {
    /// The failure that a violation shows.
    pub fn of(violation: &Violation) -> Self {
        Self { promise: violation.checker.clone(), gist: gist(&violation.message) }
    }

    /// The failure that a run is known by: what a checker of the history saw, if one saw anything; else what the story says.
    pub fn of_run(report: &Report) -> Option<Self> {
        let all: Vec<Self> = report.violations.iter().map(Self::of).collect();
        all.iter().find(|failure| failure.is_of_a_checker()).or(all.first()).cloned()
    }

    /// Whether a checker of the history says so, to whom it is all one which faults there were. What a story says for itself
    /// presumes the faults that it has just told of.
    pub fn is_of_a_checker(&self) -> bool {
        always_on().iter().any(|checker| checker.name() == self.gist)
    }

    /// Whether a run fails in this way, too.
    pub fn is_in(&self, report: &Report) -> bool {
        report.violations.iter().any(|violation| Self::of(violation) == *self)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.promise, self.gist)
    }
}

fn gist(message: &str) -> String {
    // A checker of the history says its name first, and then what it saw, which differs from run to run.
    if let Some((name, _)) = message.split_once(": ")
        && always_on().iter().any(|checker| checker.name() == name)
    {
        return name.to_owned();
    }
    let is_general =
        |word: &&str| word.len() > 1 && word.chars().all(|c| c.is_ascii_alphabetic() || c == '\'');
    let words = message.split(|c: char| c.is_whitespace() || ":,.;()".contains(c));
    words.filter(is_general).take(WORDS).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use quark_core::Instant;

    fn failure(message: &str) -> Failure {
        let violation = Violation { checker: "P1".into(), message: message.into(), at: Instant(7) };
        Failure::of(&violation)
    }

    #[test]
    fn a_checker_is_known_by_its_name_and_a_story_by_its_words() {
        assert_eq!(failure("one-writer: epoch 7 of c/1").gist, "one-writer");
        assert_eq!(failure("outcomes: call 7 of c/1 to a/2").gist, "outcomes");
        assert_eq!(failure("one-writer: epoch 7 of c/1"), failure("one-writer: something else"));
        let first = failure("a deposit to account-3 is not taken: no answer");
        assert_eq!(first.gist, "deposit to is not taken no");
        assert_eq!(first, failure("a deposit to account-12 is not taken: no gateway"));
        assert_ne!(first, failure("a deposit to account-3 is taken twice"));
    }

    #[test]
    fn another_promise_is_another_failure() {
        let other = Violation { checker: "P2".into(), message: "one-writer: x".into(), at: Instant(7) };
        assert_ne!(Failure::of(&other), failure("one-writer: x"));
    }
}
