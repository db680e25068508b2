//! A cluster in a simulated world.

use crate::history::WorldEvent;
use crate::recorder::Recorder;
use crate::stage::{Dark, Look, Lost, Stage};
use parking_lot::Mutex;
use quark::membership::join_identity;
use quark::{Client, ClientConfig, ClusterClient, Silo, SiloBuilder};
use quark_core::view::View;
use quark_core::{Generation, Instant, SiloId, SiloName, WallTime};
use quark_env::store::{Partition, Record, RecordKey};
use quark_env::{BoxFuture, Clock, Entropy, Env, Store};
use quark_sim::{Config, Host, Identity, NodeId, Spread, WorldHandle};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// Describes the silos: which actors they host, with which knobs.
pub type Describe = Arc<dyn Fn(SiloBuilder) -> SiloBuilder + Send + Sync>;

/// Silos and clients on the nodes of one world. Cheap to clone.
#[derive(Clone)]
pub struct SimCluster(Arc<Inner>);

struct Inner {
    world: WorldHandle,
    name: String,
    describe: Describe,
    recorder: Option<Arc<Recorder>>,
    members: Mutex<BTreeMap<String, Member>>,
    clients: Mutex<Vec<Arc<ClusterClient>>>,
}

struct Member {
    node: NodeId,
    silo: Option<Silo>,
    starts: u32,
    /// Crashes that were left out, and after which it has not been started: it need not be.
    spared: u32,
}

/// How many times as long as usually every node of this world takes for a poll; at least 1.
fn world_pace(world: &WorldHandle) -> u64 {
    let longest = |cost: Spread| match cost {
        Spread::Fixed(cost) => cost,
        Spread::Uniform { max, .. } | Spread::Exponential { max, .. } | Spread::Pareto { max, .. } => max,
        Spread::Bimodal { slow, .. } => slow * 5 / 4,
    };
    let usual = longest(Config::new(0).cost);
    (longest(world.poll_cost()).as_nanos() / usual.as_nanos().max(1)).clamp(1, 1_000_000) as u64
}

impl SimCluster {
    /// A cluster without silos.
    pub fn new(world: WorldHandle, name: &str, describe: Describe, recorder: Option<Arc<Recorder>>) -> Self {
        Self(Arc::new(Inner {
            world,
            name: name.into(),
            describe,
            recorder,
            members: Mutex::default(),
            clients: Mutex::default(),
        }))
    }

    /// The world it is in.
    pub fn world(&self) -> &WorldHandle {
        &self.0.world
    }

    /// The node of this name.
    ///
    /// Panics: if no silo of this name was ever started.
    pub fn node(&self, name: &str) -> NodeId {
        self.0.members.lock().get(name).unwrap_or_else(|| panic!("no silo `{name}`")).node
    }

    /// The running silo of this name.
    pub fn silo(&self, name: &str) -> Option<Silo> {
        self.0.members.lock().get(name).and_then(|m| m.silo.clone()).filter(|s| s.stopped().is_none())
    }

    /// Every silo that runs and has not stopped itself, with its name.
    pub fn silos(&self) -> Vec<(String, Silo)> {
        let members = self.0.members.lock();
        let running = members.iter().filter_map(|(name, m)| Some((name.clone(), m.silo.clone()?)));
        running.filter(|(_, silo)| silo.stopped().is_none()).collect()
    }

    /// Starts several silos at once and waits for all.
    ///
    /// Panics: if one does not start.
    pub async fn start_all(&self, names: &[&str]) {
        let starting: Vec<_> = names.iter().map(|name| self.begin_start(name)).collect();
        for (name, started) in names.iter().zip(starting) {
            started.await.unwrap_or_else(|reason| panic!("silo `{name}` did not start: {reason}"));
        }
    }

    /// Starts a silo; the future says when it serves, or why it does not.
    pub fn begin_start(&self, name: &str) -> BoxFuture<'static, Result<(), String>> {
        let inner = &self.0;
        let host = {
            let mut members = inner.members.lock();
            match members.get_mut(name) {
                None => {
                    let node = inner.world.add_node(name);
                    members.insert(name.into(), Member { node, silo: None, starts: 1, spared: 0 });
                    inner.world.host(node)
                }
                Some(member) => {
                    if inner.world.is_up(member.node) && !self.makes_way(name, member) {
                        return Box::pin(std::future::ready(Ok(())));
                    }
                    member.silo = None;
                    member.starts += 1;
                    inner.world.restart(member.node)
                }
            }
        };
        if world_pace(&inner.world) > 1 {
            self.note_pace(name, self.node(name));
        }
        let (cluster, name) = (self.clone(), name.to_owned());
        let (tell, told) = oneshot::channel();
        let task_host = host.clone();
        host.spawn("silo-main", async move {
            let started = cluster.boot(&task_host, &name).await;
            if let Ok(silo) = &started {
                let mut members = cluster.0.members.lock();
                let member = members.get_mut(&name).expect("it was added before its task");
                member.silo = Some(silo.clone());
            }
            let _ = tell.send(started.map(|_| ()));
        });
        Box::pin(async move { told.await.unwrap_or_else(|_| Err("it crashed while it started".into())) })
    }

    /// Whether a process that runs ends without warning, so that its node's next one can start. Not if its crash was left
    /// out before, or is now.
    fn makes_way(&self, name: &str, member: &mut Member) -> bool {
        let world = &self.0.world;
        let serves = member.silo.as_ref().is_some_and(|silo| silo.stopped().is_none());
        if serves && member.spared > 0 {
            member.spared -= 1;
            return false;
        }
        // One that has stopped itself, or never served, is replaced: that is no fault.
        if !serves {
            world.set_planned(true);
        }
        let is_done = world.crash_after(member.node, || self.record(|r| r.crashed(name)));
        if !serves {
            world.set_planned(false);
        }
        is_done
    }

    async fn boot(&self, host: &Host, name: &str) -> Result<Silo, String> {
        let inner = &self.0;
        let mut builder = (inner.describe)(Silo::builder(&inner.name));
        if let Some(recorder) = &inner.recorder {
            builder = builder.observer(recorder.clone());
        }
        let silo_name = SiloName::new(name).map_err(|e| e.to_string())?;
        let newcomer = builder.newcomer(silo_name, &host.address());
        let world = Arc::new(host.clone());
        let (clock, entropy, store): (Arc<dyn Clock>, Arc<dyn Entropy>, Arc<dyn Store>) =
            (world.clone(), world.clone(), world.clone());
        let id = join_identity(&clock, &entropy, &store, builder.membership_config(), &newcomer)
            .await
            .map_err(|e| e.to_string())?;
        let identity = Identity {
            cluster: inner.name.clone(),
            contract_digest: newcomer.contract_digest,
            ..Identity::new(id)
        };
        let transport = Arc::new(host.transport(identity));
        let env = Env { clock, spawner: world, entropy, transport, store };
        builder.start(env, &host.address()).await.map_err(|e| e.to_string())
    }

    /// A client on a node of its own.
    pub fn connect(&self, name: &str, config: ClientConfig) -> Arc<ClusterClient> {
        let inner = &self.0;
        let node = inner.world.node(name).unwrap_or_else(|| inner.world.add_node(name));
        let host = inner.world.host(node);
        let id = SiloId::new(
            SiloName::new(name).expect("a client's name is well formed"),
            Generation(u64::from(host.incarnation())),
        );
        let identity = Identity { cluster: inner.name.clone(), ..Identity::new(id) };
        let world = Arc::new(host.clone());
        let transport = Arc::new(host.transport(identity));
        let env = Env {
            clock: world.clone(),
            spawner: world.clone(),
            entropy: world.clone(),
            transport,
            store: world,
        };
        let gateways: Vec<_> = self
            .silos()
            .iter()
            .map(|(name, silo)| (silo.id(), inner.world.host(self.node(name)).address()))
            .collect();
        let client = Arc::new(ClusterClient::connect(env, &gateways, config));
        inner.clients.lock().push(client.clone());
        client
    }

    /// The process of this name exits without a word; its system resets what it had open.
    pub fn exit(&self, name: &str) {
        self.end_process(name, true);
    }

    /// A silo's process ends, unless this run leaves that out: then it need not be started again.
    fn end_process(&self, name: &str, is_orderly: bool) {
        let (world, node) = (&self.0.world, self.node(name));
        if !world.is_up(node) {
            return;
        }
        let note = || self.record(|r| r.crashed(name));
        let is_done = if is_orderly { world.exit_after(node, note) } else { world.crash_after(node, note) };
        if let Some(member) = self.0.members.lock().get_mut(name) {
            if is_done {
                (member.silo, member.spared) = (None, 0);
            } else {
                member.spared += 1;
            }
        }
    }

    /// Every client that was connected.
    pub fn clients(&self) -> Vec<Arc<ClusterClient>> {
        self.0.clients.lock().clone()
    }

    /// Whether all running silos agree on who is active, and these are all the running ones.
    pub fn has_converged(&self) -> bool {
        let silos = self.silos();
        let Some((_, first)) = silos.first() else { return true };
        let first = first.view();
        let mut running: Vec<SiloId> = silos.iter().map(|(_, s)| s.id()).collect();
        running.sort();
        // Whoever has the very same view as the first need not be compared member by member.
        let agrees = |view: &View| view.active().map(|m| m.id).eq(running.iter().copied());
        agrees(&first)
            && silos.iter().all(|(_, silo)| {
                let view = silo.view();
                Arc::ptr_eq(&view, &first) || (view.version == first.version && agrees(&view))
            })
    }

    /// Everything that a node does takes so many thousandths of the usual time from now on; 1000 is usual.
    pub fn slow(&self, name: &str, milli: u32) {
        let Some(node) = self.0.world.node(name) else { return };
        self.0.world.set_slowness(node, milli);
        self.note_pace(name, node);
    }

    /// Says in the history how slowly a node computes, if it is or was slower than what checkers take for granted.
    fn note_pace(&self, name: &str, node: NodeId) {
        let world = &self.0.world;
        let slowness = world.look_at(node).slowness_milli;
        let milli = u32::try_from(u64::from(slowness) * world_pace(world)).unwrap_or(u32::MAX);
        self.record(|r| r.slowed(name, milli));
    }

    /// Notes what every running silo holds now.
    pub fn sample(&self) {
        for (_, silo) in self.silos() {
            self.record(|r| r.sampled(silo.id(), silo.status()));
        }
    }

    fn record(&self, note: impl FnOnce(&Recorder)) {
        if let Some(recorder) = &self.0.recorder {
            note(recorder);
        }
    }

    /// What is written down, if anything is.
    pub fn recorder(&self) -> Option<&Arc<Recorder>> {
        self.0.recorder.as_ref()
    }

    fn nodes_of(&self, groups: &[&[&str]]) -> Vec<Vec<NodeId>> {
        let node = |name: &&str| {
            self.0.world.node(name).unwrap_or_else(|| panic!("there is neither a silo nor a client `{name}`"))
        };
        groups.iter().map(|group| group.iter().map(node).collect()).collect()
    }
}

impl Stage for SimCluster {
    fn start(&self, name: &str) -> BoxFuture<'static, Result<(), String>> {
        self.begin_start(name)
    }

    fn stop(&self, name: &str) -> BoxFuture<'static, ()> {
        let silo = self.silo(name);
        let host = self.0.world.host(self.node(name));
        Box::pin(async move {
            let Some(silo) = silo else { return };
            let (tell, told) = oneshot::channel();
            host.spawn("silo-stop", async move {
                silo.stop().await;
                let _ = tell.send(());
            });
            let _ = told.await;
        })
    }

    fn crash(&self, name: &str) {
        self.end_process(name, false);
    }

    fn pause(&self, name: &str) {
        self.0.world.pause(self.node(name));
        self.record(|r| r.paused(name));
    }

    fn resume(&self, name: &str) {
        let node = self.node(name);
        self.0.world.resume(node);
        // Pauses add up: it goes on when the last one ends.
        if self.0.world.pauses(node) == 0 {
            self.record(|r| r.resumed(name));
        }
    }

    fn partition(&self, groups: &[&[&str]]) {
        let groups = self.nodes_of(groups);
        let groups: Vec<&[NodeId]> = groups.iter().map(Vec::as_slice).collect();
        self.0.world.partition(&groups);
    }

    fn cut_way(&self, from: &str, to: &str) {
        self.0.world.cut(self.node(from), self.node(to));
    }

    fn heal(&self) {
        self.0.world.heal_network();
    }

    fn cut_store(&self, name: &str) -> bool {
        self.0.world.cut_store(self.node(name));
        true
    }

    fn mend_store(&self, name: &str) {
        self.0.world.uncut_store(self.node(name));
    }

    fn slow_store(&self, ppm: u32) -> bool {
        self.0.world.set_store_slow(ppm, 1000);
        true
    }

    fn darken_store(&self, _how: Dark) {
        self.0.world.begin_store_outage();
    }

    fn light_store(&self) -> BoxFuture<'static, ()> {
        self.0.world.end_store_outage();
        Box::pin(std::future::ready(()))
    }

    fn lose_answers(&self, ppm: u32) {
        self.0.world.set_store_indeterminate(ppm, 500_000);
    }

    fn fail_over_store(&self, fails: &dyn Fn(&Partition) -> bool) -> BoxFuture<'static, Vec<Lost>> {
        let world = &self.0.world;
        world.begin_store_outage();
        self.record(|r| r.world(WorldEvent::StoreFailedOver));
        let lost = world.fail_over_store(fails).into_iter().map(|lost| Lost {
            partition: lost.partition,
            found: lost.found,
            version: lost.version,
            told: lost.told.iter().map(|node| world.name(*node)).collect(),
        });
        Box::pin(std::future::ready(lost.collect()))
    }

    fn peek(&self, key: &RecordKey) -> BoxFuture<'static, Option<Record>> {
        Box::pin(std::future::ready(self.0.world.peek(key).ok().flatten()))
    }

    fn store(&self, name: &str) -> BoxFuture<'static, Arc<dyn Store>> {
        let store: Arc<dyn Store> = Arc::new(self.0.world.host(self.node(name)));
        Box::pin(std::future::ready(store))
    }

    fn wall(&self) -> WallTime {
        self.0.world.true_wall()
    }

    fn step_wall(&self, name: &str, by_ns: i64) {
        self.0.world.step_wall_clock(self.node(name), by_ns);
        self.record(|r| r.clocks());
    }

    fn let_pass(&self, time: Duration) -> BoxFuture<'static, ()> {
        self.sleep(time)
    }

    fn takes_real_time(&self) -> bool {
        false
    }

    fn client(&self, name: &str) -> BoxFuture<'static, Client> {
        let client = self.connect(name, ClientConfig::default()).client();
        Box::pin(std::future::ready(client))
    }

    fn look(&self, name: &str) -> Option<Look> {
        let silo = self.0.members.lock().get(name).and_then(|m| m.silo.clone())?;
        let status = silo.status();
        Some(Look { id: silo.id(), view: silo.view(), turns: status.turns, lease_valid: status.lease_valid })
    }

    fn is_up(&self, name: &str) -> bool {
        self.silo(name).is_some()
    }

    fn now(&self) -> Instant {
        self.0.world.now_true()
    }

    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()> {
        Box::pin(self.0.world.sleep(time))
    }

    fn spawn(&self, part: BoxFuture<'static, ()>) {
        self.0.world.driver("part", part);
    }
}
