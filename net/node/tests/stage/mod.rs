//! A cluster of real processes: spawned, killed with `kill -9`, frozen with SIGSTOP, cut from one another by proxies.

mod proxy;

use parking_lot::Mutex;
use proxy::{Cuts, Proxy};
use quark::{Client, ClientConfig, ClusterClient};
use quark_core::handshake::Hello;
use quark_core::{Generation, Instant, SiloId, SiloName};
use quark_env::{BoxFuture, Clock, Env, Store};
use quark_grpc::GrpcTransport;
use quark_testkit::stage::Stage;
use quark_tokio::TokioClock;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::runtime::Handle;

const CLUSTER: &str = "stories";

/// The stage. Its processes end with it.
#[derive(Clone)]
pub struct RealStage(Arc<Inner>);

struct Inner {
    folder: PathBuf,
    clock: TokioClock,
    cuts: Arc<Cuts>,
    silos: Mutex<BTreeMap<String, Process>>,
    clients: Mutex<Vec<Arc<ClusterClient>>>,
}

struct Process {
    child: Option<Child>,
    pid: i32,
    proxy: Option<Arc<Proxy>>,
    latest: Arc<Mutex<Latest>>,
}

/// What a process last said.
#[derive(Default)]
struct Latest {
    id: Option<SiloId>,
    view: Option<Value>,
    ended: Option<String>,
}

impl RealStage {
    /// A stage whose cluster lives in this folder.
    pub fn new(folder: PathBuf) -> Self {
        let cuts = Arc::new(Cuts::default());
        Self(Arc::new(Inner {
            folder,
            clock: TokioClock::new(Handle::current()),
            cuts,
            silos: Mutex::default(),
            clients: Mutex::default(),
        }))
    }

    async fn launch(&self, name: &str) -> Result<(), String> {
        let earlier = self.0.silos.lock().get(name).and_then(|p| p.proxy.clone());
        let proxy = match earlier {
            Some(proxy) => proxy,
            None => Arc::new(Proxy::listen(name, self.0.cuts.clone()).await.map_err(|e| e.to_string())?),
        };
        let mut child = Command::new(env!("CARGO_BIN_EXE_quark"))
            .args(["silo", "--name", name, "--cluster", CLUSTER, "--data"])
            .arg(&self.0.folder)
            .args(["--advertise", &proxy.address().to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|e| e.to_string())?;
        let pid = child.id().ok_or("it ended at once")? as i32;
        self.0.cuts.belongs(pid, name);
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let latest = Arc::new(Mutex::new(Latest::default()));
        let (tell, told) = tokio::sync::oneshot::channel();
        let (heard, target) = (latest.clone(), proxy.clone());
        tokio::spawn(async move {
            let mut tell = Some(tell);
            while let Ok(Some(line)) = lines.next_line().await {
                let Ok(report) = serde_json::from_str::<Value>(&line) else { continue };
                match report["report"].as_str() {
                    Some("started") => {
                        let listens = report["address"].as_str().unwrap_or_default().to_owned();
                        let name = SiloName::new(report["id"]["name"].as_str().unwrap_or_default());
                        let generation = Generation(report["id"]["generation"].as_u64().unwrap_or_default());
                        heard.lock().id = name.ok().map(|name| SiloId::new(name, generation));
                        target.aim(&listens);
                        if let Some(tell) = tell.take() {
                            let _ = tell.send(Ok(()));
                        }
                    }
                    Some("listening") => target.aim(report["address"].as_str().unwrap_or_default()),
                    Some("status") => heard.lock().view = Some(report["view"].clone()),
                    Some("failed") => {
                        let reason = report["reason"].as_str().unwrap_or("no reason given").to_owned();
                        heard.lock().ended = Some(reason.clone());
                        if let Some(tell) = tell.take() {
                            let _ = tell.send(Err(reason));
                        }
                    }
                    _ => {}
                }
            }
            let mut heard = heard.lock();
            heard.ended.get_or_insert_with(|| "the process ended".into());
        });
        let process = Process { child: Some(child), pid, proxy: Some(proxy), latest };
        self.0.silos.lock().insert(name.into(), process);
        told.await.unwrap_or_else(|_| Err("it ended before it served".into()))
    }

    fn signal(&self, name: &str, signal: &str) {
        let pid = self.0.silos.lock().get(name).map(|p| p.pid);
        if let Some(pid) = pid {
            let status = std::process::Command::new("kill").args([signal, &pid.to_string()]).status();
            assert!(status.is_ok_and(|s| s.success()), "kill {signal} {pid}");
        }
    }
}

impl Stage for RealStage {
    fn start(&self, name: &str) -> BoxFuture<'static, Result<(), String>> {
        let (stage, name) = (self.clone(), name.to_owned());
        Box::pin(async move { stage.launch(&name).await })
    }

    fn stop(&self, name: &str) -> BoxFuture<'static, ()> {
        self.signal(name, "-TERM");
        let child = self.0.silos.lock().get_mut(name).and_then(|p| p.child.take());
        Box::pin(async move {
            if let Some(mut child) = child {
                let _ = child.wait().await;
            }
        })
    }

    fn crash(&self, name: &str) {
        self.signal(name, "-KILL");
    }

    fn pause(&self, name: &str) {
        self.signal(name, "-STOP");
    }

    fn resume(&self, name: &str) {
        self.signal(name, "-CONT");
    }

    fn partition(&self, groups: &[&[&str]]) {
        self.0.cuts.partition(groups);
    }

    fn heal(&self) {
        self.0.cuts.heal();
    }

    fn client(&self, name: &str) -> BoxFuture<'static, Client> {
        let (stage, name) = (self.clone(), name.to_owned());
        Box::pin(async move {
            let id = SiloId::new(SiloName::new(&name).expect("well formed"), Generation(1));
            let transport = GrpcTransport::client(Hello::new(CLUSTER, id, 0));
            let gateways: Vec<_> = stage
                .0
                .silos
                .lock()
                .values()
                .filter_map(|p| {
                    let latest = p.latest.lock();
                    Some((latest.id?, p.proxy.as_ref()?.address().to_string()))
                })
                .collect();
            let env: Env = quark_tokio::world(&Handle::current(), transport, Arc::new(NoStore));
            let client = Arc::new(ClusterClient::connect(env, &gateways, ClientConfig::default()));
            let calls = client.client();
            stage.0.clients.lock().push(client);
            calls
        })
    }

    fn active_by(&self, name: &str) -> BoxFuture<'static, Option<Vec<(String, u64)>>> {
        let active = self.0.silos.lock().get(name).and_then(|process| {
            let latest = process.latest.lock();
            if latest.ended.is_some() {
                return None;
            }
            let members = latest.view.as_ref()?["members"].as_array()?.clone();
            let active = members.iter().filter(|m| m["status"] == "Active");
            Some(
                active
                    .filter_map(|m| {
                        Some((m["id"]["name"].as_str()?.to_owned(), m["id"]["generation"].as_u64()?))
                    })
                    .collect(),
            )
        });
        Box::pin(std::future::ready(active))
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
