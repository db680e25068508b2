//! Tasks, time, crashes and pauses.

mod common;

use common::*;
use quark_core::Instant;
use quark_core::wire::Lane;
use quark_env::transport::{Incoming, SendError};
use quark_env::{Clock, EntropyExt, Store};
use quark_sim::{Config, NodeId, World};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn two_nodes_exchange_frames() {
    let mut world = World::new(Config::new(1));
    let (a, b) = (world.add_node("a"), world.add_node("b"));
    let (env_a, env_b) = (world.env(a, silo("a", 1)), world.env(b, silo("b", 1)));
    world.spawn(b, "echo", echo(env_b));
    env_a.transport.learn(silo("b", 1), "b:11111");
    env_a.transport.try_send(silo("b", 1), Lane::User, frame(7)).expect("queued while dialling");
    let arrivals = world.block_on(recv(&env_a));
    assert_eq!(numbers(&arrivals), [7]);
    assert!(world.now_true() > Instant(1_000_000), "a handshake and a round trip take time");
    assert_eq!(
        env_a.transport.try_send(silo("c", 1), Lane::User, frame(1)),
        Err(SendError::NotConnected),
        "nobody was learnt under that name"
    );
}

#[test]
fn a_day_of_sleep_takes_no_time() {
    let mut world = World::new(Config::new(2));
    let node = world.add_node("a");
    let ticks = Arc::new(AtomicU64::new(0));
    let (host, count) = (world.host(node), ticks.clone());
    world.spawn(node, "ticker", async move {
        loop {
            host.sleep_until(host.now() + Duration::from_secs(60)).await;
            count.fetch_add(1, Ordering::Relaxed);
        }
    });
    world.run_for(Duration::from_secs(24 * 3600) + SECOND * 20);
    assert_eq!(ticks.load(Ordering::Relaxed), 24 * 60);
    assert_eq!(world.timers(node), 1);
}

#[test]
fn a_crash_stops_a_node_between_two_polls_and_its_destructors_cannot_act() {
    struct Last(quark_env::Env, Arc<Mutex<Vec<String>>>);
    impl Drop for Last {
        fn drop(&mut self) {
            let sent = self.0.transport.try_send(silo("b", 1), Lane::User, frame(666));
            let spawner = self.0.spawner.clone();
            let log = self.1.clone();
            spawner.spawn_boxed(
                "ghost",
                Box::pin(async move { log.lock().expect("lock").push("ghost".into()) }),
            );
            self.1.lock().expect("lock").push(format!("{sent:?}"));
        }
    }
    let mut world = World::new(Config::new(3));
    let (a, b) = (world.add_node("a"), world.add_node("b"));
    let (env_a, env_b) = (world.env(a, silo("a", 1)), world.env(b, silo("b", 1)));
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::new(Mutex::new(Vec::new()));
    let into = seen.clone();
    world.spawn(b, "sink", async move {
        loop {
            let arrivals = recv(&env_b).await;
            into.lock().expect("lock").extend(numbers(&arrivals));
        }
    });
    env_a.transport.learn(silo("b", 1), "b:11111");
    let last = Last(env_a.clone(), log.clone());
    world.spawn(a, "beat", async move {
        let last = last;
        for n in 0.. {
            last.0.clock.sleep_until(last.0.clock.now() + SECOND).await;
            last.0.transport.try_send(silo("b", 1), Lane::User, frame(n)).expect("alive");
        }
    });
    world.run_for(Duration::from_millis(3500));
    world.crash(a);
    world.run_for(SECOND * 10);
    assert_eq!(*seen.lock().expect("lock"), [0, 1, 2]);
    assert_eq!(
        *log.lock().expect("lock"),
        ["Err(Closed)"],
        "the destructor ran, sent nothing and spawned nothing"
    );
    assert!(world.tasks(a).is_empty());
    assert_eq!(env_a.transport.try_send(silo("b", 1), Lane::User, frame(1)), Err(SendError::Closed));

    let host = world.restart(a);
    assert_eq!(host.incarnation(), 2);
    assert_eq!(
        env_a.transport.try_send(silo("b", 1), Lane::User, frame(1)),
        Err(SendError::Closed),
        "an old handle stays dead after the restart"
    );
    let done = Arc::new(AtomicU64::new(0));
    let flag = done.clone();
    host.spawn("again", async move {
        flag.store(1, Ordering::Relaxed);
    });
    world.run_for(SECOND);
    assert_eq!(done.load(Ordering::Relaxed), 1);
}

#[test]
fn a_paused_node_is_not_polled_and_catches_up_late() {
    let mut world = World::new(Config::new(4));
    let node = world.add_node("a");
    let host = world.host(node);
    let times = Arc::new(Mutex::new(Vec::new()));
    let (into, handle) = (times.clone(), world.handle());
    world.spawn(node, "ticker", async move {
        loop {
            host.sleep_until(host.now() + SECOND).await;
            into.lock().expect("lock").push((handle.now_true().0 + 1_000_000) / 1_000_000_000);
        }
    });
    world.run_for(Duration::from_millis(2500));
    world.pause(node);
    world.run_for(SECOND * 60);
    world.resume(node);
    world.run_for(Duration::from_millis(1600));
    let times = times.lock().expect("lock").clone();
    assert_eq!(times, [1, 2, 62, 63], "the tick that was due during the pause comes at its end");
}

#[test]
fn aborting_a_task_drops_it_and_leaves_no_timer() {
    let mut world = World::new(Config::new(5));
    let node = world.add_node("a");
    let host = world.host(node);
    let handle = {
        let host = host.clone();
        host.clone().spawn("sleeper", async move { host.sleep_until(host.now() + SECOND * 100).await })
    };
    world.run_for(SECOND);
    assert_eq!((world.tasks(node).len(), world.timers(node)), (1, 1));
    handle.abort();
    world.run_for(Duration::from_millis(1));
    assert_eq!((world.tasks(node).len(), world.timers(node)), (0, 0));
}

#[test]
fn deadlock_livelock_and_endless_waiting_are_failures() {
    let fails = |config: Config, run: &dyn Fn(&mut World)| {
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run(&mut World::new(config))));
        *caught.expect_err("it must fail").downcast::<String>().expect("a message")
    };
    let message = fails(Config::new(6), &|world| world.block_on(std::future::pending()));
    assert!(message.starts_with("deadlock") && message.contains("seed 6"), "{message}");

    let message = fails(Config::calm(7), &|world| {
        let node = world.add_node("a");
        world.spawn(node, "spinner", async {
            std::future::poll_fn(|cx| {
                cx.waker().wake_by_ref();
                std::task::Poll::<()>::Pending
            })
            .await
        });
        world.run_for(SECOND);
    });
    assert!(message.starts_with("livelock") && message.contains("spinner"), "{message}");

    let message = fails(Config::calm(7), &|world| {
        let node = world.add_node("a");
        let host = world.host(node);
        world.spawn(node, "looper", async move { while host.now() > Instant::ZERO {} });
        world.run_for(SECOND);
    });
    assert!(message.starts_with("livelock: a poll on node `a`"), "{message}");

    let message = fails(Config::new(8), &|world| {
        let node = world.add_node("a");
        let host = world.host(node);
        world.spawn(node, "ticker", async move {
            loop {
                host.sleep_until(host.now() + SECOND * 60).await;
            }
        });
        world.block_on(std::future::pending())
    });
    assert!(message.contains("limit of true time") && message.contains("a/ticker"), "{message}");
}

#[test]
fn entropy_is_a_stream_per_name_and_incarnation() {
    let draw = |streams: &[&'static str]| {
        let world = World::new(Config::new(9));
        let host = world.host(world.add_node("a"));
        streams.iter().map(|stream| host.u64(stream)).collect::<Vec<_>>()
    };
    let (alone, mixed) = (draw(&["x", "x"]), draw(&["x", "y", "x"]));
    assert_eq!(alone[1], mixed[2], "a draw from another stream shifts nothing");
    assert_ne!(mixed[0], mixed[1]);

    let world = World::new(Config::new(9));
    let node = world.add_node("a");
    let first = world.host(node).u64("x");
    world.crash(node);
    assert_ne!(world.restart(node).u64("x"), first, "a reborn process draws other numbers");
    assert_eq!(first, alone[0]);
}

#[test]
fn a_driver_future_sees_true_time_and_can_break_things() {
    let mut world = World::new(Config::new(10));
    let node = world.add_node("a");
    let handle = world.handle();
    world.block_on(async {
        handle.sleep(SECOND * 5).await;
        handle.crash(node);
        assert!(!handle.is_up(node));
        handle.sleep(SECOND).await;
        handle.restart(node);
    });
    assert_eq!(world.now_true(), Instant(6_000_000_000));
    assert!(world.is_up(node) && world.nodes() == [node] && node != NodeId::DRIVER);
}

#[test]
fn a_task_may_crash_its_own_node() {
    let mut world = World::new(Config::new(11));
    let node = world.add_node("a");
    let handle = world.handle();
    let after = Arc::new(AtomicU64::new(0));
    let flag = after.clone();
    let host = world.host(node);
    world.spawn(node, "exit", async move {
        handle.crash(node);
        // Still this poll: a process exit is not a jump. What it asks for now is ignored.
        let key = quark_env::store::RecordKey::new("p", "r");
        let _ = host.read(&key).await;
        flag.store(1, Ordering::Relaxed);
    });
    world.run_for(SECOND);
    assert_eq!(after.load(Ordering::Relaxed), 0);
    assert!(world.tasks(node).is_empty());
}

#[test]
fn a_silent_peer_is_noticed_and_a_reborn_one_is_not_mistaken_for_it() {
    let mut world = World::new(Config::new(12));
    let (a, b) = (world.add_node("a"), world.add_node("b"));
    let (env_a, env_b) = (world.env(a, silo("a", 1)), world.env(b, silo("b", 1)));
    env_b.transport.learn(silo("a", 1), "a:11111");
    env_a.transport.learn(silo("b", 1), "b:11111");
    world.run_for(SECOND);
    world.crash(b);
    let env_b = world.restart(b).env(silo("b", 2));
    let arrivals = world.block_on(recv(&env_a));
    assert!(arrivals.contains(&Incoming::LinkDown { peer: silo("b", 1) }), "{arrivals:?}");
    env_b.transport.learn(silo("a", 1), "a:11111");
    env_b.transport.try_send(silo("a", 1), Lane::User, frame(5)).expect("queued");
    let arrivals = world.block_on(recv(&env_a));
    assert!(matches!(&arrivals[..], [Incoming::Frame { from, .. }] if *from == silo("b", 2)), "{arrivals:?}");
    env_a.transport.forget(silo("b", 2), "declared dead");
    assert_eq!(env_a.transport.try_send(silo("b", 2), Lane::User, frame(1)), Err(SendError::NotConnected));
    let arrivals = world.block_on(recv(&env_b));
    assert!(
        matches!(&arrivals[..], [Incoming::Refused { dead: true, peer, .. }] if *peer == silo("a", 1)),
        "{arrivals:?}"
    );
}
