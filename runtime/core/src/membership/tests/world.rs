//! A world of a few silos, one store and a network, in true time, with an eye that knows what no silo can know.
//!
//! The eye checks promise P2: a silo never may run at a moment at which another may place its actors anew.

use super::super::table::{LeaseRow, StoreFault, Table};
use super::super::{Action, Config, Input, Membership, MembershipMessage, StopReason, join};
use super::store::Store;
use crate::view::{Status, View};
use crate::{Instant, SiloId, SiloName, Version, ViewVersion, hash};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Nanoseconds of true time.
pub type Time = u64;

#[derive(Clone, Hash)]
pub struct World {
    pub now: Time,
    pub config: Config,
    pub nodes: Vec<Node>,
    names: BTreeMap<SiloName, usize>,
    pub store: Store,
    /// Directed links that carry nothing.
    pub cut: BTreeSet<(usize, usize)>,
    /// The share of messages lost, of 1000.
    pub loss: u64,
    /// The longest delay of a message, and of each way of a store operation.
    pub delay_max: Time,
    pub quiet: bool,
    events: BTreeMap<(Time, u64), Event>,
    serial: u64,
    random: u64,
    /// When somebody may first place anew what a silo hosted.
    released: BTreeMap<SiloId, Time>,
    /// What each version of the view said, to whomever saw it first.
    views: BTreeMap<ViewVersion, Arc<View>>,
    /// Events since time last moved.
    busy: u64,
    pub messages: u64,
    pub operations: u64,
}

#[derive(Clone, Hash)]
pub struct Node {
    pub name: SiloName,
    pub core: Option<Membership>,
    pub id: Option<SiloId>,
    /// The clock: parts per million of true time, and what it said at time 0.
    pub rate: u64,
    pub offset: u64,
    pub paused: bool,
    held: Vec<Input>,
    pub mode: StoreMode,
    pub stopped: Option<StopReason>,
    pub joined: bool,
    pub lease_held: bool,
    pub leases_lost: u32,
    timer: Option<Time>,
    /// First sight of dead and superseded silos.
    seen: BTreeSet<SiloId>,
}

/// How the store is to one silo.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum StoreMode {
    Fine,
    /// Nothing arrives, nothing comes back.
    Silent,
    /// Everything is refused at once.
    Refusing,
    /// Commits arrive, and late; the rest is fine.
    LateCommits(Time),
    /// Everything is done, nothing comes back.
    AnswersLost,
    /// Whoever reads the table gets no answer; the rest is fine.
    TablesLost,
}

#[derive(Clone, Hash)]
enum Event {
    Message { from: usize, from_id: SiloId, to: usize, to_id: SiloId, msg: MembershipMessage },
    Operation { by: usize, id: SiloId, action: Action },
    Answer { to: usize, id: SiloId, input: Input },
    Timer { node: usize },
    Release { silo: SiloId },
}

pub const MS: Time = 1_000_000;
pub const SEC: Time = 1_000 * MS;

impl World {
    /// Silos `a`, `b`, ... that have not started.
    pub fn new(count: usize, seed: u64) -> Self {
        let node = |at: usize| Node {
            name: match at {
                0..26 => SiloName::new(&String::from((b'a' + at as u8) as char)).expect("a letter"),
                _ => SiloName::new(&format!("silo-{at}")).expect("a name"),
            },
            core: None,
            id: None,
            rate: 1_000_000,
            offset: (at as u64 + 1) * 1000 * SEC,
            paused: false,
            held: Vec::new(),
            mode: StoreMode::Fine,
            stopped: None,
            joined: false,
            lease_held: false,
            leases_lost: 0,
            timer: None,
            seen: BTreeSet::new(),
        };
        let nodes: Vec<Node> = (0..count).map(node).collect();
        World {
            now: 0,
            config: Config::new("test"),
            names: nodes.iter().enumerate().map(|(at, node)| (node.name, at)).collect(),
            nodes,
            store: Store::default(),
            cut: BTreeSet::new(),
            loss: 0,
            delay_max: 2 * MS,
            quiet: true,
            events: BTreeMap::new(),
            serial: 0,
            random: seed,
            released: BTreeMap::new(),
            views: BTreeMap::new(),
            busy: 0,
            messages: 0,
            operations: 0,
        }
    }

    /// All silos started and active.
    pub fn formed(count: usize, seed: u64) -> Self {
        let mut world = World::new(count, seed);
        for at in 0..count {
            world.start(at);
        }
        world.run_until("all are active", 5 * SEC, |w| {
            (0..w.nodes.len()).all(|at| w.sees_active(at, w.nodes.len()))
        });
        world
    }

    fn sees_active(&self, at: usize, count: usize) -> bool {
        self.nodes[at].joined && self.view(at).active().count() == count
    }

    pub fn core(&self, at: usize) -> &Membership {
        self.nodes[at].core.as_ref().expect("the silo runs")
    }

    pub fn view(&self, at: usize) -> &View {
        self.core(at).view()
    }

    pub fn id(&self, at: usize) -> SiloId {
        self.nodes[at].id.expect("the silo has started")
    }

    /// Whether a silo may run turns at this moment.
    pub fn runs(&self, at: usize) -> bool {
        let node = &self.nodes[at];
        !node.paused && node.core.as_ref().is_some_and(|core| self.local(at) < core.lease_until())
    }

    pub fn local(&self, at: usize) -> Instant {
        let node = &self.nodes[at];
        Instant(node.offset + (self.now as u128 * node.rate as u128 / 1_000_000) as u64)
    }

    fn true_time(&self, at: usize, local: Instant) -> Time {
        let node = &self.nodes[at];
        let since = local.0.saturating_sub(node.offset);
        (since as u128 * 1_000_000).div_ceil(node.rate as u128).min(u64::MAX as u128) as u64
    }

    pub fn random(&mut self, below: u64) -> u64 {
        self.random = self.random.wrapping_add(1);
        hash::mix(self.random) % below.max(1)
    }

    /// Starts a silo, as a new generation of its name.
    pub fn start(&mut self, at: usize) {
        let table = self.store.table();
        let name = self.nodes[at].name;
        let plan =
            join::reserve(table.as_deref(), &self.config, name, "host:1", 7).expect("the same cluster");
        self.store.commit(&plan.change).expect("nobody else is at the store");
        let seed = self.random(u64::MAX);
        let node = &mut self.nodes[at];
        node.core = Some(Membership::new(self.config.clone(), plan.id, "host:1", 7, seed));
        node.id = Some(plan.id);
        (node.stopped, node.joined, node.paused, node.lease_held) = (None, false, false, false);
        node.seen.clear();
        node.timer = None;
        self.step(at, Input::Start);
    }

    /// Power off.
    pub fn crash(&mut self, at: usize) {
        let node = &mut self.nodes[at];
        node.core = None;
        node.timer = None;
        node.held.clear();
        (node.joined, node.lease_held, node.paused) = (false, false, false);
    }

    pub fn pause(&mut self, at: usize) {
        self.nodes[at].paused = true;
    }

    pub fn resume(&mut self, at: usize) {
        self.nodes[at].paused = false;
        for input in std::mem::take(&mut self.nodes[at].held) {
            self.step(at, input);
        }
        self.step(at, Input::Timer);
    }

    pub fn cut_both(&mut self, a: usize, b: usize) {
        self.cut.extend([(a, b), (b, a)]);
    }

    pub fn partition(&mut self, one: &[usize], other: &[usize]) {
        for a in one {
            for b in other {
                self.cut_both(*a, *b);
            }
        }
    }

    pub fn heal(&mut self) {
        self.cut.clear();
        for node in &mut self.nodes {
            node.mode = StoreMode::Fine;
        }
    }

    pub fn all_dark(&mut self, mode: StoreMode) {
        for node in &mut self.nodes {
            node.mode = mode;
        }
    }

    /// Lets time pass.
    pub fn run(&mut self, time: Time) {
        let end = self.now + time;
        while self.events.first_key_value().is_some_and(|((at, _), _)| *at <= end) {
            self.next_event();
        }
        self.now = end;
        self.look();
    }

    /// Lets time pass until something holds.
    ///
    /// Panics: if it does not within `limit`.
    pub fn run_until(&mut self, what: &str, limit: Time, holds: impl Fn(&World) -> bool) -> Time {
        let (start, end) = (self.now, self.now + limit);
        // A large world is not looked at after every event.
        let pace = if self.nodes.len() < 50 { 0 } else { 10 * MS };
        let mut looked = self.now;
        while self.now < looked + pace || !holds(self) {
            if self.now >= looked + pace {
                looked = self.now;
            }
            let next = self.events.first_key_value().map(|((at, _), _)| *at);
            assert!(
                next.is_some_and(|at| at <= end),
                "not within {} ms: {what}\n{}",
                limit / MS,
                self.describe()
            );
            self.next_event();
        }
        self.now - start
    }

    pub fn describe(&self) -> String {
        let mut text = String::new();
        for (at, node) in self.nodes.iter().enumerate() {
            let core = node.core.as_ref();
            text += &format!(
                "{:?} {:?} {:?} paused={} runs={} stopped={:?} lost={} view={:?}\n",
                node.name,
                node.id,
                node.mode,
                node.paused,
                self.runs(at),
                node.stopped,
                node.leases_lost,
                core.map(|c| (
                    c.view().version,
                    c.view().members.iter().map(|m| (m.id, m.status)).collect::<Vec<_>>()
                ))
            );
        }
        text
    }

    fn next_event(&mut self) {
        let ((at, _), event) = self.events.pop_first().expect("an event");
        assert!(at >= self.now, "true time only grows");
        self.busy = if at == self.now { self.busy + 1 } else { 0 };
        let deadlines = || self.nodes.iter().filter_map(|n| n.core.as_ref()).map(Membership::deadlines);
        assert!(
            self.busy < 10_000,
            "time stands still\n{}{:?}",
            self.describe(),
            deadlines().collect::<Vec<_>>()
        );
        self.now = at;
        match event {
            Event::Message { from, from_id, to, to_id, msg } => {
                let meant = self.nodes[to].id == Some(to_id) && self.nodes[to].core.is_some();
                if meant && !self.cut.contains(&(from, to)) {
                    self.input(to, Input::Message { from: from_id, msg });
                }
            }
            Event::Operation { by, id, action } => self.operate(by, id, action),
            Event::Answer { to, id, input } => {
                let lost = matches!(self.nodes[to].mode, StoreMode::Silent | StoreMode::AnswersLost);
                if self.nodes[to].id == Some(id) && !lost {
                    self.input(to, input);
                }
            }
            Event::Timer { node } => {
                if self.nodes[node].timer.is_some_and(|timer| timer <= self.now) {
                    self.nodes[node].timer = None;
                    self.input(node, Input::Timer);
                }
            }
            Event::Release { .. } => {}
        }
        self.look();
    }

    fn input(&mut self, at: usize, input: Input) {
        let node = &mut self.nodes[at];
        if node.core.is_none() {
        } else if node.paused {
            node.held.push(input);
        } else {
            self.step(at, input);
        }
    }

    pub fn step(&mut self, at: usize, input: Input) {
        let local = self.local(at);
        if !self.quiet {
            println!("{:>9.3} {} {input:?}", self.now as f64 / SEC as f64, self.nodes[at].name);
        }
        let mut actions = Vec::new();
        let Some(core) = self.nodes[at].core.as_mut() else { return };
        core.step(local, input, &mut actions);
        for action in actions {
            if !self.quiet && !matches!(action, Action::Publish(_)) {
                println!("{:>9.3} {}     -> {action:?}", self.now as f64 / SEC as f64, self.nodes[at].name);
            }
            self.perform(at, action);
        }
        self.arm(at);
    }

    fn arm(&mut self, at: usize) {
        let deadline = self.nodes[at].core.as_ref().and_then(Membership::next_deadline);
        let due = deadline.map(|local| self.true_time(at, local).max(self.now));
        if self.nodes[at].timer != due {
            self.nodes[at].timer = due;
            if let Some(due) = due {
                self.schedule(due, Event::Timer { node: at });
            }
        }
    }

    fn schedule(&mut self, at: Time, event: Event) {
        self.serial += 1;
        self.events.insert((at, self.serial), event);
    }

    fn delay(&mut self) -> Time {
        let spread = self.delay_max.saturating_sub(MS / 2);
        MS / 2 + if spread == 0 { 0 } else { self.random(spread) }
    }

    fn perform(&mut self, at: usize, action: Action) {
        let id = self.id(at);
        match action {
            Action::ReadTable { .. } | Action::ReadLease { .. } | Action::Commit { .. } => {
                self.operations += 1;
                self.ask_store(at, id, action);
            }
            Action::Send { to, msg } => {
                self.messages += 1;
                let peer = self.names[&to.name];
                let lost = self.loss > 0 && self.random(1000) < self.loss;
                if !lost && !self.cut.contains(&(at, peer)) {
                    let due = self.now + self.delay();
                    self.schedule(due, Event::Message { from: at, from_id: id, to: peer, to_id: to, msg });
                }
            }
            Action::Publish(view) => self.published(at, view),
            Action::LeaseHeld { until } => {
                assert!(until > self.local(at), "a lease that is held has not ended");
                self.nodes[at].lease_held = true;
            }
            Action::LeaseLost => {
                self.nodes[at].lease_held = false;
                self.nodes[at].leases_lost += 1;
            }
            Action::Stop { reason } => {
                let node = &mut self.nodes[at];
                (node.stopped, node.lease_held) = (Some(reason), false);
            }
            Action::Joined { .. } => self.nodes[at].joined = true,
            Action::Forget { .. } | Action::Draining => {}
        }
    }

    fn ask_store(&mut self, at: usize, id: SiloId, action: Action) {
        let due = self.now + self.delay();
        match (self.nodes[at].mode, &action) {
            (StoreMode::Silent, _) | (StoreMode::TablesLost, Action::ReadTable { .. }) => {}
            (StoreMode::Refusing, _) => {
                let input = answer(&action, |_| Err(StoreFault::Unavailable("dark".into())));
                self.schedule(due, Event::Answer { to: at, id, input });
            }
            (StoreMode::LateCommits(late), Action::Commit { .. }) => {
                self.schedule(due + late, Event::Operation { by: at, id, action });
            }
            _ => self.schedule(due, Event::Operation { by: at, id, action }),
        }
    }

    fn operate(&mut self, by: usize, id: SiloId, action: Action) {
        let store = &mut self.store;
        let input = answer(&action, |action| match action {
            Action::Commit { change, .. } => store.commit(change).map(Answered::Committed),
            Action::ReadTable { known, .. } => {
                Ok(Answered::Table(store.table().filter(|t| Some(t.view.version) != *known)))
            }
            Action::ReadLease { name, .. } => Ok(Answered::Lease(store.lease(*name))),
            other => panic!("{other:?} is no operation"),
        });
        let due = self.now + self.delay();
        self.schedule(due, Event::Answer { to: by, id, input });
    }

    fn published(&mut self, at: usize, view: Arc<View>) {
        if self.nodes.len() < 50 {
            let known = self.views.entry(view.version).or_insert_with(|| view.clone());
            assert_eq!(*known, view, "one version, one view");
        }
        let local = self.local(at);
        for member in &view.members {
            let mut gone = Vec::new();
            if member.status == Status::Dead {
                gone.push(member.id);
            }
            for generation in 1..member.id.generation.0 {
                gone.push(SiloId::new(member.id.name, crate::Generation(generation)));
            }
            for silo in gone {
                // The newest generation alone carries the grace; older ones were released with theirs.
                let newest = silo == member.id || silo.generation.next() == member.id.generation;
                if newest && self.nodes[at].seen.insert(silo) {
                    let free = self.true_time(at, local + member.grace);
                    let first = self.released.entry(silo).or_insert(free);
                    *first = (*first).min(free);
                    let due = (*first).max(self.now);
                    self.schedule(due, Event::Release { silo });
                }
            }
        }
    }

    /// Promise P2: whoever may be placed anew does not run.
    fn look(&self) {
        if self.store.forgetful {
            // A store that forgets an eviction lets the evicted come back.
            return;
        }
        for (id, released) in self.released.iter().filter(|(_, released)| **released <= self.now) {
            let at = self.names[&id.name];
            if self.nodes[at].id != Some(*id) || self.nodes[at].core.is_none() {
                continue;
            }
            assert!(
                !self.runs(at),
                "at {} ms {id} runs until {:?} of its clock ({:?}), but may be placed anew since {} ms\n{}",
                self.now / MS,
                self.core(at).lease_until(),
                self.local(at),
                released / MS,
                self.describe()
            );
        }
    }

    /// Whether everybody who runs and has not stopped agrees on the view, and serves.
    pub fn is_settled(&self) -> bool {
        let alive: Vec<usize> = (0..self.nodes.len())
            .filter(|at| self.nodes[*at].core.is_some() && self.nodes[*at].stopped.is_none())
            .collect();
        let Some(first) = alive.first() else { return true };
        alive.iter().all(|at| self.runs(*at) && self.view(*at).version == self.view(*first).version)
            && self.view(*first).alive().count() == alive.len()
    }
}

enum Answered {
    Committed(Version),
    Table(Option<Arc<Table>>),
    Lease(Option<(LeaseRow, Version)>),
}

fn answer(action: &Action, mut run: impl FnMut(&Action) -> Result<Answered, StoreFault>) -> Input {
    let result = run(action);
    match action {
        Action::Commit { request, .. } => Input::Committed {
            request: *request,
            result: result.map(|answered| match answered {
                Answered::Committed(version) => version,
                _ => panic!("a commit answers a version"),
            }),
        },
        Action::ReadTable { request, .. } => Input::TableRead {
            request: *request,
            result: result.map(|answered| match answered {
                Answered::Table(table) => table,
                _ => panic!("a reading answers a table"),
            }),
        },
        Action::ReadLease { request, .. } => Input::LeaseRead {
            request: *request,
            result: result.map(|answered| match answered {
                Answered::Lease(lease) => lease,
                _ => panic!("a reading answers a lease"),
            }),
        },
        other => panic!("{other:?} is no operation"),
    }
}
