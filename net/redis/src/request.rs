//! One request: the command, who waits for it, and what the answer means.

use crate::address::Endpoint;
use crate::queue::Place;
use crate::schema::{self, Keys};
use crate::seen::{Mark, Seen};
use quark_core::Version;
use quark_env::store::{Batch, Check, Committed, Op, Partition, Record, RecordKey, ScanRange, StoreError};
use redis::{Arg, Cmd, Value};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::oneshot;

/// The hashes under which the server knows our scripts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Scripts {
    pub(crate) commit: String,
    pub(crate) scan: String,
}

/// A request on its way.
pub(crate) struct Request {
    /// Its place in the order of its lane.
    pub(crate) number: u64,
    pub(crate) slot: u16,
    pub(crate) command: Cmd,
    pub(crate) asker: Asker,
    /// How often it was sent again.
    pub(crate) tries: u8,
    /// When it was first sent to a server that did not carry it out.
    pub(crate) first_refused: Option<Instant>,
    /// The node that another node sent us to, for this once.
    pub(crate) ask: Option<Endpoint>,
    pub(crate) place: Option<Place>,
}

/// What a commit came to.
type Outcome = Result<Committed, StoreError>;

/// Who waits, and what is needed to understand the answer.
pub(crate) enum Asker {
    Commit {
        partition: Partition,
        checks: Vec<Check>,
        seen: u64,
        floor: u64,
        reply: oneshot::Sender<Outcome>,
    },
    Read {
        key: RecordKey,
        seen: u64,
        reply: oneshot::Sender<Result<Option<Record>, StoreError>>,
    },
    Scan {
        partition: Partition,
        seen: u64,
        reply: oneshot::Sender<Result<Vec<Record>, StoreError>>,
    },
}

impl Request {
    pub(crate) fn commit(
        scripts: &Scripts,
        prefix: &str,
        batch: Batch,
        mark: Mark,
        floor: u64,
        reply: oneshot::Sender<Outcome>,
    ) -> Self {
        let keys = Keys::of(prefix, &batch.partition);
        let mut command = evalsha(&scripts.commit, &keys);
        command.arg(&batch.write_id.0.to_be_bytes()).arg(&schema::fingerprint(batch.write_id));
        let floor = floor.max(mark.floor + 1);
        command.arg(mark.seen).arg(floor).arg(batch.checks.len()).arg("v").arg("w");
        for check in &batch.checks {
            command.arg(schema::field(&check.row));
        }
        for check in &batch.checks {
            match check.expect {
                quark_env::store::Expect::Absent => command.arg(""),
                quark_env::store::Expect::Version(version) => command.arg(&version.0.to_be_bytes()),
            };
        }
        add_operations(&mut command, &batch);
        let asker =
            Asker::Commit { partition: batch.partition, checks: batch.checks, seen: mark.seen, floor, reply };
        Self::new(keys.slot, command, asker)
    }

    pub(crate) fn read(
        prefix: &str,
        key: RecordKey,
        mark: Mark,
        reply: oneshot::Sender<Result<Option<Record>, StoreError>>,
    ) -> Self {
        let keys = Keys::of(prefix, &key.partition);
        let mut command = redis::cmd("HMGET");
        command.arg(&keys.records).arg("v").arg(schema::field(&key.row));
        Self::new(keys.slot, command, Asker::Read { key, seen: mark.seen, reply })
    }

    pub(crate) fn scan(
        scripts: &Scripts,
        prefix: &str,
        range: ScanRange,
        limit: usize,
        mark: Mark,
        reply: oneshot::Sender<Result<Vec<Record>, StoreError>>,
    ) -> Self {
        let keys = Keys::of(prefix, &range.partition);
        let mut command = evalsha(&scripts.scan, &keys);
        command.arg([b"[r", range.from.as_bytes()].concat());
        // All rows begin with `r`, so `s` comes after the last.
        let to = if range.to.is_empty() { b"(s".to_vec() } else { [b"(r", range.to.as_bytes()].concat() };
        command.arg(to).arg(i64::from(u32::try_from(limit).unwrap_or(u32::MAX)));
        Self::new(keys.slot, command, Asker::Scan { partition: range.partition, seen: mark.seen, reply })
    }

    fn new(slot: u16, command: Cmd, asker: Asker) -> Self {
        Self { number: 0, slot, command, asker, tries: 0, first_refused: None, ask: None, place: None }
    }

    /// To be called before it is sent: the least version that a commit may get is that of the moment at which it leaves.
    ///
    /// It may have waited for a connection that was lost, and the one that replaced it may have found that the server's
    /// history broke meanwhile. With the floor of the moment at which it was queued it would be given a version that the
    /// server gave out before, and has forgotten.
    pub(crate) fn raise_to(&mut self, newest_floor: u64) {
        let Asker::Commit { floor, .. } = &mut self.asker else { return };
        if *floor >= newest_floor {
            return;
        }
        quark_core::reached!("redis.floor.raised");
        *floor = newest_floor;
        let mut raised = Cmd::with_capacity(32, 512);
        for (at, arg) in self.command.args_iter().enumerate() {
            match arg {
                Arg::Simple(_) if at == FLOOR_AT => raised.arg(newest_floor),
                Arg::Simple(bytes) => raised.arg(bytes),
                _ => unreachable!("a commit has a cursor nowhere"),
            };
        }
        self.command = raised;
    }

    /// The answer came, and is no error.
    pub(crate) fn answered(self, value: Value, seen: &Seen) {
        match self.asker {
            Asker::Commit { partition, checks, seen: before, reply, .. } => {
                let outcome = committed(&partition, &checks, before, value);
                if let Ok(committed) = &outcome {
                    seen.saw(&partition, committed.version);
                }
                let _ = reply.send(outcome); // maybe: the caller has lost interest
            }
            Asker::Read { key, seen: before, reply } => {
                let _ = reply.send(read(key, before, value, seen));
            }
            Asker::Scan { partition, seen: before, reply } => {
                let _ = reply.send(scanned(&partition, before, value, seen));
            }
        }
    }

    /// It was certainly not carried out.
    pub(crate) fn refuse(self, reason: &str) {
        self.fail(StoreError::Unavailable(reason.into()));
    }

    /// Nobody knows whether it was carried out. A read changed nothing either way.
    pub(crate) fn doubt(self, reason: &str) {
        let is_commit = matches!(self.asker, Asker::Commit { .. });
        if is_commit {
            quark_core::reached!("redis.indeterminate");
        }
        self.fail(if is_commit {
            StoreError::Indeterminate(reason.into())
        } else {
            StoreError::Unavailable(reason.into())
        });
    }

    pub(crate) fn wrong_type(self) {
        let partition = match &self.asker {
            Asker::Commit { partition, .. } | Asker::Scan { partition, .. } => partition,
            Asker::Read { key, .. } => &key.partition,
        };
        let error =
            schema::corrupt(partition, &"".into(), "another program uses the partition's keys".into());
        self.fail(error);
    }

    fn fail(self, error: StoreError) {
        match self.asker {
            Asker::Commit { reply, .. } => drop(reply.send(Err(error))),
            Asker::Read { reply, .. } => drop(reply.send(Err(error))),
            Asker::Scan { reply, .. } => drop(reply.send(Err(error))),
        }
    }
}

/// Where a commit's floor stands: EVALSHA, digest, 2, two keys, write id, fingerprint, version seen, floor.
const FLOOR_AT: usize = 8;

fn evalsha(script: &str, keys: &Keys) -> Cmd {
    let mut command = Cmd::with_capacity(32, 512);
    command.arg("EVALSHA").arg(script).arg(2).arg(&keys.records).arg(&keys.order);
    command
}

/// The last operation on a row wins, so only it is sent.
fn add_operations(command: &mut Cmd, batch: &Batch) {
    if let [Op::Put { row, value }] = &batch.ops[..] {
        let body = schema::body(&batch.partition, row, batch.write_id, value);
        command.arg(1).arg(schema::field(row)).arg(body);
        return;
    }
    let mut last: BTreeMap<&str, Option<&[u8]>> = BTreeMap::new();
    for op in &batch.ops {
        match op {
            Op::Put { row, value } => last.insert(row, Some(value)),
            Op::Delete { row } => last.insert(row, None),
        };
    }
    command.arg(last.values().flatten().count());
    for (row, value) in &last {
        if let Some(value) = value {
            let body = schema::body(&batch.partition, row, batch.write_id, value);
            command.arg(schema::field(row)).arg(body);
        }
    }
    for (row, value) in &last {
        if value.is_none() {
            command.arg(schema::field(row));
        }
    }
}

fn committed(partition: &Partition, checks: &[Check], seen: u64, value: Value) -> Outcome {
    let nonsense = |value: &Value| {
        Err(StoreError::Indeterminate(format!("the server answered a commit with {value:?}")))
    };
    let parts = match value {
        Value::Int(version) => return Ok(Committed { version: Version(version as u64) }),
        Value::Array(parts) => parts,
        other => return nonsense(&other),
    };
    match &parts[..] {
        [Value::Int(1), Value::Int(at), found @ ..] => {
            let check = &checks[(*at as usize).clamp(1, checks.len()) - 1];
            let found = match found {
                [Value::BulkString(bytes)] => Some(schema::counter(partition, Some(bytes))?),
                _ => None,
            };
            let (partition, row) = (partition.clone(), check.row.clone());
            Err(StoreError::Conflict { partition, row, expected: check.expect, found })
        }
        [Value::Int(2), Value::Int(found)] => Err(went_back(partition, seen, Version(*found as u64))),
        [Value::Int(3), reason] => {
            Err(schema::corrupt(partition, &"".into(), text(reason).unwrap_or("it is malformed").into()))
        }
        _ => nonsense(&Value::Array(parts)),
    }
}

fn went_back(partition: &Partition, seen: u64, found: Version) -> StoreError {
    quark_core::reached!("redis.went_back");
    StoreError::WentBack { partition: partition.clone(), seen: Version(seen), found }
}

/// The partition's counter, the first of what a read or a scan answers; it must not be below what was seen.
fn newest(
    partition: &Partition,
    before: u64,
    value: Option<Value>,
    seen: &Seen,
) -> Result<Version, StoreError> {
    let counter = match value {
        Some(Value::BulkString(bytes)) => schema::counter(partition, Some(&bytes))?,
        Some(Value::Nil) => Version(0),
        other => return Err(StoreError::Unavailable(format!("the server answered with {other:?}"))),
    };
    if counter.0 < before {
        seen.lost(partition, before);
        return Err(went_back(partition, before, counter));
    }
    seen.saw(partition, counter);
    Ok(counter)
}

fn read(key: RecordKey, before: u64, value: Value, seen: &Seen) -> Result<Option<Record>, StoreError> {
    let Value::Array(parts) = value else {
        return Err(StoreError::Unavailable(format!("the server answered a read with {value:?}")));
    };
    let mut parts = parts.into_iter();
    let newest = newest(&key.partition, before, parts.next(), seen)?;
    match parts.next() {
        Some(Value::BulkString(stored)) => schema::record(key, newest, stored).map(Some),
        _ => Ok(None),
    }
}

fn scanned(partition: &Partition, before: u64, value: Value, seen: &Seen) -> Result<Vec<Record>, StoreError> {
    let Value::Array(parts) = value else {
        return Err(StoreError::Unavailable(format!("the server answered a scan with {value:?}")));
    };
    let mut records = Vec::with_capacity(parts.len() / 2);
    let mut parts = parts.into_iter();
    let newest = newest(partition, before, parts.next(), seen)?;
    while let (Some(row), Some(stored)) = (parts.next(), parts.next()) {
        let row: Arc<str> = text(&row).and_then(|row| row.strip_prefix('r')).unwrap_or("").into();
        let key = RecordKey { partition: partition.clone(), row };
        match stored {
            Value::BulkString(stored) => records.push(schema::record(key, newest, stored)?),
            _ => {
                let reason = "the order names it, and there is no such record".into();
                return Err(schema::corrupt(partition, &key.row, reason));
            }
        }
    }
    Ok(records)
}

fn text(value: &Value) -> Option<&str> {
    match value {
        Value::BulkString(bytes) => std::str::from_utf8(bytes).ok(),
        Value::SimpleString(text) => Some(text),
        _ => None,
    }
}
