//! When an ask is tried again, and what its caller is told in the end (promises P4 and P5).
//!
//! What is proven not to have run is tried again until the deadline. What may have run is tried again only under an
//! idempotency key; and once an attempt may have run, no later one can say that nothing happened.

use crate::error::Failure;
use quark_core::{Instant, mutant, reached};
use std::time::Duration;

/// The attempts of one ask.
pub(crate) struct Attempts {
    deadline: Instant,
    pause: Duration,
    /// The call has an idempotency key.
    keyed: bool,
    /// Why an attempt may have run without an answer.
    doubt: Option<String>,
}

impl Attempts {
    pub fn new(deadline: Instant, first_pause: Duration, keyed: bool) -> Self {
        Self { deadline, pause: first_pause, keyed: keyed || mutant!("m08"), doubt: None }
    }

    /// Whether there is time for another attempt; the failure of the whole ask if not.
    pub fn may_try(&self, now: Instant) -> Result<(), Failure> {
        if now < self.deadline { Ok(()) } else { Err(self.end(Failure::DeadlineBeforeRun)) }
    }

    /// After an attempt that failed: `Ok` if another may follow, else the failure of the whole ask.
    pub fn failed(&mut self, failure: Failure) -> Result<(), Failure> {
        match failure {
            Failure::Indeterminate { reason } if self.keyed => {
                reached!("attempts.again_under_a_key");
                self.doubt.get_or_insert(reason);
                Ok(())
            }
            failure if self.doubt.is_some() && failure.may_retry() => Ok(()),
            failure => Err(self.end(failure)),
        }
    }

    /// What an ask that ends so is to say.
    pub fn end(&self, failure: Failure) -> Failure {
        match &self.doubt {
            Some(reason) => Failure::Indeterminate { reason: reason.clone() },
            None => failure,
        }
    }

    /// When the next attempt may begin.
    pub fn next(&mut self, now: Instant) -> Instant {
        let next = (now + self.pause).min(self.deadline);
        self.pause = (self.pause * 2).min(PAUSE_MAX);
        next
    }
}

const PAUSE_MAX: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use super::*;

    fn lost() -> Failure {
        Failure::Indeterminate { reason: "lost".into() }
    }

    fn attempts(keyed: bool) -> Attempts {
        Attempts::new(Instant(1_000_000_000), Duration::from_millis(5), keyed)
    }

    #[test]
    fn what_may_have_run_is_tried_again_only_under_a_key() {
        assert_eq!(attempts(false).failed(lost()), Err(lost()));
        assert_eq!(attempts(true).failed(lost()), Ok(()));
        let dead =
            || Failure::Corrupt { actor: quark_core::ActorId::new("a", "b").unwrap(), reason: "x".into() };
        assert_eq!(attempts(true).failed(dead()), Err(dead()));
    }

    #[test]
    fn once_an_attempt_may_have_run_no_later_one_says_that_nothing_happened() {
        let mut doubted = attempts(true);
        assert_eq!(doubted.may_try(Instant(1_000_000_000)), Err(Failure::DeadlineBeforeRun));
        doubted.failed(lost()).expect("again");
        let refused = Failure::StoreUnavailable { reason: "dark".into() };
        assert_eq!(doubted.failed(refused), Ok(()));
        assert_eq!(doubted.failed(Failure::Cancelled), Err(lost()));
        assert_eq!(doubted.may_try(Instant(1_000_000_000)), Err(lost()));
    }

    #[test]
    fn pauses_double_and_end_at_the_deadline() {
        let mut attempts = attempts(false);
        assert_eq!(attempts.next(Instant(0)), Instant(5_000_000));
        assert_eq!(attempts.next(Instant(0)), Instant(10_000_000));
        assert_eq!(attempts.next(Instant(999_999_999)), Instant(1_000_000_000));
    }
}
