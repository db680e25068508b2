//! Bytes of the file itself that have changed: the right answer, or an error that says what to do.

use quark_core::WriteId;
use quark_env::Store;
use quark_env::store::{Batch, RecordKey, ScanRange, StoreError};
use quark_sqlite::{OpenError, Options, SqliteStore};
use quark_testkit::store_conformance::block_on;
use std::fs;
use std::path::Path;

const PARTITIONS: u32 = 12;
const ROWS: u32 = 6;

fn open(path: &Path, verify_on_open: bool) -> Result<SqliteStore, OpenError> {
    SqliteStore::open(path, Options { verify_on_open, ..Options::default() })
}

fn value(partition: u32, row: u32) -> Vec<u8> {
    // Some in the page of their key, some in pages of their own.
    (0..20 + 900 * row).map(|at| (at * 31 + partition * 7 + row) as u8).collect()
}

/// A closed file, so that everything is in it and nothing in the log.
fn filled(path: &Path) -> Vec<u8> {
    let store = open(path, false).unwrap();
    for partition in 0..PARTITIONS {
        for row in 0..ROWS {
            let batch =
                Batch::new(&*format!("partition-{partition}"), WriteId((partition * ROWS + row).into()));
            block_on(store.commit(batch.put(&format!("row-{row}"), value(partition, row)))).unwrap();
        }
    }
    drop(store);
    fs::read(path).unwrap()
}

/// What a damaged file says of its records.
#[derive(Default, Debug, PartialEq, Eq)]
struct Verdict {
    right: u32,
    reported: u32,
    /// Nothing where there was something.
    missing: u32,
}

fn ask(store: &SqliteStore) -> Verdict {
    let mut verdict = Verdict::default();
    for partition in 0..PARTITIONS {
        let name = format!("partition-{partition}");
        for row in 0..ROWS {
            match block_on(store.read(&RecordKey::new(&*name, &format!("row-{row}")))) {
                Ok(Some(record)) => {
                    assert_eq!(record.value, value(partition, row), "a value that was never written");
                    assert_eq!(record.version.0, u64::from(row) + 1, "a version that it never had");
                    assert_eq!(record.write_id.0, u128::from(partition * ROWS + row));
                    verdict.right += 1;
                }
                Ok(None) => verdict.missing += 1,
                Err(StoreError::Corrupt { partition, row: named, .. }) => {
                    assert_eq!((&*partition.0, &*named), (&*name, &*format!("row-{row}")));
                    verdict.reported += 1;
                }
                Err(other) => panic!("{other:?}"),
            }
        }
        if let Ok(found) = block_on(store.scan(ScanRange::prefix(&*name, "row-"), usize::MAX)) {
            for record in found {
                let row =
                    record.key.row.strip_prefix("row-").and_then(|row| row.parse().ok()).unwrap_or(ROWS);
                assert_eq!(record.value, value(partition, row), "a value that was never written");
            }
        }
    }
    verdict
}

/// Changes one byte after another, of every page; what was found.
fn each_damage(step: usize, mut judge: impl FnMut(usize, &Path)) {
    let folder = tempfile::tempdir().unwrap();
    let whole = filled(&folder.path().join("whole.db"));
    for at in (0..whole.len()).step_by(step) {
        let path = folder.path().join(format!("{at}.db"));
        let mut file = whole.clone();
        file[at] ^= 1 << (at % 8);
        fs::write(&path, file).unwrap();
        judge(at, &path);
        fs::remove_file(&path).unwrap();
    }
}

#[test]
fn a_changed_byte_is_found_at_opening_or_changes_nothing() {
    let (mut refused, mut harmless) = (0, 0);
    each_damage(311, |at, path| match open(path, true) {
        Err(error) => {
            let text = error.to_string();
            assert!(text.contains(&format!("{at}.db")) && text.contains(": "), "{text}");
            refused += 1;
        }
        Ok(store) => {
            assert_eq!(ask(&store), Verdict { right: PARTITIONS * ROWS, ..Verdict::default() }, "byte {at}");
            harmless += 1;
        }
    });
    println!("{refused} refused, {harmless} harmless");
    assert!(refused > 100 && harmless > 10, "{refused} {harmless}");
}

/// Without reading everything at opening: what is missing had its key damaged, which nobody but `verify_on_open` sees.
#[test]
fn a_changed_byte_never_makes_a_value_that_was_not_written() {
    let (mut refused, mut all) = (0, Verdict::default());
    each_damage(311, |_, path| match open(path, false) {
        Err(_) => refused += 1,
        Ok(store) => {
            let verdict = ask(&store);
            all.right += verdict.right;
            all.reported += verdict.reported;
            all.missing += verdict.missing;
        }
    });
    println!("{refused} files refused; {all:?}");
    assert!(all.reported > 100 && all.missing < 20, "{all:?}");
}
