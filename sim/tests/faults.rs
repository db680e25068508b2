//! What can be done to a world, and that what came of it is counted.

mod common;

use common::*;
use quark_core::wire::Lane;
use quark_core::{Instant, WriteId};
use quark_env::store::{Batch, StoreError};
use quark_env::transport::Incoming;
use quark_env::{Clock, Entropy, Env, Store};
use quark_sim::{Buggify, Config, Dialling, NetworkConfig, NodeId, World};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// Two nodes that have learnt of each other, in a network that loses no hints and brings no strays.
fn pair(seed: u64) -> (World, [NodeId; 2], Env, Env) {
    let network = NetworkConfig { hint_lost_ppm: 0, stray_ppm: 0, reset_ppm: 0, ..NetworkConfig::default() };
    let world = World::new(Config { network, ..Config::new(seed) });
    let (a, b) = (world.add_node("a"), world.add_node("b"));
    let (env_a, env_b) = (world.env(a, silo("a", 1)), world.env(b, silo("b", 1)));
    env_a.transport.learn(silo("b", 1), "b:11111");
    env_b.transport.learn(silo("a", 1), "a:11111");
    (world, [a, b], env_a, env_b)
}

/// Whether a frame that leaves now is there within a second.
fn gets_through(world: &mut World, from: &Env, to: &Env, what: u64) -> bool {
    from.transport.try_send(to.transport.local(), Lane::User, frame(what)).expect("queued");
    world.run_for(SECOND);
    let mut out = Vec::new();
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    let _ = to.transport.poll_recv(&mut cx, &mut out, 64);
    numbers(&out).contains(&what)
}

#[test]
fn bad_dialling_leaves_a_standing_connection_alone_and_keeps_a_broken_one_down() {
    let bad = [
        Dialling { is_lost: true, ..Dialling::default() },
        Dialling { is_refused: true, ..Dialling::default() },
        Dialling { astray: Some(NodeId::DRIVER), ..Dialling::default() },
    ];
    for (case, dialling) in bad.into_iter().enumerate() {
        let (mut world, [a, b], env_a, env_b) = pair(case as u64);
        world.run_for(SECOND);
        world.set_dialling(a, b, dialling);
        assert!(gets_through(&mut world, &env_a, &env_b, 1), "{dialling:?}: it stands");
        assert_eq!(world.reset_links(a, b), 1);
        world.run_for(SECOND * 3);
        assert!(!gets_through(&mut world, &env_a, &env_b, 2), "{dialling:?}: it cannot be dialled");
        let effects = world.effects();
        let dials = [effects.dials_lost, effects.dials_refused, effects.dials_astray];
        assert!(dials.iter().enumerate().all(|(at, count)| (*count > 0) == (at == case)), "{dials:?}");
        assert_eq!(effects.links_reset, 1);
        world.set_dialling(a, b, Dialling::default());
        world.run_for(SECOND * 3);
        assert!(gets_through(&mut world, &env_a, &env_b, 3), "{dialling:?}: it is over");
    }
}

#[test]
fn a_slow_listener_answers_late() {
    let (mut world, [a, b], env_a, env_b) = pair(1);
    world.run_for(SECOND);
    world.set_dialling(a, b, Dialling { slow_ns: 3_000_000_000, ..Dialling::default() });
    world.reset_links(a, b);
    assert!(!gets_through(&mut world, &env_a, &env_b, 1));
    world.run_for(SECOND * 4);
    assert!(gets_through(&mut world, &env_a, &env_b, 2));
    assert!(world.effects().dials_slow > 0);
}

#[test]
fn who_exits_is_missed_at_once_and_who_loses_power_is_not() {
    let missed_after = |exits: bool| {
        let (mut world, [_, b], env_a, _env_b) = pair(1);
        world.run_for(SECOND);
        let at = world.now_true();
        if exits {
            world.exit(b);
        } else {
            world.crash(b);
        }
        let arrivals = world.block_on(recv(&env_a));
        assert!(matches!(arrivals[..], [Incoming::LinkDown { .. }]), "{arrivals:?}");
        world.now_true().since(at)
    };
    assert!(missed_after(true) < Duration::from_millis(20));
    assert!(missed_after(false) >= SECOND);
}

#[test]
fn a_dropped_connection_hides_whether_it_happened_and_takes_a_timeout() {
    for (applied_ppm, is_there) in [(0, false), (1_000_000, true)] {
        let mut world = World::new(Config::new(1));
        let node = world.add_node("a");
        let host = world.host(node);
        world.set_store_drops(1_000_000, applied_ppm);
        let (answer, read) = world.block_on(async {
            let batch = Batch::new("p", WriteId(1)).put("x", "one");
            (host.commit(batch).await, host.read(&quark_env::store::RecordKey::new("p", "x")).await)
        });
        assert!(matches!(answer, Err(StoreError::Indeterminate(_))), "{answer:?}");
        assert!(matches!(read, Err(StoreError::Unavailable(_))), "{read:?}");
        assert!(world.now_true() >= Instant::ZERO + SECOND, "twice the timeout");
        assert_eq!(!world.partitions().is_empty(), is_there);
        assert_eq!(world.effects().store_dropped, 2);
    }
}

#[test]
fn an_unwilling_store_has_not_done_it_and_says_so() {
    let mut world = World::new(Config::new(1));
    let node = world.add_node("a");
    let host = world.host(node);
    world.set_store_errors(1_000_000);
    let answer = world.block_on(host.commit(Batch::new("p", WriteId(1)).put("x", "one")));
    assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
    assert!(world.partitions().is_empty());
    assert_eq!(world.effects().store_refused, 1);
    world.heal_store();
    world.block_on(host.commit(Batch::new("p", WriteId(1)).put("x", "one"))).expect("willing again");
    assert_eq!((world.evict_store(1_000_000, 7), world.partitions().len()), (1, 0));
}

#[test]
fn what_is_done_to_a_clock_is_counted_when_it_is_read() {
    let world = World::new(Config::new(1));
    let node = world.add_node("a");
    let host = world.host(node);
    let read = || (host.now(), host.wall());
    read();
    let calm = world.effects();
    assert_eq!((calm.wall_stepped, calm.wall_slewed, calm.rate_felt, calm.frozen_felt), (0, 0, 0, 0));
    world.step_wall_clock(node, 5);
    read();
    world.step_wall_clock(node, -5);
    world.slew_wall_clock(node, 500);
    read();
    world.slew_wall_clock(node, 0);
    world.set_clock_rate(node, 40_000);
    read();
    world.set_clock_rate(node, -1_000_000);
    read();
    world.settle_clock_rate(node, 0);
    read();
    let felt = world.effects();
    assert_eq!((felt.wall_stepped, felt.wall_slewed, felt.rate_felt, felt.frozen_felt), (1, 1, 1, 1));
}

#[test]
fn a_node_has_whims_only_at_sites_that_are_on_and_as_often_as_was_said() {
    let whims = |seed: u64, fires_ppm: u32| {
        let sites = ["tiny_mailbox".to_owned()].into();
        let world = World::new(Config { buggify: Buggify { sites, fires_ppm }, ..Config::new(seed) });
        let node = world.add_node("a");
        let host = world.host(node);
        let fired: Vec<bool> = (0..1000).map(|_| host.whim("tiny_mailbox")).collect();
        assert!((0..100).all(|_| !host.whim("ends_early")), "it is off");
        assert_eq!(world.whims().len(), 1);
        assert_eq!(world.whims()["tiny_mailbox"].fired, fired.iter().filter(|fired| **fired).count() as u64);
        fired
    };
    assert_eq!(whims(1, 250_000), whims(1, 250_000));
    assert_ne!(whims(1, 250_000), whims(2, 250_000));
    assert!((200..300).contains(&whims(1, 250_000).iter().filter(|fired| **fired).count()));
    assert!(whims(1, 0).iter().all(|fired| !fired));
}
