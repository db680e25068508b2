//! Commits as fast as it can and tells what was acknowledged, until it is killed: the victim of the crash tests.
//!
//! `writer PATH NAME CALLERS [ROUNDS [BALLAST]]` runs so many concurrent callers. Each adds one to the shared counter (row
//! `counter` of partition `shared`) and puts a row `NAME/CALLER/ROUND` in the same batch. It prints a line per
//! outcome: `ok ROW`, or `unknown ROW WRITE_ID`, `unavailable ROW REASON`. After ten of the last kind it deletes the
//! file BALLAST, which makes room on a full disk. A file that cannot be opened: the reason on
//! standard error, and exit code 2.

use futures_util::future::join_all;
use quark_core::WriteId;
use quark_env::Store;
use quark_env::store::{Batch, RecordKey, StoreError};
use quark_sqlite::{Options, SqliteStore};
use quark_testkit::store_conformance::block_on;
use std::cell::Cell;
use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next();
    let (Some(path), Some(name)) = (next(), next()) else {
        eprintln!("usage: writer PATH NAME CALLERS [ROUNDS [BALLAST]]");
        return ExitCode::FAILURE;
    };
    let number = |text: Option<String>| text.and_then(|text| text.parse::<usize>().ok());
    let callers = number(next()).unwrap_or(1);
    let rounds = number(next()).unwrap_or(usize::MAX);
    let ballast = Ballast { path: next().map(PathBuf::from), refusals: Cell::new(0) };
    let store = match SqliteStore::open(path, Options::default()) {
        Ok(store) => store,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    block_on(join_all((0..callers).map(|caller| write(&store, &name, caller, rounds, &ballast))));
    ExitCode::SUCCESS
}

async fn write(store: &SqliteStore, name: &str, caller: usize, rounds: usize, ballast: &Ballast) {
    for round in 0..rounds {
        let row = format!("{name}/{caller}/{round}");
        loop {
            let batch = match store.read(&RecordKey::new("shared", "counter")).await {
                Ok(found) => increment(found, &row),
                Err(error) => return println!("unreadable {row} {error}"),
            };
            let WriteId(write_id) = batch.write_id;
            match store.commit(batch).await {
                Ok(_) => println!("ok {row}"),
                Err(StoreError::Conflict { .. }) => continue,
                Err(StoreError::Indeterminate(_)) => println!("unknown {row} {write_id:x}"),
                Err(StoreError::Unavailable(reason)) => {
                    println!("unavailable {row} {reason}");
                    ballast.refused();
                }
                Err(error) => println!("error {row} {error}"),
            }
            break;
        }
    }
}

/// A file that takes up room until enough commits were refused.
struct Ballast {
    path: Option<PathBuf>,
    refusals: Cell<u32>,
}

impl Ballast {
    fn refused(&self) {
        self.refusals.set(self.refusals.get() + 1);
        if let (Some(path), 10) = (&self.path, self.refusals.get()) {
            std::fs::remove_file(path).expect("the ballast is there");
        }
    }
}

fn increment(found: Option<quark_env::store::Record>, row: &str) -> Batch {
    let number = |text: &[u8]| std::str::from_utf8(text).expect("ASCII").parse::<u64>().expect("a number");
    let count = found.as_ref().map_or(0, |record| number(&record.value)) + 1;
    let write_id = u128::from(quark_core::hash::point(row.as_bytes())) << 64 | u128::from(count);
    let batch =
        Batch::new("shared", WriteId(write_id)).put("counter", count.to_string()).put(row, vec![b'.'; 200]);
    match found {
        None => batch.expect_absent("counter"),
        Some(record) => batch.expect_version("counter", record.version),
    }
}
