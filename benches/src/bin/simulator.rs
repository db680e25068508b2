//! How fast the simulator runs real silo code.
//!
//! Method: one process, one core, mimalloc, release. Three figures, each the best of `RUNS` runs, because a shared
//! machine can only slow a run down:
//!
//! - *delivered messages a second*: two silos, 64 callers in one call 64 volatile actors of the other as fast as they
//!   are answered. Each call is a request frame and a reply frame: encoded, sent through the simulated network, decoded,
//!   routed, run as a turn, correlated. Frames delivered divided by wall time.
//! - *idle cluster*: five silos without load; simulated time divided by wall time, after all have joined.
//! - *starting a thousand silos* is story 6, see `scenarios thousand-silos`.
//!
//! `simulator [--json]`

use quark_scenarios::cast::Echo;
use quark_sim::{Config, World};
use quark_testkit::sim::SimCluster;
use quark_testkit::stage::Stage;
use serde_json::json;
use std::sync::Arc;
use std::time::{Duration, Instant};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const RUNS: u64 = 5;
const CALLERS: usize = 64;

fn main() {
    let is_json = std::env::args().any(|a| a == "--json");
    let delivered = (0..RUNS).map(messages_per_second).fold(0.0, f64::max);
    let idle = (0..RUNS).map(idle_speed).fold(0.0, f64::max);
    if is_json {
        println!("{}", json!({ "delivered_per_s": delivered as u64, "idle_times_real": idle as u64 }));
    } else {
        println!("delivered messages through real silo code   {delivered:>12.0} /s    (target 500 000)");
        println!("idle cluster of five                        {idle:>12.0} times real time (target 10 000)");
    }
}

fn cluster_of(world: &World) -> SimCluster {
    SimCluster::new(world.handle(), "bench", Arc::new(|b| b.actor::<Echo>()), None)
}

/// mimalloc reads the clock when it returns memory, which the tripwire would report.
fn without_tripwire(config: Config) -> Config {
    Config { tripwire: false, ..config }
}

fn messages_per_second(seed: u64) -> f64 {
    let mut world = World::new(without_tripwire(Config::calm(seed)));
    let cluster = cluster_of(&world);
    let handle = world.handle();
    world.block_on(async {
        cluster.start_all(&["a", "b"]).await;
        while !cluster.has_converged() {
            cluster.sleep(Duration::from_millis(100)).await;
        }
    });
    // Keys that live on `b`: the others would be local calls.
    let silo = cluster.silo("a").expect("just started");
    let target = cluster.silo("b").expect("just started").id();
    let keys: Vec<String> = (0..)
        .map(|n| format!("echo-{n}"))
        .filter(|key| {
            let id = quark_core::ActorId::new("echo", key).expect("valid");
            quark_core::ring::Ring::shared_of_view(&silo.view()).owner(id.point()) == Some(target)
        })
        .take(CALLERS)
        .collect();
    let node = cluster.node("a");
    let client = silo.client();
    for key in keys {
        let echo = client.actor::<Echo>(&key);
        let payload = vec![7_u8; 100];
        handle.spawn(node, "caller", async move {
            loop {
                let _ = echo.echo(payload.clone()).await;
            }
        });
    }
    world.run_for(Duration::from_millis(100));
    let before = handle.meters().network.delivered;
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(2) {
        world.run_for(Duration::from_millis(20));
    }
    (handle.meters().network.delivered - before) as f64 / started.elapsed().as_secs_f64()
}

fn idle_speed(seed: u64) -> f64 {
    let mut world = World::new(without_tripwire(Config::new(seed)));
    let cluster = cluster_of(&world);
    world.block_on(async {
        cluster.start_all(&["a", "b", "c", "d", "e"]).await;
        cluster.sleep(Duration::from_secs(10)).await;
    });
    let (before, started) = (world.now_true(), Instant::now());
    while started.elapsed() < Duration::from_secs(1) {
        world.run_for(Duration::from_secs(100));
    }
    world.now_true().since(before).as_secs_f64() / started.elapsed().as_secs_f64()
}
