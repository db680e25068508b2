//! How fast the engine is: frames between two nodes, and an idle cluster.
//!
//! `cargo run --release -p quark-sim --example pingpong`

use bytes::Bytes;
use quark_core::wire::Lane;
use quark_core::{Generation, SiloId, SiloName};
use quark_env::Env;
use quark_env::transport::Incoming;
use quark_sim::{Config, Spread, World};
use std::future::poll_fn;
use std::time::Duration;

fn main() {
    println!("{:<44} {:>14} {:>12}", "", "per second", "per item");
    for (name, window, cost) in [
        ("frames, 1 in flight, free processor", 1, Spread::ZERO),
        ("frames, 64 in flight, free processor", 64, Spread::ZERO),
        ("frames, 64 in flight, 1 to 4 us per poll", 64, Spread::micros(1, 4)),
    ] {
        let (frames, seconds) = ping_pong(window, 2_000_000, cost);
        println!("{name:<44} {:>14.0} {:>9.0} ns", frames / seconds, seconds / frames * 1e9);
    }
    let (virtual_seconds, seconds) = idle(5);
    println!("{:<44} {:>13.0}x", "virtual time, 5 nodes, 40 frames a second", virtual_seconds / seconds);
    let (virtual_seconds, seconds) = idle(1000);
    println!("{:<44} {:>13.0}x", "virtual time, 1000 nodes, 8000 frames a second", virtual_seconds / seconds);
}

fn silo(name: &str) -> SiloId {
    SiloId::new(SiloName::new(name).expect("a valid name"), Generation(1))
}

/// Frames delivered, and the real seconds that took.
fn ping_pong(window: usize, frames: u64, cost: Spread) -> (f64, f64) {
    let mut world = World::new(Config { cost, ..Config::new(1) });
    let (a, b) = (world.add_node("a"), world.add_node("b"));
    let (env_a, env_b) = (world.env(a, silo("a")), world.env(b, silo("b")));
    env_a.transport.learn(silo("b"), "b:11111");
    world.spawn(b, "pong", bounce(env_b));
    let payload = Bytes::from(vec![7; 100]);
    for _ in 0..window {
        env_a.transport.try_send(silo("b"), Lane::User, payload.clone()).expect("there is room");
    }
    world.spawn(a, "ping", bounce(env_a));
    let begin = real_now();
    while world.meters().network.delivered < frames {
        world.run_for(Duration::from_millis(20));
    }
    (world.meters().network.delivered as f64, real_now() - begin)
}

async fn bounce(env: Env) {
    let mut arrivals = Vec::new();
    loop {
        poll_fn(|cx| env.transport.poll_recv(cx, &mut arrivals, 64)).await;
        for arrival in arrivals.drain(..) {
            if let Incoming::Frame { from, lane, bytes } = arrival {
                env.transport.try_send(from, lane, bytes).expect("the window fits the buffer");
            }
        }
    }
}

/// Each node sends its right neighbour eight frames a second.
fn idle(nodes: u32) -> (f64, f64) {
    let mut world = World::new(Config::new(1));
    for n in 0..nodes {
        let node = world.add_node(&format!("n{n}"));
        let env = world.env(node, silo(&format!("n{n}")));
        let next = (n + 1) % nodes;
        let peer = silo(&format!("n{next}"));
        env.transport.learn(peer, &format!("n{next}:11111"));
        let receiver = env.clone();
        world.spawn(node, "sink", async move {
            let mut arrivals = Vec::new();
            loop {
                poll_fn(|cx| receiver.transport.poll_recv(cx, &mut arrivals, 64)).await;
                arrivals.clear();
            }
        });
        world.spawn(node, "beat", async move {
            loop {
                env.clock.sleep_until(env.clock.now() + Duration::from_millis(125)).await;
                // maybe: the link is not up yet and its buffer is full.
                let _ = env.transport.try_send(peer, Lane::Control, Bytes::from_static(b"alive"));
            }
        });
    }
    let begin = real_now();
    let seconds = 60_000 / u64::from(nodes);
    world.run_for(Duration::from_secs(seconds));
    (seconds as f64, real_now() - begin)
}

/// Seconds by the real clock.
#[expect(
    clippy::disallowed_types,
    reason = "this program measures real speed, outside of any simulated step"
)]
fn real_now() -> f64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs_f64()
}
