//! How many commits a second, beside what the same server does in the same run for a bare client.
//!
//! `cargo run --release -p quark-redis --example throughput -- [--json] [--seconds 3] [--url redis://..] [--aof]`
//!
//! Method. A commit is what a durable actor's turn commits: one check and one put of 100 bytes, in one of some thousand
//! partitions. Callers are concurrent, each waits for its commit before the next. Without `--url` a server is started,
//! on the loopback interface, without persistence or (`--aof`) with an append-only file synced every second. "Bare" is
//! the ceiling: the same script with the same arguments, in pipelines of 64, three at a time on each of two connections,
//! by a client that does nothing else; the better of one run before and one after. "Alone" is the store with `pipeline_max` 1: each request multiplexed by itself.
//! "Half load" is a fixed rate, half of what 512 callers reached: callers draw a load or a save in turn, and latency
//! counts from the moment at which it was due. Server, store and callers share the machine's processors.

#[path = "../tests/server/mod.rs"]
mod server;

use futures_util::future::join_all;
use hdrhistogram::Histogram;
use quark_core::hash::mix;
use quark_core::{Version, WriteId};
use quark_env::Store;
use quark_env::store::{Batch, RecordKey};
use quark_redis::{Options, RedisStore};
use redis::Value;
use std::time::{Duration, Instant};

const VALUE: [u8; 100] = [b'v'; 100];

fn main() {
    let (mut json, mut seconds, mut url, mut aof) = (false, 3.0, None, "no");
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--json" => json = true,
            "--aof" => aof = "yes",
            "--seconds" => seconds = arguments.next().and_then(|n| n.parse().ok()).unwrap_or(seconds),
            "--url" => url = arguments.next(),
            other => panic!("unknown argument {other}: [--json] [--seconds N] [--url URL] [--aof]"),
        }
    }
    let started = url.is_none().then(|| server::Server::start(&["--appendonly", aof]));
    let url = url.unwrap_or_else(|| started.as_ref().expect("one or the other").url());
    let limit = Duration::from_secs_f64(seconds);
    let open = |options| RedisStore::open(&url, options).expect("a server");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut rows = Vec::new();
    let before = runtime.block_on(bare(&url, "before", limit));
    let (store, alone) = (open(Options::default()), open(Options { pipeline_max: 1, ..Options::default() }));
    for callers in [1, 64, 512] {
        rows.push(runtime.block_on(commits(&format!("commits, {callers} callers"), &store, callers, limit)));
        if callers > 1 {
            let label = format!("alone, {callers} callers");
            rows.push(runtime.block_on(commits(&label, &alone, callers, limit)));
        }
    }
    let bare = before.max(runtime.block_on(bare(&url, "after", limit)));
    let best = rows.iter().filter(|row| row.label.starts_with("commits")).map(|row| row.per_second);
    let best = best.fold(0.0, f64::max);
    rows.extend(runtime.block_on(half_load(&store, best / 2.0, limit)));
    if json {
        let rows: Vec<_> = rows.iter().map(Row::json).collect();
        println!("{}", serde_json::json!({ "bare_per_second": bare, "seconds": seconds, "rows": rows }));
        return;
    }
    println!("{:24} {:>10} {:>9} {:>9}", "", "per second", "p50 ms", "p99 ms");
    for row in &rows {
        println!("{:24} {:>10.0} {:>9.2} {:>9.2}", row.label, row.per_second, row.p50_ms, row.p99_ms);
    }
    println!("{:24} {bare:>10.0}\nbest of ours to bare: {:.2}", "bare", best / bare);
}

struct Row {
    label: String,
    per_second: f64,
    p50_ms: f64,
    p99_ms: f64,
}

impl Row {
    fn of(label: &str, latencies: &Histogram<u64>, took: Duration) -> Self {
        let at = |part: f64| latencies.value_at_quantile(part) as f64 / 1e6;
        let per_second = latencies.len() as f64 / took.as_secs_f64();
        Self { label: label.into(), per_second, p50_ms: at(0.5), p99_ms: at(0.99) }
    }

    fn json(&self) -> serde_json::Value {
        let Self { label, per_second, p50_ms, p99_ms } = self;
        serde_json::json!({ "label": label, "per_second": per_second, "p50_ms": p50_ms, "p99_ms": p99_ms })
    }
}

fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1000, 60_000_000_000, 3).expect("good bounds")
}

/// A caller's own partitions, and what it knows of them.
struct Caller {
    names: Vec<String>,
    versions: Vec<Version>,
    turn: u64,
    salt: u64,
}

impl Caller {
    fn new(of: &str, number: usize, partitions: usize) -> Self {
        let names = (0..partitions).map(|n| format!("{of}/{number}/{n}")).collect();
        let salt = mix(number as u64 ^ mix(of.len() as u64 ^ u64::from(std::process::id())));
        Self { names, versions: vec![Version(0); partitions], turn: 0, salt }
    }

    /// The next partition of its round, and what to commit there.
    fn next(&mut self) -> (usize, Batch) {
        let at = self.turn as usize % self.names.len();
        self.turn += 1;
        let id =
            u128::from(mix(self.turn ^ self.salt)) << 64 | u128::from(mix(self.salt.wrapping_add(self.turn)));
        let batch = Batch::new(&*self.names[at], WriteId(id)).put("state", VALUE.to_vec());
        let batch = match self.versions[at] {
            Version(0) => batch.expect_absent("state"),
            version => batch.expect_version("state", version),
        };
        (at, batch)
    }
}

async fn commits(label: &str, store: &RedisStore, callers: usize, limit: Duration) -> Row {
    let start = Instant::now();
    let one = |number: usize| async move {
        let (mut caller, mut latencies) = (Caller::new(label, number, 8), Vec::new());
        loop {
            let (at, batch) = caller.next();
            let asked = Instant::now();
            if asked >= start + limit {
                return latencies;
            }
            caller.versions[at] = store.commit(batch).await.expect("nobody else writes this").version;
            latencies.push(asked.elapsed());
        }
    };
    let all = join_all((0..callers).map(one)).await;
    let mut latencies = histogram();
    all.concat().iter().for_each(|latency| latencies.saturating_record(latency.as_nanos() as u64));
    Row::of(label, &latencies, start.elapsed())
}

/// Loads and saves at a fixed rate, each due at its own moment.
async fn half_load(store: &RedisStore, per_second: f64, limit: Duration) -> Vec<Row> {
    const CALLERS: usize = 128;
    let period = Duration::from_secs_f64(CALLERS as f64 / per_second);
    let start = Instant::now();
    let one = |number: usize| async move {
        let mut caller = Caller::new("half", number, 8);
        let (mut loads, mut saves) = (Vec::new(), Vec::new());
        let first = start + period.mul_f64(number as f64 / CALLERS as f64);
        let mut ticks = tokio::time::interval_at(first.into(), period);
        loop {
            let due = ticks.tick().await.into_std();
            if due >= start + limit {
                return (loads, saves);
            }
            // The timer itself is only good to a millisecond: what it is late is not the store's.
            let asked = Instant::now();
            if loads.len() < saves.len() {
                let key = RecordKey::new(&*caller.names[loads.len() % saves.len().min(8)], "state");
                store.read(&key).await.expect("readable").expect("it was written");
                loads.push(asked.elapsed());
            } else {
                let (at, batch) = caller.next();
                caller.versions[at] = store.commit(batch).await.expect("nobody else writes this").version;
                saves.push(asked.elapsed());
            }
        }
    };
    let all = join_all((0..CALLERS).map(one)).await;
    let took = start.elapsed();
    let (mut loads, mut saves) = (histogram(), histogram());
    for (of_loads, of_saves) in &all {
        of_loads.iter().for_each(|latency| loads.saturating_record(latency.as_nanos() as u64));
        of_saves.iter().for_each(|latency| saves.saturating_record(latency.as_nanos() as u64));
    }
    vec![Row::of("loads at half load", &loads, took), Row::of("saves at half load", &saves, took)]
}

/// The same script, with nothing around it.
async fn bare(url: &str, name: &'static str, limit: Duration) -> f64 {
    let client = redis::Client::open(url).expect("a URL");
    let start = Instant::now();
    let mut flights = Vec::new();
    for connection in 0..2 {
        let mut wire = client.get_multiplexed_async_connection().await.expect("a server");
        let mut load = redis::cmd("SCRIPT");
        load.arg("LOAD").arg(include_str!("../src/scripts/commit.lua"));
        let script: String = load.query_async(&mut wire).await.expect("loaded");
        flights.extend(
            (0..3).map(|flight| {
                fly(wire.clone(), script.clone(), name, connection * 3 + flight, start + limit)
            }),
        );
    }
    let count: usize = join_all(flights).await.into_iter().sum();
    count as f64 / start.elapsed().as_secs_f64()
}

async fn fly(
    mut wire: redis::aio::MultiplexedConnection,
    script: String,
    name: &str,
    number: u64,
    end: Instant,
) -> usize {
    const WIDTH: usize = 64;
    let keys: Vec<_> =
        (0..WIDTH).map(|n| ["p", "o"].map(|kind| format!("bare:{kind}{{.{name}/{number}/{n}}}"))).collect();
    let (mut versions, mut count) = (vec![0_u64; WIDTH], 0);
    let body = [&[0_u8; 20][..], &VALUE].concat();
    while Instant::now() < end {
        let mut pipeline = redis::Pipeline::with_capacity(WIDTH);
        for (n, keys) in keys.iter().enumerate() {
            let id = u128::from(mix((number << 40) ^ (count + n) as u64)) << 64 | (count + n) as u128;
            let print = (mix(id as u64 ^ number) as u16).to_be_bytes();
            let version = versions[n].to_be_bytes();
            let expected: &[u8] = if versions[n] == 0 { b"" } else { &version };
            pipeline.cmd("EVALSHA").arg(&script).arg(2).arg(&keys[0]).arg(&keys[1]);
            pipeline.arg(&id.to_be_bytes()).arg(&print).arg(versions[n]).arg(1).arg(1).arg("v").arg("w");
            pipeline.arg("rstate").arg(expected).arg(1).arg("rstate").arg(&body);
        }
        let answers = wire.send_packed_commands(&pipeline, 0, WIDTH).await.expect("a server");
        for (version, answer) in versions.iter_mut().zip(answers) {
            match answer {
                Value::Int(now) => *version = now as u64,
                other => panic!("{other:?}"),
            }
        }
        count += WIDTH;
    }
    count
}
