//! Laws of the engine, for any seed and any mixture of faults.

mod common;

use common::*;
use proptest::prelude::*;
use quark_core::Instant;
use quark_core::wire::Lane;
use quark_env::transport::Incoming;
use quark_env::{Clock, EntropyExt, Env};
use quark_sim::{
    Branch, Conditions, Config, Decision, Meters, Next, NodeId, Replay, Scheduler, Trace, World, audit,
};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Something that happens to a world.
#[derive(Clone, Debug)]
enum Happening {
    Crash(usize),
    Restart(usize),
    Pause(usize),
    Resume(usize),
    Cut(usize, usize),
    Uncut(usize, usize),
    Clog(usize, usize),
    Unclog(usize, usize),
    HalfOpen(usize, usize),
    Weather { loss: u32, duplicate: u32, corrupt: u32, reorder: u32 },
    Rate(usize, i64),
    Forget(usize, usize),
}

const NODES: usize = 3;

fn happening(with_reorder: bool) -> impl Strategy<Value = Happening> {
    let node = 0..NODES;
    let pair = (0..NODES, 0..NODES);
    let ppm = 0u32..300_000;
    let reorder = if with_reorder { 0u32..300_000 } else { 0u32..1 };
    prop_oneof![
        node.clone().prop_map(Happening::Crash),
        node.clone().prop_map(Happening::Restart),
        node.clone().prop_map(Happening::Pause),
        node.clone().prop_map(Happening::Resume),
        pair.clone().prop_map(|(a, b)| Happening::Cut(a, b)),
        pair.clone().prop_map(|(a, b)| Happening::Uncut(a, b)),
        pair.clone().prop_map(|(a, b)| Happening::Clog(a, b)),
        pair.clone().prop_map(|(a, b)| Happening::Unclog(a, b)),
        pair.clone().prop_map(|(a, b)| Happening::HalfOpen(a, b)),
        (ppm.clone(), ppm.clone(), ppm, reorder).prop_map(|(loss, duplicate, corrupt, reorder)| {
            Happening::Weather { loss, duplicate, corrupt, reorder }
        }),
        (node, -200_000i64..200_000).prop_map(|(node, ppm)| Happening::Rate(node, ppm)),
        pair.prop_map(|(a, b)| Happening::Forget(a, b)),
    ]
}

/// What the tasks of a run saw.
#[derive(Default)]
struct Seen {
    /// Per receiver incarnation and sender: (link epoch of the sender, number).
    received: BTreeMap<(usize, u32, String), Vec<u64>>,
    /// (node, incarnation, monotonic reading, true time) of every poll of a beat.
    beats: Vec<(usize, u32, u64, u64)>,
}

struct Run {
    trace: Trace,
    meters: Meters,
    decisions: Vec<Decision>,
    seen: Seen,
}

/// Starts a node's process: it beats, sends numbered frames to the others, and notes what it gets.
fn boot(world: &World, nodes: &[NodeId], at: usize, seen: &Arc<Mutex<Seen>>) -> Env {
    let host = world.host(nodes[at]);
    let incarnation = host.incarnation();
    let env = host.env(silo(&format!("n{at}"), incarnation.into()));
    for other in (0..NODES).filter(|other| *other != at) {
        let generation = world.host(nodes[other]).incarnation();
        env.transport.learn(silo(&format!("n{other}"), generation.into()), &format!("n{other}:11111"));
    }
    let peers: Vec<_> = (0..NODES)
        .filter(|other| *other != at)
        .map(|other| silo(&format!("n{other}"), world.host(nodes[other]).incarnation().into()))
        .collect();
    let (receiver, log) = (env.clone(), seen.clone());
    host.spawn("receive", async move {
        loop {
            let arrivals = recv(&receiver).await;
            if arrivals.is_empty() {
                return;
            }
            let mut seen = log.lock().expect("lock");
            for arrival in arrivals {
                if let Incoming::Frame { from, bytes, lane: Lane::User } = arrival {
                    seen.received
                        .entry((at, incarnation, from.to_string()))
                        .or_default()
                        .push(number(&bytes));
                }
            }
        }
    });
    let (log, world, whole) = (seen.clone(), world.handle(), env.clone());
    host.clone().spawn("beat", async move {
        for n in 0.. {
            host.sleep_until(host.now() + Duration::from_millis(20)).await;
            let beat = (at, incarnation, host.now().0, world.now_true().0);
            log.lock().expect("lock").beats.push(beat);
            for peer in &peers {
                for lane in [Lane::User, Lane::Control] {
                    // maybe: full, forgotten, refused.
                    let _ = env.transport.try_send(*peer, lane, frame(n));
                }
            }
        }
    });
    whole
}

fn run(config: Config, happenings: &[Happening]) -> Run {
    let mut world = World::new(config);
    let nodes: Vec<_> = (0..NODES).map(|at| world.add_node(&format!("n{at}"))).collect();
    let seen = Arc::new(Mutex::new(Seen::default()));
    let mut envs: Vec<_> = (0..NODES).map(|at| boot(&world, &nodes, at, &seen)).collect();
    world.run_for(Duration::from_millis(200));
    let mut paused = [0u32; NODES];
    for happening in happenings {
        match *happening {
            Happening::Crash(at) => {
                world.crash(nodes[at]);
            }
            Happening::Restart(at) if !world.is_up(nodes[at]) => {
                world.restart(nodes[at]);
                paused[at] = 0;
                envs[at] = boot(&world, &nodes, at, &seen);
            }
            Happening::Restart(_) => {}
            Happening::Pause(at) => {
                world.pause(nodes[at]);
                paused[at] += 1;
            }
            Happening::Resume(at) => {
                world.resume(nodes[at]);
                paused[at] = paused[at].saturating_sub(1);
            }
            Happening::Cut(a, b) => world.cut(nodes[a], nodes[b]),
            Happening::Uncut(a, b) => world.uncut(nodes[a], nodes[b]),
            Happening::Clog(a, b) => world.clog(nodes[a], nodes[b]),
            Happening::Unclog(a, b) => world.unclog(nodes[a], nodes[b]),
            Happening::HalfOpen(a, b) => world.half_open(nodes[a], nodes[b]),
            Happening::Weather { loss, duplicate, corrupt, reorder } => {
                world.set_default_conditions(Conditions {
                    loss_ppm: loss,
                    duplicate_ppm: duplicate,
                    corrupt_ppm: corrupt,
                    reorder_ppm: reorder,
                    ..Conditions::CLEAR
                });
            }
            Happening::Rate(at, ppm) => world.set_clock_rate(nodes[at], ppm),
            Happening::Forget(a, b) if a != b => {
                let peer = envs[b].transport.local();
                envs[a].transport.forget(peer, "a test");
            }
            Happening::Forget(..) => {}
        }
        let beats_before = seen.lock().expect("lock").beats.len();
        world.run_for(Duration::from_millis(150));
        let seen = seen.lock().expect("lock");
        for (node, incarnation, ..) in &seen.beats[beats_before..] {
            assert_eq!(paused[*node], 0, "a paused node was polled");
            assert!(world.is_up(nodes[*node]), "a crashed node was polled");
            assert_eq!(*incarnation, world.host(nodes[*node]).incarnation(), "an old incarnation was polled");
        }
        let net = world.meters().network;
        assert_eq!(net.sent + net.duplicated, net.delivered + net.dropped() + net.in_flight, "{net:?}");
    }
    let (trace, meters, decisions) = (world.trace(), world.meters(), world.decisions());
    drop(world);
    let seen = std::mem::take(&mut *seen.lock().expect("lock"));
    Run { trace, meters, decisions, seen }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn the_same_seed_has_the_same_history(
        seed: u64, happenings in prop::collection::vec(happening(true), 0..20),
    ) {
        let once = |trace_window: Range<u64>| run(Config { trace_window, ..Config::new(seed) }, &happenings).trace;
        if let Err(divergence) = audit(once) {
            prop_assert!(false, "{divergence}");
        }
    }

    #[test]
    fn frames_of_a_link_keep_their_order(
        seed: u64, happenings in prop::collection::vec(happening(false), 0..20),
    ) {
        // Without reordering and copies, and with links that never outlive a break's strays.
        let happenings: Vec<_> = happenings
            .into_iter()
            .map(|happening| match happening {
                Happening::Weather { loss, .. } => {
                    Happening::Weather { loss, duplicate: 0, corrupt: 0, reorder: 0 }
                }
                other => other,
            })
            .collect();
        let mut config = Config::new(seed);
        config.network.stray_ppm = 0;
        let run = run(config, &happenings);
        for ((to, _, from), numbers) in &run.seen.received {
            prop_assert!(numbers.is_sorted(), "from {from} to n{to}: {numbers:?}");
            prop_assert!(numbers.windows(2).all(|pair| pair[0] != pair[1]), "at most once: {numbers:?}");
        }
    }

    #[test]
    fn clocks_never_go_back_and_obey_their_rate(
        seed: u64, happenings in prop::collection::vec(happening(true), 0..20),
    ) {
        let run = run(Config::new(seed), &happenings);
        let mut last = BTreeMap::new();
        for (node, incarnation, mono, truth) in run.seen.beats {
            if let Some((old_mono, old_truth)) = last.insert((node, incarnation), (mono, truth)) {
                prop_assert!(truth >= old_truth, "true time went back");
                let (passed, counted) = ((truth - old_truth) as f64, mono as f64 - old_mono as f64);
                prop_assert!(
                    counted >= passed * 0.799 - 2.0 && counted <= passed * 1.201 + 2.0,
                    "{counted} counted in {passed}"
                );
            }
        }
        prop_assert!(run.meters.queued <= 4 * (run.meters.timers + run.meters.network.in_flight as usize) + 300);
    }

    #[test]
    fn first_in_first_out_is_one_of_the_random_schedules(seed: u64) {
        let fifo = run(Config { scheduler: Scheduler::Fifo, ..Config::new(seed) }, &[]);
        let only = Replay::Only(BTreeMap::new());
        let zeros = run(Config { replay: only, ..Config::new(seed) }, &[]);
        prop_assert_eq!(fifo.trace, zeros.trace);
    }

    #[test]
    fn the_decision_log_replays_the_run(
        seed: u64, happenings in prop::collection::vec(happening(true), 0..10),
        pct: bool,
    ) {
        let scheduler = if pct { Scheduler::Pct { depth: 3 } } else { Scheduler::Random };
        let config = Config { scheduler, log_decisions: true, ..Config::new(seed) };
        let first = run(config.clone(), &happenings);
        let list = first.decisions.iter().map(|decision| (decision.id, decision.value)).collect();
        let replay = Config { replay: Replay::Only(list), scheduler: Scheduler::Random, ..config };
        prop_assert_eq!(first.trace, run(replay, &happenings).trace);
    }
}

#[test]
fn every_fault_of_the_network_has_an_effect() {
    let weather =
        Happening::Weather { loss: 100_000, duplicate: 100_000, corrupt: 100_000, reorder: 100_000 };
    let happenings = [
        weather,
        Happening::Cut(0, 1),
        Happening::Clog(1, 2),
        Happening::HalfOpen(2, 0),
        Happening::Crash(1),
        Happening::Restart(1),
    ];
    let more = std::iter::repeat_n(Happening::Resume(0), 40);
    let happenings: Vec<_> = happenings.into_iter().chain(more).collect();
    let mut lost_hints = 0;
    for seed in 0..20 {
        let net = run(Config::new(seed), &happenings).meters.network;
        for (what, count) in [
            ("lost", net.lost),
            ("duplicated", net.duplicated),
            ("corrupted", net.corrupted),
            ("reordered", net.reordered),
            ("stalled", net.stalled),
            ("swallowed", net.swallowed),
            ("broken links", net.links_down),
            ("undeliverable", net.undeliverable),
        ] {
            assert!(count > 0, "seed {seed}: no frame was {what}: {net:?}");
        }
        lost_hints += net.hints_lost;
    }
    assert!(lost_hints > 0);
}

#[test]
fn what_a_dead_sender_left_behind_a_clog_keeps_its_order() {
    let happenings = [Happening::Clog(1, 0), Happening::Crash(1), Happening::Unclog(1, 0)];
    for seed in 0..50 {
        let mut config = Config::new(seed);
        config.network.stray_ppm = 0;
        let run = run(config, &happenings);
        let (_, numbers) = run
            .seen
            .received
            .iter()
            .find(|((to, _, from), _)| *to == 0 && from == "n1#1")
            .expect("it was heard");
        assert!(run.meters.network.stalled > 0, "seed {seed}: nothing was held");
        assert!(numbers.is_sorted(), "seed {seed}: {numbers:?}");
    }
}

#[test]
fn different_seeds_have_different_histories() {
    let hashes: std::collections::BTreeSet<u64> =
        (0..50).map(|seed| run(Config::new(seed), &[]).trace.hash).collect();
    assert_eq!(hashes.len(), 50);
}

#[test]
#[expect(clippy::disallowed_methods, reason = "threads around worlds, not in them")]
fn worlds_on_several_threads_do_not_disturb_one_another() {
    let alone: Vec<u64> = (0..8).map(|seed| run(Config::new(seed), &[]).trace.hash).collect();
    let threads: Vec<_> =
        (0..8).map(|seed| std::thread::spawn(move || run(Config::new(seed), &[]).trace.hash)).collect();
    let together: Vec<u64> =
        threads.into_iter().map(|thread| thread.join().expect("the run succeeds")).collect();
    assert_eq!(alone, together);
}

#[test]
fn a_branch_shares_its_past_and_nothing_else() {
    let at = |branch| run(Config { branch, trace_window: 0..u64::MAX, ..Config::new(1) }, &[]).trace.window;
    let (trunk, branch) = (at(None), at(Some(Branch { at_ns: 100_000_000, seed: 2 })));
    let shared = trunk.iter().zip(&branch).take_while(|(a, b)| a == b).count();
    assert!(trunk[shared].at_ns >= 100_000_000, "{:?}", trunk[shared]);
    assert!(shared > 50 && shared < trunk.len() - 50, "{shared} of {}", trunk.len());
}

#[test]
fn a_pause_leaves_no_trace_and_a_branch_taken_there_is_that_of_the_configuration() {
    let nap = |world: &World| {
        let (node, world) = (world.add_node("a"), world.handle());
        let host = world.host(node);
        for _ in 0..3 {
            let host = host.clone();
            world.spawn(node, "tick", async move {
                loop {
                    host.sleep_until(host.now() + Duration::from_millis(7)).await;
                    host.u64("ticks");
                }
            });
        }
        async move { world.sleep(Duration::from_secs(1)).await }
    };
    let told = |branch, pauses: &[u64], taken: Option<Branch>| {
        let mut world = World::new(Config { branch, ..Config::new(5) });
        let driver = nap(&world);
        let mut pauses = pauses.iter().map(|ms| Instant(ms * 1_000_000));
        let handle = world.handle();
        world.block_on_with_pauses(driver, |now| {
            if let Some(branch) = taken.filter(|branch| branch.at_ns == now.0) {
                handle.branch(branch);
            }
            pauses.next().map_or(Next::ToTheEnd, Next::Until)
        });
        world.hash()
    };
    let branch = Some(Branch { at_ns: 490_000_000, seed: 6 });
    assert_eq!(told(None, &[], None), told(None, &[1, 7, 14, 490, 999], None));
    assert_eq!(told(branch, &[], None), told(None, &[14, 490], branch), "490 ms: when a tick is due");
    assert_ne!(told(None, &[], None), told(branch, &[], None));
    let same = Some(Branch { at_ns: 490_000_000, seed: 5 });
    assert_eq!(told(None, &[], None), told(same, &[], None), "the same stream gives the same trace");
}

#[test]
fn a_process_with_several_threads_is_not_forked() {
    // The test's own thread, and the one that runs the tests.
    let refused = std::thread::scope(|scope| scope.spawn(quark_sim::fork::fork).join().expect("no panic"));
    assert!(matches!(refused, Err(quark_sim::fork::ForkError::Threads(2..))), "{refused:?}");
}
