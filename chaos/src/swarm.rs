//! Draws fault plans from seeds: each seed a random subset of what can go wrong.
//!
//! Why a subset (swarm testing, Groce et al. 2012): a run in which everything goes wrong at once rarely gets far enough
//! for any one fault to find its bug; a run with three kinds of fault and plenty of each does.

use crate::fault::{Fault, FaultKind, Route};
use crate::plan::{FaultPlan, PlannedFault};
use quark_core::hash::{mix, point};
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
    /// At most so many nodes are crashed or paused at once.
    pub down_max: usize,
    /// The mean time between two faults of one kind.
    pub gap: Duration,
    /// The longest a fault lasts.
    pub lasts_max: Duration,
}

impl SwarmConfig {
    /// Every fault that the system promises to live with, at most a minority of the nodes down at once.
    pub fn new(nodes: &[&str], duration: Duration) -> Self {
        Self {
            nodes: nodes.iter().map(|name| (*name).to_owned()).collect(),
            duration,
            kinds: FaultKind::ALL.iter().copied().filter(|kind| kind.is_within_contract()).collect(),
            down_max: nodes.len().saturating_sub(1) / 2,
            gap: Duration::from_secs(10),
            lasts_max: Duration::from_secs(10),
        }
    }
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
    let mut events = Vec::new();
    for kind in &config.kinds {
        let mut draws = Draws::new(seed, *kind);
        // Half of the kinds take part.
        if draws.below(2) == 0 {
            continue;
        }
        let mut at = Duration::ZERO;
        loop {
            at += draws.span(Duration::from_millis(100), config.gap * 2);
            let lasts = draws.span(Duration::from_millis(20), config.lasts_max);
            let fault = draws.fault(*kind, &config.nodes);
            if at >= config.duration {
                break;
            }
            let lasts = (!kind.is_momentary()).then(|| lasts.min(config.duration - at));
            events.push(PlannedFault { at, lasts, fault });
        }
    }
    events.sort_by_key(|event| event.at);
    let mut kept: Vec<PlannedFault> = Vec::new();
    for event in events {
        if is_allowed(&event, &kept, config.down_max) {
            kept.push(event);
        }
    }
    FaultPlan { events: kept, ..FaultPlan::new() }
}

/// Whether a fault may join those that begin before it: a node is stopped once at a time, and not too many are.
fn is_allowed(event: &PlannedFault, kept: &[PlannedFault], down_max: usize) -> bool {
    if !event.fault.stops_node() {
        return true;
    }
    let stopped = kept.iter().filter(|other| other.fault.stops_node() && other.end() >= event.at);
    let mut others = 0;
    for other in stopped {
        if other.fault.node() == event.fault.node() {
            return false;
        }
        others += 1;
    }
    others < down_max
}

/// The draws of one kind of fault.
struct Draws {
    root: u64,
    count: u64,
}

impl Draws {
    fn new(seed: u64, kind: FaultKind) -> Self {
        // By name and not by number, so that a new kind moves no other.
        Self { root: mix(seed ^ point(format!("{kind:?}").as_bytes())), count: 0 }
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.count += 1;
        let word = mix(self.root ^ mix(self.count));
        ((u128::from(word) * u128::from(limit)) >> 64) as u64
    }

    fn span(&mut self, min: Duration, max: Duration) -> Duration {
        let width = max.saturating_sub(min).as_micros() as u64 + 1;
        min + Duration::from_micros(self.below(width))
    }

    /// Small mostly, large sometimes: between `min` and `max`, every order of magnitude equally likely.
    fn magnitude(&mut self, min: u64, max: u64) -> u64 {
        let mut steps = 0;
        while min << (steps + 1) <= max {
            steps += 1;
        }
        let base = min << self.below(steps + 1);
        (base + self.below(base)).min(max)
    }

    fn node(&mut self, nodes: &[String]) -> String {
        nodes[self.below(nodes.len() as u64) as usize].clone()
    }

    /// One path, all paths from a node, all paths to one, or everything.
    fn route(&mut self, nodes: &[String]) -> Route {
        let (from, to) = (self.node(nodes), self.node(nodes));
        match self.below(4) {
            0 => Route { from: vec![from], to: Vec::new() },
            1 => Route { from: Vec::new(), to: vec![to] },
            2 => Route::everywhere(),
            _ if from != to => Route { from: vec![from], to: vec![to] },
            _ => Route { from: vec![from], to: Vec::new() },
        }
    }

    /// Two groups, or three, of random sizes; at least two are not empty if there are two nodes.
    fn groups(&mut self, nodes: &[String]) -> Vec<Vec<String>> {
        let count = 2 + self.below(3) / 2;
        let mut groups = vec![Vec::new(); count as usize];
        for node in nodes {
            groups[self.below(count) as usize].push(node.clone());
        }
        if let Some(full) = groups.iter().position(|group| group.len() == nodes.len() && nodes.len() > 1) {
            let moved = groups[full].pop().expect("it holds all nodes");
            groups[(full + 1) % count as usize].push(moved);
        }
        groups.retain(|group| !group.is_empty());
        groups
    }

    fn fault(&mut self, kind: FaultKind, nodes: &[String]) -> Fault {
        match kind {
            FaultKind::Crash => Fault::Crash { node: self.node(nodes) },
            FaultKind::Restart => Fault::Restart { node: self.node(nodes), wipe: self.below(2) == 1 },
            FaultKind::Pause => Fault::Pause { node: self.node(nodes) },
            FaultKind::Cut => {
                let route = Route { from: vec![self.node(nodes)], to: vec![self.node(nodes)] };
                Fault::Cut { route, one_way: self.below(2) == 1 }
            }
            FaultKind::Partition => Fault::Partition { groups: self.groups(nodes) },
            FaultKind::Isolate => Fault::Isolate { node: self.node(nodes) },
            FaultKind::Loss => {
                Fault::Loss { route: self.route(nodes), ppm: self.magnitude(1000, 500_000) as u32 }
            }
            FaultKind::Duplicate => {
                Fault::Duplicate { route: self.route(nodes), ppm: self.magnitude(1000, 500_000) as u32 }
            }
            FaultKind::Reorder => Fault::Reorder {
                route: self.route(nodes),
                ppm: self.magnitude(1000, 500_000) as u32,
                by: Duration::from_micros(self.magnitude(100, 200_000)),
            },
            FaultKind::Corrupt => {
                Fault::Corrupt { route: self.route(nodes), ppm: self.magnitude(1000, 200_000) as u32 }
            }
            FaultKind::Latency => {
                let min = Duration::from_micros(self.magnitude(500, 500_000));
                Fault::Latency { route: self.route(nodes), min, max: min * (1 + self.below(4) as u32) }
            }
            FaultKind::Clog => Fault::Clog { route: self.route(nodes) },
            FaultKind::HalfOpen => Fault::HalfOpen { route: self.route(nodes) },
            FaultKind::StoreOutage => Fault::StoreOutage,
            FaultKind::StoreCut => Fault::StoreCut { node: self.node(nodes) },
            FaultKind::StoreFailover => Fault::StoreFailover,
            FaultKind::StoreStale => Fault::StoreStale { node: self.node(nodes) },
            FaultKind::StoreIndeterminate => Fault::StoreIndeterminate {
                ppm: self.magnitude(1000, 500_000) as u32,
                applied_ppm: self.below(1_000_001) as u32,
            },
            FaultKind::StoreSlow => Fault::StoreSlow {
                spike_ppm: self.magnitude(1000, 300_000) as u32,
                slowness_milli: self.magnitude(1000, 50_000) as u32,
            },
            FaultKind::ClockStep => {
                let by = self.magnitude(1, 4 * 3_600_000) as i64;
                Fault::ClockStep { node: self.node(nodes), by_ms: if self.below(2) == 0 { by } else { -by } }
            }
            FaultKind::ClockDrift => {
                // Rates may differ by 10 % at most between two clocks (promise P2): 4 % either way keeps that.
                let ppm = self.magnitude(10, 40_000) as i64;
                Fault::ClockDrift { node: self.node(nodes), ppm: if self.below(2) == 0 { ppm } else { -ppm } }
            }
            FaultKind::SlowCpu => Fault::SlowCpu {
                node: self.node(nodes),
                slowness_milli: self.magnitude(2000, 100_000) as u32,
            },
        }
    }
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
        assert!(
            FaultKind::ALL.iter().all(|kind| kinds.contains(kind) == kind.is_within_contract()),
            "{kinds:?}"
        );
        let with_crashes = plans
            .iter()
            .filter(|plan| plan.events.iter().any(|event| event.fault.kind() == FaultKind::Crash))
            .count();
        assert!((25..75).contains(&with_crashes), "a kind takes part in half of the seeds: {with_crashes}");
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
