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
//! `simulator [--json]`; `simulator --profile idle|messages` does one of them once, for a fixed simulated time, for a profiler
//! that counts instructions: a minute without load, or a fifth of a second of calls.

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
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.iter().skip_while(|a| *a != "--profile").nth(1).map(String::as_str) {
        Some("idle") => {
            idle_cluster(0, Some(Duration::from_secs(60)));
            return;
        }
        Some("messages") => {
            busy_pair(0, Some(Duration::from_millis(200)));
            return;
        }
        _ => {}
    }
    let is_json = arguments.iter().any(|a| a == "--json");
    let delivered = (0..RUNS).map(|seed| busy_pair(seed, None)).fold(0.0, f64::max);
    let idle = (0..RUNS).map(|seed| idle_cluster(seed, None)).fold(0.0, f64::max);
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

/// Frames delivered a second. With `only`, for so much simulated time and no longer.
fn busy_pair(seed: u64, only: Option<Duration>) -> f64 {
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
    while only.is_none() && started.elapsed() < Duration::from_secs(2) {
        world.run_for(Duration::from_millis(20));
    }
    world.run_for(only.unwrap_or_default());
    (handle.meters().network.delivered - before) as f64 / started.elapsed().as_secs_f64()
}

/// Simulated seconds a second. With `only`, for so much simulated time and no longer.
fn idle_cluster(seed: u64, only: Option<Duration>) -> f64 {
    let mut world = World::new(without_tripwire(Config::new(seed)));
    let cluster = cluster_of(&world);
    world.block_on(async {
        cluster.start_all(&["a", "b", "c", "d", "e"]).await;
        cluster.sleep(Duration::from_secs(10)).await;
    });
    let (before, started) = (world.now_true(), Instant::now());
    while only.is_none() && started.elapsed() < Duration::from_secs(1) {
        world.run_for(Duration::from_secs(100));
    }
    world.run_for(only.unwrap_or_default());
    world.now_true().since(before).as_secs_f64() / started.elapsed().as_secs_f64()
}
