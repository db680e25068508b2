//! The world as the test sees it.

mod clocks;
mod faults;
mod look;
mod pauses;
mod store;

use crate::choice::{Branch, Decision, Purpose, key};
use crate::clock::NodeClock;
use crate::config::{Conditions, Config};
use crate::deed::{Deed, DeedKind};
use crate::host::Host;
use crate::net::NetMeters;
use crate::node::{Node, NodeId};
use crate::run::{Stopped, run};
use crate::spread::{ns, scale};
use crate::state::{Shared, State};
use crate::store::StoreMeters;
use crate::timer::SimSleep;
use crate::trace::{Trace, TraceKind};
use quark_core::{Instant, SiloId, WallTime, hash};
use quark_env::{Env, TaskHandle};
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

/// A simulated world. Owns everything in it; what can be done to it is in [`WorldHandle`], to which it dereferences.
///
/// Dropping it drops all tasks. Worlds share nothing: many can run one after another, and on several threads.
pub struct World(WorldHandle);

pub use faults::Whims;
pub use look::{NodeLook, PathLook};
pub use pauses::Next;

/// A handle to a world, for tests and drivers: looks at it, and makes things go wrong.
///
/// Does not keep the world's tasks alive: after the [`World`] is dropped nothing happens any more.
#[derive(Clone)]
pub struct WorldHandle {
    shared: Arc<Shared>,
}

impl Deref for World {
    type Target = WorldHandle;
    fn deref(&self) -> &WorldHandle {
        &self.0
    }
}

impl World {
    /// A world with no node but the driver, at true time zero.
    pub fn new(config: Config) -> Self {
        let shared = Shared::new(config);
        let world = Self(WorldHandle { shared });
        world.add_node_with("driver", NodeClock::new(0, 0, 0, 0), false);
        world
    }

    /// A handle that can be handed to drivers.
    pub fn handle(&self) -> WorldHandle {
        self.0.clone()
    }

    /// Runs until true time reaches `at`, or nothing is left to happen.
    pub fn run_until(&mut self, at: Instant) {
        if run(&self.0.shared, at.0, None) == Stopped::Idle {
            let mut state = self.0.shared.lock();
            state.now = state.now.max(at.0);
        }
    }

    /// Runs for this long in true time.
    pub fn run_for(&mut self, duration: Duration) {
        self.run_until(self.now_true() + duration);
    }

    fn fail(&self, reason: &str) -> ! {
        let state = self.0.shared.lock();
        let mut waiting: Vec<String> = state
            .tasks
            .iter()
            .take(50)
            .map(|(_, task)| format!("{}/{}", state.nodes[task.node as usize].name, task.name))
            .collect();
        waiting.sort();
        let (seed, now) = (state.config.seed, Instant(state.now));
        drop(state);
        panic!("{reason} (seed {seed}, true time {now:?}); tasks: {}", waiting.join(", "));
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // Tasks hold handles, and handles hold the world: break the circle. Destructors may drop, wake and try to
        // spawn; they find the world closed.
        let mut state = self.0.shared.lock();
        state.is_closed = true;
        let tasks = state.tasks.take_all();
        let dead = std::mem::take(&mut state.graveyard);
        let watch = (state.store.watch.take(), state.net.watch.take());
        drop(state);
        drop((tasks, dead, watch));
        let mut state = self.0.shared.lock();
        let rest = (std::mem::take(&mut state.wakes), state.timers.take_all());
        drop(state);
        drop(rest);
    }
}

/// Nodes and tasks.
impl WorldHandle {
    /// Adds a node, which is up, with clocks that are off as the configuration says.
    ///
    /// Panics: if the name is taken.
    pub fn add_node(&self, name: &str) -> NodeId {
        let state = self.shared.lock();
        let (now, clocks) = (state.now, state.config.clocks);
        let seed = state.choices.seed_at(now);
        let entity = state.nodes.len() as u64;
        drop(state);
        let within =
            |purpose, max: u64| scale(max * 2 + 1, key(seed, purpose, entity, 0)) as i64 - max as i64;
        let rate_ppb = within(Purpose::ClockRate, u64::from(clocks.rate_ppm_max) * 1000);
        let offset = within(Purpose::ClockWall, ns(clocks.wall_offset_max));
        self.add_node_with(name, NodeClock::new(now, origin(seed, entity, 1), offset, rate_ppb), true)
    }

    fn add_node_with(&self, name: &str, clock: NodeClock, is_charged: bool) -> NodeId {
        let mut state = self.shared.lock();
        let id = state.nodes.len() as u32;
        let taken = state.node_of.insert(name.to_owned(), id);
        assert!(taken.is_none(), "there is a node `{name}` already");
        state.nodes.push(Node::new(name, clock, is_charged));
        NodeId(id)
    }

    /// The node of this name.
    pub fn node(&self, name: &str) -> Option<NodeId> {
        self.shared.lock().node_of.get(name).copied().map(NodeId)
    }

    /// All nodes but the driver, in order of creation.
    pub fn nodes(&self) -> Vec<NodeId> {
        (1..self.shared.lock().nodes.len() as u32).map(NodeId).collect()
    }

    /// A node's name.
    pub fn name(&self, node: NodeId) -> String {
        self.shared.lock().nodes[node.index()].name.clone()
    }

    /// The world as the node's current process sees it.
    pub fn host(&self, node: NodeId) -> Host {
        let incarnation = self.shared.lock().nodes[node.index()].incarnation;
        Host { shared: self.shared.clone(), node: node.0, incarnation }
    }

    /// The environment of the node's current process under this identity; see [`Host::env`].
    pub fn env(&self, node: NodeId, silo: SiloId) -> Env {
        self.host(node).env(silo)
    }

    /// Starts a task in the node's current process.
    pub fn spawn(
        &self,
        node: NodeId,
        name: &'static str,
        task: impl Future<Output = ()> + Send + 'static,
    ) -> TaskHandle {
        self.host(node).spawn(name, task)
    }

    /// Starts a task outside of all nodes.
    pub fn driver(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) -> TaskHandle {
        self.spawn(NodeId::DRIVER, name, task)
    }

    /// The names of a node's tasks, sorted: what is still there when nothing should be.
    pub fn tasks(&self, node: NodeId) -> Vec<&'static str> {
        let state = self.shared.lock();
        let mut names: Vec<_> =
            state.tasks.iter().filter(|(_, task)| task.node == node.0).map(|(_, task)| task.name).collect();
        names.sort_unstable();
        names
    }

    /// How many sleeps somebody waits for on a node.
    pub fn timers(&self, node: NodeId) -> usize {
        self.shared.lock().timers.iter().filter(|(_, timer)| timer.node == node.0).count()
    }
}

/// Time.
impl WorldHandle {
    /// True time since the world began. No node knows it.
    pub fn now_true(&self) -> Instant {
        Instant(self.shared.lock().now)
    }

    /// What a wall clock that is right says. No node's need be.
    pub fn true_wall(&self) -> WallTime {
        WallTime(crate::clock::WALL_EPOCH_NS + self.now_true().0 as i64)
    }

    /// Sleeps in true time.
    pub fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send + 'static {
        self.sleep_until(self.now_true() + duration)
    }

    /// Sleeps until an instant of true time.
    pub fn sleep_until(&self, at: Instant) -> impl Future<Output = ()> + Send + 'static {
        SimSleep::new(self.shared.clone(), 0, 1, at)
    }
}

/// Processes.
impl WorldHandle {
    /// Power loss: the node's process is gone between two instructions. Its tasks are dropped without being able to act,
    /// what it had sent is on its way, and its peers see nothing but silence. Nothing, if it is down already.
    ///
    /// Whether it was done: a run may leave a fault out.
    pub fn crash(&self, node: NodeId) -> bool {
        self.crash_after(node, || ())
    }

    /// As [`WorldHandle::crash`]; `before` is called if and before it is done.
    pub fn crash_after(&self, node: NodeId, before: impl FnOnce()) -> bool {
        self.end_process(node, false, before)
    }

    fn end_process(&self, node: NodeId, is_orderly: bool, before: impl FnOnce()) -> bool {
        assert!(node != NodeId::DRIVER, "the driver does not end");
        {
            let mut state = self.shared.lock();
            let detail = || if is_orderly { "it exits".into() } else { String::new() };
            if !state.nodes[node.index()].is_up || !state.fault_begins(DeedKind::Crash, &[&[node]], detail) {
                return false;
            }
        }
        before();
        self.shared.act(|state| state.crash(node.0, is_orderly));
        true
    }

    /// Starts the node's next process: a new incarnation with a new monotonic clock. What runs in it is up to the caller.
    ///
    /// Panics: if the node is up.
    pub fn restart(&self, node: NodeId) -> Host {
        self.shared.act(|state| {
            state.restart(node.0);
            state.fault_ends(DeedKind::Crash, &[&[node]]);
        });
        self.host(node)
    }

    /// Whether the node's process runs (or is paused).
    pub fn is_up(&self, node: NodeId) -> bool {
        self.shared.lock().nodes[node.index()].is_up
    }

    /// How many pauses of the node are in force.
    pub fn pauses(&self, node: NodeId) -> u32 {
        self.shared.lock().nodes[node.index()].pauses
    }

    /// Freezes the node: nothing runs, clocks go on, frames pile up. Pauses add up.
    pub fn pause(&self, node: NodeId) {
        assert!(node != NodeId::DRIVER, "the driver does not pause");
        let mut state = self.shared.lock();
        if !state.fault_begins(DeedKind::Pause, &[&[node]], String::new) {
            return;
        }
        state.nodes[node.index()].pauses += 1;
        state.unlist(node.0);
        state.record(TraceKind::Node, node.0, 3);
    }

    /// Ends one pause.
    pub fn resume(&self, node: NodeId) {
        let mut state = self.shared.lock();
        if !state.fault_ends(DeedKind::Pause, &[&[node]]) {
            return;
        }
        let pauses = &mut state.nodes[node.index()].pauses;
        *pauses = pauses.saturating_sub(1);
        state.record(TraceKind::Node, node.0, 4);
        state.list(node.0);
    }

    /// Everything the node does takes so many thousandths of the usual time (1000 is normal).
    pub fn set_slowness(&self, node: NodeId, milli: u32) {
        let mut state = self.shared.lock();
        let detail = || format!("{milli} thousandths of the usual time");
        if !state.fault_sets(DeedKind::Slowness, &[&[node]], milli == 1000, detail) {
            return;
        }
        state.nodes[node.index()].slowness_milli = milli;
        state.record(TraceKind::Fault, node.0, u64::from(milli));
    }
}

/// The network.
impl WorldHandle {
    /// Nothing gets from one node to another any more. Cuts add up.
    pub fn cut(&self, from: NodeId, to: NodeId) {
        self.shared.act(|state| {
            if state.fault_begins(DeedKind::Cut, &[&[from], &[to]], || "one way".into()) {
                state.cut_path(from.0, to.0);
            }
        });
    }

    /// Heals one cut.
    pub fn uncut(&self, from: NodeId, to: NodeId) {
        self.shared.act(|state| {
            if state.fault_ends(DeedKind::Cut, &[&[from], &[to]]) {
                state.heal_path(from.0, to.0, false);
            }
        });
    }

    /// Cuts every path between nodes of different groups, both ways. Nodes in no group keep all their paths.
    pub fn partition(&self, groups: &[&[NodeId]]) {
        self.shared.act(|state| {
            if state.fault_begins(DeedKind::Cut, groups, || "both ways".into()) {
                between(groups, |from, to| state.cut_path(from.0, to.0));
            }
        });
    }

    /// Heals what the same [`WorldHandle::partition`] cut.
    pub fn unpartition(&self, groups: &[&[NodeId]]) {
        self.shared.act(|state| {
            if state.fault_ends(DeedKind::Cut, groups) {
                between(groups, |from, to| state.heal_path(from.0, to.0, false));
            }
        });
    }

    /// Cuts a node off from all others (but the driver).
    pub fn isolate(&self, node: NodeId) {
        let others = self.others(node);
        self.partition(&[&[node], &others]);
    }

    /// Heals what the same [`WorldHandle::isolate`] cut, provided that no node was added since.
    pub fn unisolate(&self, node: NodeId) {
        let others = self.others(node);
        self.unpartition(&[&[node], &others]);
    }

    fn others(&self, node: NodeId) -> Vec<NodeId> {
        self.nodes().into_iter().filter(|other| *other != node).collect()
    }

    /// Holds all frames from one node to another until [`WorldHandle::unclog`]. Clogs add up.
    pub fn clog(&self, from: NodeId, to: NodeId) {
        self.shared.act(|state| {
            if state.fault_begins(DeedKind::Clog, &[&[from], &[to]], String::new) {
                state.clog_path(from.0, to.0);
            }
        });
    }

    /// Ends one clog: what was held arrives.
    pub fn unclog(&self, from: NodeId, to: NodeId) {
        self.shared.act(|state| {
            if state.fault_ends(DeedKind::Clog, &[&[from], &[to]]) {
                state.unclog_path(from.0, to.0, false);
            }
        });
    }

    /// The present connection from one node to another is dead and its owner does not know: frames vanish until the
    /// keep-alive notices.
    pub fn half_open(&self, from: NodeId, to: NodeId) {
        self.shared.act(|state| {
            if state.fault_begins(DeedKind::HalfOpen, &[&[from], &[to]], String::new) {
                state.half_open(from.0, to.0);
            }
        });
    }

    /// Sets the weather on one path; `None` for the default.
    pub fn set_conditions(&self, from: NodeId, to: NodeId, conditions: Option<Conditions>) {
        self.shared.act(|state| {
            let is_usual = conditions.is_none_or(|c| c == state.net.config.conditions);
            let detail = || conditions.map_or_else(String::new, |c| c.to_string());
            if state.fault_sets(DeedKind::Weather, &[&[from], &[to]], is_usual, detail) {
                state.set_conditions(from.0, to.0, conditions);
            }
        });
    }

    /// Sets the default weather of all paths.
    pub fn set_default_conditions(&self, conditions: Conditions) {
        self.shared.act(|state| {
            let is_usual = [state.config.network.conditions, Conditions::CLEAR].contains(&conditions);
            if state.fault_sets(DeedKind::Weather, &[], is_usual, || conditions.to_string()) {
                state.set_default_conditions(conditions);
            }
        });
    }

    /// The default weather.
    pub fn default_conditions(&self) -> Conditions {
        self.shared.lock().net.config.conditions
    }

    /// The weather on one path.
    pub fn conditions(&self, from: NodeId, to: NodeId) -> Conditions {
        let mut state = self.shared.lock();
        let path = state.path(from.0, to.0);
        *state.conditions(path)
    }

    /// Heals every cut and clog and resets the weather of every path to the default.
    pub fn heal_network(&self) {
        self.shared.act(|state| {
            state.network_healed();
            state.heal_paths();
        });
    }
}

/// What happened.
impl WorldHandle {
    /// The trace so far.
    pub fn trace(&self) -> Trace {
        self.shared.lock().trace.clone()
    }

    /// The rolling hash and the number of events so far.
    pub fn hash(&self) -> (u64, u64) {
        let state = self.shared.lock();
        (state.trace.hash, state.trace.events)
    }

    /// Adds something that the test did or saw to the trace.
    pub fn note(&self, text: &str) {
        self.shared.lock().record(TraceKind::Note, 0, hash::point(text.as_bytes()));
    }

    /// All choices so far that were not the benign one, if [`Config::log_decisions`] is on.
    pub fn decisions(&self) -> Vec<Decision> {
        self.shared.lock().choices.log().to_vec()
    }

    /// What was done to it so far, if [`Config::log_decisions`] is on.
    pub fn deeds(&self) -> Vec<Deed> {
        self.shared.lock().deeds.log().to_vec()
    }

    /// Until as many calls with `false`, what is done to the world is a plan's choice and none of its own.
    pub fn set_planned(&self, is_planned: bool) {
        let planned = &mut self.shared.lock().deeds.planned;
        *planned = if is_planned { *planned + 1 } else { planned.saturating_sub(1) };
    }

    /// Whether an operation of the test's workload is to happen: named by who does it and by its number. It is, but in a
    /// run that leaves it out.
    pub fn does(&self, who: u64, number: u64) -> bool {
        let mut state = self.shared.lock();
        let event = state.trace.events;
        state.choices.settle(event, (Purpose::Operation, who, number), 1) != 0
    }

    /// The seed with which it began.
    pub fn seed(&self) -> u64 {
        self.shared.lock().config.seed
    }

    /// The seed from which choices are drawn now: another one after a [`Branch`].
    pub fn seed_now(&self) -> u64 {
        let state = self.shared.lock();
        state.choices.seed_at(state.now)
    }

    /// From `branch.at_ns` on, what is chosen is drawn from another seed, as if [`Config::branch`] had said so from the
    /// start: the same past, another future. What is due exactly then belongs to the future.
    ///
    /// Panics: if it lies in the past.
    pub fn branch(&self, branch: Branch) {
        let mut state = self.shared.lock();
        let now = state.now;
        state.choices.branch_off(now, branch);
    }

    /// A draw for the test's own use (workloads, fault plans), keyed like all others.
    pub fn draw(&self, entity: u64, counter: u64) -> u64 {
        let state = self.shared.lock();
        state.choices.word(state.now, Purpose::Workload, entity, counter)
    }

    /// What has happened so far, in numbers.
    pub fn meters(&self) -> Meters {
        let state = self.shared.lock();
        Meters {
            polls: state.polls,
            events: state.trace.events,
            queued: state.queue.len(),
            tasks: state.tasks.len(),
            timers: state.timers.len(),
            network: NetMeters { in_flight: state.net.in_flight(), ..state.net.meters },
            store: state.store.meters,
        }
    }
}

/// What has happened so far, in numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Meters {
    /// Polls of tasks.
    pub polls: u64,
    /// Traced events.
    pub events: u64,
    /// Events in the queue (cancelled ones included).
    pub queued: usize,
    /// Living tasks.
    pub tasks: usize,
    /// Sleeps that somebody waits for.
    pub timers: usize,
    /// The network's.
    pub network: NetMeters,
    /// The store's.
    pub store: StoreMeters,
}

impl State {
    fn crash(&mut self, at: u32, is_orderly: bool) {
        if !std::mem::replace(&mut self.nodes[at as usize].is_up, false) {
            return;
        }
        self.record(TraceKind::Node, at, 2);
        self.kill_tasks(at);
        if let Some(port) = self.nodes[at as usize].port {
            self.close_port(port, is_orderly);
        }
    }

    fn restart(&mut self, at: u32) {
        let (seed, now) = (self.choices.seed_at(self.now), self.now);
        let node = &mut self.nodes[at as usize];
        assert!(!node.is_up, "node `{}` is up: crash it first", node.name);
        node.is_up = true;
        node.incarnation += 1;
        node.pauses = 0;
        node.busy_until = now;
        node.has_free_event = false;
        node.streams.clear();
        node.clock.restart(now, origin(seed, u64::from(at), node.incarnation));
        self.record(TraceKind::Node, at, 1);
    }
}

/// Where a monotonic clock starts: somewhere in the first hour, so that nobody takes zero for granted.
fn origin(seed: u64, node: u64, incarnation: u32) -> u64 {
    key(seed, Purpose::ClockOrigin, node, u64::from(incarnation)) % 3_600_000_000_000
}

fn between(groups: &[&[NodeId]], mut action: impl FnMut(NodeId, NodeId)) {
    for (at, group) in groups.iter().enumerate() {
        for other in groups.iter().enumerate().filter(|(other, _)| *other != at).map(|(_, group)| group) {
            for from in *group {
                for to in *other {
                    action(*from, *to);
                }
            }
        }
    }
}
