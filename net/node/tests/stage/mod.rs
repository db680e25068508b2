//! A cluster of real processes: spawned, killed with `kill -9`, frozen with SIGSTOP, cut from one another by proxies.

mod freeze;
mod network;
mod no_store;
mod process;
pub mod silo;
pub mod store;
mod told;
mod walls;

use network::Network;
use no_store::NoStore;
use parking_lot::Mutex;
use process::{Latest, Process};
use quark::{Client, ClientConfig, ClusterClient};
use quark_core::handshake::Hello;
use quark_core::{Generation, Instant, SiloId, SiloName, Version, WallTime};
use quark_env::store::{Partition, Record, RecordKey};
use quark_env::{BoxFuture, Clock, Env, Store};
use quark_grpc::GrpcTransport;
use quark_redis::RedisStore;
use quark_testkit::history::SiloEvent;
use quark_testkit::recorder::Recorder;
use quark_testkit::stage::{Dark, Look, Lost, Stage};
use quark_tokio::TokioClock;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use store::Keeper;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use walls::Walls;

const CLUSTER: &str = "stories";
/// How far a replica is behind when it takes over.
const LAG: Duration = Duration::from_millis(500);

/// The stage. Its processes end with it.
#[derive(Clone)]
pub struct RealStage(Arc<Inner>);

struct Inner {
    story: &'static str,
    folder: PathBuf,
    keeper: Keeper,
    recorder: Arc<Recorder>,
    clock: TokioClock,
    walls: Walls,
    network: Network,
    silos: Mutex<BTreeMap<String, Process>>,
    clients: Mutex<Vec<Arc<ClusterClient>>>,
}

impl RealStage {
    /// A stage for one story, whose cluster lives in this folder. What its silos say is written down.
    pub fn new(story: &'static str, folder: PathBuf, keeper: Keeper, recorder: Arc<Recorder>) -> Self {
        Self(Arc::new(Inner {
            story,
            walls: Walls::in_folder(folder.clone()),
            folder,
            keeper,
            recorder,
            clock: TokioClock::new(Handle::current()),
            network: Network::default(),
            silos: Mutex::default(),
            clients: Mutex::default(),
        }))
    }

    /// The same with this configuration file for its silos.
    pub fn configured(self, settings: &str) -> Self {
        std::fs::write(self.0.folder.join(SETTINGS), settings).expect("the folder can be written");
        self
    }

    /// How often something was on its way between processes that were cut from one another.
    pub fn held(&self) -> u64 {
        *self.0.network.held().borrow()
    }

    /// Where everything is stored.
    pub fn keeper(&self) -> &Keeper {
        &self.0.keeper
    }

    /// Stops whoever still runs, in order, and returns how often which probe was reached in those that have ended so.
    pub async fn finish(&self) -> BTreeMap<String, u64> {
        let names: Vec<String> = self.0.silos.lock().keys().cloned().collect();
        let stopping: Vec<_> =
            names.iter().filter(|name| self.is_up(name)).map(|name| self.stop(name)).collect();
        for stopped in stopping {
            stopped.await;
        }
        let mut reached = BTreeMap::new();
        for process in self.0.silos.lock().values() {
            for (name, count) in &process.latest.lock().reached {
                *reached.entry(name.clone()).or_insert(0) += count;
            }
        }
        reached
    }

    async fn launch(&self, name: &str) -> Result<(), String> {
        let earlier = self.0.silos.lock().get(name).map(|p| (p.door, p.store.clone()));
        let (door, store) = match earlier {
            Some(before) => before,
            None => {
                let door = self.0.network.door(name, None).await.map_err(|e| e.to_string())?;
                (door, self.0.keeper.text_for(name).await)
            }
        };
        self.0.walls.set_up(name);
        let folder = self.0.folder.to_str().expect("a path that is text");
        let settings = format!("{folder}/{SETTINGS}");
        let advertised = door.to_string();
        let mut flags = vec!["--name", name, "--cluster", CLUSTER, "--data", folder];
        flags.extend(["--advertise", &advertised]);
        if std::path::Path::new(&settings).exists() {
            flags.extend(["--config", &settings]);
        }
        let mut command = silo::command(self.0.story, &flags, &self.0.walls.of(name));
        command.env("QUARK_STORE", &store);
        let (tell, told) = oneshot::channel();
        let ears = process::Ears {
            name: name.into(),
            network: self.0.network.clone(),
            recorder: self.0.recorder.clone(),
        };
        let process = Process::spawn(command, ears, door, store, tell).map_err(|e| e.to_string())?;
        self.0.network.belongs(process.pid, name);
        self.0.silos.lock().insert(name.into(), process);
        told.await.unwrap_or_else(|_| Err("it ended before it served".into()))
    }

    /// Which silos that still run were told of versions of a partition beyond `found`.
    fn told_beyond(&self, partition: &str, found: Version) -> Vec<String> {
        let history = self.0.recorder.history();
        let mut told: Vec<String> = history
            .silo_records()
            .filter(|(_, _, record)| match &record.event {
                SiloEvent::Committed { actor, version, .. } => {
                    *version > found && partition_of(actor.kind(), actor.key()) == partition
                }
                _ => false,
            })
            .map(|(_, _, record)| record.silo.name.as_str().to_owned())
            .filter(|name| self.is_up(name))
            .collect();
        told.sort();
        told.dedup();
        told
    }

    fn pid(&self, name: &str) -> i32 {
        self.0.silos.lock().get(name).unwrap_or_else(|| panic!("no silo `{name}`")).pid
    }

    /// Doors of a client's own to every silo that serves.
    async fn doors_of(&self, client: &str) -> Vec<(SiloId, String)> {
        let silos: Vec<(String, SiloId)> = {
            let silos = self.0.silos.lock();
            silos.iter().filter_map(|(name, p)| Some((name.clone(), p.latest.lock().id?))).collect()
        };
        let mut doors = Vec::new();
        for (name, id) in silos {
            let door = self.0.network.door(&name, Some(client)).await.expect("a free port");
            doors.push((id, door.to_string()));
        }
        doors
    }
}

/// Where a silo keeps an actor of no tenant.
fn partition_of(kind: &str, key: &str) -> String {
    format!("a0.{}/{kind}/{key}", kind.len())
}

/// The configuration file, if there is one.
const SETTINGS: &str = "quark.toml";

impl Stage for RealStage {
    fn start(&self, name: &str) -> BoxFuture<'static, Result<(), String>> {
        let (stage, name) = (self.clone(), name.to_owned());
        let started = tokio::spawn(async move { stage.launch(&name).await });
        Box::pin(async move { started.await.unwrap_or_else(|error| Err(error.to_string())) })
    }

    fn stop(&self, name: &str) -> BoxFuture<'static, ()> {
        freeze::signal(self.pid(name), "TERM");
        let mut silos = self.0.silos.lock();
        let process = silos.get_mut(name).expect("it has a process");
        let (child, latest) = (process.child.take(), process.latest.clone());
        let silent = process.silent.take();
        Box::pin(async move {
            if let Some(mut child) = child {
                let ended = child.wait().await.map_or_else(|e| e.to_string(), |status| status.to_string());
                latest.lock().ended.get_or_insert(ended);
            }
            // Its last words may still be in the pipe.
            if let Some(silent) = silent {
                let _ = silent.await;
            }
        })
    }

    fn crash(&self, name: &str) {
        freeze::signal(self.pid(name), "KILL");
        let latest = self.0.silos.lock().get(name).map(|p| p.latest.clone()).expect("it has a process");
        *latest.lock() = Latest { ended: Some("it was killed".into()), ..Latest::default() };
    }

    fn pause(&self, name: &str) {
        freeze::freeze(self.pid(name));
    }

    fn resume(&self, name: &str) {
        freeze::signal(self.pid(name), "CONT");
    }

    fn partition(&self, groups: &[&[&str]]) {
        self.0.network.partition(groups);
    }

    fn cut_way(&self, from: &str, to: &str) {
        self.0.network.cut_way(from, to);
    }

    fn heal(&self) {
        self.0.network.heal();
    }

    fn cut_store(&self, name: &str) -> bool {
        let Keeper::Redis(redis) = &self.0.keeper else { return false };
        redis.cut(name);
        true
    }

    fn mend_store(&self, name: &str) {
        self.0.keeper.server().mend(name);
    }

    fn slow_store(&self, _ppm: u32) -> bool {
        false
    }

    fn darken_store(&self, how: Dark) {
        self.0.keeper.server().darken(how);
    }

    fn light_store(&self) -> BoxFuture<'static, ()> {
        Box::pin(self.0.keeper.server().clone().light())
    }

    fn lose_answers(&self, ppm: u32) {
        self.0.keeper.server().lose_answers(ppm);
    }

    fn fail_over_store(&self, _fails: &dyn Fn(&Partition) -> bool) -> BoxFuture<'static, Vec<Lost>> {
        let stage = self.clone();
        Box::pin(async move {
            let redis = stage.0.keeper.server().clone();
            redis.cut_replica();
            stage.sleep(LAG).await;
            let (had, has) = redis.fail_over().await;
            let found = |partition: &String| has.get(partition).copied().unwrap_or(Version(0));
            let lost = had.iter().filter(|(partition, version)| found(partition) < **version);
            lost.map(|(partition, version)| Lost {
                partition: (&**partition).into(),
                found: found(partition),
                version: *version,
                told: stage.told_beyond(partition, found(partition)),
            })
            .collect()
        })
    }

    fn peek(&self, key: &RecordKey) -> BoxFuture<'static, Option<Record>> {
        Box::pin(self.0.keeper.server().clone().peek(key.clone()))
    }

    fn store(&self, name: &str) -> BoxFuture<'static, Arc<dyn Store>> {
        let (redis, name) = (self.0.keeper.server().clone(), name.to_owned());
        Box::pin(async move {
            let url = redis.url_for(&name).await;
            let opened = tokio::task::spawn_blocking(move || RedisStore::open(&url, Default::default()));
            let store = opened.await.expect("it does not panic").expect("silos reach it as well");
            Arc::new(store) as Arc<dyn Store>
        })
    }

    fn wall(&self) -> WallTime {
        self.0.walls.true_time(self.0.clock.wall())
    }

    fn step_wall(&self, name: &str, by_ns: i64) {
        self.0.walls.step(name, by_ns);
    }

    fn let_pass(&self, time: Duration) -> BoxFuture<'static, ()> {
        let names: Vec<String> = self.0.silos.lock().keys().cloned().collect();
        let running = names.iter().find(|name| self.is_up(name));
        assert_eq!(running, None, "hours do not pass for somebody who runs");
        self.0.walls.let_pass(time);
        Box::pin(std::future::ready(()))
    }

    fn takes_real_time(&self) -> bool {
        true
    }

    fn client(&self, name: &str) -> BoxFuture<'static, Client> {
        let (stage, name) = (self.clone(), name.to_owned());
        Box::pin(async move {
            let id = SiloId::new(SiloName::new(&name).expect("well formed"), Generation(1));
            let transport = GrpcTransport::client(Hello::new(CLUSTER, id, 0));
            let gateways = stage.doors_of(&name).await;
            let env: Env = quark_tokio::world(&Handle::current(), transport, Arc::new(NoStore));
            let client = Arc::new(ClusterClient::connect(env, &gateways, ClientConfig::default()));
            let calls = client.client();
            stage.0.clients.lock().push(client);
            calls
        })
    }

    fn look(&self, name: &str) -> Option<Look> {
        let silos = self.0.silos.lock();
        let latest = silos.get(name)?.latest.lock();
        let (view, counters) = latest.status.clone()?;
        Some(Look { id: latest.id?, view, turns: counters.turns, lease_valid: counters.lease_valid })
    }

    fn is_up(&self, name: &str) -> bool {
        self.0.silos.lock().get(name).is_some_and(|p| p.latest.lock().ended.is_none())
    }

    fn now(&self) -> Instant {
        self.0.clock.now()
    }

    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()> {
        self.0.clock.sleep_until(self.0.clock.now() + time)
    }

    fn spawn(&self, part: BoxFuture<'static, ()>) {
        tokio::spawn(part);
    }
}
