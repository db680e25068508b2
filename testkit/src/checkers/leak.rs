//! I11, promise P17: once nothing is under way, every per-call and per-peer table is empty.

use super::{Checker, Verdict};
use crate::history::{History, SiloEvent, What, WorldEvent};
use quark::{SiloStatus, Timers};
use quark_core::Instant;
use quark_core::SiloId;
use quark_core::wire::CallId;

/// See the module.
pub struct Leaks;

impl Checker for Leaks {
    fn name(&self) -> &'static str {
        "leaks"
    }

    fn check(&self, history: &History) -> Verdict {
        let silos = history.silos();
        let mut verdict = Verdict::default();
        let numbers = history.numbers();
        // By call: whose it is, and since when it is open.
        let mut open: Vec<Option<(SiloId, CallId, Instant)>> = numbers.of_calls();
        let mut is_quiet = false;
        for (position, record) in history.records().iter().enumerate() {
            match &record.what {
                What::World(WorldEvent::Quiet) => {
                    is_quiet = true;
                    verdict.examine();
                    for (silo, call, issued_at) in open.iter().flatten() {
                        let gone = silos.life(*silo).is_some_and(|life| life.is_gone(record.at));
                        verdict.require("P17", record.at, gone, || {
                            format!("all is quiet, and call {call:?} of {silo} is open since {issued_at:?}")
                        });
                    }
                }
                What::World(WorldEvent::Sampled { silo, status }) if is_quiet => {
                    let left = [
                        ("pending calls", status.pending),
                        ("held requests", status.held),
                        ("forwarded calls", status.forwarded),
                        ("parked replies", status.parked),
                        ("early messages", status.early),
                        ("timers without an activation", orphaned_timers(status)),
                        ("letters that nobody takes", status.letters),
                    ];
                    for (what, size) in left {
                        verdict.require("P17", record.at, size == 0, || {
                            format!("all is quiet, and {silo} still has {size} {what}")
                        });
                    }
                }
                // Who works again is not quiet any more.
                What::Client(_) | What::User(_) => is_quiet = false,
                What::Silo(r) => match &r.event {
                    SiloEvent::CallIssued { call, .. } => {
                        open[numbers.at(position).call as usize] = Some((r.silo, *call, record.at));
                    }
                    SiloEvent::CallEnded { .. } => open[numbers.at(position).call as usize] = None,
                    _ => {}
                },
                What::World(_) => {}
            }
        }
        verdict
    }
}

/// Timers that no activation can have. An activation that is quiet may have some of its own.
fn orphaned_timers(status: &SiloStatus) -> usize {
    status.timers.saturating_sub(status.activations.saturating_mul(Timers::COUNT_MAX))
}

#[cfg(test)]
mod tests {
    use super::super::script::{Script, broken, issued, outcome, rejected, silo};
    use super::*;

    fn sample(pending: usize) -> WorldEvent {
        WorldEvent::Sampled { silo: silo("a#1"), status: SiloStatus { pending, ..SiloStatus::default() } }
    }

    fn valid() -> Script {
        Script::new()
            .silo("a#1", issued(1, 100))
            .world(sample(1))
            .silo("a#1", outcome(1, 100, "ok"))
            .world(WorldEvent::Quiet)
            .world(sample(0))
    }

    #[test]
    fn nothing_is_left_when_all_is_quiet() {
        assert_eq!(rejected(&Leaks, &valid()), "drop 2, swap 2");
        assert_eq!(broken(&Leaks, valid().world(sample(1))), ["P17"]);
    }

    #[test]
    fn a_timer_needs_an_activation() {
        let quiet = |activations, timers| {
            let status = SiloStatus { activations, timers, ..SiloStatus::default() };
            let sampled = WorldEvent::Sampled { silo: silo("a#1"), status };
            broken(&Leaks, Script::new().world(WorldEvent::Quiet).world(sampled))
        };
        assert_eq!(quiet(0, 1), ["P17"]);
        assert_eq!(quiet(1, 1), [] as [&str; 0]);
        assert_eq!(quiet(1, Timers::COUNT_MAX + 1), ["P17"]);
    }

    #[test]
    fn a_letter_that_nobody_takes_is_left() {
        let status = SiloStatus { letters: 1, ..SiloStatus::default() };
        let sampled = WorldEvent::Sampled { silo: silo("a#1"), status };
        assert_eq!(broken(&Leaks, Script::new().world(WorldEvent::Quiet).world(sampled)), ["P17"]);
    }

    #[test]
    fn the_dead_leave_what_they_had() {
        let crashed = Script::new()
            .silo("a#1", issued(1, 100))
            .world(WorldEvent::Crashed(silo("a#1")))
            .world(WorldEvent::Quiet);
        assert_eq!(broken(&Leaks, crashed), [] as [&str; 0]);
    }
}
