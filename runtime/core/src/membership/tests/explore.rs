//! Every schedule of a few faults in a small cluster.
//!
//! Time moves in ticks of a second. At each tick the adversary may spend one of its faults; between ticks everything
//! that can happen happens. The eye of the world checks P2 at every event of every schedule, and some of the ends
//! are healed to see that the cluster comes back. Clocks differ by almost a tenth, either way around.

use super::world::{SEC, StoreMode, Time, World};
use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};

#[derive(Clone, Copy, Debug)]
enum Move {
    Cut(usize, usize),
    CutOneWay(usize, usize),
    HealLinks,
    Store(usize, StoreMode),
    AllStores(StoreMode),
    Crash(usize),
    Start(usize),
    Pause(usize),
    Resume(usize),
}

struct Exploration {
    ticks: u32,
    seen: BTreeSet<u64>,
    states: u64,
    schedules: u64,
    path: Vec<(u32, Move)>,
}

impl Exploration {
    fn go(&mut self, world: World, tick: u32, faults: u32) {
        if !self.seen.insert(fingerprint(&world, faults)) {
            return;
        }
        self.states += 1;
        if faults == 0 || tick == self.ticks {
            return self.end(world);
        }
        for next in moves(&world) {
            let mut after = world.clone();
            self.path.push((tick, next));
            apply(&mut after, next);
            after.run(SEC);
            self.go(after, tick + 1, faults - 1);
            self.path.pop();
        }
        let mut after = world;
        after.run(SEC);
        self.go(after, tick + 1, faults);
    }

    /// Long enough for every lease, in the dark or not, to run out, and for the late to arrive.
    fn end(&mut self, mut world: World) {
        self.schedules += 1;
        world.run(14 * SEC);
        if self.schedules.is_multiple_of(20) {
            self.heal(world);
        }
    }

    fn heal(&mut self, mut world: World) {
        world.heal();
        for _ in 0..4 {
            for at in 0..world.nodes.len() {
                if world.nodes[at].paused {
                    world.resume(at);
                }
                if world.nodes[at].core.is_none() || world.nodes[at].stopped.is_some() {
                    world.start(at);
                }
            }
            world.run(10 * SEC);
        }
        assert!(world.is_settled(), "after {:?}\n{}", self.path, world.describe());
    }
}

fn moves(world: &World) -> Vec<Move> {
    let count = world.nodes.len();
    let mut moves = Vec::new();
    for (at, node) in world.nodes.iter().enumerate() {
        if node.core.is_none() || node.stopped.is_some() {
            moves.push(Move::Start(at));
            continue;
        }
        moves.push(if node.paused { Move::Resume(at) } else { Move::Pause(at) });
        moves.push(Move::Crash(at));
        for mode in
            [StoreMode::Silent, StoreMode::LateCommits(9 * SEC), StoreMode::AnswersLost, StoreMode::Fine]
        {
            if mode != node.mode {
                moves.push(Move::Store(at, mode));
            }
        }
        for peer in (at + 1..count).filter(|peer| !world.cut.contains(&(at, *peer))) {
            moves.push(Move::Cut(at, peer));
            moves.push(Move::CutOneWay(at, peer));
        }
    }
    if !world.cut.is_empty() {
        moves.push(Move::HealLinks);
    }
    for mode in [StoreMode::Silent, StoreMode::Fine] {
        if world.nodes.iter().any(|node| node.mode != mode) {
            moves.push(Move::AllStores(mode));
        }
    }
    moves
}

fn apply(world: &mut World, next: Move) {
    match next {
        Move::Cut(a, b) => world.cut_both(a, b),
        Move::CutOneWay(a, b) => drop(world.cut.insert((a, b))),
        Move::HealLinks => world.cut.clear(),
        Move::Store(at, mode) => world.nodes[at].mode = mode,
        Move::AllStores(mode) => world.all_dark(mode),
        Move::Crash(at) => world.crash(at),
        Move::Start(at) => world.start(at),
        Move::Pause(at) => world.pause(at),
        Move::Resume(at) => world.resume(at),
    }
}

fn fingerprint(world: &World, faults: u32) -> u64 {
    let mut hasher = DefaultHasher::new();
    (world, faults).hash(&mut hasher);
    hasher.finish()
}

fn explore(rates: &[u64], ticks: u32, faults: u32, phase: Time) -> (u64, u64) {
    let mut world = World::new(rates.len(), 1);
    for (node, rate) in world.nodes.iter_mut().zip(rates) {
        node.rate = *rate;
    }
    // No draws, so that equal states are equal; and dark runs that end within the exploration.
    world.delay_max = 0;
    world.config.dark_run_max = std::time::Duration::from_secs(3);
    world.config.dark_run_unanimous_max = std::time::Duration::from_secs(5);
    world.config.leaseless_max = std::time::Duration::from_secs(3);
    (0..rates.len()).for_each(|at| world.start(at));
    world.run(4 * SEC + phase);
    let mut exploration =
        Exploration { ticks, seen: BTreeSet::new(), states: 0, schedules: 0, path: Vec::new() };
    exploration.go(world, 0, faults);
    println!(
        "{} silos, {faults} faults in {ticks} s: {} states, {} schedules",
        rates.len(),
        exploration.states,
        exploration.schedules
    );
    (exploration.states, exploration.schedules)
}

const SLOW: u64 = 1_000_000;
const FAST: u64 = 1_099_000;

#[test]
fn two_silos_never_run_beside_their_successors() {
    for rates in [[SLOW, FAST], [FAST, SLOW]] {
        let (states, _) = explore(&rates, 7, 2, 300 * 1_000_000);
        assert!(states > 1_000, "{states} states are no exploration");
    }
}

#[test]
fn three_silos_never_run_beside_their_successors() {
    for rates in [[SLOW, FAST, FAST], [FAST, SLOW, SLOW]] {
        let (states, _) = explore(&rates, 6, 2, 700 * 1_000_000);
        assert!(states > 1_000, "{states} states are no exploration");
    }
}
