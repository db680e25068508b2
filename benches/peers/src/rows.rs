//! What is measured, the same for all.

use crate::peer::Peer;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use std::future::Future;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};
use tokio::task::{JoinHandle, LocalSet};

/// A row of the table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Row {
    Ask,
    AskAsync,
    InFlight,
    Many,
    ManyOnTwo,
    Tell,
    Spawn,
    Memory,
}

/// One figure of a row.
#[derive(Clone, Copy)]
pub struct Figure {
    pub name: &'static str,
    pub unit: &'static str,
    /// Whether a larger one is better.
    pub is_rate: bool,
}

const fn rate(name: &'static str) -> Figure {
    Figure { name, unit: "/s", is_rate: true }
}

const fn cost(name: &'static str, unit: &'static str) -> Figure {
    Figure { name, unit, is_rate: false }
}

impl Row {
    pub const ALL: [Row; 8] = [
        Row::Ask,
        Row::AskAsync,
        Row::InFlight,
        Row::Many,
        Row::ManyOnTwo,
        Row::Tell,
        Row::Spawn,
        Row::Memory,
    ];

    /// What `--rows` calls it.
    pub fn name(self) -> &'static str {
        match self {
            Row::Ask => "ask",
            Row::AskAsync => "ask-async",
            Row::InFlight => "in-flight",
            Row::Many => "many",
            Row::ManyOnTwo => "many-on-two",
            Row::Tell => "tell",
            Row::Spawn => "spawn",
            Row::Memory => "memory",
        }
    }

    pub fn figures(self) -> &'static [Figure] {
        match self {
            Row::Ask => const { &[rate("ask, one after another")] },
            Row::AskAsync => const { &[rate("ask an async handler, one after another")] },
            Row::InFlight => const { &[rate("ask, 1000 in flight from one caller to one actor")] },
            Row::Many => const { &[rate("ask, 64 callers x 1000 actors")] },
            Row::ManyOnTwo => const { &[rate("ask, 64 callers x 1000 actors, two workers")] },
            Row::Tell => const { &[rate("tell one actor")] },
            Row::Spawn => {
                const { &[cost("new actor and first ask, p50", "ns"), cost("new actor and first ask, p99", "ns")] }
            }
            Row::Memory => const { &[cost("idle actor", "bytes")] },
        }
    }
}

/// How much of it.
#[derive(Clone, Copy)]
pub struct Scale {
    /// What one measurement of a rate takes, about.
    pub time: Duration,
    pub actors_spawned: usize,
}

const IN_FLIGHT: usize = 1000;
const ACTORS: usize = 1000;
const CALLERS: usize = 64;
/// How often the clock is looked at.
const BATCH: u64 = 256;
const TELLS: u64 = 10_000;
pub const IDLE_ACTORS: usize = 100_000;

/// Measures a peer on a runtime of its own, which ends with it.
pub fn measure<P: Peer>(row: Row, scale: Scale) -> Vec<f64> {
    let time = scale.time;
    match row {
        Row::Ask => vec![on_one(move |peer: Arc<P>| one_after_another::<P, false>(peer, time))],
        Row::AskAsync => vec![on_one(move |peer: Arc<P>| one_after_another::<P, true>(peer, time))],
        Row::InFlight => vec![on_one(move |peer: Arc<P>| in_flight(peer, time))],
        Row::Many => vec![on_one(move |peer: Arc<P>| many(peer, time))],
        Row::ManyOnTwo => vec![on_two(move |peer: Arc<P>| many(peer, time))],
        Row::Tell => vec![on_one(move |peer: Arc<P>| tells(peer, time))],
        Row::Spawn => on_one(move |peer: Arc<P>| spawns(peer, scale.actors_spawned)),
        Row::Memory => vec![on_one(move |peer: Arc<P>| memory(peer))],
    }
}

fn on_one<P: Peer, F>(work: impl FnOnce(Arc<P>) -> F) -> F::Output
where
    F: Future<Output: Send> + Send + 'static,
{
    on(&Builder::new_current_thread().enable_time().build().expect("a runtime starts"), work)
}

fn on_two<P: Peer, F>(work: impl FnOnce(Arc<P>) -> F) -> F::Output
where
    F: Future<Output: Send> + Send + 'static,
{
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_time().build();
    on(&runtime.expect("a runtime starts"), work)
}

fn on<P: Peer, F>(runtime: &Runtime, work: impl FnOnce(Arc<P>) -> F) -> F::Output
where
    F: Future<Output: Send> + Send + 'static,
{
    let whole = async {
        let peer = Arc::new(P::start().await);
        // A task, and not the future that the runtime blocks on: waking that one costs a system call.
        let result = spawn::<P, _>(work(peer.clone())).await.expect("a measurement does not panic");
        Arc::into_inner(peer).expect("nobody else has it any more").stop().await;
        result
    };
    match P::MOVES {
        true => runtime.block_on(whole),
        false => LocalSet::new().block_on(runtime, whole),
    }
}

/// A task where this peer's actors are.
fn spawn<P: Peer, F>(task: F) -> JoinHandle<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    match P::MOVES {
        true => tokio::spawn(task),
        false => tokio::task::spawn_local(task),
    }
}

async fn ask<P: Peer, const ASYNC: bool>(actor: &P::Actor) -> u64 {
    match ASYNC {
        true => P::ask_async(actor, 1).await,
        false => P::ask(actor, 1).await,
    }
}

async fn one_after_another<P: Peer, const ASYNC: bool>(peer: Arc<P>, time: Duration) -> f64 {
    let actor = peer.actor(0).await;
    let mut sum = 0;
    for _ in 0..10 * BATCH {
        sum = ask::<P, ASYNC>(&actor).await;
    }
    let (start, before) = (Instant::now(), sum);
    while start.elapsed() < time {
        for _ in 0..BATCH {
            sum = black_box(ask::<P, ASYNC>(&actor).await);
        }
    }
    (sum - before) as f64 / start.elapsed().as_secs_f64()
}

async fn in_flight<P: Peer>(peer: Arc<P>, time: Duration) -> f64 {
    let actor = peer.actor(0).await;
    let mut asks: FuturesUnordered<_> = (0..IN_FLIGHT).map(|_| P::ask(&actor, 1)).collect();
    let (start, mut done) = (Instant::now(), 0_u64);
    while start.elapsed() < time {
        for _ in 0..BATCH {
            black_box(asks.next().await.expect("a thousand are under way"));
            asks.push(P::ask(&actor, 1));
        }
        done += BATCH;
    }
    let rate = done as f64 / start.elapsed().as_secs_f64();
    while asks.next().await.is_some() {
        done += 1;
    }
    assert_eq!(P::ask(&actor, 1).await, done + 1, "each ask runs once");
    rate
}

/// Each caller has so many asks to make, and not so much time: one that never waits would leave none to the others.
async fn many<P: Peer>(peer: Arc<P>, time: Duration) -> f64 {
    let mut actors = Vec::new();
    for number in 0..ACTORS {
        let actor = peer.actor(number).await;
        P::ask(&actor, 1).await;
        actors.push(actor);
    }
    let actors = Arc::new(actors);
    let trial = all_callers::<P>(&actors, 200).await;
    let each = (trial * time.as_secs_f64() / CALLERS as f64) as usize;
    all_callers::<P>(&actors, each.max(200)).await
}

async fn all_callers<P: Peer>(actors: &Arc<Vec<P::Actor>>, asks_each: usize) -> f64 {
    let start = Instant::now();
    let callers: Vec<_> = (0..CALLERS)
        .map(|caller| {
            let actors = actors.clone();
            spawn::<P, _>(async move {
                for turn in 0..asks_each {
                    // No two callers go the same way.
                    let at = (caller * 101 + turn * (2 * caller + 1)) % ACTORS;
                    black_box(P::ask(&actors[at], 1).await);
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.expect("a caller does not panic");
    }
    (CALLERS * asks_each) as f64 / start.elapsed().as_secs_f64()
}

/// An ask after each ten thousand tells waits until all have been handled, or as many asks as that takes.
async fn tells<P: Peer>(peer: Arc<P>, time: Duration) -> f64 {
    let actor = peer.actor(0).await;
    let before = P::ask(&actor, 1).await;
    let (start, mut sent) = (Instant::now(), 0);
    while start.elapsed() < time {
        for _ in 0..TELLS {
            P::tell(&actor, 1).await;
        }
        sent += TELLS;
        // maybe: an ask overtakes tells that wait for room in a mailbox. Xtra's does.
        for asks in 0.. {
            assert!(asks < TELLS, "a tell is lost");
            if P::ask(&actor, 0).await == before + sent {
                break;
            }
        }
    }
    sent as f64 / start.elapsed().as_secs_f64()
}

async fn spawns<P: Peer>(peer: Arc<P>, count: usize) -> Vec<f64> {
    let warm_up = count / 10;
    let mut kept = Vec::with_capacity(count + warm_up);
    let mut took = Vec::with_capacity(count + warm_up);
    for number in 0..count + warm_up {
        let start = Instant::now();
        let actor = peer.actor(number).await;
        black_box(P::ask(&actor, 1).await);
        took.push(start.elapsed().as_nanos() as f64);
        kept.push(actor);
    }
    let took = &mut took[warm_up..];
    took.sort_by(f64::total_cmp);
    vec![took[took.len() / 2], took[took.len() * 99 / 100]]
}

/// By how much this process grows for each actor that has had one message, with the reference that its caller keeps. One
/// number a process: what an earlier one has left would be used again.
async fn memory<P: Peer>(peer: Arc<P>) -> f64 {
    let warm_up = IDLE_ACTORS / 100;
    let mut kept = Vec::with_capacity(IDLE_ACTORS + warm_up);
    for number in 0..warm_up {
        let actor = peer.actor(number).await;
        P::ask(&actor, 1).await;
        kept.push(actor);
    }
    let before = resident_bytes();
    for number in 0..IDLE_ACTORS {
        let actor = peer.actor(warm_up + number).await;
        P::ask(&actor, 1).await;
        kept.push(actor);
    }
    tokio::task::yield_now().await;
    let after = resident_bytes();
    drop(kept);
    (after - before) / IDLE_ACTORS as f64
}

fn resident_bytes() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells what a process uses");
    let line =
        status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("it tells what is resident");
    let kib: f64 = line.trim().trim_end_matches(" kB").parse().expect("a number of KiB");
    kib * 1024.0
}
