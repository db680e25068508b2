//! How the records lie in Redis.
//!
//! ```text
//! <prefix>:p{.<partition>}   hash   v        the partition's counter, 8 bytes
//!                                   w        the write ids of the last commits, in short (below)
//!                                   w0..w7   the same, in full: eight chunks of eight
//!                                   r<row>   a record: version 8, write id 16, checksum 4, value
//! <prefix>:o{.<partition>}   zset   r<row>   all with score 0: so Redis keeps them in byte order
//! <prefix>:mark              hash   format, cluster, history, era
//! ```
//!
//! The braces make Redis Cluster put both keys of a partition in one slot; the dot keeps what they enclose from being
//! empty, which would undo that. Neither key is ever deleted: the counter must outlive the records. The order is a
//! second key because a hash has none, and it is written only when a row comes or goes. Putting the values into the
//! sorted set instead was rejected: every write would have to find and remove the old member.
//!
//! *Write ids.* A commit has to find its own write id among the last 64. The whole ring is 1280 bytes, and carrying it
//! into Lua and back took as long as all the rest of a commit. So `w` has two bytes of each id (128 bytes), which
//! prove in 99.7 % of the commits that the id is new, and the chunk that is being filled; a full chunk moves to a field
//! of its own. Each id stands there with the low 32 bits of its version: versions are not consecutive after a jump (see
//! [`crate::history`]).
//!
//! *Checksum*: crc32c of partition, row, write id and value, made by the client. The version is not part of it, since
//! the server gives it out; a version beyond the partition's counter is found all the same.

use bytes::Bytes;
use quark_core::{Version, WriteId};
use quark_env::store::{Partition, Record, RecordKey, StoreError};
use std::sync::Arc;

/// The layout that this version reads and writes.
pub(crate) const FORMAT: u32 = 1;
/// Slots of a Redis Cluster.
const SLOTS: u16 = 16384;
const VERSION_BYTES: usize = 8;
const ID_BYTES: usize = 16;
const HEAD_BYTES: usize = VERSION_BYTES + ID_BYTES + 4;

/// The two keys of a partition, and their slot.
pub(crate) struct Keys {
    pub(crate) records: Vec<u8>,
    pub(crate) order: Vec<u8>,
    pub(crate) slot: u16,
}

impl Keys {
    pub(crate) fn of(prefix: &str, partition: &Partition) -> Self {
        let key = |kind: u8| [prefix.as_bytes(), &[b':', kind], b"{.", partition.0.as_bytes(), b"}"].concat();
        let records = key(b'p');
        let slot = slot(&records);
        Self { records, order: key(b'o'), slot }
    }
}

/// The key of a store's mark; on a cluster, one that lies in the given slot.
pub(crate) fn mark(prefix: &str, slot_wanted: Option<u16>) -> String {
    let Some(wanted) = slot_wanted else { return format!("{prefix}:mark") };
    (0_u32..)
        .map(|tag| format!("{prefix}:mark{{{tag}}}"))
        .find(|key| slot(key.as_bytes()) == wanted)
        .expect("the checksum reaches every slot long before the numbers end")
}

/// The slot of a key: CRC16 (XMODEM) of what stands between the first `{` and the next `}`, or of all of it.
pub(crate) fn slot(key: &[u8]) -> u16 {
    let tag = key.iter().position(|b| *b == b'{').and_then(|open| {
        let inside = &key[open + 1..];
        let close = inside.iter().position(|b| *b == b'}')?;
        (close > 0).then(|| &inside[..close])
    });
    let crc = tag.unwrap_or(key).iter().fold(0_u16, |crc, byte| {
        (0..8)
            .fold(crc ^ u16::from(*byte) << 8, |crc, _| crc << 1 ^ if crc & 0x8000 != 0 { 0x1021 } else { 0 })
    });
    crc % SLOTS
}

/// A row as a field of the hash and a member of the order. The letter keeps rows and counters apart.
pub(crate) fn field(row: &str) -> Vec<u8> {
    [b"r", row.as_bytes()].concat()
}

/// What a commit stores after the version.
pub(crate) fn body(partition: &Partition, row: &str, write_id: WriteId, value: &[u8]) -> Vec<u8> {
    let id = write_id.0.to_be_bytes();
    let checksum = checksum(partition, row, &id, value).to_be_bytes();
    [&id[..], &checksum, value].concat()
}

/// Two bytes that stand for a write id in the short list.
pub(crate) fn fingerprint(write_id: WriteId) -> [u8; 2] {
    let mixed = crc32c::crc32c(&write_id.0.to_be_bytes()).to_be_bytes();
    [mixed[0], mixed[1]]
}

fn checksum(partition: &Partition, row: &str, write_id: &[u8], value: &[u8]) -> u32 {
    const NO_UTF8: &[u8] = &[0xFF]; // between the names, or ("a", "bc") would be ("ab", "c")
    let parts = [partition.0.as_bytes(), NO_UTF8, row.as_bytes(), NO_UTF8, write_id, value];
    parts.into_iter().fold(0, crc32c::crc32c_append)
}

/// A partition's counter as it is stored; no bytes for a partition that was never written.
pub(crate) fn counter(partition: &Partition, bytes: Option<&[u8]>) -> Result<Version, StoreError> {
    let Some(bytes) = bytes else { return Ok(Version(0)) };
    match bytes.try_into() {
        Ok(bytes) => Ok(Version(u64::from_be_bytes(bytes))),
        Err(_) => {
            Err(corrupt(partition, &"".into(), format!("the partition's counter has {} bytes", bytes.len())))
        }
    }
}

/// A record as it is stored.
pub(crate) fn record(key: RecordKey, newest: Version, stored: Vec<u8>) -> Result<Record, StoreError> {
    let refuse = |reason: String| Err(corrupt(&key.partition, &key.row, reason));
    if stored.len() < HEAD_BYTES {
        return refuse(format!("it has {} bytes, a record has {HEAD_BYTES} and more", stored.len()));
    }
    let (version, rest) = stored.split_at(VERSION_BYTES);
    let (write_id, rest) = rest.split_at(ID_BYTES);
    let (sum, value) = rest.split_at(HEAD_BYTES - VERSION_BYTES - ID_BYTES);
    if checksum(&key.partition, &key.row, write_id, value).to_be_bytes() != sum {
        return refuse("the checksum does not match".into());
    }
    let version = Version(u64::from_be_bytes(version.try_into().expect("split at eight")));
    if version > newest {
        return refuse(format!("it has version {}, its partition only {}", version.0, newest.0));
    }
    let write_id = WriteId(u128::from_be_bytes(write_id.try_into().expect("split at sixteen")));
    Ok(Record { version, write_id, value: Bytes::from(stored).slice(HEAD_BYTES..), key })
}

/// The error of something that was read and makes no sense.
pub(crate) fn corrupt(partition: &Partition, row: &Arc<str>, reason: String) -> StoreError {
    quark_core::reached!("redis.corrupt");
    StoreError::Corrupt { partition: partition.clone(), row: row.clone(), reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_those_of_redis() {
        // As `CLUSTER KEYSLOT` answers.
        for (key, expected) in [("123456789", 12739), ("foo", 12182), ("{foo}.bar", 12182), ("a{}foo", 16292)]
        {
            assert_eq!(slot(key.as_bytes()), expected, "{key}");
        }
    }

    #[test]
    fn both_keys_of_any_partition_share_a_slot() {
        for name in ["", "a", "}", "a}b", "{", "{}", "{x}y", "日本"] {
            let keys = Keys::of("q", &name.into());
            assert_eq!(slot(&keys.records), slot(&keys.order), "{name}");
        }
    }

    #[test]
    fn every_slot_has_a_mark() {
        for wanted in [0, 1, 5461, 16383] {
            assert_eq!(slot(mark("q", Some(wanted)).as_bytes()), wanted);
        }
    }

    #[test]
    fn a_record_that_was_touched_is_corrupt() {
        let (key, id) = (RecordKey::new("p", "row"), WriteId(7));
        let body = body(&key.partition, "row", id, b"value");
        let stored = [&5_u64.to_be_bytes()[..], &body].concat();
        let found = record(key.clone(), Version(5), stored.clone()).unwrap();
        assert_eq!((found.version, found.write_id, &*found.value), (Version(5), id, &b"value"[..]));
        for at in 8..stored.len() {
            let mut touched = stored.clone();
            touched[at] ^= 1;
            assert!(record(key.clone(), Version(5), touched).is_err(), "byte {at}");
        }
        assert!(record(key.clone(), Version(4), stored.clone()).is_err(), "newer than its partition");
        assert!(record(key.clone(), Version(5), stored[..20].to_vec()).is_err(), "cut off");
        assert!(record(RecordKey::new("p", "other"), Version(5), stored).is_err(), "of another row");
    }
}
