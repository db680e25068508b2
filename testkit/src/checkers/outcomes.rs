//! I5, promise P4: every call ends in exactly one outcome, no later than its deadline plus one tick.
//!
//! Deadlines are compared with the clock of the silo that issued the call, so skew and drift cannot matter. The slack is
//! what a busy processor needs, so a slow one has as much more of it as it is slower. A silo that is frozen, or whose turns are held because its lease is not proven, answers when it goes on.

use super::silos::Life;
use super::{Checker, Verdict};
use crate::history::{History, SiloEvent};
use quark_core::wire::CallId;
use quark_core::{ActorId, Instant, SiloId};
use std::time::Duration;

/// See the module.
pub struct Outcomes {
    /// How long after deadline and tick a busy silo of the usual speed may take to tell.
    pub slack: Duration,
}

/// The resolution of deadlines.
const TICK: Duration = Duration::from_millis(10);

impl Default for Outcomes {
    fn default() -> Self {
        Self { slack: Duration::from_millis(5) }
    }
}

struct Call<'a> {
    silo: SiloId,
    /// The silo's number.
    number: u32,
    id: CallId,
    actor: &'a ActorId,
    deadline: Instant,
    issued_at: Instant,
    /// When it ended: true and local time.
    ended: Option<(Instant, Instant)>,
}

impl Checker for Outcomes {
    fn name(&self) -> &'static str {
        "outcomes"
    }

    fn check(&self, history: &History) -> Verdict {
        let lives = history.lives();
        let mut verdict = Verdict::default();
        let calls = pair_up(history, &mut verdict);
        for call in &calls {
            let Call { silo, number, id, .. } = call;
            let life = lives[*number as usize].expect("it has a record");
            verdict.examine();
            match call.ended {
                Some((at, local)) => {
                    let late = local > self.due(life, call, at);
                    verdict.require("P4", at, !late, || {
                        format!(
                            "call {id:?} of {silo} to {} ended at {local:?} of its clock, its deadline was {:?}",
                            call.actor, call.deadline
                        )
                    });
                }
                None => {
                    let due = life.true_time(self.due(life, call, history.end())).1;
                    let open = !life.is_gone(history.end()) && life.awake_from(due) < history.end();
                    verdict.require("P4", due, !open, || {
                        format!(
                            "call {id:?} of {silo} to {} was issued at {:?} and never ended",
                            call.actor, call.issued_at
                        )
                    });
                }
            }
        }
        verdict
    }
}

impl Outcomes {
    /// The latest local time at which this call may end, when it had to be waited for until `at`.
    fn due(&self, life: &Life, call: &Call<'_>, at: Instant) -> Instant {
        let from = life.true_time(call.deadline).0;
        let slack = self.slack * life.slowest_within(from, at) / 1000;
        let due = call.deadline + TICK + slack;
        if due == Instant::NEVER {
            return due;
        }
        let until = life.true_time(due).1.min(at);
        if life.paused_within(from, until) {
            // Its clock went on without it; how soon it catches up is told by no promise.
            return Instant::NEVER;
        }
        if life.leased_at(call.deadline) && life.leased_at(due) {
            return due;
        }
        life.leased_from(call.deadline).max(life.leased_from(due)) + TICK + slack
    }
}

/// Issues and ends, matched, in the order of issue. A number that is issued twice, or ends twice or unissued, is a violation.
fn pair_up<'a>(history: &'a History, verdict: &mut Verdict) -> Vec<Call<'a>> {
    let numbers = history.numbers();
    let mut calls: Vec<Call<'_>> = Vec::new();
    // By the number of a call, where it is in the list.
    let mut issued: Vec<Option<usize>> = numbers.of_calls();
    for (position, at, record) in history.silo_records() {
        match &record.event {
            SiloEvent::CallIssued { call, actor, deadline } => {
                let (silo, number, id) = (record.silo, numbers.at(position).silo, *call);
                let deadline = *deadline;
                let state = Call { silo, number, id, actor, deadline, issued_at: at, ended: None };
                let at_issue = &mut issued[numbers.at(position).call as usize];
                let twin = *at_issue;
                verdict.require("P4", at, twin.is_none(), || {
                    format!("call number {call:?} of {} was used twice", record.silo)
                });
                match twin {
                    Some(twin) => calls[twin] = state,
                    None => {
                        *at_issue = Some(calls.len());
                        calls.push(state);
                    }
                }
            }
            SiloEvent::CallEnded { call, outcome, .. } => {
                let state = issued[numbers.at(position).call as usize].map(|at| &mut calls[at]);
                let first = state.as_ref().is_some_and(|c| c.ended.is_none());
                verdict.require("P4", at, first, || {
                    let how = if state.is_some() { "again" } else { "without having been issued" };
                    format!("call {call:?} of {} ended {how}: {outcome}", record.silo)
                });
                if let Some(state) = state {
                    state.ended.get_or_insert((at, record.local));
                }
            }
            _ => {}
        }
    }
    calls
}

#[cfg(test)]
mod tests {
    use super::super::script::{Script, broken, issued, ms, outcome, rejected, silo};
    use super::*;
    use crate::history::WorldEvent;

    fn end(script: Script) -> Script {
        script.at(9_000).silo("b#1", SiloEvent::Joined)
    }

    /// Two calls: one is answered, one ends at the tick after its deadline.
    fn valid() -> Script {
        end(Script::new()
            .leased(&["a#1"])
            .at(5)
            .silo("a#1", issued(1, 100))
            .at(20)
            .silo("a#1", outcome(1, 100, "ok"))
            .at(30)
            .silo("a#1", issued(2, 100))
            .at(110)
            .silo("a#1", outcome(2, 100, "indeterminate")))
    }

    #[test]
    fn every_call_ends_once() {
        assert_eq!(
            rejected(&Outcomes::default(), &valid()),
            "drop 1, dup 1, swap 1, drop 2, dup 2, drop 3, dup 3, swap 3, drop 4, dup 4"
        );
    }

    #[test]
    fn a_call_never_outlives_its_deadline_by_more_than_a_tick() {
        let late = |ended_ms| {
            Script::new()
                .leased(&["a#1"])
                .silo("a#1", issued(1, 100))
                .at(ended_ms)
                .silo("a#1", outcome(1, 100, "indeterminate"))
        };
        assert_eq!(broken(&Outcomes::default(), late(115)), [] as [&str; 0]);
        assert_eq!(broken(&Outcomes::default(), late(116)), ["P4"]);
    }

    #[test]
    fn a_slow_processor_has_as_much_more_slack_as_it_is_slower_and_no_more() {
        let late = |ended_ms| {
            let slowed = |milli| WorldEvent::Slowed { name: silo("a#1").name, milli };
            Script::new()
                .leased(&["a#1"])
                .silo("a#1", issued(1, 100))
                .at(50)
                .world(slowed(80_000))
                .at(ended_ms)
                .silo("a#1", outcome(1, 100, "indeterminate"))
                .world(slowed(1000))
        };
        assert_eq!(broken(&Outcomes::default(), late(100 + 10 + 400)), [] as [&str; 0]);
        assert_eq!(broken(&Outcomes::default(), late(100 + 10 + 401)), ["P4"]);
    }

    #[test]
    fn who_cannot_run_answers_when_it_can() {
        let unproven = |ended_ms| {
            Script::new()
                .silo("a#1", SiloEvent::LeaseHeld { until: ms(90) })
                .silo("a#1", issued(1, 100))
                .at(500)
                .silo("a#1", SiloEvent::LeaseHeld { until: ms(1_000) })
                .at(ended_ms)
                .silo("a#1", outcome(1, 100, "indeterminate"))
        };
        assert_eq!(broken(&Outcomes::default(), unproven(510)), [] as [&str; 0]);
        assert_eq!(broken(&Outcomes::default(), unproven(600)), ["P4"]);
        let frozen = Script::new()
            .leased(&["a#1"])
            .silo("a#1", issued(1, 100))
            .at(50)
            .world(WorldEvent::Paused(silo("a#1")))
            .at(8_000)
            .world(WorldEvent::Resumed(silo("a#1")))
            .silo("a#1", outcome(1, 100, "indeterminate"));
        assert_eq!(broken(&Outcomes::default(), frozen), [] as [&str; 0]);
    }

    #[test]
    fn a_crash_excuses_and_nothing_else_does() {
        let open = || Script::new().leased(&["a#1"]).silo("a#1", issued(1, 100));
        assert_eq!(broken(&Outcomes::default(), end(open())), ["P4"]);
        let crashed = open().at(50).world(WorldEvent::Crashed(silo("a#1")));
        assert_eq!(broken(&Outcomes::default(), end(crashed)), [] as [&str; 0]);
        assert_eq!(broken(&Outcomes::default(), open()), [] as [&str; 0], "its deadline is yet to come");
    }
}
