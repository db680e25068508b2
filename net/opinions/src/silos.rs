//! A whole cluster on turmoil: silos with the real transport and the real store's client, each on a host.

use crate::host::{HostClock, HostEntropy, PORT, Place, env};
use crate::lab::{DRIVER, Lab};
use crate::redis::{HOST, Redis};
use parking_lot::Mutex;
use quark::membership::join_identity;
use quark::{Client, ClientConfig, ClusterClient, Silo, SiloBuilder};
use quark_core::handshake::Hello;
use quark_core::{Generation, Instant, SiloId, SiloName};
use quark_env::{BoxFuture, Clock, Entropy, Store};
use quark_grpc::{Config, GrpcTransport, Limits};
use quark_redis::{Options, RedisStore};
use quark_testkit::recorder::Recorder;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// Describes the silos: which actors they host, with which knobs.
pub type Describe = Arc<dyn Fn(SiloBuilder) -> SiloBuilder + Send + Sync>;

/// A cluster. Cheap to clone; to be used by the test's own host, on which its clients are.
#[derive(Clone)]
pub struct Silos(Arc<Inner>);

struct Inner {
    lab: Lab,
    redis: Redis,
    describe: Describe,
    recorder: Arc<Recorder>,
    running: Mutex<BTreeMap<String, Running>>,
    clients: Mutex<u64>,
}

/// A silo that serves, and the way to have something done on its host.
struct Running {
    silo: Silo,
    errands: mpsc::UnboundedSender<BoxFuture<'static, ()>>,
}

impl Silos {
    /// A cluster without silos, whose store runs on a host of its own.
    pub async fn begin(lab: &Lab, describe: Describe) -> Self {
        let redis = Redis::default();
        redis.start(lab).await;
        let recorder =
            Recorder::new(Arc::new(|| Instant(turmoil::sim_elapsed().unwrap_or_default().as_nanos() as u64)));
        Self(Arc::new(Inner {
            lab: lab.clone(),
            redis,
            describe,
            recorder,
            running: Mutex::default(),
            clients: Mutex::default(),
        }))
    }

    /// What is written down.
    pub fn recorder(&self) -> &Arc<Recorder> {
        &self.0.recorder
    }

    /// The store's server.
    pub fn redis(&self) -> &Redis {
        &self.0.redis
    }

    /// The silo of this name, if it serves.
    pub fn silo(&self, name: &str) -> Option<Silo> {
        let running = self.0.running.lock();
        running.get(name).map(|running| running.silo.clone()).filter(|silo| silo.stopped().is_none())
    }

    /// Starts a silo and waits until it serves. Errors: its own reason, for people.
    pub async fn start(&self, name: &str) -> Result<(), String> {
        if self.0.running.lock().remove(name).is_some() {
            self.crash(name).await;
        }
        let (cluster, of_host) = (self.clone(), name.to_owned());
        let started = self.0.lab.boot_until(name, |tell| {
            Box::pin(async move {
                let (errands, mut to_do) = mpsc::unbounded_channel::<BoxFuture<'static, ()>>();
                let started = cluster.boot(&of_host).await;
                let _ = tell.send(started.map(|silo| Running { silo, errands }));
                while let Some(errand) = to_do.recv().await {
                    tokio::spawn(errand);
                }
            })
        });
        let running = started.await.ok_or("it crashed while it started")??;
        self.0.running.lock().insert(name.into(), running);
        Ok(())
    }

    /// Ends a silo's process.
    pub async fn crash(&self, name: &str) {
        self.0.recorder.crashed(name);
        self.0.running.lock().remove(name);
        self.0.lab.crash(name).await;
    }

    /// Stops a silo in order and waits until it has left.
    pub async fn stop(&self, name: &str) {
        let Some(silo) = self.silo(name) else { return };
        let (tell, told) = oneshot::channel();
        let errand = async move {
            silo.stop().await;
            let _ = tell.send(());
        };
        let sent = self.0.running.lock().get(name).map(|running| running.errands.send(Box::pin(errand)));
        if matches!(sent, Some(Ok(()))) {
            let _ = told.await;
        }
    }

    async fn boot(&self, name: &str) -> Result<Silo, String> {
        let inner = &self.0;
        let place = Place::listening(&inner.lab, name).await.map_err(|error| error.to_string())?;
        let store: Arc<dyn Store> = Arc::new(self.store(place.clone()).await?);
        let builder = (inner.describe)(Silo::builder(CLUSTER)).observer(inner.recorder.clone());
        let address = Place::address(name);
        let newcomer = builder.newcomer(SiloName::new(name).map_err(|error| error.to_string())?, &address);
        let clock: Arc<dyn Clock> = Arc::new(HostClock::new());
        let entropy: Arc<dyn Entropy> = Arc::new(HostEntropy::new(inner.lab.seed(), name));
        let id = join_identity(&clock, &entropy, &store, builder.membership_config(), &newcomer)
            .await
            .map_err(|error| error.to_string())?;
        let transport = GrpcTransport::over(
            Config {
                listen: SocketAddr::from((Ipv4Addr::UNSPECIFIED, PORT)),
                advertise: Some(address.clone()),
                hello: Hello::new(CLUSTER, id, newcomer.contract_digest),
                limits: Limits::default(),
            },
            place,
        );
        let env = quark_env::Env { clock, entropy, ..env(&inner.lab, name, transport, store) };
        builder.start(env, &address).await.map_err(|error| error.to_string())
    }

    async fn store(&self, place: Arc<Place>) -> Result<RedisStore, String> {
        let time = Duration::from_secs(1);
        let options = Options { request_timeout: time, connect_timeout: time, ..Options::default() };
        let url = format!("redis://{HOST}:6379/0?prefix=lab");
        RedisStore::open_over(&url, options, place).await.map_err(|error| error.to_string())
    }

    /// A client that knows all silos which serve as gateways.
    ///
    /// Panics: if the store is out of its reach. A client asks nothing of it, but its world has one.
    pub async fn client(&self) -> (Client, Arc<ClusterClient>) {
        let inner = &self.0;
        let number = {
            let mut clients = inner.clients.lock();
            *clients += 1;
            *clients
        };
        let id = SiloId::new(SiloName::new("client").expect("well formed"), Generation(number));
        let place = Place::dialling(&inner.lab, DRIVER);
        let store = self.store(place.clone()).await.expect("the store is in reach");
        let transport = GrpcTransport::client_over(Hello::new(CLUSTER, id, 0), Limits::default(), place);
        let env = env(&inner.lab, DRIVER, transport, Arc::new(store));
        let gateways: Vec<_> = {
            let running = inner.running.lock();
            running.iter().map(|(name, running)| (running.silo.id(), Place::address(name))).collect()
        };
        let client = Arc::new(ClusterClient::connect(env, &gateways, ClientConfig::default()));
        (client.client(), client)
    }

    /// Cuts every way between hosts of different groups. The store and the clients stay in reach unless they are named.
    pub fn partition(&self, groups: &[&[&str]]) {
        self.between(groups, |one, other| self.0.lab.cut(one, other));
    }

    /// Mends what [`Silos::partition`] has cut.
    pub fn heal(&self, groups: &[&[&str]]) {
        self.between(groups, |one, other| self.0.lab.mend(one, other));
    }

    fn between(&self, groups: &[&[&str]], act: impl Fn(&str, &str)) {
        for (at, group) in groups.iter().enumerate() {
            for (_, other) in groups.iter().enumerate().filter(|(other, _)| *other != at) {
                group.iter().for_each(|from| other.iter().for_each(|to| act(from, to)));
            }
        }
    }

    /// Waits until all silos that serve agree that exactly they are active.
    ///
    /// Panics: if they do not in `limit`.
    pub async fn converge(&self, limit: Duration) {
        let began = self.0.lab.elapsed();
        while !self.has_converged() {
            assert!(self.0.lab.elapsed() - began < limit, "no agreement on who is active within {limit:?}");
            self.0.lab.sleep(Duration::from_millis(100)).await;
        }
    }

    fn has_converged(&self) -> bool {
        let running = self.0.running.lock();
        let silos: Vec<_> =
            running.values().map(|r| &r.silo).filter(|silo| silo.stopped().is_none()).collect();
        let ids: Vec<_> = silos.iter().map(|silo| silo.id()).collect();
        silos.iter().all(|silo| silo.view().active().map(|member| member.id).eq(ids.iter().copied()))
    }

    /// Notes what every silo that serves holds now.
    pub fn sample(&self) {
        for running in self.0.running.lock().values().filter(|running| running.silo.stopped().is_none()) {
            self.0.recorder.sampled(running.silo.id(), running.silo.status());
        }
    }
}

/// The cluster's name.
const CLUSTER: &str = "lab";
