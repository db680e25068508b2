//! Plans written by hand: shapes of trouble that drawing fault by fault would hardly ever find.
//!
//! Each is a function of a seed, the nodes and a duration; [`FaultPlan::merge`] adds a swarm to it.

use crate::draws::Draws;
use crate::fault::{Fault, Route};
use crate::plan::FaultPlan;
use std::time::Duration;

/// A plan of a seed, for these nodes, within this time.
pub type Nemesis = fn(u64, &[&str], Duration) -> FaultPlan;

/// All of them, by name.
pub const ALL: &[(&str, Nemesis)] = &[
    ("bridge", bridge),
    ("majority-ring", majority_ring),
    ("swizzle-clog", swizzle_clog),
    ("rolling-restart", rolling_restart),
    ("zombie", zombie),
    ("address-reuse", address_reuse),
];

/// Two halves that see each other only through one node in the middle.
///
/// Source: Jepsen, `nemesis/bridge`.
pub fn bridge(seed: u64, nodes: &[&str], duration: Duration) -> FaultPlan {
    let mut draws = Draws::new(seed, "bridge");
    let order = draws.shuffled(&owned(nodes));
    let Some((_, others)) = order.split_first().filter(|(_, others)| others.len() >= 2) else {
        return FaultPlan::new();
    };
    let (one, two) = others.split_at(others.len() / 2);
    let (at, lasts) = window(&mut draws, duration);
    // Who is in no group keeps its paths: that is the bridge.
    FaultPlan::new().with(at, lasts, Fault::Partition { groups: vec![one.to_vec(), two.to_vec()] })
}

/// Everybody sees a majority, and no two see the same one: the nodes stand in a ring and see their neighbours only.
///
/// Source: Jepsen, `nemesis/majorities-ring`.
pub fn majority_ring(seed: u64, nodes: &[&str], duration: Duration) -> FaultPlan {
    let mut draws = Draws::new(seed, "majority-ring");
    let ring = draws.shuffled(&owned(nodes));
    let count = ring.len();
    let (at, lasts) = window(&mut draws, duration);
    // Itself and so many neighbours on each side make a majority.
    let reach = (count / 2 + 1).saturating_sub(1).div_ceil(2);
    let mut plan = FaultPlan::new();
    for (one, from) in ring.iter().enumerate() {
        for (two, to) in ring.iter().enumerate().skip(one + 1) {
            let apart = (two - one).min(count - (two - one));
            if apart > reach {
                plan = plan.with(at, lasts, Fault::Cut { route: Route::between(from, to), one_way: false });
            }
        }
    }
    plan
}

/// Nodes are clogged one after another in some order, and let go one after another in another.
///
/// Source: FoundationDB, `RandomClogging.actor.cpp`, "swizzling".
pub fn swizzle_clog(seed: u64, nodes: &[&str], duration: Duration) -> FaultPlan {
    let mut draws = Draws::new(seed, "swizzle-clog");
    let mut clogged = draws.shuffled(&owned(nodes));
    clogged.truncate(1 + draws.below(clogged.len().max(1) as u64) as usize);
    let freed = draws.shuffled(&(0..clogged.len() as u32).collect::<Vec<_>>());
    let (at, lasts) = window(&mut draws, duration);
    let step = lasts / (2 * clogged.len().max(1) as u32);
    let half = lasts / 2;
    let mut plan = FaultPlan::new();
    for ((turn, node), free) in (0..).zip(&clogged).zip(freed) {
        let (begin, end) = (at + step * turn, at + half + step * free);
        let ways = [
            Route { from: vec![node.clone()], to: Vec::new() },
            Route { from: Vec::new(), to: vec![node.clone()] },
        ];
        for route in ways {
            plan = plan.with(begin, end.saturating_sub(begin), Fault::Clog { route });
        }
    }
    plan
}

/// Every node is stopped in order and started again, one at a time, as in an upgrade.
pub fn rolling_restart(seed: u64, nodes: &[&str], duration: Duration) -> FaultPlan {
    let mut draws = Draws::new(seed, "rolling-restart");
    let order = draws.shuffled(&owned(nodes));
    let turn = duration / (order.len().max(1) as u32 + 1);
    let mut plan = FaultPlan::new();
    for (number, node) in (0..).zip(order) {
        // Now and then one does not stop in order, but is killed.
        let fault = if draws.is_one_in(4) { Fault::Exit { node } } else { Fault::GracefulStop { node } };
        let at = turn * number + draws.span(Duration::from_millis(1), turn / 4);
        plan = plan.with(at, turn / 2, fault);
    }
    plan
}

/// Nodes stand still for longer than their lease, one after another, and go on as if nothing had happened.
pub fn zombie(seed: u64, nodes: &[&str], duration: Duration) -> FaultPlan {
    let mut draws = Draws::new(seed, "zombie");
    let (order, mut plan) = (draws.shuffled(&owned(nodes)), FaultPlan::new());
    let mut at = draws.span(Duration::ZERO, Duration::from_secs(3));
    for node in order.iter().cycle().take(order.len() * 2) {
        // A lease is three seconds, and an eviction takes a few more.
        let lasts = draws.span(Duration::from_secs(4), Duration::from_secs(15));
        if at + lasts > duration {
            break;
        }
        plan = plan.with(at, lasts, Fault::Pause { node: node.clone() });
        at += lasts + draws.span(Duration::from_secs(1), Duration::from_secs(5));
    }
    plan
}

/// A node is reborn at its address while others cannot see it: they meet the new incarnation where they left the old one.
pub fn address_reuse(seed: u64, nodes: &[&str], duration: Duration) -> FaultPlan {
    let mut draws = Draws::new(seed, "address-reuse");
    let mut plan = FaultPlan::new();
    let mut at = draws.span(Duration::ZERO, Duration::from_secs(3));
    while at + Duration::from_secs(6) <= duration && !nodes.is_empty() {
        let node = nodes[draws.below(nodes.len() as u64) as usize].to_owned();
        let unseen = draws.span(Duration::from_millis(200), Duration::from_secs(5));
        let reborn = at + draws.span(Duration::from_millis(50), unseen);
        plan = plan
            .with(at, unseen, Fault::Isolate { node: node.clone() })
            .with_open(reborn, Fault::Restart { node, wipe: false });
        at += unseen + draws.span(Duration::from_secs(2), Duration::from_secs(8));
    }
    plan.events.sort_by_key(|event| event.at);
    plan
}

fn owned(nodes: &[&str]) -> Vec<String> {
    nodes.iter().map(|name| (*name).to_owned()).collect()
}

/// When one long trouble begins, and how long it lasts: a quarter to a half of the time.
fn window(draws: &mut Draws, duration: Duration) -> (Duration, Duration) {
    let lasts = draws.span(duration / 4, duration / 2);
    (draws.span(Duration::ZERO, duration - lasts), lasts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    const NODES: [&str; 5] = ["a", "b", "c", "d", "e"];
    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn a_nemesis_is_a_plan_of_its_seed_within_its_time() {
        for (name, draw) in ALL {
            for seed in 0..50 {
                let plan = draw(seed, &NODES, MINUTE);
                assert_eq!(plan, draw(seed, &NODES, MINUTE), "{name}");
                plan.check(&NODES).unwrap_or_else(|error| panic!("{name}: {error}"));
                assert!(!plan.events.is_empty() && plan.end() <= MINUTE, "{name} {seed}: {:?}", plan.end());
                for (at, event) in plan.events.iter().enumerate() {
                    assert_eq!(event.may_join(&plan.events[..at], 1), Ok(()), "{name} {seed}");
                }
            }
            // Small clusters have no bridge and no ring; they do not panic.
            for few in [&NODES[..1], &NODES[..2], &[]] {
                draw(1, few, MINUTE);
            }
        }
    }

    #[test]
    fn in_a_majority_ring_everybody_sees_a_majority_and_no_two_the_same() {
        for count in 4..=5 {
            let nodes = &NODES[..count];
            let plan = majority_ring(3, nodes, MINUTE);
            let sees = |me: &str| -> BTreeSet<&str> {
                let is_cut = |other: &str| {
                    plan.events
                        .iter()
                        .any(|event| event.fault.names().iter().all(|n| [me, other].contains(n)))
                };
                nodes.iter().copied().filter(|other| *other == me || !is_cut(other)).collect()
            };
            let seen: BTreeSet<_> = nodes.iter().map(|me| sees(me)).collect();
            assert_eq!(seen.len(), count, "{seen:?}");
            assert!(seen.iter().all(|seen| seen.len() > count / 2 && seen.len() < count), "{seen:?}");
        }
    }

    #[test]
    fn a_zombie_is_still_for_longer_than_a_lease() {
        for seed in 0..20 {
            let plan = zombie(seed, &NODES, MINUTE);
            assert!(plan.events.iter().all(|event| event.lasts >= Some(Duration::from_secs(4))));
        }
    }
}
