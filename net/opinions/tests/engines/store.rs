//! The store's rows: its contract, and what a commit comes to when the way to the server is cut.

use super::server::Server;
use super::table::{Row, seen};
use futures_util::future::BoxFuture;
use quark_core::WriteId;
use quark_env::Store;
use quark_env::store::{Batch, RecordKey, StoreError};
use quark_opinions::redis::{HOST, Redis};
use quark_opinions::stages::Wires;
use quark_opinions::{Lab, Place};
use quark_redis::{Options, RedisStore};
use quark_sim::{Config, World};
use quark_testkit::store_conformance::cases;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// A store, and the way to it.
trait Way: Send + Sync {
    fn cut_off(&self);
    fn mend(&self);
    /// Lets the others go on before the next attempt.
    fn give_way(&self) -> BoxFuture<'static, ()>;
}

pub fn rows() -> Vec<Row> {
    let simulated: Vec<_> = (0..20).map(simulated).collect();
    let turmoil: Vec<_> = (0..4).map(on_turmoil).collect();
    let real = vec![on_sockets()];
    let cell = |seen_by: &[Vec<String>], at: usize| {
        seen(&seen_by.iter().map(|all| all[at].clone()).collect::<BTreeSet<String>>())
    };
    let titles = [
        "the contract's cases",
        "the first commit into a cut",
        "the next one",
        "after the cut, a retry of the first",
    ];
    let row = |(at, title): (usize, &str)| Row {
        case: title.into(),
        cells: vec![cell(&simulated, at), cell(&turmoil, at), cell(&real, at)],
    };
    titles.into_iter().enumerate().map(row).collect()
}

/// The cells of one engine, in the order of the titles.
async fn observe(store: Arc<dyn Store>, way: Arc<dyn Way>, seed: u64) -> Vec<String> {
    let all = cases();
    for case in &all {
        case.run(store.clone(), seed).await;
    }
    let first = Batch::new("cut", WriteId(1)).put("row", "1");
    way.cut_off();
    let of_first = outcome(store.commit(first.clone()).await.map(|_| ()));
    let of_next = outcome(store.commit(Batch::new("cut", WriteId(2)).put("other", "2")).await.map(|_| ()));
    way.mend();
    let retried = loop {
        match store.commit(first.clone()).await {
            Ok(committed) => break committed.version.0,
            Err(StoreError::Indeterminate(_) | StoreError::Unavailable(_)) => {
                way.give_way().await;
            }
            Err(error) => panic!("seed {seed}: {error}"),
        }
    };
    let next = store.read(&RecordKey::new("cut", "other")).await.expect("it is mended");
    assert!(of_next != REFUSED || next.is_none(), "seed {seed}: what was said not to have happened");
    let again = store.commit(first).await.expect("it is mended").version.0;
    assert_eq!(again, retried, "seed {seed}: one write id, one commit");
    vec![format!("all {} hold", all.len()), of_first.into(), of_next.into(), "done once".into()]
}

const A_MOMENT: Duration = Duration::from_millis(20);
const REFUSED: &str = "did not happen";

fn outcome(outcome: Result<(), StoreError>) -> &'static str {
    match outcome {
        Err(StoreError::Indeterminate(_)) => "unknown",
        Err(StoreError::Unavailable(_)) => REFUSED,
        other => panic!("a commit into a cut: {other:?}"),
    }
}

struct Simulated(quark_sim::WorldHandle, quark_sim::NodeId);

impl Way for Simulated {
    fn cut_off(&self) {
        self.0.cut_store(self.1);
    }

    fn mend(&self) {
        self.0.uncut_store(self.1);
    }

    fn give_way(&self) -> BoxFuture<'static, ()> {
        Box::pin(self.0.sleep(A_MOMENT))
    }
}

fn simulated(seed: u64) -> Vec<String> {
    let mut world = World::new(Config::new(seed));
    let node = world.add_node("client");
    let (store, way) = (Arc::new(world.host(node)), Arc::new(Simulated(world.handle(), node)));
    world.block_on(observe(store, way, seed))
}

struct OnTurmoil(Lab);

impl Way for OnTurmoil {
    fn cut_off(&self) {
        self.0.cut("driver", HOST);
        self.0.cut(HOST, "driver");
    }

    fn mend(&self) {
        self.0.mend("driver", HOST);
    }

    fn give_way(&self) -> BoxFuture<'static, ()> {
        self.0.sleep(A_MOMENT)
    }
}

fn options() -> Options {
    let time = Duration::from_millis(500);
    Options { request_timeout: time, connect_timeout: time, ..Options::default() }
}

fn on_turmoil(seed: u64) -> Vec<String> {
    Lab::run(seed, move |lab| {
        Box::pin(async move {
            let redis = Redis::default();
            redis.start(&lab).await;
            let url = format!("redis://{HOST}:6379/0?prefix=lab");
            let store = RedisStore::open_over(&url, options(), Place::dialling(&lab, "driver")).await;
            let store = Arc::new(store.expect("the server is up"));
            let cells = observe(store, Arc::new(OnTurmoil(lab)), seed).await;
            assert_eq!(redis.refused(), Vec::<String>::new());
            cells
        })
    })
}

struct OnSockets(Wires);

impl Way for OnSockets {
    fn cut_off(&self) {
        self.0.pinch("client", "server");
        self.0.pinch("server", "client");
    }

    fn mend(&self) {
        self.0.open("client", "server");
        self.0.open("server", "client");
    }

    fn give_way(&self) -> BoxFuture<'static, ()> {
        Box::pin(tokio::task::yield_now())
    }
}

fn on_sockets() -> Vec<String> {
    let server = Server::start();
    let wires = Wires::new();
    wires.is_at("server", ([127, 0, 0, 1], server.port).into());
    let url = format!("redis://{}/0?prefix=lab", wires.between("client", "server"));
    let store = Arc::new(RedisStore::open(&url, options()).expect("the server is up"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    runtime.block_on(observe(store, Arc::new(OnSockets(wires)), 1))
}
