//! Draws fault plans from seeds: each seed a random subset of what can go wrong.
//!
//! Why a subset (swarm testing, Groce et al. 2012): a run in which everything goes wrong at once rarely gets far enough
//! for any one fault to find its bug; a run with three kinds of fault and plenty of each does.

use crate::catalogue::Needs;
use crate::draws::{Among, Draws};
use crate::fault::{Fault, FaultKind};
use crate::plan::{FaultPlan, PlannedFault};
use std::time::Duration;

/// What a swarm may do.
#[derive(Clone, Debug)]
pub struct SwarmConfig {
    /// The nodes, by name.
    pub nodes: Vec<String>,
    /// All faults begin and end within this time.
    pub duration: Duration,
    /// The kinds to choose from.
    pub kinds: Vec<FaultKind>,
    /// How many of them take part.
    pub share: Share,
    /// At most so many nodes are crashed or paused at once.
    pub down_max: usize,
    /// The mean time between two faults of one kind.
    pub gap: Duration,
    /// The longest a fault lasts.
    pub lasts_max: Duration,
}

/// How many of the kinds of a swarm take part in the plan of one seed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Share {
    /// Each with this probability: one in so many.
    OneIn(u64),
    /// A half, a quarter or an eighth, as the seed has it: few kinds get far, many meet.
    Drawn,
}

impl SwarmConfig {
    /// Every fault that the system promises to live with and that any cluster can suffer, at most a minority of the nodes
    /// down at once.
    pub fn new(nodes: &[&str], duration: Duration) -> Self {
        Self {
            nodes: nodes.iter().map(|name| (*name).to_owned()).collect(),
            duration,
            kinds: FaultKind::ALL.iter().copied().filter(|kind| is_for_all(*kind)).collect(),
            share: Share::Drawn,
            down_max: nodes.len().saturating_sub(1) / 2,
            gap: Duration::from_secs(10),
            lasts_max: Duration::from_secs(10),
        }
    }

    /// Also what needs imps: see [`Needs::Imps`].
    #[must_use]
    pub fn with_imps(mut self) -> Self {
        let needs_imps = |kind: &FaultKind| kind.facts().needs == Needs::Imps && kind.is_within_contract();
        self.kinds.extend(FaultKind::ALL.iter().copied().filter(needs_imps));
        self
    }
}

fn is_for_all(kind: FaultKind) -> bool {
    kind.is_within_contract() && kind.facts().needs == Needs::Nothing
}

impl FaultPlan {
    /// The plan of this seed for these nodes, with the usual [`SwarmConfig`].
    pub fn swarm(seed: u64, nodes: &[&str], duration: Duration) -> Self {
        swarm(seed, &SwarmConfig::new(nodes, duration))
    }
}

/// Draws a plan. Each kind has draws of its own: forbidding one kind leaves the faults of the others where they were
/// (but for those that only the limit on nodes down had held back).
///
/// Panics: if there are no nodes.
pub fn swarm(seed: u64, config: &SwarmConfig) -> FaultPlan {
    assert!(!config.nodes.is_empty(), "a swarm needs nodes");
    let one_in = match config.share {
        Share::OneIn(many) => many.max(1),
        Share::Drawn => 2 << Draws::new(seed, "share").below(3),
    };
    let mut events = Vec::new();
    for kind in &config.kinds {
        // By name and not by number, so that a new kind moves no other.
        let mut draws = Draws::new(seed, &format!("{kind:?}"));
        if draws.is_one_in(one_in) {
            events.extend(of_kind(*kind, &mut draws, config));
        }
    }
    events.sort_by_key(|event: &PlannedFault| event.at);
    let mut kept: Vec<PlannedFault> = Vec::new();
    for event in events {
        if event.may_join(&kept, config.down_max).is_ok() {
            kept.push(event);
        }
    }
    FaultPlan { events: kept, ..FaultPlan::new() }
}

/// The faults of one kind.
fn of_kind(kind: FaultKind, draws: &mut Draws, config: &SwarmConfig) -> Vec<PlannedFault> {
    let (mut events, mut at) = (Vec::new(), Duration::ZERO);
    loop {
        at += draws.span(Duration::from_millis(100), config.gap * 2);
        let lasts = draws.span(Duration::from_millis(20), config.lasts_max);
        let fault = one(kind, draws, &config.nodes);
        if at >= config.duration {
            return events;
        }
        let lasts = (!kind.is_momentary()).then(|| lasts.min(config.duration - at));
        events.push(PlannedFault { at, lasts, fault });
    }
}

/// One fault, as the catalogue says.
fn one(kind: FaultKind, draws: &mut Draws, nodes: &[String]) -> Fault {
    let mut fault = kind.blank();
    fault.place(&mut Among { draws, nodes });
    for parameter in kind.facts().parameters {
        fault = fault.with_number(parameter.name, draws.value(parameter.draw));
    }
    fault
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    const NODES: [&str; 5] = ["a", "b", "c", "d", "e"];
    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn a_seed_is_a_plan_and_seeds_differ() {
        let plans: Vec<_> = (0..100).map(|seed| FaultPlan::swarm(seed, &NODES, MINUTE)).collect();
        assert_eq!(plans[7], FaultPlan::swarm(7, &NODES, MINUTE));
        let kinds: BTreeSet<FaultKind> =
            plans.iter().flat_map(|plan| &plan.events).map(|event| event.fault.kind()).collect();
        assert!(FaultKind::ALL.iter().all(|kind| kinds.contains(kind) == is_for_all(*kind)), "{kinds:?}");
        let with_crashes = plans
            .iter()
            .filter(|plan| plan.events.iter().any(|event| event.fault.kind() == FaultKind::Crash))
            .count();
        assert!((15..45).contains(&with_crashes), "a kind takes part in 7 of 24 seeds: {with_crashes}");
    }

    #[test]
    fn everything_stays_in_bounds() {
        for seed in 0..300 {
            let plan = FaultPlan::swarm(seed, &NODES, MINUTE);
            plan.check(&NODES).expect("only known nodes");
            assert!(plan.end() <= MINUTE);
            for event in &plan.events {
                let down: Vec<_> = plan
                    .events
                    .iter()
                    .filter(|other| {
                        other.fault.stops_node() && other.at <= event.at && event.at < other.end()
                    })
                    .map(|other| other.fault.node())
                    .collect();
                assert!(down.len() <= 2, "seed {seed}: {down:?}");
                assert_eq!(down.iter().collect::<BTreeSet<_>>().len(), down.len(), "seed {seed}: {down:?}");
                if let Fault::Partition { groups } = &event.fault {
                    assert!(groups.len() >= 2, "a partition parts: {groups:?}");
                }
            }
        }
    }

    #[test]
    fn forbidding_one_kind_leaves_the_others_where_they_were() {
        let all = SwarmConfig::new(&NODES, MINUTE);
        let mut fewer = all.clone();
        fewer.kinds.retain(|kind| *kind != FaultKind::Loss);
        for seed in 0..50 {
            let mut expected = swarm(seed, &all);
            expected.events.retain(|event| event.fault.kind() != FaultKind::Loss);
            assert_eq!(swarm(seed, &fewer), expected);
        }
    }
}
