//! What an actor remembers of the calls that it has taken, so that none takes effect twice (promise P5).
//!
//! A call with an idempotency key leaves a row in the actor's partition, in the same commit as its effect. A repetition
//! finds the row, wherever the actor lives by then, and is told the first outcome. The rows of the last
//! [`KEYS_KEPT`] keys are kept; only their names stay in memory.

use crate::message::{Ended, Message};
use crate::routes::PointHasher;
use bytes::Bytes;
use indexmap::IndexMap;
use quark_core::codec::{self, CodecError, CodecLimits};
use quark_core::wire::IdempotencyKey;
use quark_core::{MethodId, hash, mutant};
use quark_env::store::{Op, Record};
use serde::{Deserialize, Serialize};
use std::hash::BuildHasherDefault;

/// How many keys an actor remembers. A repetition that comes after so many others runs again.
pub const KEYS_KEPT: usize = 128;
/// The rows' names begin with this.
pub(crate) const PREFIX: &str = "in/";

/// The keys that have been taken, oldest first.
#[derive(Clone, Default, Debug)]
pub(crate) struct Inbox {
    taken: IndexMap<IdempotencyKey, u64, BuildHasherDefault<PointHasher>>,
    next: u64,
}

/// What a row holds.
#[derive(Serialize, Deserialize)]
pub(crate) struct Taken {
    /// Its place among the keys of this actor.
    number: u64,
    method: MethodId,
    /// Of the arguments: a key that comes back with others was not drawn with care.
    arguments: u64,
    outcome: Outcome,
}

#[derive(Serialize, Deserialize)]
enum Outcome {
    Ok(Bytes),
    App(Bytes),
}

/// What a turn adds, once it is committed.
pub(crate) struct Entry {
    key: IdempotencyKey,
    number: u64,
    forgotten: Option<IdempotencyKey>,
}

impl Inbox {
    /// From the rows of the partition, in any order.
    pub fn load<'a>(rows: impl Iterator<Item = &'a Record>) -> Result<Self, CodecError> {
        let mut taken = Vec::new();
        for record in rows {
            let hex = record.key.row.strip_prefix(PREFIX).unwrap_or_default();
            let key = u128::from_str_radix(hex, 16).map_err(|_| CodecError::Malformed {
                of: "an inbox row",
                reason: format!("`{}` names no key", record.key.row),
            })?;
            taken.push((IdempotencyKey::new(key), decode(&record.value)?.number));
        }
        taken.sort_unstable_by_key(|(_, number)| *number);
        let next = taken.last().map_or(0, |(_, number)| number + 1);
        Ok(Self { taken: taken.into_iter().collect(), next })
    }

    /// Whether this key has been taken, as far back as is remembered.
    pub fn has(&self, key: IdempotencyKey) -> bool {
        self.taken.contains_key(&key)
    }

    /// The writes that remember a call's outcome, to be committed with its effect. `None` for an outcome that says that
    /// nothing ran.
    pub fn writes(
        &self,
        key: IdempotencyKey,
        message: &Message,
        ended: &Ended,
        ops: &mut Vec<Op>,
    ) -> Result<Option<Entry>, CodecError> {
        let outcome = match ended {
            Ended::Ok(bytes) => Outcome::Ok(bytes.clone()),
            Ended::App(bytes) => Outcome::App(bytes.clone()),
            Ended::Failed(_) | Ended::Bounced => return Ok(None),
        };
        let taken = Taken {
            number: self.next,
            method: message.method,
            arguments: hash::point(&message.args),
            outcome,
        };
        let value = codec::encode(&taken, quark_env::store::VALUE_BYTES_MAX)?;
        if !mutant!("m07") {
            ops.push(Op::Put { row: row_of(key).into(), value });
        }
        let forgotten = (self.taken.len() >= KEYS_KEPT).then(|| *self.taken.first().expect("it is full").0);
        if let Some(forgotten) = forgotten {
            ops.push(Op::Delete { row: row_of(forgotten).into() });
        }
        Ok(Some(Entry { key, number: self.next, forgotten }))
    }

    /// The writes are committed.
    pub fn committed(&mut self, entry: Entry) {
        if let Some(forgotten) = entry.forgotten {
            self.taken.shift_remove(&forgotten);
        }
        self.taken.insert(entry.key, entry.number);
        self.next = entry.number + 1;
    }
}

/// The row of a key.
pub(crate) fn row_of(key: IdempotencyKey) -> String {
    format!("{PREFIX}{:032x}", key.get())
}

/// Reads a row.
pub(crate) fn decode(value: &[u8]) -> Result<Taken, CodecError> {
    codec::decode(value, CodecLimits::default())
}

impl Taken {
    /// The first outcome; `None` if this is another call under the same key.
    pub fn outcome_of(self, message: &Message) -> Option<Ended> {
        let same = self.method == message.method && self.arguments == hash::point(&message.args);
        same.then_some(match self.outcome {
            Outcome::Ok(bytes) => Ended::Ok(bytes),
            Outcome::App(bytes) => Ended::App(bytes),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::ReplyTo;
    use quark_core::wire::CallId;
    use quark_core::{ActorId, Instant, Version, WriteId};
    use quark_env::store::RecordKey;
    use std::collections::BTreeMap;
    use std::sync::Arc;

    fn call(args: &'static [u8]) -> Message {
        Message {
            call: CallId::default(),
            reply_to: ReplyTo::Local,
            actor: ActorId::new("account", "a").expect("valid"),
            method: MethodId(7),
            args: Bytes::from_static(args),
            deadline: Instant::NEVER,
            chain: Arc::from([]),
            order: None,
            idempotency: None,
            headers: Arc::from([]),
            hops: 0,
            tick: None,
        }
    }

    /// Takes a key, and does to the rows what the store would.
    fn take(inbox: &mut Inbox, rows: &mut BTreeMap<String, Bytes>, key: u128) {
        let mut ops = Vec::new();
        let ended = Ended::Ok(Bytes::from(key.to_le_bytes().to_vec()));
        let entry =
            inbox.writes(IdempotencyKey::new(key), &call(b"5"), &ended, &mut ops).expect("it is small");
        inbox.committed(entry.expect("it ran"));
        for op in ops {
            match op {
                Op::Put { row, value } => rows.insert(row.to_string(), value),
                Op::Delete { row } => rows.remove(&*row),
            };
        }
    }

    fn load(rows: &BTreeMap<String, Bytes>) -> Inbox {
        let records: Vec<Record> = rows
            .iter()
            .map(|(row, value)| Record {
                key: RecordKey::new("p", row),
                version: Version(1),
                write_id: WriteId(1),
                value: value.clone(),
            })
            .collect();
        Inbox::load(records.iter()).expect("what was written can be read")
    }

    #[test]
    fn the_last_keys_are_remembered_also_by_the_next_activation() {
        let (mut inbox, mut rows) = (Inbox::default(), BTreeMap::new());
        let last = KEYS_KEPT as u128 + 10;
        // Not in the order of the keys, which is that of the rows.
        let keys: Vec<u128> = (0..last).map(|n| u128::from(hash::mix(n as u64))).collect();
        for (at, key) in keys.iter().enumerate() {
            take(&mut inbox, &mut rows, *key);
            if at == keys.len() / 2 {
                inbox = load(&rows);
            }
        }
        assert_eq!(rows.len(), KEYS_KEPT);
        for inbox in [&inbox, &load(&rows)] {
            let kept: Vec<bool> = keys.iter().map(|key| inbox.has(IdempotencyKey::new(*key))).collect();
            assert!(!kept[..10].contains(&true) && !kept[10..].contains(&false), "{kept:?}");
        }
    }

    #[test]
    fn a_repetition_is_told_the_first_outcome_and_another_call_is_not() {
        let (mut inbox, mut rows) = (Inbox::default(), BTreeMap::new());
        take(&mut inbox, &mut rows, 9);
        let taken = || decode(&rows[&row_of(IdempotencyKey::new(9))]).expect("a row");
        assert_eq!(
            taken().outcome_of(&call(b"5")),
            Some(Ended::Ok(Bytes::from(9u128.to_le_bytes().to_vec())))
        );
        assert_eq!(taken().outcome_of(&call(b"6")), None);
        assert_eq!(taken().outcome_of(&Message { method: MethodId(8), ..call(b"5") }), None);
    }

    #[test]
    fn a_call_that_did_not_run_leaves_no_key() {
        let mut ops = Vec::new();
        let entry = Inbox::default().writes(IdempotencyKey::new(1), &call(b""), &Ended::Bounced, &mut ops);
        assert!(entry.expect("nothing to encode").is_none() && ops.is_empty());
    }
}
