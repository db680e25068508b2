//! The global index of what is due: its shards, and the names of its rows.

use crate::{ActorId, Version, WallTime, hash};
use serde::{Deserialize, Serialize};
use std::fmt;

/// How many partitions the index has. Fixed for ever: it decides where a reminder's rows are.
pub const SHARDS: u8 = 64;

/// One partition of the index.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Shard(u8);

impl Shard {
    /// The shard of an actor's reminders.
    pub fn of(actor: &ActorId) -> Self {
        Self((hash::mix(actor.point()) % u64::from(SHARDS)) as u8)
    }

    /// A shard by its number; `None` from [`SHARDS`] on.
    pub const fn new(number: u8) -> Option<Self> {
        if number < SHARDS { Some(Self(number)) } else { None }
    }

    /// Every shard.
    pub fn all() -> impl Iterator<Item = Shard> {
        (0..SHARDS).map(Shard)
    }

    /// Its number, below [`SHARDS`].
    pub const fn number(self) -> u8 {
        self.0
    }

    /// Its point on the ring: who owns that owns the shard.
    pub fn point(self) -> u64 {
        hash::point_in(u64::from(self.0), b"reminder-shard")
    }

    /// The name of its partition in the store.
    pub fn partition(self) -> String {
        format!("reminders/{}", self.0)
    }
}

/// The name of an index row, whose order is the order of due times.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowKey {
    /// The due time in whole milliseconds since 1970, rounded down: a row is never later than what it announces.
    pub due_ms: u64,
    /// Of the actor and the reminder's name.
    pub digest: u128,
}

impl RowKey {
    /// Before every row.
    pub const START: RowKey = RowKey { due_ms: 0, digest: 0 };

    /// The row of a reminder that is due then.
    pub fn of(actor: &ActorId, name: &str, due: WallTime) -> Self {
        // The lengths come first, so that no two pairs of names are the same bytes.
        let mut bytes = Vec::with_capacity(24 + actor.text().len() + name.len());
        for length in [actor.tenant().len(), actor.kind().len(), actor.key().len()] {
            if !crate::mutant!("m61") {
                bytes.extend_from_slice(&(length as u64).to_le_bytes());
            }
        }
        bytes.extend_from_slice(actor.text().as_bytes());
        bytes.extend_from_slice(name.as_bytes());
        Self { due_ms: ms_of(due), digest: hash::digest_in(DOMAIN, &bytes) }
    }

    /// Before every row that is due then or later.
    pub fn first_at(due: WallTime) -> Self {
        Self { due_ms: ms_of(due), digest: 0 }
    }

    /// The first name after this one.
    pub(super) fn after(self) -> Self {
        match self.digest.checked_add(1) {
            Some(digest) => Self { digest, ..self },
            None => Self { due_ms: self.due_ms.saturating_add(1), digest: 0 },
        }
    }

    /// Reads a row's name; `None` for what is not one.
    pub fn parse(text: &str) -> Option<Self> {
        let (due, digest) = text.split_once('/')?;
        let is_hex = |s: &str| s.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if due.len() != 16 || digest.len() != 32 || !is_hex(due) || !is_hex(digest) {
            return None;
        }
        let due_ms = u64::from_str_radix(due, 16).ok()?;
        Some(Self { due_ms, digest: u128::from_str_radix(digest, 16).ok()? })
    }
}

/// As it stands in the store: 16 and 32 hexadecimal digits, so that texts sort like times.
impl fmt::Display for RowKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}/{:032x}", self.due_ms, self.digest)
    }
}

impl fmt::Debug for RowKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What an index row says.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct IndexRow {
    /// Whose reminder.
    pub actor: ActorId,
    /// The reminder's name, of its actor's choosing.
    pub name: String,
    /// When it is due, to the nanosecond: it names the occurrence.
    pub due: WallTime,
}

impl IndexRow {
    /// The row's name.
    pub fn key(&self) -> RowKey {
        RowKey::of(&self.actor, &self.name, self.due)
    }

    /// The same reminder, due at another time.
    pub(super) fn due_at(&self, due: WallTime) -> Self {
        Self { actor: self.actor.clone(), name: self.name.clone(), due }
    }
}

/// A row as it was read.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct StoredRow {
    /// Under which name it stands, and is deleted.
    pub key: RowKey,
    /// What it says.
    pub row: IndexRow,
    /// Which commit wrote it.
    pub version: Version,
}

pub(super) fn ms_of(time: WallTime) -> u64 {
    u64::try_from(time.0).unwrap_or(0) / 1_000_000
}

/// Keeps these digests apart from every other use of the hash.
const DOMAIN: u64 = 0x7265_6d69_6e64_6572;
