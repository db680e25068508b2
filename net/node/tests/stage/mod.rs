//! A cluster of real processes: spawned, killed with `kill -9`, frozen with SIGSTOP, cut from one another by proxies.

mod freeze;
mod network;

use network::Network;
use parking_lot::Mutex;
use quark::{Client, ClientConfig, ClusterClient};
use quark_core::handshake::Hello;
use quark_core::view::View;
use quark_core::{Generation, Instant, SiloId, SiloName};
use quark_env::{BoxFuture, Clock, Env, Store};
use quark_grpc::GrpcTransport;
use quark_testkit::stage::{Look, Stage};
use quark_tokio::TokioClock;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

const CLUSTER: &str = "stories";

/// The stage. Its processes end with it.
#[derive(Clone)]
pub struct RealStage(Arc<Inner>);

struct Inner {
    folder: PathBuf,
    store: String,
    clock: TokioClock,
    network: Network,
    silos: Mutex<BTreeMap<String, Process>>,
    clients: Mutex<Vec<Arc<ClusterClient>>>,
}

struct Process {
    child: Option<Child>,
    pid: i32,
    door: SocketAddr,
    latest: Arc<Mutex<Latest>>,
}

/// What a process last said.
#[derive(Default)]
struct Latest {
    id: Option<SiloId>,
    status: Option<(Arc<View>, Counters)>,
    ended: Option<String>,
}

/// Those of a silo's numbers that stories ask for.
#[derive(Clone, Copy, Deserialize)]
struct Counters {
    turns: u64,
    lease_valid: bool,
}

impl RealStage {
    /// A stage whose cluster lives in this folder, with its store where `QUARK_STORE` would say `store`.
    pub fn new(folder: PathBuf, store: String) -> Self {
        Self(Arc::new(Inner {
            folder,
            store,
            clock: TokioClock::new(Handle::current()),
            network: Network::default(),
            silos: Mutex::default(),
            clients: Mutex::default(),
        }))
    }

    /// How often something was on its way between processes that were cut from one another.
    pub fn held(&self) -> u64 {
        *self.0.network.held().borrow()
    }

    async fn launch(&self, name: &str) -> Result<(), String> {
        let earlier = self.0.silos.lock().get(name).map(|p| p.door);
        let door = match earlier {
            Some(door) => door,
            None => self.0.network.door(name, None).await.map_err(|e| e.to_string())?,
        };
        let mut child = Command::new(env!("CARGO_BIN_EXE_quark"))
            .args(["silo", "--name", name, "--cluster", CLUSTER, "--data"])
            .arg(&self.0.folder)
            .args(["--advertise", &door.to_string()])
            .env("QUARK_STORE", &self.0.store)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|e| e.to_string())?;
        let pid = child.id().ok_or("it ended at once")? as i32;
        self.0.network.belongs(pid, name);
        let output = child.stdout.take().expect("piped");
        let latest = Arc::new(Mutex::new(Latest::default()));
        let (tell, told) = oneshot::channel();
        tokio::spawn(listen(name.to_owned(), output, latest.clone(), self.0.network.clone(), tell));
        self.0.silos.lock().insert(name.into(), Process { child: Some(child), pid, door, latest });
        told.await.unwrap_or_else(|_| Err("it ended before it served".into()))
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

/// Listens to a silo process until it has nothing more to say.
async fn listen(
    name: String,
    output: ChildStdout,
    latest: Arc<Mutex<Latest>>,
    network: Network,
    tell: oneshot::Sender<Result<(), String>>,
) {
    let (mut tell, mut lines) = (Some(tell), BufReader::new(output).lines());
    let mut tell = |outcome| tell.take().map(|tell| tell.send(outcome));
    while let Ok(Some(line)) = lines.next_line().await {
        let Ok(mut report) = serde_json::from_str::<Value>(&line) else { continue };
        let mut latest = latest.lock();
        match report["report"].as_str() {
            Some("listening") => network.aim(&name, report["address"].as_str().unwrap_or_default()),
            Some("started") => {
                latest.id = serde_json::from_value(report["id"].take()).ok();
                tell(Ok(()));
            }
            Some("status") => {
                let view = serde_json::from_value::<View>(report["view"].take());
                let counters = serde_json::from_value::<Counters>(report["counters"].take());
                let (view, counters) = (view.expect("a view"), counters.expect("counters"));
                latest.status = Some((Arc::new(view), counters));
            }
            Some("failed") => {
                let reason = report["reason"].as_str().unwrap_or("no reason given").to_owned();
                latest.ended = Some(reason.clone());
                tell(Err(reason));
            }
            _ => {}
        }
    }
    latest.lock().ended.get_or_insert_with(|| "the process ended".into());
}

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
        Box::pin(async move {
            if let Some(mut child) = child {
                let ended = child.wait().await.map_or_else(|e| e.to_string(), |status| status.to_string());
                latest.lock().ended.get_or_insert(ended);
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

    fn cut_store(&self, _name: &str) -> bool {
        false
    }

    fn mend_store(&self, _name: &str) {}

    fn slow_store(&self, _ppm: u32) -> bool {
        false
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
        let (view, Counters { turns, lease_valid }) = latest.status.clone()?;
        Some(Look { id: latest.id?, view, turns, lease_valid })
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

/// A client stores nothing.
struct NoStore;

impl Store for NoStore {
    fn read(
        &self,
        _: &quark_env::store::RecordKey,
    ) -> BoxFuture<'static, Result<Option<quark_env::store::Record>, quark_env::store::StoreError>> {
        unreachable!("a client reads nothing")
    }

    fn commit(
        &self,
        _: quark_env::store::Batch,
    ) -> BoxFuture<'static, Result<quark_env::store::Committed, quark_env::store::StoreError>> {
        unreachable!("a client commits nothing")
    }

    fn scan(
        &self,
        _: quark_env::store::ScanRange,
        _: usize,
    ) -> BoxFuture<'static, Result<Vec<quark_env::store::Record>, quark_env::store::StoreError>> {
        unreachable!("a client scans nothing")
    }
}
