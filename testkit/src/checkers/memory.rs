//! I6, promise P9: what a silo holds is bounded. Counted from its events at every moment, and from its own samples.

use super::{Checker, Verdict};
use crate::history::{History, SiloEvent, What, WorldEvent};
use quark::{SiloConfig, SiloStatus};
use quark_core::{Instant, SiloId};

/// See the module.
pub struct BoundedMemory {
    /// The most calls that a silo may wait for.
    pub pending_max: usize,
    /// The most requests that may wait for a range.
    pub held_max: usize,
    /// The most route hints.
    pub routes_max: usize,
    /// The most calls sent on for others.
    pub forwarded_max: usize,
}

/// The runtime's own bounds.
const PARKED_MAX: usize = 1024;
const EARLY_MAX: usize = 4096;

impl BoundedMemory {
    /// The bounds that this configuration sets.
    pub fn of(config: &SiloConfig) -> Self {
        Self {
            pending_max: config.pending_max,
            held_max: config.held_max,
            routes_max: config.routes_max,
            forwarded_max: 100_000,
        }
    }

    fn check_sample(&self, at: Instant, silo: SiloId, status: &SiloStatus, verdict: &mut Verdict) {
        for (what, size, most) in [
            ("pending calls", status.pending, self.pending_max),
            ("held requests", status.held, self.held_max),
            ("route hints", status.routes, self.routes_max),
            ("forwarded calls", status.forwarded, self.forwarded_max),
            ("parked replies", status.parked, PARKED_MAX),
            ("early messages", status.early, EARLY_MAX),
        ] {
            verdict.require("P9", at, size <= most, || {
                format!("{silo} holds {size} {what}, the bound is {most}")
            });
        }
    }
}

impl Default for BoundedMemory {
    fn default() -> Self {
        Self::of(&SiloConfig::default())
    }
}

impl Checker for BoundedMemory {
    fn name(&self) -> &'static str {
        "bounded-memory"
    }

    fn check(&self, history: &History) -> Verdict {
        let mut verdict = Verdict::default();
        let numbers = history.numbers();
        // By call whether it is open, and by silo how many are.
        let (mut open, mut pending): (Vec<bool>, Vec<usize>) = (numbers.of_calls(), numbers.of_silos());
        for (position, record) in history.records().iter().enumerate() {
            match &record.what {
                What::World(WorldEvent::Sampled { silo, status }) => {
                    self.check_sample(record.at, *silo, status, &mut verdict);
                }
                What::Silo(r) => match &r.event {
                    SiloEvent::CallIssued { .. } => {
                        let named = numbers.at(position);
                        let calls = &mut pending[named.silo as usize];
                        *calls += usize::from(!std::mem::replace(&mut open[named.call as usize], true));
                        verdict.require("P9", record.at, *calls <= self.pending_max, || {
                            format!("{} waits for {calls} calls, the bound is {}", r.silo, self.pending_max)
                        });
                    }
                    SiloEvent::CallEnded { .. } => {
                        let named = numbers.at(position);
                        let was_open = std::mem::take(&mut open[named.call as usize]);
                        pending[named.silo as usize] -= usize::from(was_open);
                    }
                    _ => {}
                },
                What::World(_) | What::Client(_) | What::User(_) => {}
            }
        }
        verdict
    }
}

#[cfg(test)]
mod tests {
    use super::super::script::{Script, broken, issued, outcome, rejected, silo};
    use super::*;

    fn two_at_once() -> BoundedMemory {
        BoundedMemory { pending_max: 2, held_max: 3, routes_max: 4, forwarded_max: 5 }
    }

    fn sample(held: usize) -> WorldEvent {
        let status = SiloStatus { pending: 2, held, routes: 4, forwarded: 5, ..SiloStatus::default() };
        WorldEvent::Sampled { silo: silo("a#1"), status }
    }

    fn valid() -> Script {
        Script::new()
            .silo("a#1", issued(1, 100))
            .silo("a#1", issued(2, 100))
            .silo("a#1", outcome(1, 100, "ok"))
            .silo("a#1", issued(3, 100))
            .world(sample(3))
    }

    #[test]
    fn open_calls_are_counted_at_every_moment() {
        assert_eq!(rejected(&two_at_once(), &valid()), "drop 2, swap 2");
    }

    #[test]
    fn samples_stay_within_the_bounds() {
        assert_eq!(broken(&two_at_once(), valid().world(sample(4))), ["P9"]);
    }
}
