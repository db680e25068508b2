//! How many commits a second, beside what bare SQLite does in the same run on the same disk.
//!
//! `cargo run --release -p quark-sqlite --example throughput -- [--json] [--seconds 3] [--folder PATH] [--only TEXT]`
//!
//! Method. A commit is what a durable actor's turn commits: one check and one put of 100 bytes, in one partition. There
//! are 1000 partitions which take turns ("few"), or 100 000 of which each commit takes one at random ("many", written once
//! before the clock starts): few share their pages, which is the best case, and of many each commit has a page of its own to
//! write. Callers are concurrent, each waits for its commit before the next. "Bare" is the ceiling: one thread,
//! one prepared upsert of the same bytes under the same keys into a table of its own, as many of them in a transaction as
//! there are callers; no queue, no check, no version, no write id. Latency is from call to acknowledgement. The three stores
//! are three handles on one file with 64 callers each, as three processes would be; "least" is the share of the
//! hindmost, 33 % being fair. "1 beside 512" is one caller at a store whose file another store with 512 callers keeps
//! locked: what a quiet process suffers from a busy one. `--only` runs the rows whose name contains the text. Files are
//! deleted at the end. Run it on the disk that you mean.

use futures_util::future::join_all;
use quark_core::{Version, WriteId};
use quark_env::Store;
use quark_env::store::{Batch, RecordKey};
use quark_sqlite::{Durability, Options, SqliteStore};
use quark_testkit::store_conformance::block_on;
use rusqlite::{Connection, params};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const CALLERS: [usize; 4] = [1, 64, 512, 2048];
/// Of which partition the next commit is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Load {
    /// They take turns.
    Few,
    /// Any of them.
    Many,
}
const VALUE: [u8; 100] = [b'v'; 100];

impl Load {
    fn partitions(self) -> usize {
        match self {
            Self::Few => 1000,
            Self::Many => 100_000,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Few => "few",
            Self::Many => "many",
        }
    }

    /// Which of so many is next.
    fn pick(self, round: usize, salt: usize, of: usize) -> usize {
        match self {
            Self::Few => round % of,
            Self::Many => {
                quark_core::hash::mix(round as u64 ^ quark_core::hash::mix(salt as u64)) as usize % of
            }
        }
    }
}

fn main() {
    let (mut json, mut seconds, mut folder) = (false, 3.0, std::env::temp_dir());
    let mut only = String::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match (argument.as_str(), &mut arguments) {
            ("--json", _) => json = true,
            ("--seconds", rest) => seconds = rest.next().and_then(|n| n.parse().ok()).unwrap_or(seconds),
            ("--only", rest) => only = rest.next().unwrap_or(only),
            ("--folder", rest) => folder = rest.next().map(PathBuf::from).unwrap_or(folder),
            (other, _) => {
                panic!("unknown argument {other}: [--json] [--seconds N] [--folder PATH] [--only TEXT]")
            }
        }
    }
    let folder = tempfile::tempdir_in(folder).expect("a writable folder");
    let limit = Duration::from_secs_f64(seconds);
    let mut rows = Vec::new();
    let wanted = |label: &str| label.contains(&only);
    for (name, durability) in [("full", Durability::Full), ("normal", Durability::Normal)] {
        for load in [Load::Few, Load::Many] {
            for callers in CALLERS {
                let label = format!("{name}, {}, {callers} callers", load.name());
                if !wanted(&label) {
                    continue;
                }
                let path = |what: &str| folder.path().join(format!("{what}.db"));
                let bare = bare(&path("bare"), durability, load, callers, limit);
                let mut ours = commits(&[(&open(&path("ours"), durability), callers)], load, limit).0;
                (ours.label, ours.bare) = (label, Some(bare));
                rows.push(ours);
                for what in ["bare", "ours"] {
                    std::fs::remove_file(path(what)).expect("it was closed");
                }
            }
        }
        let label = format!("{name}, 3 stores of 64");
        if wanted(&label) {
            let path = folder.path().join(format!("three-{name}.db"));
            let stores: Vec<_> = (0..3).map(|_| open(&path, durability)).collect();
            let (mut three, _) = commits(&[0, 1, 2].map(|at| (&stores[at], 64)), Load::Few, limit);
            three.label = label;
            rows.push(three);
        }
        let label = format!("{name}, 1 beside 512");
        if wanted(&label) {
            let path = folder.path().join(format!("beside-{name}.db"));
            let (busy, quiet) = (open(&path, durability), open(&path, durability));
            let (_, mut one) = commits(&[(&busy, 512), (&quiet, 1)], Load::Few, limit);
            one.label = label;
            rows.push(one);
        }
    }
    if wanted("reads, 64 callers") {
        let store = open(&folder.path().join("reads.db"), Durability::Normal);
        fill(&[(&store, 64)], Load::Few);
        rows.push(reads(&store, 64, limit));
    }
    if json {
        let rows: Vec<_> = rows.iter().map(Row::json).collect();
        println!("{}", serde_json::json!({ "value_bytes": VALUE.len(), "seconds": seconds, "rows": rows }));
    } else {
        println!(
            "{:28} {:>10} {:>9} {:>9} {:>10} {:>7} {:>7}",
            "", "per second", "p50 ms", "p99 ms", "bare", "ratio", "least"
        );
        rows.iter().for_each(Row::print);
    }
}

struct Row {
    label: String,
    per_second: f64,
    p50_ms: f64,
    p99_ms: f64,
    bare: Option<f64>,
    least_share: Option<f64>,
}

impl Row {
    fn of(label: &str, counts: &[usize], mut latencies: Vec<Duration>, took: Duration) -> Self {
        latencies.sort_unstable();
        let at = |part: f64| latencies[((latencies.len() - 1) as f64 * part) as usize].as_secs_f64() * 1e3;
        let least = counts.iter().min().expect("one store at least");
        Self {
            label: label.into(),
            per_second: latencies.len() as f64 / took.as_secs_f64(),
            p50_ms: at(0.5),
            p99_ms: at(0.99),
            bare: None,
            least_share: (counts.len() > 1).then(|| *least as f64 / latencies.len() as f64),
        }
    }

    fn print(&self) {
        let or_dash =
            |value: Option<f64>, digits: usize| value.map_or("-".into(), |v| format!("{v:.digits$}"));
        println!(
            "{:24} {:>10.0} {:>9.2} {:>9.2} {:>10} {:>7} {:>7}",
            self.label,
            self.per_second,
            self.p50_ms,
            self.p99_ms,
            or_dash(self.bare, 0),
            or_dash(self.bare.map(|bare| self.per_second / bare), 2),
            or_dash(self.least_share, 2),
        );
    }

    fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "label": self.label, "per_second": self.per_second, "p50_ms": self.p50_ms, "p99_ms": self.p99_ms,
            "bare_per_second": self.bare, "least_share": self.least_share,
        })
    }
}

fn open(path: &Path, durability: Durability) -> SqliteStore {
    SqliteStore::open(path, Options { durability, ..Options::default() }).expect("a fresh file")
}

/// Commits through the stores with so many callers each, every store driven by a thread of its own. What all did, and
/// what the last did.
fn commits(stores: &[(&SqliteStore, usize)], load: Load, limit: Duration) -> (Row, Row) {
    let mut versions = fill(stores, load);
    let start = Instant::now();
    let per_store: Vec<Vec<Duration>> = std::thread::scope(|scope| {
        let drive = |at: usize, versions: Vec<Vec<Version>>| {
            let (store, callers) = stores[at];
            scope.spawn(move || {
                let each = |(caller, versions)| {
                    let caller = Caller { at, caller, callers, load };
                    commit_until(store, caller, versions, start + limit)
                };
                block_on(join_all(versions.into_iter().enumerate().map(each))).concat()
            })
        };
        let threads: Vec<_> =
            versions.drain(..).enumerate().map(|(at, versions)| drive(at, versions)).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    let took = start.elapsed();
    let counts: Vec<_> = per_store.iter().map(Vec::len).collect();
    let last = per_store.last().expect("one store at least").clone();
    (Row::of("", &counts, per_store.concat(), took), Row::of("", &[last.len()], last, took))
}

/// One caller of one store: it owns every `callers`-th partition.
#[derive(Clone, Copy)]
struct Caller {
    at: usize,
    caller: usize,
    callers: usize,
    load: Load,
}

impl Caller {
    fn partitions(self) -> usize {
        (self.caller..self.load.partitions().max(self.callers)).step_by(self.callers).len()
    }

    /// Its commit of this number, of its partition of this number.
    fn batch(self, round: u64, at: usize, version: Version) -> Batch {
        let name = format!("account/{}/{}", self.at, self.caller + at * self.callers);
        let salt = (self.at * 100_000 + self.caller) as u64;
        let id = quark_core::hash::mix(round ^ quark_core::hash::mix(salt));
        let batch = Batch::new(&*name, WriteId(u128::from(id))).put("state", VALUE.to_vec());
        match version {
            Version(0) => batch.expect_absent("state"),
            version => batch.expect_version("state", version),
        }
    }
}

/// Each partition's first commit; the versions by store, caller and partition.
fn fill(stores: &[(&SqliteStore, usize)], load: Load) -> Vec<Vec<Vec<Version>>> {
    // All at once, within what may wait: with one caller it would be a sync for each.
    let of_caller = async |store: &SqliteStore, caller: Caller| {
        let all: Vec<usize> = (0..caller.partitions()).collect();
        let mut versions = Vec::new();
        for some in all.chunks((8192 / caller.callers).max(1)) {
            let some =
                some.iter().map(|at| store.commit(caller.batch(u64::MAX - *at as u64, *at, Version(0))));
            let done = join_all(some).await.into_iter();
            versions.extend(done.map(|done| done.expect("nobody else writes this partition").version));
        }
        versions
    };
    let of_store = |(at, &(store, callers)): (usize, &(&SqliteStore, usize))| {
        let each = (0..callers).map(|caller| of_caller(store, Caller { at, caller, callers, load }));
        block_on(join_all(each))
    };
    stores.iter().enumerate().map(of_store).collect()
}

async fn commit_until(
    store: &SqliteStore,
    caller: Caller,
    mut versions: Vec<Version>,
    end: Instant,
) -> Vec<Duration> {
    let mut latencies = Vec::new();
    for round in 0_u64.. {
        let at = caller.load.pick(round as usize, caller.caller, versions.len());
        let batch = caller.batch(round, at, versions[at]);
        let asked = Instant::now();
        if asked >= end {
            break;
        }
        versions[at] = store.commit(batch).await.expect("nobody else writes this partition").version;
        latencies.push(asked.elapsed());
    }
    latencies
}

fn reads(store: &SqliteStore, callers: usize, limit: Duration) -> Row {
    let start = Instant::now();
    let one = |caller: usize| async move {
        let mut latencies = Vec::new();
        for round in caller.. {
            let key = RecordKey::new(&*format!("account/0/{}", round % Load::Few.partitions()), "state");
            let asked = Instant::now();
            if asked >= start + limit {
                break;
            }
            store.read(&key).await.expect("readable").expect("it was written");
            latencies.push(asked.elapsed());
        }
        latencies
    };
    let latencies = block_on(join_all((0..callers).map(one))).concat();
    let count = latencies.len();
    Row::of(&format!("reads, {callers} callers"), &[count], latencies, start.elapsed())
}

/// Upserts a second, `group` to a transaction, with nothing around them.
fn bare(path: &Path, durability: Durability, load: Load, group: usize, limit: Duration) -> f64 {
    let connection = Connection::open(path).expect("a fresh file");
    let synchronous = if durability == Durability::Full { "FULL" } else { "NORMAL" };
    let script = format!(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = {synchronous}; PRAGMA wal_autocheckpoint = 4096;
         PRAGMA cache_size = -16384; CREATE TABLE kv (key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID;"
    );
    connection.execute_batch(&script).expect("valid");
    let partitions = load.partitions();
    let names: Vec<_> = (0..partitions).map(|n| format!("account/0/{n}")).collect();
    let mut upsert = connection
        .prepare("INSERT INTO kv VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = ?2")
        .expect("valid");
    connection.execute_batch("BEGIN IMMEDIATE").expect("alone");
    for name in &names {
        upsert.execute(params![name, &VALUE[..]]).expect("room");
    }
    connection.execute_batch("COMMIT").expect("room");
    let (start, mut count, mut value) = (Instant::now(), 0_usize, VALUE);
    while start.elapsed() < limit {
        connection.execute_batch("BEGIN IMMEDIATE").expect("alone");
        for _ in 0..group {
            // A changing value: SQLite writes nothing when the bytes are the same.
            value[..8].copy_from_slice(&count.to_be_bytes());
            upsert.execute(params![names[load.pick(count, 0, partitions)], &value[..]]).expect("room");
            count += 1;
        }
        connection.execute_batch("COMMIT").expect("room");
    }
    count as f64 / start.elapsed().as_secs_f64()
}
