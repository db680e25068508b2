//! Files that are not what they should be: a clear reason, and nothing changed.

mod child;

use quark_core::WriteId;
use quark_env::Store;
use quark_env::store::{Batch, RecordKey, ScanRange, StoreError};
use quark_sqlite::{OpenError, Options, SqliteStore};
use quark_testkit::store_conformance::block_on;
use rusqlite::Connection;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

fn fresh() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("quark.db");
    (folder, path)
}

fn open(path: &Path) -> Result<SqliteStore, OpenError> {
    SqliteStore::open(path, Options { busy_timeout: Duration::from_millis(50), ..Options::default() })
}

fn of_cluster(path: &Path, cluster: &str) -> Result<SqliteStore, OpenError> {
    SqliteStore::open(path, Options { cluster_id: Some(cluster.into()), ..Options::default() })
}

/// Opens what must not open; the message has to contain all of this.
fn refused(path: &Path, words: &[&str]) -> OpenError {
    let before = fs::read(path).ok();
    let error = open(path).unwrap_err();
    let text = error.to_string();
    for word in words {
        assert!(text.contains(word), "{word:?} is missing in: {text}");
    }
    assert_eq!(before, fs::read(path).ok(), "a refused file was changed");
    error
}

/// A closed file with some records in it.
fn filled(path: &Path) {
    let store = open(path).unwrap();
    for number in 0..200_u32 {
        let batch = Batch::new(&*format!("p{number}"), WriteId(u128::from(number)));
        block_on(store.commit(batch.put("row", vec![number as u8; 3000]))).unwrap();
    }
    drop(store);
    assert!(!path.with_extension("db-wal").exists(), "who closes last leaves one file");
}

#[test]
fn a_missing_folder_and_a_folder_are_named() {
    let (folder, path) = fresh();
    let error = refused(&folder.path().join("no/quark.db"), &["/no\"", "create it"]);
    assert!(matches!(error, OpenError::MissingFolder { .. }), "{error:?}");
    fs::create_dir(&path).unwrap();
    let error = open(&path).unwrap_err();
    assert!(matches!(error, OpenError::IsFolder { .. }), "{error:?}");
}

#[test]
fn an_empty_file_is_a_new_one() {
    let (_folder, path) = fresh();
    fs::write(&path, "").unwrap();
    open(&path).unwrap();
    open(&path).unwrap();
}

#[test]
fn many_may_open_a_file_that_is_not_there_yet_at_once() {
    for _ in 0..30 {
        let (_folder, path) = fresh();
        let start = std::sync::Barrier::new(6);
        std::thread::scope(|scope| {
            let openers: Vec<_> = (0..6)
                .map(|_| {
                    scope.spawn(|| {
                        start.wait();
                        of_cluster(&path, "one").map(drop)
                    })
                })
                .collect();
            for opener in openers {
                opener.join().unwrap().unwrap();
            }
        });
    }
}

#[test]
fn what_is_no_database_is_left_alone() {
    for text in ["{}", &"not a database\n".repeat(1000)] {
        let (_folder, path) = fresh();
        fs::write(&path, text).unwrap();
        let error = refused(&path, &["quark.db", "not a database", "choose another path"]);
        assert!(matches!(error, OpenError::NotADatabase { .. }), "{error:?}");
    }
}

#[test]
fn a_database_of_another_program_is_left_alone() {
    for script in [
        "CREATE TABLE bookmarks (url TEXT)",
        "PRAGMA application_id = 77; CREATE TABLE bookmarks (url TEXT)",
        "PRAGMA user_version = 3",
    ] {
        let (_folder, path) = fresh();
        Connection::open(&path).unwrap().execute_batch(script).unwrap();
        let error = refused(&path, &["quark.db", "another program", "choose another path"]);
        assert!(matches!(error, OpenError::Foreign { .. }), "{error:?}");
    }
}

#[test]
fn a_newer_schema_is_left_alone() {
    let (_folder, path) = fresh();
    drop(open(&path).unwrap());
    Connection::open(&path).unwrap().execute_batch("PRAGMA user_version = 3").unwrap();
    let error = refused(&path, &["schema version 3", "up to 2", "upgrade"]);
    assert!(matches!(error, OpenError::NewerSchema { found: 3, supported: 2, .. }), "{error:?}");
}

#[test]
fn a_file_of_schema_version_1_is_brought_up_and_keeps_what_is_in_it() {
    let (_folder, path) = fresh();
    filled(&path);
    // What version 2 has added, taken out again.
    let script = "
        CREATE TABLE old (one INTEGER PRIMARY KEY CHECK (one = 1), cluster TEXT) STRICT;
        INSERT INTO old VALUES (1, 'blue');
        DROP TABLE identity;
        ALTER TABLE old RENAME TO identity;
        PRAGMA user_version = 1;";
    Connection::open(&path).unwrap().execute_batch(script).unwrap();

    assert!(matches!(of_cluster(&path, "green"), Err(OpenError::OtherCluster { .. })));
    for _ in 0..2 {
        let store = of_cluster(&path, "blue").unwrap();
        let record = block_on(store.read(&RecordKey::new("p7", "row"))).unwrap().unwrap();
        assert_eq!((record.version.0, &*record.value), (1, &[7; 3000][..]));
    }
    let store = of_cluster(&path, "blue").unwrap();
    // Nobody knows in which boot it was written: see `src/era.rs`.
    let committed = block_on(store.commit(Batch::new("p7", WriteId(1)).put("row", "new"))).unwrap();
    assert!(committed.version.0 > 1 << 20, "{committed:?}");
}

#[test]
fn a_file_belongs_to_one_cluster() {
    let (_folder, path) = fresh();
    drop(open(&path).unwrap());
    drop(of_cluster(&path, "blue").unwrap()); // marks it
    drop(of_cluster(&path, "blue").unwrap());
    drop(open(&path).unwrap()); // asks nothing
    let error = of_cluster(&path, "green").unwrap_err();
    let text = error.to_string();
    assert!(text.contains("`blue`") && text.contains("`green`") && text.contains("correct"), "{text}");
    drop(of_cluster(&path, "blue").unwrap());
}

#[test]
fn a_locked_file_is_busy() {
    let (_folder, path) = fresh();
    drop(open(&path).unwrap());
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = refused(&path, &["locked", "50ms", "end the program"]);
    assert!(matches!(error, OpenError::Busy { .. }), "{error:?}");
}

#[test]
fn a_truncated_file_is_corrupt() {
    let (_folder, path) = fresh();
    filled(&path);
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..3 * 4096]).unwrap();
    let error = refused(&path, &["damaged", "restore a backup"]);
    assert!(matches!(error, OpenError::Corrupt { .. }), "{error:?}");
}

#[test]
fn our_mark_without_our_tables_is_corrupt() {
    let (_folder, path) = fresh();
    drop(open(&path).unwrap());
    Connection::open(&path).unwrap().execute_batch("DROP TABLE records").unwrap();
    let error = refused(&path, &["damaged", "records"]);
    assert!(matches!(error, OpenError::Corrupt { .. }), "{error:?}");
}

/// Changes the page of the tree that holds the beginning of this partition's value.
fn damage(path: &Path, number: u8, change: impl Fn(&mut [u8])) {
    const LEAF: u8 = 10;
    let mut bytes = fs::read(path).unwrap();
    let run = vec![number; 400];
    let holds = |page: &&mut [u8]| page[0] == LEAF && page.windows(400).any(|window| window == run);
    change(bytes.chunks_mut(4096).find(holds).unwrap());
    fs::write(path, bytes).unwrap();
}

#[test]
fn one_changed_byte_of_a_value_is_corrupt() {
    let (_folder, path) = fresh();
    filled(&path);
    damage(&path, 100, |page| {
        let at = page.windows(400).position(|window| window == [100; 400]).unwrap();
        page[at + 200] ^= 1;
    });
    let store = open(&path).unwrap();
    let range = |from: &str| ScanRange { partition: "p100".into(), from: from.into(), to: "".into() };
    for error in [
        block_on(store.read(&RecordKey::new("p100", "row"))).unwrap_err(),
        block_on(store.scan(range("row"), 9)).unwrap_err(),
    ] {
        let StoreError::Corrupt { partition, row, reason } = error else { panic!("{error:?}") };
        assert_eq!((&*partition.0, &*row), ("p100", "row"));
        assert!(reason.contains("checksum"), "{reason}");
    }
    // A new value is as good as any.
    block_on(store.commit(Batch::new("p100", WriteId(7)).put("row", "new"))).unwrap();
    assert_eq!(block_on(store.scan(range(""), 9)).unwrap()[0].value, "new");
}

#[test]
fn damage_is_found_at_opening_when_asked_for() {
    let (_folder, path) = fresh();
    filled(&path);
    damage(&path, 100, |page| page.fill(0xA5));
    let options = Options { verify_on_open: true, ..Options::default() };
    let error = SqliteStore::open(&path, options).unwrap_err();
    assert!(matches!(error, OpenError::Corrupt { .. }), "{error:?}");
}

#[test]
fn damage_is_reported_by_what_meets_it_and_by_nothing_else() {
    let (_folder, path) = fresh();
    filled(&path);
    damage(&path, 100, |page| page.fill(0xA5));
    let store = open(&path).unwrap();
    let read = |number: u32| block_on(store.read(&RecordKey::new(&*format!("p{number}"), "row")));
    let error = read(100).unwrap_err();
    assert!(matches!(&error, StoreError::Corrupt { partition, .. } if &*partition.0 == "p100"), "{error:?}");
    assert!(read(20).unwrap().is_some());

    // Queued together, they may share a transaction; the damaged one fails alone.
    let put =
        |number: u32| store.commit(Batch::new(&*format!("p{number}"), WriteId(u128::MAX)).put("row", "new"));
    let commits = [10, 20, 100, 190, 100, 30].map(put);
    let outcomes = commits.map(block_on);
    for (at, outcome) in outcomes.iter().enumerate() {
        let damaged = at == 2 || at == 4;
        assert_eq!(matches!(outcome, Err(StoreError::Corrupt { .. })), damaged, "{at}: {outcome:?}");
        assert_eq!(outcome.is_ok(), !damaged, "{at}: {outcome:?}");
    }
    assert_eq!(read(190).unwrap().unwrap().value, "new");
}

/// Tries to open the file in a process without root's powers; what it says.
fn as_nobody(folder: &Path, path: &Path) -> String {
    let writer = folder.join("writer"); // a copy that nobody may reach
    // Not by ourselves: a process started meanwhile by another test would inherit the open file, and what is open
    // for writing cannot be executed.
    assert!(Command::new("cp").arg(child::writer()).arg(&writer).status().unwrap().success());
    let mut command = Command::new(&writer);
    command.arg(path).args(["nobody", "1", "1"]);
    if fs::metadata(&writer).unwrap().uid() == 0 {
        command.uid(65534).gid(65534);
    }
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

fn permit(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_folder_that_takes_no_files_is_named() {
    let (folder, _) = fresh();
    permit(folder.path(), 0o755);
    let closed = folder.path().join("closed");
    fs::create_dir(&closed).unwrap();
    permit(&closed, 0o555);
    let said = as_nobody(folder.path(), &closed.join("quark.db"));
    assert!(said.contains("closed\"") && said.contains("grant write permission"), "{said}");
}

#[test]
fn a_file_that_can_only_be_read_is_named() {
    let (folder, path) = fresh();
    permit(folder.path(), 0o755);
    drop(open(&path).unwrap());
    permit(&path, 0o444);
    let said = as_nobody(folder.path(), &path);
    assert!(said.contains("quark.db\"") && said.contains("grant write permission on the file"), "{said}");
}
