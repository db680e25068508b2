//! Faults, done to a simulated cluster.

use super::SimCluster;
use crate::history::WorldEvent;
use crate::stage::Stage;
use quark_chaos::{Applied, Campaign, Fault, FaultKind, FaultPlan, Report, Route, Target};
use quark_sim::{Conditions, Meters, NodeId, Spread, WorldHandle};
use std::collections::BTreeMap;
use std::time::Duration;

/// Carries out a plan, counted from now, heals everything at its end, and says what it came to.
///
/// Panics: if the plan names a node that is not there.
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
    in_force: Vec<Fault>,
    calm: Conditions,
    /// The clock rates that the nodes had before anything touched them.
    rates: BTreeMap<NodeId, i64>,
    before: Meters,
    /// Faults whose effect nothing in the world counts.
    uncounted: BTreeMap<FaultKind, u64>,
}

impl SimTarget {
    /// Prepares for faults. What the world has counted so far is not their effect.
    pub fn new(cluster: &SimCluster) -> Self {
        let world = cluster.world().clone();
        Self {
            cluster: cluster.clone(),
            in_force: Vec::new(),
            calm: world.default_conditions(),
            rates: BTreeMap::new(),
            before: world.meters(),
            uncounted: BTreeMap::new(),
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

    /// Calls `action` for every path that a route covers.
    fn along(&self, route: &Route, mut action: impl FnMut(NodeId, NodeId)) {
        let nodes = self.named();
        for (from, from_name) in &nodes {
            for (to, to_name) in &nodes {
                if route.covers(from_name, to_name) {
                    action(*from, *to);
                }
            }
        }
    }

    fn in_groups(&self, groups: &[Vec<String>], action: impl FnOnce(&[&[NodeId]])) {
        let groups: Vec<Vec<NodeId>> =
            groups.iter().map(|group| group.iter().map(|name| self.node(name)).collect()).collect();
        action(&groups.iter().map(Vec::as_slice).collect::<Vec<_>>());
    }

    fn start(&self, name: &str) {
        if !self.world.is_up(self.node(name)) {
            // It starts in the world; nobody here waits for it.
            drop(self.cluster.begin_start(name));
        }
    }

    /// Sets everything that is a value and not a count.
    fn recompute(&self) {
        let nodes = self.named();
        for (from, from_name) in &nodes {
            for (to, to_name) in &nodes {
                let weather = self.weather(from_name, to_name);
                let wanted = (weather != self.calm).then_some(weather);
                if from != to && self.world.conditions(*from, *to) != weather {
                    self.world.set_conditions(*from, *to, wanted);
                }
            }
            let (mut rate, mut slowness) = (self.rates.get(from).copied(), 1000);
            for fault in &self.in_force {
                match fault {
                    Fault::ClockDrift { node, ppm } if node == from_name => rate = Some(*ppm),
                    Fault::SlowCpu { node, slowness_milli } if node == from_name => {
                        slowness = slowness.max(*slowness_milli);
                    }
                    _ => {}
                }
            }
            if let Some(rate) = rate.filter(|rate| *rate != self.world.clock_rate(*from)) {
                self.world.set_clock_rate(*from, rate);
            }
            if self.world.look_at(*from).slowness_milli != slowness {
                self.cluster.slow(from_name, slowness);
            }
        }
        let (mut hidden, mut applied, mut spikes, mut slowness) = (0, 500_000, 0, 1000);
        for fault in &self.in_force {
            match *fault {
                Fault::StoreIndeterminate { ppm, applied_ppm } => (hidden, applied) = (ppm, applied_ppm),
                Fault::StoreSlow { spike_ppm, slowness_milli } => {
                    (spikes, slowness) = (spike_ppm.max(spikes), slowness_milli.max(slowness));
                }
                _ => {}
            }
        }
        self.world.set_store_indeterminate(hidden, applied);
        self.world.set_store_slow(spikes, slowness);
    }

    /// The worst of all that is in force on a path.
    fn weather(&self, from: &str, to: &str) -> Conditions {
        let mut weather = self.calm;
        for fault in &self.in_force {
            match fault {
                Fault::Loss { route, ppm } if route.covers(from, to) => {
                    weather.loss_ppm = weather.loss_ppm.max(*ppm);
                }
                Fault::Duplicate { route, ppm } if route.covers(from, to) => {
                    weather.duplicate_ppm = weather.duplicate_ppm.max(*ppm);
                }
                Fault::Corrupt { route, ppm } if route.covers(from, to) => {
                    weather.corrupt_ppm = weather.corrupt_ppm.max(*ppm);
                }
                Fault::Reorder { route, ppm, by } if route.covers(from, to) => {
                    weather.reorder_ppm = weather.reorder_ppm.max(*ppm);
                    weather.reorder_by = *by;
                }
                Fault::Latency { route, min, max } if route.covers(from, to) => {
                    weather.latency =
                        Spread::Uniform { min: *min, max: (*max).max(*min + Duration::from_micros(1)) };
                }
                _ => {}
            }
        }
        weather
    }
}

impl Target for SimTarget {
    fn apply(&mut self, fault: &Fault) -> Applied {
        let world = &self.world;
        match fault {
            Fault::Crash { node } => {
                if !world.is_up(self.node(node)) {
                    return Applied::Moot;
                }
                self.cluster.crash(node);
            }
            // Nodes have no disk of their own in this world: all that is durable is in the store.
            Fault::Restart { node, .. } => drop(self.cluster.begin_start(node)),
            Fault::Pause { node } => {
                if !world.is_up(self.node(node)) {
                    return Applied::Moot;
                }
                self.cluster.pause(node);
            }
            Fault::Cut { route, one_way } => {
                self.along(route, |from, to| {
                    world.cut(from, to);
                    if !one_way {
                        world.cut(to, from);
                    }
                });
            }
            Fault::Partition { groups } => self.in_groups(groups, |groups| world.partition(groups)),
            Fault::Isolate { node } => {
                let route = Route { from: vec![node.clone()], to: Vec::new() };
                self.along(&route, |from, to| {
                    world.cut(from, to);
                    world.cut(to, from);
                });
            }
            Fault::Clog { route } => self.along(route, |from, to| world.clog(from, to)),
            Fault::HalfOpen { route } => self.along(route, |from, to| world.half_open(from, to)),
            Fault::StoreOutage => world.begin_store_outage(),
            Fault::StoreCut { node } => world.cut_store(self.node(node)),
            Fault::StoreFailover | Fault::StoreStale { .. } if !world.has_replica() => {
                return Applied::Unsupported;
            }
            Fault::StoreFailover => {
                if let Some(recorder) = self.cluster.recorder() {
                    recorder.world(WorldEvent::StoreFailedOver);
                }
                drop(world.fail_over_store(|_| true));
            }
            Fault::StoreStale { node } => world.set_store_stale(self.node(node), true),
            Fault::ClockStep { node, by_ms } => {
                world.step_wall_clock(self.node(node), by_ms.saturating_mul(1_000_000));
                if let Some(recorder) = self.cluster.recorder() {
                    recorder.clocks();
                }
            }
            Fault::ClockDrift { node, .. } => {
                let node = self.node(node);
                let rate = world.clock_rate(node);
                self.rates.entry(node).or_insert(rate);
            }
            Fault::Loss { .. }
            | Fault::Duplicate { .. }
            | Fault::Reorder { .. }
            | Fault::Corrupt { .. }
            | Fault::Latency { .. }
            | Fault::StoreIndeterminate { .. }
            | Fault::StoreSlow { .. }
            | Fault::SlowCpu { .. } => {}
        }
        *self.uncounted.entry(fault.kind()).or_default() += 1;
        if !fault.kind().is_momentary() {
            self.in_force.push(fault.clone());
            self.recompute();
        }
        Applied::Yes
    }

    fn heal(&mut self, fault: &Fault) {
        let Some(at) = self.in_force.iter().position(|other| other == fault) else { return };
        self.in_force.remove(at);
        let world = &self.world;
        match fault {
            Fault::Crash { node } => self.start(node),
            Fault::Pause { node } => self.cluster.resume(node),
            Fault::Cut { route, one_way } => {
                self.along(route, |from, to| {
                    world.uncut(from, to);
                    if !one_way {
                        world.uncut(to, from);
                    }
                });
            }
            Fault::Partition { groups } => self.in_groups(groups, |groups| world.unpartition(groups)),
            Fault::Isolate { node } => {
                let route = Route { from: vec![node.clone()], to: Vec::new() };
                self.along(&route, |from, to| {
                    world.uncut(from, to);
                    world.uncut(to, from);
                });
            }
            Fault::Clog { route } => self.along(route, |from, to| world.unclog(from, to)),
            Fault::StoreOutage => world.end_store_outage(),
            Fault::StoreCut { node } => world.uncut_store(self.node(node)),
            Fault::StoreStale { node } if !self.in_force.contains(fault) => {
                world.set_store_stale(self.node(node), false);
            }
            _ => {}
        }
        self.recompute();
    }

    fn heal_all(&mut self) {
        let crashed: Vec<String> = self
            .in_force
            .iter()
            .filter_map(|fault| if let Fault::Crash { node } = fault { Some(node.clone()) } else { None })
            .collect();
        self.in_force.clear();
        self.world.heal_network();
        self.world.heal_store();
        for node in self.world.nodes() {
            while self.world.pauses(node) > 0 {
                self.cluster.resume(&self.world.name(node));
            }
        }
        self.recompute();
        crashed.iter().for_each(|name| self.start(name));
    }

    fn effects(&self, kind: FaultKind) -> Option<u64> {
        let (now, before) = (self.world.meters(), self.before);
        let (net, old) = (now.network, before.network);
        let (store, old_store) = (now.store, before.store);
        let stopped =
            (net.swallowed - old.swallowed) + (net.stalled - old.stalled) + (net.links_down - old.links_down);
        let hidden =
            (store.hidden_applied - old_store.hidden_applied) + (store.hidden_lost - old_store.hidden_lost);
        match kind {
            FaultKind::Cut | FaultKind::Partition | FaultKind::Isolate => Some(stopped),
            FaultKind::Loss => Some(net.lost - old.lost),
            FaultKind::Duplicate => Some(net.duplicated - old.duplicated),
            FaultKind::Reorder => Some(net.reordered - old.reordered),
            FaultKind::Corrupt => Some(net.corrupted - old.corrupted),
            FaultKind::Clog => Some(net.stalled - old.stalled),
            FaultKind::HalfOpen => Some(net.swallowed - old.swallowed),
            FaultKind::StoreOutage | FaultKind::StoreCut => {
                Some(store.unavailable - old_store.unavailable + hidden)
            }
            FaultKind::StoreFailover => Some(store.lost - old_store.lost),
            FaultKind::StoreStale => Some(store.stale_reads - old_store.stale_reads),
            FaultKind::StoreIndeterminate => Some(hidden),
            FaultKind::StoreSlow => Some(store.spikes - old_store.spikes),
            _ => self.uncounted.get(&kind).copied(),
        }
    }
}
