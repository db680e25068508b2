//! The lives of frames: whoever watches sees each of them once, and changes nothing.

mod common;

use common::*;
use quark_core::wire::Lane;
use quark_sim::{Conditions, Config, FrameLoss, FrameStep, NetMeters, NetworkConfig, World};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

#[derive(Default)]
struct Seen {
    sent: u64,
    copied: u64,
    delivered: u64,
    taken: u64,
    dropped: BTreeMap<FrameLoss, u64>,
}

/// Two nodes that echo to each other through bad weather, a cut and a crash.
fn rough_day(seed: u64, watches: bool) -> ((u64, u64), NetMeters, Seen) {
    let conditions =
        Conditions { loss_ppm: 50_000, duplicate_ppm: 50_000, reorder_ppm: 50_000, ..Conditions::CLEAR };
    let network = NetworkConfig { conditions, ..NetworkConfig::default() };
    let mut world = World::new(Config { network, ..Config::new(seed) });
    let seen = Arc::new(Mutex::new(Seen::default()));
    if watches {
        let seen = seen.clone();
        world.watch_frames(move |event| {
            let mut seen = seen.lock().expect("one thread");
            match event.step {
                FrameStep::Sent { .. } => seen.sent += 1,
                FrameStep::Copied => seen.copied += 1,
                FrameStep::Delivered { .. } => seen.delivered += 1,
                FrameStep::Taken => seen.taken += 1,
                FrameStep::Dropped(why) => *seen.dropped.entry(why).or_default() += 1,
                FrameStep::Held | FrameStep::Damaged => {}
            }
        });
    }
    let (a, b) = (world.add_node("a"), world.add_node("b"));
    let (env_a, env_b) = (world.env(a, silo("a", 1)), world.env(b, silo("b", 1)));
    env_a.transport.learn(silo("b", 1), "b:11111");
    env_b.transport.learn(silo("a", 1), "a:11111");
    world.spawn(b, "echo", echo(env_b));
    for at in 0..400 {
        match at {
            100 => world.cut(a, b),
            150 => world.uncut(a, b),
            390 => drop(world.crash(b)),
            _ => {}
        }
        // maybe: the link is down, or full.
        let _ = env_a.transport.try_send(silo("b", 1), Lane::User, frame(at));
        world.run_for(Duration::from_millis(20));
    }
    world.run_for(Duration::from_secs(30));
    let (hash, meters) = (world.hash(), world.meters().network);
    drop(world);
    (
        hash,
        meters,
        Arc::into_inner(seen).expect("the world has let go of it").into_inner().expect("one thread"),
    )
}

#[test]
fn watching_changes_nothing() {
    for seed in 0..20 {
        assert_eq!(rough_day(seed, true).0, rough_day(seed, false).0, "seed {seed}");
    }
}

#[test]
fn every_frame_that_the_meters_count_is_seen() {
    let mut kinds = BTreeMap::new();
    for seed in 0..20 {
        let (_, meters, seen) = rough_day(seed, true);
        let dropped = |why| seen.dropped.get(&why).copied().unwrap_or(0);
        assert_eq!(
            (seen.sent, seen.copied, seen.delivered),
            (meters.sent, meters.duplicated, meters.delivered)
        );
        assert_eq!(dropped(FrameLoss::Lost), meters.lost, "seed {seed}");
        assert_eq!(dropped(FrameLoss::Swallowed), meters.swallowed, "seed {seed}");
        assert_eq!(dropped(FrameLoss::Unsent), meters.unsent, "seed {seed}");
        assert_eq!(dropped(FrameLoss::Undeliverable), meters.undeliverable, "seed {seed}");
        assert!(seen.taken <= seen.delivered && seen.taken > 0, "seed {seed}");
        for (why, count) in seen.dropped {
            *kinds.entry(why).or_insert(0) += count;
        }
    }
    assert!(kinds.len() >= 3, "the day was not rough enough: {kinds:?}");
}
