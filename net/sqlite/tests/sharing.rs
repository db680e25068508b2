//! Several stores and processes on one file, and callers who do not wait.

mod child;

use child::Writer;
use quark_core::{Version, WriteId};
use quark_env::Store;
use quark_env::store::{Batch, Committed, RecordKey, StoreError};
use quark_sqlite::{Options, SqliteStore};
use quark_testkit::store_conformance::{block_on, cases};
use rusqlite::Connection;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

fn fresh() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("quark.db");
    (folder, path)
}

fn put(number: u128, row: &str) -> Batch {
    Batch::new("p", WriteId(number)).put(row, number.to_string())
}

fn version(store: &SqliteStore) -> u64 {
    // An unconditional commit tells how many there were before it.
    block_on(store.commit(Batch::new("p", WriteId(u128::MAX)))).unwrap().version.0 - 1
}

/// Someone else in a transaction that may write.
fn lock(path: &PathBuf) -> Connection {
    let other = Connection::open(path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    other
}

#[test]
fn two_stores_on_one_file_are_one_store() {
    let (_folder, path) = fresh();
    let stores: Vec<_> =
        (0..2).map(|_| Arc::new(SqliteStore::open(&path, Options::default()).unwrap())).collect();
    for number in 1..=50 {
        let (writing, reading) = (&stores[number % 2], &stores[(number + 1) % 2]);
        let committed = block_on(writing.commit(put(number as u128, "row"))).unwrap();
        assert_eq!(committed.version, Version(number as u64));
        let record = block_on(reading.read(&RecordKey::new("p", "row"))).unwrap().unwrap();
        assert_eq!(
            record.version,
            Version(number as u64),
            "an acknowledged commit is seen through the other"
        );
    }
    // Both run the contract at once: other seeds, other partitions, one file.
    let threads: Vec<_> = stores
        .into_iter()
        .zip([21, 22])
        .map(|(store, seed)| {
            std::thread::spawn(move || {
                cases().iter().for_each(|case| block_on(case.run(store.clone(), seed)))
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

#[test]
fn two_processes_take_turns() {
    let (_folder, path) = fresh();
    let store = SqliteStore::open(&path, Options::default()).unwrap();
    let writers = ["a", "b", "c"].map(|name| Writer::start(&path, &[name, "4", "25"]));
    for writer in writers {
        let lines = writer.rest();
        assert_eq!(lines.iter().filter(|line| line.starts_with("ok ")).count(), 100, "{lines:?}");
    }
    let record = block_on(store.read(&RecordKey::new("shared", "counter"))).unwrap().unwrap();
    assert_eq!((&*record.value, record.version), (&b"300"[..], Version(300)), "an increment was lost");
}

#[test]
fn a_commit_whose_caller_is_gone_still_happens() {
    let (_folder, path) = fresh();
    let store = SqliteStore::open(&path, Options::default()).unwrap();
    (1..=100).for_each(|number| drop(store.commit(put(number, &number.to_string()))));
    drop(store); // works its queue off
    let store = SqliteStore::open(&path, Options::default()).unwrap();
    assert_eq!(version(&store), 100);
}

#[test]
fn a_lock_held_too_long_is_unavailable_and_reads_go_on() {
    let (_folder, path) = fresh();
    let options = Options { busy_timeout: Duration::from_millis(30), ..Options::default() };
    let store = SqliteStore::open(&path, options).unwrap();
    block_on(store.commit(put(1, "row"))).unwrap();
    let other = lock(&path);
    let error = block_on(store.commit(put(2, "row"))).unwrap_err();
    assert!(matches!(&error, StoreError::Unavailable(why) if why.contains("lock")), "{error:?}");
    let record = block_on(store.read(&RecordKey::new("p", "row"))).unwrap().unwrap();
    assert_eq!(record.version, Version(1), "readers do not wait for writers");
    drop(other);
    assert_eq!(block_on(store.commit(put(2, "row"))), Ok(Committed { version: Version(2) }), "a retry");
}

#[test]
fn a_lock_held_briefly_is_waited_for() {
    let (_folder, path) = fresh();
    let store = SqliteStore::open(&path, Options::default()).unwrap();
    let other = lock(&path);
    let commit = store.commit(put(1, "row"));
    drop(other);
    assert_eq!(block_on(commit), Ok(Committed { version: Version(1) }));
}

#[test]
fn a_full_queue_is_an_answer() {
    let (_folder, path) = fresh();
    let options = Options { queue_commits_max: 2, ..Options::default() };
    let store = SqliteStore::open(&path, options).unwrap();
    let other = lock(&path);
    // The writer takes some and waits for the lock; two more wait in the queue; the rest hears it at once.
    let commits: Vec<_> = (1..=20).map(|number| store.commit(put(number, "row"))).collect();
    drop(other);
    let outcomes: Vec<_> = commits.into_iter().map(block_on).collect();
    let committed = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    assert!((2..20).contains(&committed), "{outcomes:?}");
    for error in outcomes.into_iter().filter_map(Result::err) {
        assert!(matches!(&error, StoreError::Unavailable(why) if why.contains("wait already")), "{error:?}");
    }
    assert_eq!(version(&store), committed as u64, "what was refused did not happen");
}
