//! A few silos, the table they share, and everything that can go wrong between them, a few times.
//!
//! Time is true time, which no silo can read: each has a clock of its own, and their rates differ by almost a tenth. What
//! the cores ask for waits in channels: messages from one silo to another, requests to the store, and its answers. Most
//! steps are *seconds*: everything arrives at once, and every deadline is met. Between them a few things may go wrong, and
//! a few times the explorer takes over by hand: then nothing arrives but what it lets arrive, in the order it chooses.
//!
//! The eye ([`eye`]) sees what no silo can, and holds the promises: P2, P12, and the checker's I8.

mod eye;
mod node;
mod settle;
mod step;
mod store;
mod traffic;

pub use step::Step;

use super::{Canonical, World, fingerprint};
use eye::Eye;
use node::Node;
use quark_core::membership::{Config, Input, Membership, join};
use quark_core::view::Status;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use store::Store;
use traffic::Traffic;

/// What the world is given.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Setup {
    /// How many silos, 1 to 8.
    pub nodes: usize,
    /// How many faults there may be; what undoes one is free.
    pub faults: u8,
    /// How many steps the explorer may take by hand, rather than have a second pass.
    pub by_hand: u8,
    /// How many orders of an operator there may be: to drain, to leave, to start one silo more.
    pub orders: u8,
    /// How often the store may lose its newest commits.
    pub rewinds: u8,
    /// Whether one more silo is there that has not started yet.
    pub newcomer: bool,
    /// Whether they start from an empty table, or from a formed cluster.
    pub from_nothing: bool,
}

impl Setup {
    /// So many silos in a formed cluster, one fault, and two steps by hand.
    pub fn new(nodes: usize) -> Self {
        let (newcomer, from_nothing) = (false, false);
        Self { nodes, faults: 1, by_hand: 2, orders: 0, rewinds: 0, newcomer, from_nothing }
    }
}

/// Nanoseconds of true time.
type Time = u64;

const MS: Time = 1_000_000;
const SECOND: Time = 1_000 * MS;

/// The world.
#[derive(Clone)]
pub struct MembershipWorld {
    now: Time,
    config: Arc<Config>,
    nodes: Vec<Arc<Node>>,
    store: Store,
    traffic: Traffic,
    /// Silos that no message reaches or leaves.
    cut: BTreeSet<usize>,
    left: Setup,
    eye: Eye,
}

impl MembershipWorld {
    /// A world at its start.
    ///
    /// Panics: if there are no silos, or more than 8; if a cluster does not form although nothing goes wrong.
    pub fn new(setup: &Setup) -> Self {
        assert!((1..=8).contains(&setup.nodes), "{} silos are no small world", setup.nodes);
        let count = setup.nodes + usize::from(setup.newcomer);
        let mut world = Self {
            now: 0,
            config: Arc::new(config()),
            nodes: (0..count).map(|at| Arc::new(Node::new(at))).collect(),
            store: Store::default(),
            traffic: Traffic::default(),
            cut: BTreeSet::new(),
            left: setup.clone(),
            eye: Eye::default(),
        };
        if !setup.from_nothing {
            for at in 0..setup.nodes {
                world.start(at);
            }
            (0..8).for_each(|_| world.pass(SECOND));
            let serve = |at: usize| world.runs(at) && world.members(at, Status::Active) == setup.nodes;
            assert!((0..setup.nodes).all(serve), "nothing goes wrong, and no cluster forms");
        }
        world
    }

    fn start(&mut self, at: usize) {
        let table = self.store.table();
        let name = self.nodes[at].name;
        let plan = join::reserve(table.as_deref(), &self.config, name, "host:1", 7);
        let plan = plan.expect("there is one cluster");
        self.store.commit(&plan.change).expect("the table has just been read");
        // The same seed for all, so that equal silos are equal: what it spreads is spread by the clocks here.
        let core = Membership::new((*self.config).clone(), plan.id, "host:1", 7, 1);
        self.node(at).reborn(plan.id, core);
        self.traffic.forget(at);
        self.step(at, Input::Start);
    }

    /// Hands an input to a silo, performs what it asks for, and looks.
    fn step(&mut self, at: usize, input: Input) {
        let now = self.now;
        let mut actions = Vec::new();
        let node = self.node(at);
        let local = node.local(now);
        let Some(core) = &mut node.core else { return };
        core.step(local, input, &mut actions);
        node.set_due(now);
        for action in actions {
            self.perform(at, action);
        }
        self.look();
    }

    /// A silo that is about to change: from then on it is no longer shared with the state before.
    fn node(&mut self, at: usize) -> &mut Node {
        let node = Arc::make_mut(&mut self.nodes[at]);
        node.digest = 0;
        node
    }

    /// The silo of a name, which is one of ours.
    fn place(&self, name: quark_core::SiloName) -> usize {
        self.nodes.iter().position(|node| node.name == name).expect("the names are ours")
    }

    fn runs(&self, at: usize) -> bool {
        self.nodes[at].runs(self.now)
    }

    fn members(&self, at: usize, status: Status) -> usize {
        let core = self.nodes[at].core.as_ref();
        core.map_or(0, |core| core.view().members.iter().filter(|m| m.status == status).count())
    }

    /// The next deadline of anybody who is awake, not before now.
    fn next_due(&self) -> Option<Time> {
        self.nodes.iter().filter(|n| !n.paused).filter_map(|n| n.due).min().map(|due| due.max(self.now))
    }

    /// Time moves on to then; no further than the next deadline.
    fn move_to(&mut self, then: Time) {
        assert!(then >= self.now, "time goes forward");
        self.now = then;
        self.look();
    }

    /// Everybody who is awake meets the deadlines that have come.
    fn meet_deadlines(&mut self) {
        for at in 0..self.nodes.len() {
            let node = &self.nodes[at];
            if !node.paused && node.due.is_some_and(|due| due <= self.now) {
                self.step(at, Input::Timer);
            }
        }
    }

    /// Lets time pass: whatever can arrive does so at once, in a fixed order.
    fn pass(&mut self, time: Time) {
        let end = self.now + time;
        let mut at_this_moment = 0;
        self.let_arrive();
        while let Some(due) = self.next_due().filter(|due| *due <= end) {
            at_this_moment = if due > self.now { 0 } else { at_this_moment + 1 };
            assert!(at_this_moment < 1000, "time stands still at {} ms", self.now / MS);
            self.move_to(due);
            self.meet_deadlines();
            self.let_arrive();
        }
        self.move_to(end);
    }

    fn carry_out(&mut self, step: &Step) {
        match *step {
            Step::Second => self.pass(SECOND),
            Step::Deadline => {
                let due = self.next_due().expect("offered only if there is one");
                self.eye.late(self.traffic.held_up(self.now, due));
                self.move_to(due);
                self.meet_deadlines();
            }
            Step::Arrive { from, to } => self.deliver(from, to),
            Step::Lose { from, to } => {
                self.traffic.lose(from, to);
                self.eye.harm([from, to]);
            }
            Step::Write { at } => self.write(at),
            Step::Answer { at, newest } => self.answer(at, newest),
            Step::Fail { at, written } => {
                self.fail(at, written);
                self.eye.harm([at]);
            }
            Step::Rewind => {
                self.store.rewind();
                self.eye.rewound = true;
                self.eye.harm(0..self.nodes.len());
            }
            Step::Drain { at } => self.order(at, Input::Drain),
            Step::Leave { at } => self.order(at, Input::Leave),
            Step::Start { at } => self.start(at),
            Step::Crash { at } => {
                self.node(at).crash();
                self.traffic.forget(at);
                self.eye.harm([at]);
            }
            Step::Pause { at } => {
                self.node(at).paused = true;
                self.eye.harm([at]);
            }
            Step::Resume { at } => {
                self.node(at).paused = false;
                self.look();
                self.step(at, Input::Timer);
            }
            Step::Cut { at } => {
                self.cut.insert(at);
                self.traffic.cut(at);
                self.eye.harm([at]);
            }
            Step::Mend { at } => drop(self.cut.remove(&at)),
            Step::Store { at, mode } => {
                self.node(at).mode = mode;
                self.eye.harm([at]);
            }
        }
    }

    fn order(&mut self, at: usize, input: Input) {
        self.eye.ordered(at);
        self.step(at, input);
    }
}

impl World for MembershipWorld {
    type Step = Step;

    fn steps(&self) -> Vec<Step> {
        step::offered(self)
    }

    fn take(&mut self, step: &Step) {
        step::pay(step, self);
        self.carry_out(step);
        for node in &mut self.nodes {
            if node.digest == 0 {
                let digest = node.digest();
                Arc::make_mut(node).digest = digest;
            }
        }
    }

    fn check(&self) -> Result<(), String> {
        for core in self.nodes.iter().filter_map(|node| node.core.as_ref()) {
            core.check();
        }
        self.eye.verdict()
    }

    /// Names matter here: who watches whom first is drawn from them, and leases are granted one after the other. So
    /// a state stands for itself alone; see `docs/exploration.md`.
    fn canonical(&self) -> Canonical {
        let digests: Vec<u128> = self.nodes.iter().map(|node| node.digest()).collect();
        let left = (self.left.faults, self.left.by_hand, self.left.orders, self.left.rewinds);
        let rest = (self.now, &self.store, &self.traffic, &self.cut, left, &self.eye);
        Canonical { hash: fingerprint(&(digests, rest)), namings: 1 }
    }

    fn settle(self) -> Result<(), String> {
        settle::settle(self)
    }
}

/// The defaults, but for what takes minutes: a small world lasts seconds.
fn config() -> Config {
    Config {
        dark_run_max: Duration::from_secs(3),
        dark_run_unanimous_max: Duration::from_secs(5),
        leaseless_max: Duration::from_secs(3),
        join_abandoned_after: Duration::from_secs(6),
        ..Config::new("small")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explore::{Bounds, explore};

    fn steps_without_a_failure(setup: &Setup, steps: u32, settle_every: u64) -> super::super::Exploration {
        let bounds = Bounds { steps, states_max: 100_000, settle_every };
        let found = explore(MembershipWorld::new(setup), &bounds, |_| {});
        println!("{found:?}");
        if let Some(failure) = &found.failure {
            panic!("{}\n{}", failure.path.join("\n"), failure.message);
        }
        found
    }

    #[test]
    fn a_cluster_in_which_nothing_goes_wrong_goes_on_for_ever() {
        let found = steps_without_a_failure(&Setup { faults: 0, by_hand: 0, ..Setup::new(3) }, 12, 1);
        assert_eq!(found.states, 13);
    }

    #[test]
    fn one_fault_among_three_breaks_no_promise() {
        let found = steps_without_a_failure(&Setup { by_hand: 0, ..Setup::new(3) }, 6, 50);
        assert!(found.states > 100, "{} states are no exploration", found.states);
    }

    #[test]
    fn a_few_steps_by_hand_break_no_promise() {
        let found = steps_without_a_failure(&Setup { by_hand: 4, faults: 0, ..Setup::new(3) }, 5, 50);
        assert!(found.states > 100, "{} states are no exploration", found.states);
    }
}
