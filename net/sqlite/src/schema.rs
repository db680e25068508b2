//! How the records lie in the file.
//!
//! ```text
//! partitions  id -> name, version, recent     one row per partition, never deleted: versions are never reissued
//! records     (partition id, row) -> version, write_id, checksum, value
//! identity    one row: the cluster that the file belongs to
//! ```
//!
//! `recent` holds the write ids of the last commits, 16 bytes each, as a ring: commit number `v` stands in slot
//! `(v - 1) % 64`. A table of write ids was rejected: it costs every commit an insert and a delete in a third
//! B-tree, hence more pages in the log, where the ring lies in a row that the commit has to write anyway. And since
//! the place in the ring gives the commit's number, the first outcome needs no room.
//!
//! The checksum finds what SQLite does not: it knows when its own structure is damaged, not when a value is.
//!
//! Partition names are interned, so that a record's key is short and the records of a partition lie together.

use quark_core::WriteId;
use quark_env::store::{Partition, WRITE_IDS_KEPT};

/// Marks our files (`PRAGMA application_id`): "QURK".
pub(crate) const APPLICATION_ID: i64 = 0x5155_524B;
/// The layout that this version reads and writes (`PRAGMA user_version`).
pub(crate) const SCHEMA_VERSION: i64 = 1;

/// Creates schema version 1 in an empty file.
pub(crate) const CREATE: &str = "
    CREATE TABLE identity (one INTEGER PRIMARY KEY CHECK (one = 1), cluster TEXT) STRICT;
    INSERT INTO identity VALUES (1, NULL);
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
pub(crate) const STATEMENTS: [&str; 9] = [
    FIND_PARTITION,
    ADD_PARTITION,
    ADVANCE_PARTITION,
    FIND_VERSION,
    PUT,
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
pub(crate) struct Recent(pub(crate) Vec<u8>);

impl Recent {
    /// Whether so many commits can have left such a ring; if not, the file is damaged.
    pub(crate) fn fits(&self, version: u64) -> bool {
        self.0.len() as u64 == version.min(WRITE_IDS_KEPT as u64) * ID_BYTES as u64
    }

    /// The number of the commit with this write id, if it is remembered, given the partition's newest number.
    pub(crate) fn find(&self, write_id: WriteId, newest: u64) -> Option<u64> {
        let wanted = write_id.0.to_be_bytes();
        let slot = self.0.chunks_exact(ID_BYTES).position(|id| id == wanted)? as u64;
        // How many commits ago the slot was filled; the newest commit is in slot (newest - 1) % 64.
        let kept = WRITE_IDS_KEPT as u64;
        let ago = ((newest - 1) % kept + kept - slot) % kept;
        Some(newest - ago)
    }

    /// Remembers the write id of commit number `version`, forgetting the oldest when the ring is full.
    pub(crate) fn remember(&mut self, write_id: WriteId, version: u64) {
        let at = ((version - 1) % WRITE_IDS_KEPT as u64) as usize * ID_BYTES;
        let bytes = write_id.0.to_be_bytes();
        if at == self.0.len() {
            self.0.extend_from_slice(&bytes);
        } else {
            self.0[at..at + ID_BYTES].copy_from_slice(&bytes);
        }
        assert!(self.fits(version), "the ring of commit {version} has {} bytes", self.0.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ring_knows_the_last_sixty_four_by_number() {
        let mut recent = Recent(Vec::new());
        assert!(recent.fits(0));
        for version in 1..=300 {
            recent.remember(WriteId(u128::from(version) << 70 | 5), version);
            for asked in 1..=version + 1 {
                let expected = (asked <= version && asked + 64 > version).then_some(asked);
                assert_eq!(recent.find(WriteId(u128::from(asked) << 70 | 5), version), expected);
            }
        }
        assert!(!recent.fits(63) && recent.fits(64));
    }
}
