//! Which faults may be in force together, and how plans are put together by that.

use crate::catalogue::Overlap;
use crate::plan::{FaultPlan, PlannedFault};

/// Why a fault may not join others.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Clash {
    /// Its node is stopped already.
    #[error("node `{node}` is stopped at that time already")]
    Stopped {
        /// Which.
        node: String,
    },
    /// Too many nodes are stopped.
    #[error("{down} nodes are stopped at that time already, and no more than {down_max} may be")]
    TooManyDown {
        /// How many are.
        down: usize,
        /// How many may be.
        down_max: usize,
    },
    /// Another fault sets its node's clock.
    #[error("another fault sets the clock of `{node}` at that time")]
    ClockSet {
        /// Which.
        node: String,
    },
    /// There is one of its kind.
    #[error("there is one of its kind at that time, and there cannot be two")]
    Twice,
}

impl PlannedFault {
    /// Whether some moment belongs to both. Faults touch if one begins when the other ends: a node needs time to start.
    fn meets(&self, other: &PlannedFault) -> bool {
        let ends = |fault: &PlannedFault| {
            let is_open = fault.lasts.is_none() && !fault.fault.kind().is_momentary();
            (!is_open).then(|| fault.end())
        };
        ends(other).is_none_or(|end| self.at <= end) && ends(self).is_none_or(|end| other.at <= end)
    }

    /// Whether it may join others, of which at most `down_max` stop nodes at once.
    pub fn may_join<'a>(
        &self,
        others: impl IntoIterator<Item = &'a PlannedFault>,
        down_max: usize,
    ) -> Result<(), Clash> {
        let overlap = self.fault.kind().facts().overlap;
        if overlap == Overlap::Free {
            return Ok(());
        }
        let node = || self.fault.node().unwrap_or_default().to_owned();
        let mut down = 0;
        for other in others.into_iter().filter(|other| self.meets(other)) {
            let is_same_node = other.fault.node() == self.fault.node();
            match (overlap, other.fault.kind().facts().overlap) {
                (Overlap::Stops, Overlap::Stops) if is_same_node => {
                    return Err(Clash::Stopped { node: node() });
                }
                (Overlap::Stops, Overlap::Stops) => down += 1,
                (Overlap::SetsClock, Overlap::SetsClock) if is_same_node => {
                    return Err(Clash::ClockSet { node: node() });
                }
                (Overlap::Once, _) if other.fault.kind() == self.fault.kind() => return Err(Clash::Twice),
                _ => {}
            }
        }
        if overlap == Overlap::Stops && down >= down_max {
            return Err(Clash::TooManyDown { down, down_max });
        }
        Ok(())
    }
}

impl FaultPlan {
    /// This plan, and of another one what may join it: where the two clash, this one's faults stay. Sorted by time. At most
    /// `down_max` nodes are stopped at once, unless this plan itself stops more.
    ///
    /// ```
    /// use quark_chaos::{FaultPlan, nemesis};
    /// use std::time::Duration;
    /// let nodes = ["a", "b", "c", "d", "e"];
    /// let rolling = nemesis::rolling_restart(7, &nodes, Duration::from_secs(60));
    /// let plan = rolling.merge(FaultPlan::swarm(7, &nodes, Duration::from_secs(60)), 2);
    /// assert!(plan.events.len() >= nodes.len());
    /// ```
    #[must_use]
    pub fn merge(self, other: FaultPlan, down_max: usize) -> FaultPlan {
        let mut events = self.events;
        for event in other.events {
            if event.may_join(&events, down_max).is_ok() {
                events.push(event);
            }
        }
        events.sort_by_key(|event| event.at);
        FaultPlan { events, ..FaultPlan::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Fault, nemesis};
    use std::time::Duration;

    fn planned(at: u64, lasts: u64, fault: Fault) -> PlannedFault {
        PlannedFault { at: Duration::from_secs(at), lasts: Some(Duration::from_secs(lasts)), fault }
    }

    fn pause(node: &str) -> Fault {
        Fault::Pause { node: node.into() }
    }

    #[test]
    fn what_may_not_be_together_is_told_why() {
        let kept = [
            planned(10, 5, pause("a")),
            planned(0, 20, Fault::ClockDrift { node: "b".into(), ppm: 5 }),
            planned(0, 9, Fault::StoreFull),
        ];
        let may = |event: PlannedFault, down_max| event.may_join(&kept, down_max);
        let stopped = Err(Clash::Stopped { node: "a".into() });
        assert_eq!(may(planned(12, 1, Fault::Crash { node: "a".into() }), 5), stopped);
        assert_eq!(may(planned(15, 1, pause("a")), 5), stopped, "it begins when the other ends");
        assert_eq!(may(planned(16, 1, pause("a")), 5), Ok(()));
        assert_eq!(may(planned(8, 1, pause("a")), 5), Ok(()), "it ends before the other begins");
        assert_eq!(may(planned(12, 1, pause("b")), 1), Err(Clash::TooManyDown { down: 1, down_max: 1 }));
        assert_eq!(may(planned(12, 1, pause("b")), 2), Ok(()));
        let freeze = |node: &str| planned(3, 1, Fault::ClockFreeze { node: node.into() });
        assert_eq!(may(freeze("b"), 2), Err(Clash::ClockSet { node: "b".into() }));
        assert_eq!(may(freeze("c"), 2), Ok(()));
        assert_eq!(may(planned(8, 9, Fault::StoreFull), 2), Err(Clash::Twice));
        assert_eq!(may(planned(8, 9, Fault::StoreOutage), 2), Ok(()));
        let open = PlannedFault { lasts: None, ..planned(0, 0, pause("a")) };
        assert_eq!(may(open, 5), stopped, "it never ends");
    }

    #[test]
    fn a_merged_plan_keeps_all_of_the_first_and_clashes_nowhere() {
        let nodes = ["a", "b", "c", "d", "e"];
        let minute = Duration::from_secs(60);
        for seed in 0..100 {
            let (_, draw) = nemesis::ALL[seed as usize % nemesis::ALL.len()];
            let nemesis = draw(seed, &nodes, minute);
            let swarm = FaultPlan::swarm(seed, &nodes, minute);
            let both = nemesis.clone().merge(swarm.clone(), 2);
            assert!(nemesis.events.iter().all(|event| both.events.contains(event)));
            assert!(both.events.is_sorted_by_key(|event| event.at));
            for (at, event) in both.events.iter().enumerate().filter(|(_, e)| !nemesis.events.contains(e)) {
                let others = both.events.iter().enumerate().filter(|(other, _)| *other != at);
                // Counting those that stop any moment of it: fewer are stopped at any one moment.
                let clash = event.may_join(others.map(|(_, other)| other), usize::MAX);
                assert_eq!(clash, Ok(()), "seed {seed}: {event:?}");
            }
        }
    }
}
