//! I5, promise P4: no turn starts past its deadline, and no hop makes a deadline longer.
//!
//! Deadlines travel as time left, so what is left when the turn starts is never more than what was left when the call
//! was issued, whatever the two clocks show and however fast they run: the check is exact.

use super::{Checker, Verdict};
use crate::history::{History, SiloEvent};
use quark_core::Instant;
use std::time::Duration;

/// See the module.
pub struct Deadlines;

/// On real clocks a little time passes between reading a deadline's clock and recording it.
const CLOCK_READ: Duration = Duration::from_millis(1);

impl Checker for Deadlines {
    fn name(&self) -> &'static str {
        "deadlines"
    }

    fn check(&self, history: &History) -> Verdict {
        let mut verdict = Verdict::default();
        let numbers = history.numbers();
        // By call: the time that it had when it was issued, if it has an end.
        let mut issued: Vec<Option<Duration>> = numbers.of_calls();
        for (position, at, record) in history.silo_records() {
            match &record.event {
                SiloEvent::CallIssued { deadline, .. } => {
                    issued[numbers.at(position).call as usize] = left(*deadline, record.local);
                }
                SiloEvent::TurnStarted(turn) => {
                    verdict.require("P4", at, record.local < turn.deadline + CLOCK_READ, || {
                        format!(
                            "{} started a turn of {} at {:?} of its clock, past the deadline {:?}",
                            record.silo, turn.actor, record.local, turn.deadline
                        )
                    });
                    let Some(at_issue) = &issued[numbers.at(position).call as usize] else { continue };
                    let now = left(turn.deadline, record.local);
                    let shorter = now.is_some_and(|now| now <= *at_issue + CLOCK_READ);
                    verdict.require("P4", at, shorter, || {
                        format!(
                            "call {:?} of {} had {at_issue:?} when it was issued; its turn of {} on {} has {now:?}",
                            turn.call, turn.caller, turn.actor, record.silo
                        )
                    });
                }
                _ => {}
            }
        }
        verdict
    }
}

/// The time left until a deadline, if it is one.
fn left(deadline: Instant, now: Instant) -> Option<Duration> {
    (deadline != Instant::NEVER).then(|| deadline.since(now))
}

#[cfg(test)]
mod tests {
    use super::super::script::{Script, broken, issued, ms, rejected, turn};
    use super::*;
    use crate::history::TurnStarted;

    fn started(number: u64, deadline: Instant) -> SiloEvent {
        SiloEvent::TurnStarted(TurnStarted { deadline, ..turn("alice", number) })
    }

    /// The callee's clock shows something else altogether.
    fn valid() -> Script {
        Script::new().at(10).silo("client#1", issued(1, 110)).at(30).silo_at(
            "a#1",
            7_020,
            started(1, ms(7_110)),
        )
    }

    #[test]
    fn a_deadline_only_shrinks() {
        assert_eq!(rejected(&Deadlines, &valid()), "");
        let longer = |left_ms: u64| {
            Script::new().at(10).silo("client#1", issued(1, 110)).at(30).silo_at(
                "a#1",
                7_000,
                started(1, ms(7_000 + left_ms)),
            )
        };
        assert_eq!(broken(&Deadlines, longer(100)), [] as [&str; 0]);
        assert_eq!(broken(&Deadlines, longer(102)), ["P4"]);
        let none = Script::new().silo("client#1", issued(1, 110)).silo("a#1", started(1, Instant::NEVER));
        assert_eq!(broken(&Deadlines, none), ["P4"]);
    }

    #[test]
    fn no_turn_starts_past_its_deadline() {
        let late = |now_ms| Script::new().at(now_ms).silo("a#1", started(9, ms(100)));
        assert_eq!(broken(&Deadlines, late(99)), [] as [&str; 0]);
        assert_eq!(broken(&Deadlines, late(102)), ["P4"]);
    }
}
