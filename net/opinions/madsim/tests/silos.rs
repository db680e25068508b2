//! Three silos and their clients on madsim, through a cut and a crash: the checkers of every scenario read what they did.
#![cfg(madsim)]

use madsim::net::NetSim;
use madsim::runtime::{Handle, NodeHandle, Runtime};
use madsim::time::sleep;
use parking_lot::Mutex;
use quark::membership::join_identity;
use quark::{ClientConfig, ClusterClient, Silo};
use quark_core::{Generation, SiloId, SiloName};
use quark_env::{Clock, Entropy, Env, Store, Transport};
use quark_opinions_madsim::{AwayStore, Frames, MadClock, MadEntropy, MadSpawner};
use quark_testkit::checkers;
use quark_testkit::history::{History, Op, Outcome, WorldEvent};
use quark_testkit::patron::{ACCOUNTS, Account, Patron};
use quark_testkit::recorder::Recorder;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

const DEADLINE: Duration = Duration::from_secs(4);

#[derive(Clone)]
struct Cluster {
    store: AwayStore,
    recorder: Arc<Recorder>,
    silos: Arc<Mutex<BTreeMap<&'static str, Silo>>>,
}

fn address(name: &str) -> String {
    let host = ["a", "b", "c", "client"].iter().position(|other| *other == name).expect("a place") + 1;
    format!("10.0.0.{host}:1111")
}

fn world(transport: Arc<dyn Transport>, store: Arc<dyn Store>) -> Env {
    Env {
        clock: Arc::new(MadClock::new()),
        spawner: Arc::new(MadSpawner),
        entropy: Arc::new(MadEntropy),
        transport,
        store,
    }
}

impl Cluster {
    async fn boot(self, name: &'static str) {
        let builder = Silo::builder("mad").actor::<Account>().observer(self.recorder.clone());
        let newcomer = builder.newcomer(SiloName::new(name).expect("well formed"), &address(name));
        let clock: Arc<dyn Clock> = Arc::new(MadClock::new());
        let entropy: Arc<dyn Entropy> = Arc::new(MadEntropy);
        let store: Arc<dyn Store> = Arc::new(self.store.clone());
        let id = join_identity(&clock, &entropy, &store, builder.membership_config(), &newcomer).await;
        let id = id.expect("it joins");
        let transport = Frames::listening(id, &address(name)).await.expect("nobody else is on this node");
        let env = Env { clock, ..world(transport, store) };
        let silo = builder.start(env, &address(name)).await.expect("it starts");
        self.silos.lock().insert(name, silo);
        std::future::pending::<()>().await;
    }

    fn has_converged(&self) -> bool {
        let silos = self.silos.lock();
        let running: Vec<_> = silos.values().filter(|silo| silo.stopped().is_none()).collect();
        let ids: Vec<_> = running.iter().map(|silo| silo.id()).collect();
        ids.len() == 3
            && running.iter().all(|silo| silo.view().active().map(|member| member.id).eq(ids.iter().copied()))
    }

    async fn converge(&self) {
        for _ in 0..600 {
            if self.has_converged() {
                return;
            }
            sleep(Duration::from_millis(100)).await;
        }
        panic!("no agreement on who is active within a minute");
    }

    /// A patron on this node, who has to be kept beside his client.
    fn patron(&self, number: u64) -> (Patron, Arc<ClusterClient>) {
        let id = SiloId::new(SiloName::new("client").expect("well formed"), Generation(number));
        let env = world(Frames::dialling(id), Arc::new(self.store.clone()));
        let gateways: Vec<_> =
            self.silos.lock().iter().map(|(name, silo)| (silo.id(), address(name))).collect();
        let client = Arc::new(ClusterClient::connect(env, &gateways, ClientConfig::default()));
        let recorder = self.recorder.clone();
        (Patron { number, client: client.client(), recorder, deadline: DEADLINE }, client)
    }
}

fn node(handle: &Handle, name: &'static str, cluster: Cluster) -> NodeHandle {
    let ip = address(name).split(':').next().expect("an address").parse().expect("an address");
    handle.create_node().name(name).ip(ip).init(move || cluster.clone().boot(name)).build()
}

fn cut(nodes: &BTreeMap<&str, NodeHandle>, is_cut: bool) {
    let net = NetSim::current();
    for other in ["a", "c"] {
        for (from, to) in [("b", other), (other, "b")] {
            let (from, to) = (nodes[from].id(), nodes[to].id());
            if is_cut { net.clog_link(from, to) } else { net.unclog_link(from, to) }
        }
    }
}

async fn story(crash: bool) -> History {
    let clock = MadClock::new();
    let recorder = Recorder::new(Arc::new(move || clock.now()));
    let cluster = Cluster { store: AwayStore::default(), recorder, silos: Arc::default() };
    let handle = Handle::current();
    let nodes: BTreeMap<_, _> =
        ["a", "b", "c"].map(|name| (name, node(&handle, name, cluster.clone()))).into_iter().collect();
    cluster.converge().await;
    let of_client = handle.create_node().name("client").ip("10.0.0.4".parse().expect("an address")).build();
    let stop = Arc::new(Mutex::new(false));
    let visiting: Vec<_> = (1..=3)
        .map(|number| {
            let (cluster, stop) = (cluster.clone(), stop.clone());
            of_client.spawn(async move {
                let (patron, _keep) = cluster.patron(number);
                let (mut count, mut done) = (0, 0);
                while !*stop.lock() {
                    count += 1;
                    done += u64::from(matches!(patron.visit(count).await, Outcome::Ok(_)));
                    sleep(Duration::from_millis(40)).await;
                }
                done
            })
        })
        .collect();
    sleep(Duration::from_secs(3)).await;
    if crash {
        cluster.recorder.crashed("b");
        cluster.silos.lock().remove("b");
        handle.kill(nodes["b"].id());
        sleep(Duration::from_secs(2)).await;
    } else {
        cut(&nodes, true);
        sleep(Duration::from_secs(25)).await;
        cut(&nodes, false);
    }
    sleep(Duration::from_secs(2)).await;
    let is_up = cluster.silos.lock().get("b").is_some_and(|silo| silo.stopped().is_none());
    if !is_up {
        handle.kill(nodes["b"].id());
        cluster.silos.lock().remove("b");
        handle.restart(nodes["b"].id());
    }
    cluster.recorder.world(WorldEvent::Healed);
    cluster.converge().await;
    sleep(DEADLINE * 2).await;
    *stop.lock() = true;
    for visitor in visiting {
        let done = visitor.await.expect("a visitor does not panic");
        assert!(done > 50, "{done} visits in all this time");
    }
    sleep(Duration::from_secs(60)).await;
    let of_all = cluster.clone();
    let last = of_client.spawn(async move {
        let (last, _keep) = of_all.patron(9);
        for account in 0..ACCOUNTS {
            let outcome = last.perform(account, &format!("a{account}"), Op::Read).await;
            assert!(matches!(outcome, Outcome::Ok(_)), "account {account} after all is mended: {outcome:?}");
        }
    });
    last.await.expect("it does not panic");
    sleep(Duration::from_secs(40)).await;
    cluster.recorder.world(WorldEvent::Quiet);
    for silo in cluster.silos.lock().values() {
        cluster.recorder.sampled(silo.id(), silo.status());
    }
    cluster.recorder.take_history()
}

fn no_promise_is_broken(crash: bool) {
    for seed in 1..=5 {
        let history = Runtime::with_seed_and_config(seed, madsim::Config::default()).block_on(story(crash));
        let report = checkers::check_all(&history, &checkers::always_on());
        assert!(report.is_clean(), "seed {seed}\n{report}");
        let examined: usize = report.verdicts.iter().map(|(_, verdict)| verdict.examined).sum();
        println!("seed {seed}: {} records, {examined} facts", history.records().len());
        assert!(examined > 1000, "{report}");
    }
}

#[test]
fn a_silo_that_is_cut_off_breaks_no_promise() {
    no_promise_is_broken(false);
}

#[test]
fn a_silo_that_crashes_breaks_no_promise() {
    no_promise_is_broken(true);
}
