//! Links: what a peer learns when they break, and what it may not rely on.

mod common;

use common::*;
use quark_core::wire::Lane;
use quark_env::Env;
use quark_env::transport::{Incoming, SendError};
use quark_sim::{Conditions, Config, Identity, NetworkConfig, World};
use std::sync::Arc;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// Two nodes that have learnt of each other, in a network that loses no hints and brings no strays.
fn pair(seed: u64) -> (World, Env, Env) {
    let network = NetworkConfig { hint_lost_ppm: 0, stray_ppm: 0, ..NetworkConfig::default() };
    let world = World::new(Config { network, ..Config::new(seed) });
    let (a, b) = (world.add_node("a"), world.add_node("b"));
    let (env_a, env_b) = (world.env(a, silo("a", 1)), world.env(b, silo("b", 1)));
    env_a.transport.learn(silo("b", 1), "b:11111");
    env_b.transport.learn(silo("a", 1), "a:11111");
    (world, env_a, env_b)
}

#[test]
fn a_client_is_answered_without_having_been_learnt() {
    let mut world = World::new(Config::new(1));
    let (server, client) = (world.add_node("server"), world.add_node("client"));
    let env_server = world.env(server, silo("server", 1));
    let env_client = world.env(client, silo("client", 1));
    assert_eq!(
        env_server.transport.try_send(silo("client", 1), Lane::User, frame(1)),
        Err(SendError::NotConnected)
    );
    env_client.transport.learn(silo("server", 1), "server:11111");
    env_client.transport.try_send(silo("server", 1), Lane::User, frame(2)).expect("queued");
    assert_eq!(numbers(&world.block_on(recv(&env_server))), [2]);
    env_server.transport.try_send(silo("client", 1), Lane::User, frame(3)).expect("linked");
    assert_eq!(numbers(&world.block_on(recv(&env_client))), [3]);
    drop(env_client);
    let arrivals = world.block_on(recv(&env_server));
    assert!(matches!(arrivals[..], [Incoming::LinkDown { .. }]), "{arrivals:?}");
    assert_eq!(
        env_server.transport.try_send(silo("client", 1), Lane::User, frame(4)),
        Err(SendError::NotConnected)
    );
}

#[test]
fn what_waited_for_a_peer_that_is_not_there_is_lost_and_said_to_be() {
    let (mut world, env_a, _env_b) = pair(2);
    world.run_for(SECOND);
    world.crash(world.node("b").expect("added"));
    world.run_for(SECOND * 6);
    assert!(matches!(world.block_on(recv(&env_a))[..], [Incoming::LinkDown { .. }]));
    for _ in 0..3 {
        env_a.transport.try_send(silo("b", 1), Lane::User, frame(1)).expect("it may come back");
        let before = world.now_true();
        assert!(matches!(world.block_on(recv(&env_a))[..], [Incoming::LinkDown { .. }]));
        assert!(world.now_true() - before < SECOND * 4, "within a back-off and a dial");
    }
    let net = world.meters().network;
    assert_eq!((net.in_flight, net.unsent), (0, 3));
}

#[test]
fn a_short_cut_delays_or_swallows_and_a_long_one_breaks_the_link() {
    let (mut stalled, mut swallowed) = (0, 0);
    for seed in 0..20 {
        let (mut world, env_a, env_b) = pair(seed);
        let (a, b) = (world.node("a").expect("added"), world.node("b").expect("added"));
        world.run_for(SECOND);
        world.cut(a, b);
        env_a.transport.try_send(silo("b", 1), Lane::User, frame(1)).expect("the link seems up");
        env_b.transport.try_send(silo("a", 1), Lane::User, frame(2)).expect("the way back is open");
        assert_eq!(numbers(&world.block_on(recv(&env_a))), [2]);
        world.run_for(Duration::from_millis(500));
        world.uncut(a, b);
        env_a.transport.try_send(silo("b", 1), Lane::User, frame(3)).expect("the link is up");
        world.run_for(SECOND);
        match numbers(&world.block_on(recv(&env_b)))[..] {
            [1, 3] => stalled += 1,
            [3] => swallowed += 1,
            ref other => panic!("{other:?}"),
        }
        world.cut(a, b);
        for env in [&env_a, &env_b] {
            assert!(matches!(world.block_on(recv(env))[..], [Incoming::LinkDown { .. }]), "both ends notice");
        }
        world.uncut(a, b);
        env_a.transport.try_send(silo("b", 1), Lane::User, frame(4)).expect("queued");
        assert_eq!(numbers(&world.block_on(recv(&env_b))), [4], "it is dialled again");
    }
    assert!(stalled > 3 && swallowed > 3, "{stalled} {swallowed}");
}

#[test]
fn a_receiver_that_does_not_read_fills_the_senders_buffer_but_not_the_other_lane() {
    let (mut world, env_a, env_b) = pair(3);
    let b = world.node("b").expect("added");
    world.run_for(SECOND);
    world.pause(b);
    let mut accepted = 0;
    let full = loop {
        match env_a.transport.try_send(silo("b", 1), Lane::User, frame(accepted)) {
            Ok(()) => accepted += 1,
            Err(error) => break error,
        }
        if accepted % 100 == 0 {
            world.run_for(Duration::from_millis(20));
        }
    };
    assert_eq!((full, accepted), (SendError::Full, 4096));
    env_a.transport.try_send(silo("b", 1), Lane::Control, frame(9)).expect("a lane of its own");
    world.run_for(SECOND);
    world.resume(b);
    let first = world.block_on(recv(&env_b));
    assert!(matches!(first[0], Incoming::Frame { lane: Lane::Control, .. }), "control comes first");
    env_a.transport.try_send(silo("b", 1), Lane::User, frame(1)).expect("there is room again");
    let size = 9 << 20;
    assert_eq!(
        env_a.transport.try_send(silo("b", 1), Lane::User, vec![0; size].into()),
        Err(SendError::TooLarge { bytes: size, bytes_max: 8 << 20 })
    );
}

#[test]
fn strangers_are_refused_with_a_reason() {
    let mut world = World::new(Config::new(4));
    let (a, b) = (world.add_node("a"), world.add_node("b"));
    let here = world.host(a).transport(Identity::new(silo("a", 1)));
    let host = Arc::new(world.host(b));
    type Change = fn(&mut Identity);
    let cases: [(Change, &str); 2] = [
        (|identity| identity.cluster = "other".to_owned(), "other"),
        (|identity| identity.protocols = (40, 41), "40"),
    ];
    for (change, what) in cases {
        let mut identity = Identity::new(silo("b", 1));
        change(&mut identity);
        let mut env = host.env(silo("b", 1));
        env.transport = Arc::new(host.transport(identity));
        env.transport.learn(silo("a", 1), "a:11111");
        let arrivals = world.block_on(recv(&env));
        let [Incoming::Refused { reason, dead: false, .. }] = &arrivals[..] else { panic!("{arrivals:?}") };
        assert!(reason.contains(what), "{reason}");
        assert_eq!(env.transport.try_send(silo("a", 1), Lane::User, frame(1)), Err(SendError::NotConnected));
    }
    drop(here);
}

fn sizes(incoming: &[Incoming]) -> Vec<usize> {
    let size = |incoming: &Incoming| match incoming {
        Incoming::Frame { bytes, .. } => bytes.len(),
        other => panic!("{other:?}"),
    };
    incoming.iter().map(size).collect()
}

#[test]
fn on_a_slow_path_a_frame_takes_as_long_as_its_length_and_nobody_overtakes_it() {
    let (mut world, env_a, env_b) = pair(6);
    let (a, b) = (world.node("a").expect("added"), world.node("b").expect("added"));
    world.run_for(SECOND);
    let slow = Conditions { bytes_per_second: 10_000, ..world.default_conditions() };
    world.set_conditions(a, b, Some(slow));
    let send = |lane, size: usize| {
        env_a.transport.try_send(silo("b", 1), lane, vec![0; size].into()).expect("the link is up");
    };
    send(Lane::User, 30_000);
    send(Lane::User, 1);
    send(Lane::Control, 1000);
    env_b.transport.try_send(silo("a", 1), Lane::User, frame(1)).expect("the way back is as it was");
    let sent = world.now_true();
    assert_eq!(numbers(&world.block_on(recv(&env_a))), [1]);
    assert_eq!(sizes(&world.block_on(recv(&env_b))), [1000], "a lane does not wait for the other");
    let took = world.now_true().since(sent);
    assert!((SECOND / 10..SECOND / 5).contains(&took), "1000 bytes took {took:?}");
    assert_eq!(sizes(&world.block_on(recv(&env_b))), [30_000]);
    let took = world.now_true().since(sent);
    assert!((SECOND * 3..SECOND * 4).contains(&took), "30 000 bytes took {took:?}");
    assert_eq!(sizes(&world.block_on(recv(&env_b))), [1]);
    assert_eq!(world.meters().network.slowed, 3);
}

#[test]
fn a_path_that_is_slow_no_more_lets_all_go_in_order() {
    let (mut world, env_a, env_b) = pair(7);
    let (a, b) = (world.node("a").expect("added"), world.node("b").expect("added"));
    world.run_for(SECOND);
    let clear = world.default_conditions();
    world.set_default_conditions(Conditions { bytes_per_second: 1, ..clear });
    let mut next = 0;
    let mut send = |count: u32| {
        for _ in 0..count {
            next += 1;
            env_a.transport.try_send(silo("b", 1), Lane::User, frame(next)).expect("the link is up");
        }
    };
    send(3);
    world.run_for(SECOND / 10);
    // What is sent while it is clogged as well comes after what waited before that.
    world.clog(a, b);
    send(2);
    world.set_default_conditions(clear);
    world.run_for(SECOND / 10);
    assert_eq!(world.meters().network.in_flight, 5, "a clog lets nobody pass, fast or slow");
    world.unclog(a, b);
    send(1);
    let mut arrived = Vec::new();
    while arrived.len() < 6 {
        arrived.extend(numbers(&world.block_on(recv(&env_b))));
    }
    assert_eq!(arrived, [1, 2, 3, 4, 5, 6]);
}
