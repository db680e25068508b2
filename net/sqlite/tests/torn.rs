//! Files whose last bytes are not those that were written: the end of a power cut on a disk that does not keep its
//! word, or of `Durability::Normal`.

mod child;

use child::Writer;
use quark_core::{Version, WriteId};
use quark_env::Store;
use quark_env::store::{Batch, Committed, RecordKey, ScanRange, StoreError};
use quark_sqlite::{Options, SqliteStore};
use quark_testkit::store_conformance::block_on;
use rusqlite::Connection;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const HEADER_BYTES: usize = 32;
const FRAME_HEADER_BYTES: usize = 24;
const FRAME_BYTES: usize = FRAME_HEADER_BYTES + 4096;

/// What a process left that was killed in the midst of its commits, of which there was one after the other.
struct Crashed {
    _folder: TempDir,
    file: Vec<u8>,
    log: Vec<u8>,
    /// In order.
    acknowledged: Vec<String>,
}

impl Crashed {
    fn after(commits: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("quark.db");
        drop(open(&path)); // the tables are in the file, the commits in the log
        let mut victim = Writer::start(&path, &["torn", "1"]);
        let mut lines: Vec<_> = (0..commits).map_while(|_| victim.line()).collect();
        victim.kill();
        lines.extend(victim.rest());
        let acknowledged: Vec<_> =
            lines.iter().map(|line| line.strip_prefix("ok ").unwrap().into()).collect();
        let (file, log) = (fs::read(&path).unwrap(), fs::read(log_of(&path)).unwrap());
        Self { _folder: folder, file, log, acknowledged }
    }

    /// Where each commit ends in the log: its last frame says how long the file is now. Frames of another salt than
    /// the log's header were never part of it.
    fn ends(&self) -> Vec<usize> {
        let salt = &self.log[16..24];
        let frames =
            self.log[HEADER_BYTES..].chunks_exact(FRAME_BYTES).take_while(|frame| &frame[8..16] == salt);
        let commits = frames.enumerate().filter(|(_, frame)| frame[4..8] != [0; 4]);
        commits.map(|(at, _)| HEADER_BYTES + (at + 1) * FRAME_BYTES).collect()
    }

    /// The files as they are after a power cut that has left so much of the log: found by a machine in another boot.
    fn power_cut(&self, log: &[u8]) -> (TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("quark.db");
        fs::write(&path, &self.file).unwrap();
        fs::write(log_of(&path), log).unwrap();
        reboot(&path);
        (folder, path)
    }

    /// Opens a copy with this log. Says how many commits are there, having checked that they are the first ones,
    /// whole, and that there can be more.
    fn recover(&self, log: &[u8]) -> usize {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("quark.db");
        fs::write(&path, &self.file).unwrap();
        fs::write(log_of(&path), log).unwrap();
        let store = open(&path);
        let found = block_on(store.scan(ScanRange::prefix("shared", "torn/"), usize::MAX)).unwrap();
        let count = block_on(store.read(&RecordKey::new("shared", "counter"))).unwrap();
        let count = count.map_or(0, |count| std::str::from_utf8(&count.value).unwrap().parse().unwrap());
        assert_eq!(found.len(), count, "a row and its increment commit together");
        for number in 0..count {
            let row = format!("torn/0/{number}");
            assert!(found.iter().any(|record| *record.key.row == *row), "{row} is missing among {count}");
        }
        let batch = Batch::new("shared", WriteId(u128::MAX)).put("next", "goes on");
        let committed = block_on(store.commit(batch)).unwrap();
        assert_eq!(committed.version.0, count as u64 + 1);
        drop(store);
        let next = block_on(open(&path).read(&RecordKey::new("shared", "next"))).unwrap();
        assert_eq!(next.unwrap().value, "goes on");
        count
    }
}

fn open(path: &Path) -> SqliteStore {
    SqliteStore::open(path, Options { verify_on_open: true, ..Options::default() }).unwrap()
}

/// What is in the file was written before the machine was started the last time.
fn reboot(path: &Path) {
    let connection = Connection::open(path).unwrap();
    assert_eq!(connection.execute("UPDATE identity SET boot = 'the one before'", []).unwrap(), 1);
}

fn log_of(path: &Path) -> PathBuf {
    path.with_extension("db-wal")
}

#[test]
fn a_crash_leaves_every_acknowledged_commit_in_the_log() {
    let crashed = Crashed::after(60);
    let commits = crashed.recover(&crashed.log);
    assert_eq!(commits, crashed.ends().len());
    // One more may have been written and not acknowledged.
    assert!((commits - 1..=commits).contains(&crashed.acknowledged.len()), "{commits}");
}

#[test]
fn a_torn_last_frame_loses_its_commit_and_no_other() {
    let crashed = Crashed::after(60);
    let ends = crashed.ends();
    let (commits, end) = (ends.len(), *ends.last().unwrap());
    let frame = end - FRAME_BYTES;
    let whole = &crashed.log[..end];
    // In half, within its header, and all but the last byte.
    for keep in [frame + FRAME_BYTES / 2, frame + 10, end - 1] {
        assert_eq!(crashed.recover(&whole[..keep]), commits - 1, "cut at {keep} of {end}");
    }
    // As long as it was, with nothing in it: its second half, its page, all of it.
    for from in [frame + FRAME_BYTES / 2, frame + FRAME_HEADER_BYTES, frame] {
        let mut log = whole.to_vec();
        log[from..].fill(0);
        assert_eq!(crashed.recover(&log), commits - 1, "zero from {from} of {end}");
    }
    // One byte of each part: page number, size, salt, checksum, page.
    for at in [0, 3, 7, 8, 15, 16, 23, FRAME_HEADER_BYTES, 1000, FRAME_BYTES - 1] {
        let mut log = whole.to_vec();
        log[frame + at] ^= 0x10;
        assert_eq!(crashed.recover(&log), commits - 1, "byte {at} of the frame");
    }
}

#[test]
fn a_log_that_ends_anywhere_holds_the_commits_before_its_end() {
    let crashed = Crashed::after(20);
    let ends = crashed.ends();
    for keep in (HEADER_BYTES..crashed.log.len()).step_by(1777) {
        let whole = ends.iter().filter(|end| **end <= keep).count();
        assert_eq!(crashed.recover(&crashed.log[..keep]), whole, "cut at {keep}");
        let mut log = crashed.log.clone();
        log[keep] ^= 1;
        // What follows a damaged frame is not trusted, whole as it may be.
        assert_eq!(crashed.recover(&log), whole, "byte {keep}");
    }
}

#[test]
fn a_version_that_a_power_cut_took_is_never_given_out_again() {
    let crashed = Crashed::after(60);
    let ends = crashed.ends();
    let acknowledged = crashed.acknowledged.len();
    for kept in [ends.len() - 1, ends.len() - 20, 1] {
        let (_folder, path) = crashed.power_cut(&crashed.log[..ends[kept - 1]]);
        let store = open(&path);
        let found = block_on(store.read(&RecordKey::new("shared", "counter"))).unwrap().unwrap();
        assert_eq!(found.version, Version(kept as u64), "a tail is lost, and no more than that");
        // Who read the counter in a later version, and was told so, must not be taken for one who has read this.
        let lost = Version(acknowledged as u64);
        let put = |id, check| {
            Batch::new("shared", WriteId(id)).put("counter", "1").expect_version("counter", check)
        };
        let stale = block_on(store.commit(put(1, lost)));
        assert!(kept == acknowledged || matches!(stale, Err(StoreError::Conflict { .. })), "{stale:?}");
        let first = block_on(store.commit(put(2, found.version))).unwrap().version;
        assert!(first.0 > 1 << 50, "{first:?}: an era is the second of its beginning times 2^20");
        assert_eq!(
            block_on(store.commit(put(2, found.version))),
            Ok(Committed { version: first }),
            "a retry"
        );
        // Within the era versions count on, also for others that open the file, and for partitions that are new.
        let second = block_on(open(&path).commit(put(3, first))).unwrap().version;
        assert_eq!(second.0, first.0 + 1);
        assert_eq!(block_on(store.commit(put(2, found.version))), Ok(Committed { version: first }), "still");
        let other = block_on(store.commit(Batch::new("other", WriteId(4)))).unwrap().version;
        assert!(other.0 > 1 << 50, "{other:?}: it may have been there");
        drop(store);

        reboot(&path);
        let store = open(&path);
        let third = block_on(store.commit(put(5, second))).unwrap().version;
        assert!(third.0 >= first.0 + (1 << 20), "{third:?}: each boot begins an era of its own");
        assert!(matches!(block_on(store.commit(put(6, second))), Err(StoreError::Conflict { .. })));
    }
}

#[test]
fn an_era_is_on_the_disk_before_its_first_commit() {
    let crashed = Crashed::after(20);
    let (_folder, path) = crashed.power_cut(&crashed.log);
    let options = || Options { durability: quark_sqlite::Durability::Normal, ..Options::default() };
    let store = SqliteStore::open(&path, options()).unwrap();
    let version =
        |store: &SqliteStore, id| block_on(store.commit(Batch::new("p", WriteId(id)))).unwrap().version;
    let first = version(&store, 1);
    // The machine goes down at once, and of the log only what was there before that commit is left.
    let (file, log) = (fs::read(&path).unwrap(), fs::read(log_of(&path)).unwrap());
    drop(store);
    let again = Crashed { _folder: tempfile::tempdir().unwrap(), file, log, acknowledged: Vec::new() };
    let ends = again.ends();
    let (_folder, path) = again.power_cut(&again.log[..ends[ends.len() - 2]]);
    let store = SqliteStore::open(&path, options()).unwrap();
    assert!(version(&store, 2).0 >= first.0 + (1 << 20), "it begins beyond the one before");
}
