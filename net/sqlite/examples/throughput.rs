//! How many commits a second, beside what bare SQLite does in the same run on the same disk.
//!
//! `cargo run --release -p quark-sqlite --example throughput -- [--json] [--seconds 3] [--folder PATH]`
//!
//! Method. A commit is what a durable actor's turn commits: one check and one put of 100 bytes, in one of 1000
//! partitions. Callers are concurrent, each waits for its commit before the next. "Bare" is the ceiling: one thread,
//! one prepared upsert of the same bytes into a table of its own, as many of them in a transaction as there are
//! callers; no queue, no check, no version, no write id. Latency is from call to acknowledgement. The three stores
//! are three handles on one file with 64 callers each, as three processes would be; "least" is the share of the
//! hindmost, 33 % being fair. "1 beside 512" is one caller at a store whose file another store with 512 callers keeps
//! locked: what a quiet process suffers from a busy one. Files are deleted at the end. Run it on the disk that you mean.

use futures_util::future::join_all;
use quark_core::{Version, WriteId};
use quark_env::Store;
use quark_env::store::{Batch, RecordKey};
use quark_sqlite::{Durability, Options, SqliteStore};
use quark_testkit::store_conformance::block_on;
use rusqlite::{Connection, params};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const CALLERS: [usize; 3] = [1, 64, 512];
const PARTITIONS: usize = 1000;
const VALUE: [u8; 100] = [b'v'; 100];

fn main() {
    let (mut json, mut seconds, mut folder) = (false, 3.0, std::env::temp_dir());
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match (argument.as_str(), &mut arguments) {
            ("--json", _) => json = true,
            ("--seconds", rest) => seconds = rest.next().and_then(|n| n.parse().ok()).unwrap_or(seconds),
            ("--folder", rest) => folder = rest.next().map(PathBuf::from).unwrap_or(folder),
            (other, _) => panic!("unknown argument {other}: [--json] [--seconds N] [--folder PATH]"),
        }
    }
    let folder = tempfile::tempdir_in(folder).expect("a writable folder");
    let limit = Duration::from_secs_f64(seconds);
    let mut rows = Vec::new();
    for (name, durability) in [("full", Durability::Full), ("normal", Durability::Normal)] {
        for callers in CALLERS {
            let path = |what: &str| folder.path().join(format!("{what}-{name}-{callers}.db"));
            let bare = bare(&path("bare"), durability, callers, limit);
            let mut ours = commits(&[(&open(&path("ours"), durability), callers)], limit).0;
            ours.label = format!("{name}, {callers} callers");
            ours.bare = Some(bare);
            rows.push(ours);
        }
        let path = folder.path().join(format!("three-{name}.db"));
        let stores: Vec<_> = (0..3).map(|_| open(&path, durability)).collect();
        let (mut three, _) = commits(&[0, 1, 2].map(|at| (&stores[at], 64)), limit);
        three.label = format!("{name}, 3 stores of 64");
        rows.push(three);
        let path = folder.path().join(format!("beside-{name}.db"));
        let (busy, quiet) = (open(&path, durability), open(&path, durability));
        let (_, mut one) = commits(&[(&busy, 512), (&quiet, 1)], limit);
        one.label = format!("{name}, 1 beside 512");
        rows.push(one);
    }
    let store = open(&folder.path().join("ours-normal-512.db"), Durability::Normal);
    rows.push(reads(&store, 64, limit));
    if json {
        let rows: Vec<_> = rows.iter().map(Row::json).collect();
        println!("{}", serde_json::json!({ "value_bytes": VALUE.len(), "seconds": seconds, "rows": rows }));
    } else {
        println!(
            "{:24} {:>10} {:>9} {:>9} {:>10} {:>7} {:>7}",
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
fn commits(stores: &[(&SqliteStore, usize)], limit: Duration) -> (Row, Row) {
    let start = Instant::now();
    let per_store: Vec<Vec<Duration>> = std::thread::scope(|scope| {
        let drive = |at: usize| {
            let (store, callers) = stores[at];
            scope.spawn(move || {
                let callers =
                    (0..callers).map(|caller| commit_until(store, at, caller, callers, start + limit));
                block_on(join_all(callers)).concat()
            })
        };
        let threads: Vec<_> = (0..stores.len()).map(drive).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    let took = start.elapsed();
    let counts: Vec<_> = per_store.iter().map(Vec::len).collect();
    let last = per_store.last().expect("one store at least").clone();
    (Row::of("", &counts, per_store.concat(), took), Row::of("", &[last.len()], last, took))
}

/// One caller: it owns every `callers`-th partition of its store and goes through them in turn.
async fn commit_until(
    store: &SqliteStore,
    of: usize,
    caller: usize,
    callers: usize,
    end: Instant,
) -> Vec<Duration> {
    let names: Vec<_> =
        (caller..PARTITIONS.max(callers)).step_by(callers).map(|n| format!("account/{of}/{n}")).collect();
    let mut versions = vec![Version(0); names.len()];
    let mut latencies = Vec::new();
    for round in 0_u64.. {
        let at = round as usize % names.len();
        let id = quark_core::hash::mix(round ^ quark_core::hash::mix((of * 1000 + caller) as u64));
        let batch = Batch::new(&*names[at], WriteId(u128::from(id))).put("state", VALUE.to_vec());
        let batch = match versions[at] {
            Version(0) => batch.expect_absent("state"),
            version => batch.expect_version("state", version),
        };
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
            let key = RecordKey::new(&*format!("account/0/{}", round % PARTITIONS), "state");
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
fn bare(path: &Path, durability: Durability, group: usize, limit: Duration) -> f64 {
    let connection = Connection::open(path).expect("a fresh file");
    let synchronous = if durability == Durability::Full { "FULL" } else { "NORMAL" };
    let script = format!(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = {synchronous}; PRAGMA wal_autocheckpoint = 4096;
         CREATE TABLE kv (key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID;"
    );
    connection.execute_batch(&script).expect("valid");
    let names: Vec<_> = (0..PARTITIONS).map(|n| format!("account/0/{n}")).collect();
    let mut upsert = connection
        .prepare("INSERT INTO kv VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = ?2")
        .expect("valid");
    let (start, mut count, mut value) = (Instant::now(), 0_usize, VALUE);
    while start.elapsed() < limit {
        connection.execute_batch("BEGIN IMMEDIATE").expect("alone");
        for _ in 0..group {
            // A changing value: SQLite writes nothing when the bytes are the same.
            value[..8].copy_from_slice(&count.to_be_bytes());
            upsert.execute(params![names[count % PARTITIONS], &value[..]]).expect("room");
            count += 1;
        }
        connection.execute_batch("COMMIT").expect("room");
    }
    count as f64 / start.elapsed().as_secs_f64()
}
