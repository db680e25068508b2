//! How the records lie in the file.
//!
//! ```text
//! partitions  id -> name, version, recent     one row per partition, never deleted: versions are never reissued
//! records     (partition id, row) -> version, write_id, checksum, value
//! identity    one row: the cluster that the file belongs to; the boot of the machine in which it was last opened, and
//!             the least version to be given out since (see `era.rs`)
//! ```
//!
//! `recent` holds the write ids of the last commits, 16 bytes each, as a ring: commit number `v` stands in slot
//! `(v - 1) % 64`. A table of write ids was rejected: it costs every commit an insert and a delete in a third
//! B-tree, hence more pages in the log, where the ring lies in a row that the commit has to write anyway. And since
//! the place in the ring gives the commit's number, the first outcome needs no room. Where numbers leap, which they do
//! with an era, the ring begins anew: all of it holds the first id after the leap, which is looked for from its end.
//!
//! The checksum finds what SQLite does not: it knows when its own structure is damaged, not when a value is.
//!
//! Partition names are interned, so that a record's key is short and the records of a partition lie together.

use quark_core::WriteId;
use quark_env::store::{Partition, WRITE_IDS_KEPT};

/// Marks our files (`PRAGMA application_id`): "QURK".
pub(crate) const APPLICATION_ID: i64 = 0x5155_524B;
/// The layout that this version reads and writes (`PRAGMA user_version`).
pub(crate) const SCHEMA_VERSION: i64 = 2;

/// What schema version 1 lacks.
pub(crate) const UPGRADE_1_TO_2: &str = "
    ALTER TABLE identity ADD COLUMN boot TEXT;
    ALTER TABLE identity ADD COLUMN floor INTEGER NOT NULL DEFAULT 0;
";

/// Creates schema version 2 in an empty file.
pub(crate) const CREATE: &str = "
    CREATE TABLE identity (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        cluster TEXT,
        boot TEXT,
        floor INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    INSERT INTO identity (one) VALUES (1);
    CREATE TABLE partitions (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        version INTEGER NOT NULL,
        recent BLOB NOT NULL
    ) STRICT;
    CREATE TABLE records (
        partition INTEGER NOT NULL,
        row TEXT NOT NULL,
        version INTEGER NOT NULL,
        write_id BLOB NOT NULL,
        checksum INTEGER NOT NULL,
        value BLOB NOT NULL,
        PRIMARY KEY (partition, row)
    ) STRICT, WITHOUT ROWID;
";

pub(crate) const FIND_PARTITION: &str = "SELECT id, version, recent FROM partitions WHERE name = ?1";
pub(crate) const ADD_PARTITION: &str = "INSERT INTO partitions (name, version, recent) VALUES (?1, ?2, ?3)";
pub(crate) const ADVANCE_PARTITION: &str = "UPDATE partitions SET version = ?2, recent = ?3 WHERE id = ?1";
pub(crate) const FIND_VERSION: &str = "SELECT version FROM records WHERE partition = ?1 AND row = ?2";
pub(crate) const PUT: &str = "
    INSERT INTO records (partition, row, version, write_id, checksum, value) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
    ON CONFLICT (partition, row) DO UPDATE
    SET version = excluded.version, write_id = excluded.write_id, checksum = excluded.checksum, value = excluded.value";
/// As [`PUT`], of a row that is there: a search less.
pub(crate) const REPLACE: &str = "
    UPDATE records SET version = ?3, write_id = ?4, checksum = ?5, value = ?6 WHERE partition = ?1 AND row = ?2";
pub(crate) const DELETE: &str = "DELETE FROM records WHERE partition = ?1 AND row = ?2";
/// `CROSS JOIN` tells SQLite to keep this order: first the partition, then its rows.
pub(crate) const READ: &str = "
    SELECT r.row, r.version, r.write_id, r.checksum, r.value FROM partitions p CROSS JOIN records r
    WHERE p.name = ?1 AND r.partition = p.id AND r.row = ?2";
pub(crate) const SCAN_FROM: &str = "
    SELECT r.row, r.version, r.write_id, r.checksum, r.value FROM partitions p CROSS JOIN records r
    WHERE p.name = ?1 AND r.partition = p.id AND r.row >= ?2 ORDER BY r.row LIMIT ?3";
pub(crate) const SCAN_BETWEEN: &str = "
    SELECT r.row, r.version, r.write_id, r.checksum, r.value FROM partitions p CROSS JOIN records r
    WHERE p.name = ?1 AND r.partition = p.id AND r.row >= ?2 AND r.row < ?4 ORDER BY r.row LIMIT ?3";

/// Everything that is ever asked of the tables.
pub(crate) const STATEMENTS: [&str; 10] = [
    FIND_PARTITION,
    ADD_PARTITION,
    ADVANCE_PARTITION,
    FIND_VERSION,
    PUT,
    REPLACE,
    DELETE,
    READ,
    SCAN_FROM,
    SCAN_BETWEEN,
];

/// The checksum of a record (crc32c). Its key is part of it, so that a value cannot pass for another row's.
pub(crate) fn checksum(
    partition: &Partition,
    row: &str,
    version: u64,
    write_id: [u8; ID_BYTES],
    value: &[u8],
) -> u32 {
    const NO_UTF8: &[u8] = &[0xFF]; // between the names, or ("a", "bc") would be ("ab", "c")
    let parts =
        [partition.0.as_bytes(), NO_UTF8, row.as_bytes(), NO_UTF8, &version.to_be_bytes(), &write_id, value];
    parts.into_iter().fold(0, crc32c::crc32c_append)
}

const ID_BYTES: usize = 16;

/// The write ids of a partition's last commits: the column `recent`.
#[derive(Clone)]
pub(crate) struct Recent(pub(crate) Vec<u8>);

impl Recent {
    /// Whether so many commits can have left such a ring; if not, the file is damaged.
    pub(crate) fn fits(&self, version: u64) -> bool {
        self.0.len() as u64 == version.min(WRITE_IDS_KEPT as u64) * ID_BYTES as u64
    }

    /// The number of the commit with this write id, if it is remembered, given the partition's newest number.
    pub(crate) fn find(&self, write_id: WriteId, newest: u64) -> Option<u64> {
        let wanted = write_id.0.to_be_bytes();
        // From the newest back: whose id begins the ring after a leap is found at its own number.
        let numbers = (0..(self.0.len() / ID_BYTES) as u64).map(|ago| newest - ago);
        numbers.into_iter().find(|number| self.0[slot(*number)..][..ID_BYTES] == wanted)
    }

    /// Remembers the write id of commit number `version`, forgetting the oldest when the ring is full, and all if the
    /// last commit had a number that is not the one before.
    pub(crate) fn remember(&mut self, write_id: WriteId, last: u64, version: u64) {
        let bytes = write_id.0.to_be_bytes();
        let at = slot(version);
        if version != last + 1 {
            self.0 = bytes.repeat(version.min(WRITE_IDS_KEPT as u64) as usize);
        } else if at == self.0.len() {
            self.0.extend_from_slice(&bytes);
        } else {
            self.0[at..at + ID_BYTES].copy_from_slice(&bytes);
        }
        assert!(self.fits(version), "the ring of commit {version} has {} bytes", self.0.len());
    }
}

/// Where the write id of a commit is in the ring.
fn slot(version: u64) -> usize {
    ((version - 1) % WRITE_IDS_KEPT as u64) as usize * ID_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ring_knows_the_last_sixty_four_by_number() {
        let mut recent = Recent(Vec::new());
        assert!(recent.fits(0));
        for version in 1..=300 {
            recent.remember(WriteId(u128::from(version) << 70 | 5), version - 1, version);
            for asked in 1..=version + 1 {
                let expected = (asked <= version && asked + 64 > version).then_some(asked);
                assert_eq!(recent.find(WriteId(u128::from(asked) << 70 | 5), version), expected);
            }
        }
        assert!(!recent.fits(63) && recent.fits(64));
    }

    #[test]
    fn after_a_leap_the_ring_knows_what_came_since_and_nothing_else() {
        let mut recent = Recent(Vec::new());
        let id = |number: u64| WriteId(u128::from(number));
        (1..=70).for_each(|version| recent.remember(id(version), version - 1, version));
        for (before, first) in [(70, 1 << 20), ((1 << 20) + 99, 5 << 20)] {
            recent.remember(id(first), before, first);
            for version in first..first + 100 {
                if version > first {
                    recent.remember(id(version), version - 1, version);
                }
                assert_eq!(recent.find(id(before), version), None, "before the leap");
                for asked in first..=version + 1 {
                    let expected = (asked <= version && asked + 64 > version).then_some(asked);
                    assert_eq!(recent.find(id(asked), version), expected, "{asked} of {version}");
                }
            }
        }
    }
}
