//! One exchange and three planted bugs, as small programs on each engine: what the programs share, and how they are counted.
//!
//! - **ping-pong**: one host asks another, one question at a time, with a millisecond each way where the engine lets one
//!   choose. Round trips a second of real time.
//! - **lost update**: a client writes 1 and then 2 to a register, over two connections or as two datagrams, with a gap of
//!   eight ninths of the spread between the fastest and the slowest message. If they change places, the register keeps 1.
//! - **lease from receipt**: two clients take turns at a lease of 100 ms. The server counts from when it grants, the clients
//!   from when they hear of it, less a margin that only the slowest twentieth of all answers outlasts.
//! - **retry executes twice**: a client adds 1 and retries what was not answered; the server, which has no memory of
//!   requests, crashes once, at a moment that the seed decides, a millisecond of which lies between doing and answering.
//!
//! A run is one seed in a new world, over within about a second of simulated time. Messages take 1 to 10 ms, evenly, where
//! the engine lets one choose: turmoil's are exponential in whole milliseconds, moonpool's builder gives 0.1 to 0.6 ms and
//! the programs are cut to that. So the odds are of one order on all engines, by construction, and *runs until found* says
//! little; *seconds until found* says what a run costs, and what the engine's own faults add: moonpool's sleeps are late at
//! times without being told to, which alone makes a client retry.

use serde::Serialize;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What an engine's programs came to.
#[derive(Serialize)]
pub struct Report {
    /// Its name and version.
    pub engine: &'static str,
    /// Of ping-pong.
    pub round_trips_per_s: f64,
    /// The planted bugs, in the order of the crate's documentation.
    pub bugs: Vec<Hunt>,
}

/// The search for one bug, repeated from several first seeds.
#[derive(Serialize)]
pub struct Hunt {
    /// Which.
    pub bug: &'static str,
    /// How many searches found it, and of how many.
    pub found: (u64, u64),
    /// How many runs that took, each time it was found; sorted.
    pub runs: Vec<u64>,
    /// Real time of all searches.
    pub seconds: f64,
    /// Runs of all searches.
    pub runs_all: u64,
}

/// What the programs write down, outside of the simulated machines.
#[derive(Default)]
pub struct Board {
    /// The register, or the sum: the server's disk, which outlives it.
    pub value: AtomicU64,
    /// Calls that the client knows to be done.
    pub done: AtomicU64,
    believed_ns: [AtomicU64; 2],
    violated: AtomicBool,
    /// The lease ends then, as the server counts.
    until_ns: AtomicU64,
}

impl Board {
    /// The server is asked for the lease at true time `now`.
    pub fn grant(&self, now: Duration) -> bool {
        let now = now.as_nanos() as u64;
        let is_free = self.until_ns.load(Ordering::Relaxed) <= now;
        if is_free {
            self.until_ns.store(now + LEASE.as_nanos() as u64, Ordering::Relaxed);
        }
        is_free
    }

    /// A client believes from true time `now` on that it has the lease, until then.
    pub fn hold(&self, me: usize, now: Duration, until: Duration) {
        if self.believed_ns[1 - me].load(Ordering::Relaxed) > now.as_nanos() as u64 {
            self.violated.store(true, Ordering::Relaxed);
        }
        self.believed_ns[me].store(until.as_nanos() as u64, Ordering::Relaxed);
    }

    /// Whether two held it at once.
    pub fn is_violated(&self) -> bool {
        self.violated.load(Ordering::Relaxed)
    }

    /// Whether more was added than was asked for.
    pub fn is_doubled(&self) -> bool {
        self.value.load(Ordering::Relaxed) > self.done.load(Ordering::Relaxed)
    }
}

/// How long the server grants the lease.
pub const LEASE: Duration = Duration::from_millis(100);
/// What a client keeps clear of its end.
pub const MARGIN: Duration = Duration::from_millis(6);
/// How long a client waits before it asks again.
pub const POLL: Duration = Duration::from_millis(5);
/// Between the two writes to the register.
pub const GAP: Duration = Duration::from_millis(8);
/// How long a client of the lease asks.
pub const LEASE_RUN: Duration = Duration::from_millis(1000);
/// Calls of the client that adds.
pub const CALLS: u64 = 30;
/// How long a call waits before it is retried.
pub const PATIENCE: Duration = Duration::from_millis(60);
/// Between doing and answering.
pub const DISK: Duration = Duration::from_millis(1);
/// Round trips of ping-pong.
pub const TRIPS: u64 = 20_000;

/// When the server crashes in this run, and it stays down for [`DOWN`].
pub fn crash_at(seed: u64) -> Duration {
    Duration::from_micros(50_000 + mix(seed) % 250_000)
}

/// How long it is down.
pub const DOWN: Duration = Duration::from_millis(40);

fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Runs everything, and prints the report as one line of JSON.
pub fn measure(engine: &'static str, ping_pong: impl Fn(), bugs: [(&'static str, &dyn Fn(u64) -> bool); 3]) {
    // The best of three: a shared machine can only slow a run down.
    let once = || {
        let began = Instant::now();
        ping_pong();
        TRIPS as f64 / began.elapsed().as_secs_f64()
    };
    let round_trips_per_s = (0..3).map(|_| once()).fold(0.0, f64::max);
    let bugs = bugs.map(|(bug, run)| hunt(bug, run)).into();
    let report = Report { engine, round_trips_per_s, bugs };
    println!("{}", serde_json::to_string(&report).expect("plain data"));
}

fn hunt(bug: &'static str, run: &dyn Fn(u64) -> bool) -> Hunt {
    let (mut runs, mut runs_all) = (Vec::new(), 0);
    let began = Instant::now();
    for search in 0..SEARCHES {
        let found = (0..RUNS_MAX).find(|at| {
            runs_all += 1;
            run(search * RUNS_MAX + at)
        });
        runs.extend(found.map(|at| at + 1));
        if began.elapsed() > TIME_MAX {
            break;
        }
    }
    runs.sort_unstable();
    let seconds = began.elapsed().as_secs_f64();
    Hunt { bug, found: (runs.len() as u64, SEARCHES), runs, seconds, runs_all }
}

const SEARCHES: u64 = 20;
const RUNS_MAX: u64 = 2000;
const TIME_MAX: Duration = Duration::from_secs(60);
