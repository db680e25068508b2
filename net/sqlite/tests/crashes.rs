//! Processes die; acknowledged commits do not.

mod child;

use child::Writer;
use quark_core::{Version, WriteId};
use quark_env::Store;
use quark_env::store::{Batch, RecordKey, ScanRange};
use quark_sqlite::{Options, SqliteStore};
use quark_testkit::store_conformance::block_on;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

fn open(path: &Path) -> SqliteStore {
    SqliteStore::open(path, Options::default()).unwrap()
}

/// The rows that lines of this kind name.
fn rows<'a>(lines: &'a [String], kind: &str) -> Vec<&'a str> {
    lines.iter().filter_map(|line| line.strip_prefix(kind)?.split_whitespace().next()).collect()
}

fn exists(store: &SqliteStore, row: &str) -> bool {
    block_on(store.read(&RecordKey::new("shared", row))).unwrap().is_some()
}

/// Every row came with one increment, in one commit.
fn check_whole(store: &SqliteStore) {
    let found = block_on(store.scan(ScanRange::prefix("shared", ""), usize::MAX)).unwrap();
    let rows = found.len() as u64 - 1;
    let counter = found.iter().find(|record| &*record.key.row == "counter").unwrap();
    assert_eq!(counter.value, rows.to_string(), "rows and increments commit together");
    let mut versions: Vec<_> = found.iter().map(|record| record.version).collect();
    versions.sort_unstable();
    versions.dedup();
    // Each commit wrote a row of its own, and the counter bears the newest version.
    assert_eq!(versions, (1..=rows).map(Version).collect::<Vec<_>>());
}

#[test]
fn kill_9_of_a_writer_loses_no_acknowledged_commit_and_disturbs_no_other_process() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("quark.db");
    let store = open(&path);
    let mut survivor = Writer::start(&path, &["survivor", "4"]);
    for round in 0..3 {
        let mut victim = Writer::start(&path, &[&format!("victim-{round}"), "4"]);
        let mut lines: Vec<_> = (0..100).map_while(|_| victim.line()).collect();
        victim.kill();
        lines.extend(victim.rest());
        let acknowledged = rows(&lines, "ok ");
        assert!(acknowledged.len() >= 100, "{lines:?}");
        for row in acknowledged {
            assert!(exists(&store, row), "{row} was acknowledged");
        }
        // The survivor goes on: it tells of a row that was not there yet when the victim was dead.
        let range = ScanRange::prefix("shared", "survivor/");
        let known = block_on(store.scan(range, usize::MAX)).unwrap();
        let known: BTreeSet<_> = known.iter().map(|record| format!("ok {}", record.key.row)).collect();
        while known.contains(&survivor.line().expect("it goes on")) {}
        check_whole(&store);
    }
}

#[test]
fn a_file_that_everyone_was_killed_on_opens_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("quark.db");
    let mut acknowledged = Vec::new();
    for round in 0..3 {
        let mut victims: Vec<_> =
            ["a", "b"].map(|name| Writer::start(&path, &[&format!("{name}-{round}"), "4"])).into();
        for victim in &mut victims {
            acknowledged.extend((0..50).map_while(|_| victim.line()));
        }
        victims.iter_mut().for_each(Writer::kill);
        acknowledged.extend(victims.into_iter().flat_map(Writer::rest));

        let store = open(&path);
        for row in rows(&acknowledged, "ok ") {
            assert!(exists(&store, row), "{row} was acknowledged");
        }
        check_whole(&store);
    }
    assert!(acknowledged.len() >= 300, "{}", acknowledged.len());
}

#[test]
fn a_file_that_may_not_grow_never_acknowledges_what_it_does_not_hold() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("quark.db");
    drop(open(&path));
    // No file may grow beyond 256 KiB. Unlike a full disk, that is an error of which SQLite does not say what it means.
    let mut command = Command::new("sh");
    let script = r#"trap '' XFSZ; ulimit -f 512; exec "$@""#;
    command.args(["-c", script, "sh"]).arg(child::writer()).arg(&path).args(["full", "4", "100"]);
    let lines = Writer::spawn(command).rest();
    assert_eq!(lines.len(), 400, "every commit has an outcome");
    let unknown: Vec<_> = lines.iter().filter_map(|line| line.strip_prefix("unknown ")).collect();
    assert!(!unknown.is_empty(), "the limit was never met: {lines:?}");
    assert!(lines.iter().all(|line| !line.starts_with("error")), "{lines:?}");

    let store = open(&path);
    for row in rows(&lines, "ok ") {
        assert!(exists(&store, row), "{row} was acknowledged");
    }
    for row in rows(&lines, "unavailable ") {
        assert!(!exists(&store, row), "{row} was said not to have happened");
    }
    check_whole(&store);
    // Now there is room: a retry settles what was unknown, once.
    let (row, write_id) = unknown[0].split_once(' ').unwrap();
    let before = exists(&store, row);
    let batch =
        Batch::new("shared", WriteId(u128::from_str_radix(write_id, 16).unwrap())).put(row, "retried");
    let first = block_on(store.commit(batch.clone())).unwrap();
    assert_eq!(block_on(store.commit(batch)).unwrap(), first);
    let value = block_on(store.read(&RecordKey::new("shared", row))).unwrap().unwrap().value;
    assert_eq!(before, value != "retried", "the retry is applied exactly if the first attempt was not");
}

/// Whether this user may have file systems of their own, which is where a small disk comes from.
fn may_mount() -> bool {
    let probe = Command::new("unshare").args(["--user", "--map-root-user", "--mount", "true"]).status();
    probe.is_ok_and(|status| status.success())
}

#[test]
fn a_full_disk_refuses_commits_and_takes_them_again_when_there_is_room() {
    if !may_mount() {
        // What the store makes of it is tested in `writer/tests.rs` as well, on a file with a limit of its own.
        println!("skipped: this user may not mount a small disk");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (disk, kept) = (folder.path().join("disk"), folder.path().join("kept"));
    for path in [&disk, &kept] {
        std::fs::create_dir(path).unwrap();
    }
    // A disk of 4 MiB that is nearly full; only these processes see it, so that they rescue the files at the end.
    let script = r#"set -e
        mount -t tmpfs -o size=4m none "$1"
        head -c 3000000 /dev/zero >"$1/ballast"
        "$3" "$1/quark.db" full 4 45 "$1/ballast"
        cp "$1"/quark.db* "$2""#;
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c", script, "sh"]);
    command.arg(&disk).arg(&kept).arg(child::writer());
    let lines = Writer::spawn(command).rest();
    assert_eq!(lines.len(), 180, "every commit has an outcome");

    let refused: Vec<_> = lines.iter().filter(|line| line.starts_with("unavailable ")).collect();
    assert!(refused.len() >= 10, "the disk was never full: {lines:?}");
    assert!(
        refused.iter().all(|line| line.contains("quark.db") && line.contains("free space")),
        "{refused:?}"
    );
    let (acknowledged, not_done) = (rows(&lines, "ok "), rows(&lines, "unavailable "));
    assert_eq!(acknowledged.len() + not_done.len(), lines.len(), "nothing is in doubt: {lines:?}");
    assert!(
        lines[0].starts_with("ok ") && lines[170..].iter().all(|line| line.starts_with("ok ")),
        "{lines:?}"
    );

    let store = open(&kept.join("quark.db"));
    assert!(acknowledged.iter().all(|row| exists(&store, row)), "acknowledged means committed");
    assert!(!not_done.iter().any(|row| exists(&store, row)), "refused means not committed");
    check_whole(&store);
}
