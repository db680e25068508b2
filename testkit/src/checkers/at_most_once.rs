//! I3, promise P4: a call runs at most once, and one whose caller was told that it did not run did not.
//!
//! Every attempt that the runtime makes has a call number of its own, so one number stands for one turn.

use super::{Checker, Verdict};
use crate::history::{History, SiloEvent};
use quark_core::wire::CallId;
use quark_core::{Instant, SiloId};

/// See the module.
pub struct AtMostOnce;

/// The outcomes that say: no turn started for it, and none will. A withdrawn call (`cancelled`) may have run.
const DID_NOT_RUN: [&str; 11] = [
    "bounced",
    "overloaded",
    "deadline_before_run",
    "unreachable",
    "deadlock",
    "quarantined",
    "unknown_kind",
    "rejected",
    "incompatible",
    "stopping",
    "activation_failed",
];

impl Checker for AtMostOnce {
    fn name(&self) -> &'static str {
        "at-most-once"
    }

    fn check(&self, history: &History) -> Verdict {
        let mut verdict = Verdict::default();
        let numbers = history.numbers();
        // By call: where it ran, and when.
        let mut ran: Vec<Option<(SiloId, Instant)>> = numbers.of_calls();
        for (position, at, record) in history.silo_records() {
            // Tells have no number.
            if let SiloEvent::TurnStarted(turn) = &record.event
                && turn.call != CallId::default()
            {
                let before = ran[numbers.at(position).call as usize].replace((record.silo, at));
                verdict.require("P4", at, before.is_none(), || {
                    let (silo, earlier) = before.expect("it is there, or all is well");
                    format!(
                        "call {:?} of {} to {} ran on {}, and had run on {silo} at {earlier:?}",
                        turn.call, turn.caller, turn.actor, record.silo
                    )
                });
            }
        }
        for (position, at, record) in history.silo_records() {
            if let SiloEvent::CallEnded { call, outcome, .. } = &record.event
                && DID_NOT_RUN.contains(&&**outcome)
            {
                let turn = &ran[numbers.at(position).call as usize];
                verdict.require("P4", turn.map_or(at, |(_, ran_at)| at.max(ran_at)), turn.is_none(), || {
                    let (silo, ran_at) = turn.expect("it is there, or all is well");
                    format!(
                        "call {call:?} of {} ended `{outcome}`, but it ran on {silo} at {ran_at:?}",
                        record.silo
                    )
                });
            }
        }
        verdict
    }
}

#[cfg(test)]
mod tests {
    use super::super::script::{Script, broken, issued, outcome, rejected, started};
    use super::*;

    fn valid() -> Script {
        Script::new()
            .silo("client#1", issued(1, 100))
            .silo("a#1", started("alice", 1))
            .silo("client#1", outcome(1, 100, "ok"))
            .silo("client#1", issued(2, 100))
            .silo("client#1", outcome(2, 100, "bounced"))
    }

    #[test]
    fn a_call_has_one_turn_at_most() {
        assert_eq!(rejected(&AtMostOnce, &valid()), "dup 1");
    }

    #[test]
    fn what_is_said_not_to_have_run_has_not_and_will_not() {
        let later = valid().silo("b#1", started("alice", 2));
        assert_eq!(broken(&AtMostOnce, later), ["P4"]);
        let withdrawn =
            Script::new().silo("a#1", started("alice", 1)).silo("client#1", outcome(1, 100, "cancelled"));
        assert_eq!(broken(&AtMostOnce, withdrawn), [] as [&str; 0]);
    }

    #[test]
    fn tells_have_no_number_and_are_not_counted() {
        let tell = || {
            let turn = super::super::script::turn("alice", 0);
            SiloEvent::TurnStarted(crate::history::TurnStarted { call: CallId::default(), ..turn })
        };
        let verdict = AtMostOnce.check(&Script::new().silo("a#1", tell()).silo("a#1", tell()).history());
        assert_eq!(verdict, Verdict::default());
    }
}
