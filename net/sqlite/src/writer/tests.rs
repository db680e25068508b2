//! A file that may not grow, without a disk that is full.

use super::*;
use crate::open;
use crate::options::Options;
use quark_core::WriteId;
use std::path::Path;

fn writer(path: &Path) -> Writer {
    let (connection, floor) = open::open_first(path, &Options::default()).expect("a new file");
    let (path, busy_timeout) = (path.to_path_buf(), Duration::ZERO);
    let (queue, known) = (Arc::new(Queue::new(1, 1)), Known::default());
    Writer { path, connection, queue, busy_timeout, floor, known }
}

fn batch(number: u32, bytes: usize) -> Batch {
    Batch::new("p", WriteId(number.into())).put(&format!("row-{number}"), vec![7; bytes])
}

fn limit(writer: &Writer, pages: u32) {
    writer.connection.pragma_update(None, "max_page_count", pages).expect("a limit");
}

#[test]
fn what_finds_no_room_did_not_happen_and_takes_nobody_with_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("quark.db");
    let mut writer = writer(&path);
    limit(&writer, 20);
    let group = [batch(1, 100), batch(2, 1 << 20), batch(3, 100)];
    let outcomes = writer.commit(&group);
    let Err(StoreError::Unavailable(reason)) = &outcomes[1] else { panic!("{outcomes:?}") };
    assert!(reason.contains("quark.db") && reason.contains("free space"), "{reason}");
    let versions = [&outcomes[0], &outcomes[2]].map(|outcome| outcome.clone().expect("room").version.0);
    assert_eq!(versions, [1, 2], "the one without room has left no trace");

    limit(&writer, 10_000);
    let again = writer.commit(&group[1..2]);
    assert_eq!(again[0].clone().expect("there is room").version.0, 3);
    assert!(writer.connection.is_autocommit());
}
