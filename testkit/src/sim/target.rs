//! Faults, done to a simulated cluster.

use super::SimCluster;
use super::effects::{Counts, Ledger, reading};
use super::mischief::Mischief;
use super::values::{self, StoreTrouble};
use crate::history::WorldEvent;
use crate::stage::Stage;
use quark_chaos::{Applied, Campaign, Fault, FaultKind, FaultPlan, Meter, Needs, Report, Route, Target};
use quark_sim::{Conditions, NodeId, WorldHandle};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Carries out a plan, counted from now, heals everything at its end, and says what it came to.
///
/// Panics: if the plan names a node that is not there, or numbers that are not legal.
pub async fn carry_out(plan: FaultPlan, cluster: &SimCluster) -> Report {
    let (mut campaign, mut target) = (Campaign::new(plan), SimTarget::new(cluster));
    let world = cluster.world().clone();
    let start = world.now_true();
    while let Some(at) = campaign.next_at() {
        world.sleep_until(start + at).await;
        // Which faults there are is the plan's choice: the world is not to leave out any by itself.
        world.set_planned(true);
        campaign.advance(at, &mut target);
        world.set_planned(false);
    }
    world.set_planned(true);
    let report = campaign.finish(&mut target);
    world.set_planned(false);
    report
}

/// A simulated cluster as the target of a fault plan.
///
/// Faults that add up in the world (cuts, clogs, pauses, outages) are applied and healed one by one; those that set a
/// value (weather, rates, speeds) are computed anew from all that are in force.
pub struct SimTarget {
    cluster: SimCluster,
    world: WorldHandle,
    in_force: Vec<InForce>,
    calm: Conditions,
    calm_store: StoreTrouble,
    /// The clock rates that the nodes had before anything touched them.
    rates: BTreeMap<NodeId, i64>,
    ledger: Ledger,
    counts: Arc<Counts>,
    mischief: Mischief,
    evictions: u64,
}

/// A fault in force.
struct InForce {
    fault: Fault,
    /// The paths that it cut or clogged. Nodes that came later are none of its business.
    paths: Vec<(NodeId, NodeId)>,
    /// Of one that comes and goes: whether it is there now.
    is_on: bool,
}

impl SimTarget {
    /// Prepares for faults. What the world has counted so far is not their effect.
    pub fn new(cluster: &SimCluster) -> Self {
        let (world, counts) = (cluster.world().clone(), Arc::<Counts>::default());
        let store = world.store_config();
        Self {
            cluster: cluster.clone(),
            in_force: Vec::new(),
            calm: world.default_conditions(),
            calm_store: StoreTrouble {
                hidden: (store.indeterminate_ppm, store.applied_ppm),
                slow: (store.spike_ppm, 1000),
                drops: (store.drop_ppm, store.drop_applied_ppm),
                errors: store.error_ppm,
            },
            rates: BTreeMap::new(),
            ledger: Ledger::default(),
            mischief: Mischief::new(cluster, &counts),
            counts,
            evictions: 0,
            world,
        }
    }

    /// The node of this name. Panics: if there is none; plans are checked before they are set in motion.
    fn node(&self, name: &str) -> NodeId {
        self.world
            .node(name)
            .unwrap_or_else(|| panic!("the fault plan names node `{name}`, which is not there"))
    }

    fn named(&self) -> Vec<(NodeId, String)> {
        self.world.nodes().into_iter().map(|node| (node, self.world.name(node))).collect()
    }

    fn faults(&self) -> impl Iterator<Item = &Fault> + Clone {
        self.in_force.iter().map(|in_force| &in_force.fault)
    }

    /// What the kind's meter shows.
    fn shows(&self, kind: FaultKind) -> u64 {
        reading(kind.facts().meter, &self.world.effects(), &self.counts)
    }

    /// Every path that a route covers.
    fn along(&self, route: &Route) -> Vec<(NodeId, NodeId)> {
        let nodes = self.named();
        let mut paths = Vec::new();
        for (from, from_name) in &nodes {
            let covered = nodes.iter().filter(|(_, to_name)| route.covers(from_name, to_name));
            paths.extend(covered.map(|(to, _)| (*from, *to)));
        }
        paths
    }

    /// The paths that a fault cuts or clogs.
    fn paths(&self, fault: &Fault) -> Vec<(NodeId, NodeId)> {
        let both = |mut paths: Vec<(NodeId, NodeId)>| {
            let back: Vec<_> = paths.iter().map(|(from, to)| (*to, *from)).collect();
            paths.extend(back.iter().filter(|way| !paths.contains(way)).copied().collect::<Vec<_>>());
            paths
        };
        match fault {
            Fault::Cut { route, one_way: true } | Fault::Clog { route } => self.along(route),
            Fault::Cut { route, .. } | Fault::Flap { route, .. } => both(self.along(route)),
            Fault::Isolate { node } => both(self.along(&Route { from: vec![node.clone()], to: Vec::new() })),
            Fault::Partition { groups } => {
                let pairs = groups.iter().enumerate().flat_map(|(at, group)| {
                    let others = groups.iter().enumerate().filter(move |(other, _)| *other != at);
                    others.flat_map(move |(_, other)| {
                        group.iter().flat_map(|a| other.iter().map(move |b| (a, b)))
                    })
                });
                pairs.map(|(from, to)| (self.node(from), self.node(to))).collect()
            }
            _ => Vec::new(),
        }
    }

    fn cut(&self, paths: &[(NodeId, NodeId)]) {
        paths.iter().for_each(|(from, to)| self.world.cut(*from, *to));
    }

    fn uncut(&self, paths: &[(NodeId, NodeId)]) {
        paths.iter().for_each(|(from, to)| self.world.uncut(*from, *to));
    }

    /// It starts in the world; nobody here waits for it.
    fn start_if_down(&self, name: &str) {
        if !self.world.is_up(self.node(name)) {
            drop(self.cluster.begin_start(name));
        }
    }

    /// Tells a silo to stop in order, and takes its process away afterwards if it is not to be started again.
    fn stop(&self, name: &str, for_good: bool) {
        let (cluster, name) = (self.cluster.clone(), name.to_owned());
        self.world.driver("stop", async move {
            cluster.stop(&name).await;
            if for_good {
                cluster.crash(&name);
            }
        });
    }

    fn joiners(silos: u32) -> impl Iterator<Item = String> {
        (1..=silos).map(|number| format!("joiner-{number}"))
    }

    fn join(&self, silos: u32) {
        for name in Self::joiners(silos) {
            if self.world.node(&name).is_none_or(|node| !self.world.is_up(node)) {
                let (joining, counts) = (self.cluster.begin_start(&name), self.counts.clone());
                self.world.driver("join", async move {
                    let joined = joining.await.is_ok();
                    counts.add(Meter::Joined, u64::from(joined));
                });
            }
        }
    }

    /// A pause that ends by itself.
    fn stall(&self, name: &str, stall: Duration) {
        let node = self.node(name);
        if !self.world.is_up(node) {
            return;
        }
        self.cluster.pause(name);
        let (cluster, name, world) = (self.cluster.clone(), name.to_owned(), self.world.clone());
        let over = world.sleep(stall);
        self.world.driver("stall", async move {
            over.await;
            // maybe: all was healed meanwhile, or the process is another one.
            if world.pauses(node) > 0 {
                cluster.resume(&name);
            }
        });
    }

    fn collect(&self) {
        for (name, silo) in self.cluster.silos() {
            let counts = self.counts.clone();
            self.world.spawn(self.cluster.node(&name), "collect", async move {
                counts.add(Meter::Deactivated, silo.collect() as u64);
            });
        }
    }

    /// Sets every value that a fault has a part in, from all that are in force.
    fn recompute(&mut self, fault: &Fault) {
        if values::is_weather(fault) {
            self.recompute_weather();
        } else if values::is_dialling(fault) {
            self.recompute_dialling();
        } else if fault.kind().family() == quark_chaos::Family::Store {
            self.recompute_store();
        } else if let Some(name) = fault.node() {
            self.recompute_node(name);
        }
    }

    /// How far the wall clocks are off now, for whoever judges what they decide.
    fn note_clocks(&self) {
        if let Some(recorder) = self.cluster.recorder() {
            recorder.clocks();
        }
    }

    fn recompute_weather(&self) {
        let nodes = self.named();
        for (from, from_name) in &nodes {
            for (to, to_name) in nodes.iter().filter(|(to, _)| to != from) {
                let weather = values::weather(self.faults(), self.calm, from_name, to_name);
                if self.world.conditions(*from, *to) != weather {
                    self.world.set_conditions(*from, *to, (weather != self.calm).then_some(weather));
                }
            }
        }
    }

    fn recompute_dialling(&self) {
        let nodes = self.named();
        for (from, from_name) in &nodes {
            for (to, to_name) in nodes.iter().filter(|(to, _)| to != from) {
                let elsewhere = nodes.iter().map(|(node, _)| *node).find(|node| node != from && node != to);
                let dialling = values::dialling(self.faults(), from_name, to_name, elsewhere);
                if self.world.dialling(*from, *to) != dialling {
                    self.world.set_dialling(*from, *to, dialling);
                }
            }
        }
    }

    fn recompute_store(&self) {
        let trouble = values::store(self.faults(), self.calm_store);
        let world = &self.world;
        world.set_store_indeterminate(trouble.hidden.0, trouble.hidden.1);
        world.set_store_slow(trouble.slow.0, trouble.slow.1);
        world.set_store_drops(trouble.drops.0, trouble.drops.1);
        world.set_store_errors(trouble.errors);
        world.set_store_full(self.faults().any(|fault| *fault == Fault::StoreFull));
    }

    fn recompute_node(&mut self, name: &str) {
        let node = self.node(name);
        let slowness = self.faults().filter_map(|fault| match fault {
            Fault::SlowCpu { node, slowness_milli } if node == name => Some(*slowness_milli),
            _ => None,
        });
        let slowness = slowness.max().unwrap_or(1000);
        if self.world.look_at(node).slowness_milli != slowness {
            self.cluster.slow(name, slowness);
        }
        match values::pace(self.faults(), name) {
            (None, 0) => {
                if let Some(rate) = self.rates.remove(&node) {
                    self.world.settle_clock_rate(node, rate);
                    self.world.slew_wall_clock(node, 0);
                }
            }
            (rate, slew) => {
                let own = *self.rates.entry(node).or_insert_with(|| self.world.clock_rate(node));
                match rate {
                    Some(rate) => self.world.set_clock_rate(node, rate),
                    None => self.world.settle_clock_rate(node, own),
                }
                self.world.slew_wall_clock(node, slew);
            }
        }
    }

    /// Whether a fault can be done to this cluster at all, and now.
    fn is_possible(&self, fault: &Fault) -> Applied {
        match fault.kind().facts().needs {
            Needs::Replica if !self.world.has_replica() => return Applied::Unsupported,
            Needs::Imps => match self.mischief.is_possible() {
                Some(true) => {}
                Some(false) => return Applied::Unsupported,
                None => return Applied::Moot,
            },
            Needs::Nothing | Needs::Replica => {}
        }
        let is_down = |node: &str| !self.world.is_up(self.node(node));
        match fault {
            Fault::Crash { node } | Fault::Exit { node } | Fault::CrashLoop { node, .. } if is_down(node) => {
                Applied::Moot
            }
            Fault::Pause { node } | Fault::GcStalls { node, .. } if is_down(node) => Applied::Moot,
            Fault::GracefulStop { node } if self.cluster.silo(node).is_none() => Applied::Moot,
            _ => Applied::Yes,
        }
    }

    /// What a fault does at once, but for the values.
    fn begin(&mut self, fault: &Fault, paths: &[(NodeId, NodeId)]) {
        let world = &self.world;
        match fault {
            Fault::Crash { node } | Fault::CrashLoop { node, .. } => self.cluster.crash(node),
            Fault::Exit { node } => self.cluster.exit(node),
            // Nodes have no disk of their own in this world: all that is durable is in the store.
            Fault::Restart { node, .. } => drop(self.cluster.begin_start(node)),
            Fault::GracefulStop { node } => {
                self.counts.add(Meter::SilosStopped, 1);
                self.stop(node, false);
            }
            Fault::Pause { node } => self.cluster.pause(node),
            Fault::GcStalls { node, stall, .. } => self.stall(node, *stall),
            Fault::Cut { .. } | Fault::Partition { .. } | Fault::Isolate { .. } | Fault::Flap { .. } => {
                self.cut(paths);
            }
            Fault::Clog { .. } => paths.iter().for_each(|(from, to)| world.clog(*from, *to)),
            Fault::HalfOpen { route } => {
                self.along(route).iter().for_each(|(from, to)| world.half_open(*from, *to));
            }
            Fault::RstStorm { route, .. } => self.along(route).iter().for_each(|(from, to)| {
                world.reset_links(*from, *to);
            }),
            Fault::StoreOutage => world.begin_store_outage(),
            Fault::StoreCut { node } => world.cut_store(self.node(node)),
            Fault::StoreFailover => {
                if let Some(recorder) = self.cluster.recorder() {
                    recorder.world(WorldEvent::StoreFailedOver);
                }
                drop(world.fail_over_store(|_| true));
            }
            Fault::StoreStale { node } => world.set_store_stale(self.node(node), true),
            Fault::StoreEviction { ppm } => {
                self.evictions += 1;
                world.evict_store(*ppm, world.draw(EVICTION, self.evictions));
            }
            Fault::ClockStep { node, by_ms } => {
                world.step_wall_clock(self.node(node), by_ms.saturating_mul(1_000_000));
                self.note_clocks();
            }
            Fault::ClockLeap { node, days } => {
                world.step_wall_clock(self.node(node), days_ns(*days));
                self.note_clocks();
            }
            Fault::JoinStorm { silos } => self.join(*silos),
            Fault::DeactivationStorm { .. } => self.collect(),
            fault if fault.kind().facts().needs == Needs::Imps => self.mischief.make(fault),
            // What is left is a value.
            _ => {}
        }
    }

    /// What ends with a fault, but for the values.
    fn end(&mut self, ended: &InForce) {
        let world = &self.world;
        match &ended.fault {
            Fault::Crash { node } | Fault::Exit { node } | Fault::CrashLoop { node, .. } => {
                self.start_if_down(node);
            }
            // Its process is there still, with nothing in it.
            Fault::GracefulStop { node } => drop(self.cluster.begin_start(node)),
            Fault::Pause { node } => self.cluster.resume(node),
            Fault::Cut { .. } | Fault::Partition { .. } | Fault::Isolate { .. } => self.uncut(&ended.paths),
            Fault::Flap { .. } if ended.is_on => self.uncut(&ended.paths),
            Fault::Clog { .. } => ended.paths.iter().for_each(|(from, to)| world.unclog(*from, *to)),
            Fault::StoreOutage => world.end_store_outage(),
            Fault::StoreCut { node } => world.uncut_store(self.node(node)),
            Fault::StoreStale { node } if !self.faults().any(|other| *other == ended.fault) => {
                world.set_store_stale(self.node(node), false);
            }
            Fault::ClockLeap { node, days } => world.step_wall_clock(self.node(node), -days_ns(*days)),
            Fault::JoinStorm { silos } => Self::joiners(*silos).for_each(|name| self.stop(&name, true)),
            fault => self.mischief.end(fault),
        }
    }
}

impl Target for SimTarget {
    fn apply(&mut self, fault: &Fault) -> Applied {
        let possible = self.is_possible(fault);
        if possible != Applied::Yes {
            return possible;
        }
        let kind = fault.kind();
        self.ledger.begin(kind, self.shows(kind));
        let paths = self.paths(fault);
        self.begin(fault, &paths);
        if !kind.is_momentary() {
            self.in_force.push(InForce { fault: fault.clone(), paths, is_on: true });
            self.recompute(fault);
        }
        Applied::Yes
    }

    fn beat(&mut self, fault: &Fault, _beat: u64) {
        let Some(at) = self.in_force.iter().position(|other| other.fault == *fault) else { return };
        let is_on = !self.in_force[at].is_on;
        match fault {
            Fault::Flap { .. } => {
                self.in_force[at].is_on = is_on;
                let paths = &self.in_force[at].paths;
                if is_on { self.cut(paths) } else { self.uncut(paths) }
            }
            Fault::CrashLoop { node, .. } => {
                self.in_force[at].is_on = is_on;
                if is_on { self.cluster.crash(node) } else { self.start_if_down(node) }
            }
            other => self.begin(&other.clone(), &[]),
        }
    }

    fn heal(&mut self, fault: &Fault) {
        let Some(at) = self.in_force.iter().position(|other| other.fault == *fault) else { return };
        let ended = self.in_force.remove(at);
        self.end(&ended);
        self.recompute(fault);
        let kind = fault.kind();
        self.ledger.end(kind, self.shows(kind));
    }

    fn heal_all(&mut self) {
        for fault in self.faults().cloned().collect::<Vec<_>>() {
            self.heal(&fault);
        }
        // Also what was there before any fault, and what is left of one that comes and goes.
        self.world.heal_network();
        self.world.heal_store();
        for node in self.world.nodes() {
            while self.world.pauses(node) > 0 {
                self.cluster.resume(&self.world.name(node));
            }
        }
    }

    fn effects(&self, kind: FaultKind) -> Option<u64> {
        Some(self.ledger.total(kind, self.shows(kind)))
    }
}

fn days_ns(days: i64) -> i64 {
    days.saturating_mul(24 * 3600 * 1_000_000_000)
}

/// What evictions are drawn by.
const EVICTION: u64 = 0x6576_6963_7421;
