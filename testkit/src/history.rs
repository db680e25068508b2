//! What happened in a run, as data that checkers read after it: silos, clients and the world, in one order.
//!
//! A silo's own record carries two times: when it truly happened, and what the silo's clock showed. Checkers order by
//! position, measure in true time, and compare a silo's deadlines and leases only with that silo's clock.

mod numbers;

use crate::checkers::{Life, Silos};
use crate::journal::UserRecord;
pub(crate) use numbers::{NOTHING, Numbers};
use quark::{LetterId, MissedPolicy, Schedule, SiloStatus};
use quark_core::view::View;
use quark_core::wire::{CallId, IdempotencyKey};
use quark_core::{ActorId, Epoch, Instant, MethodId, SiloId, SiloName, Version, WallTime, WriteId};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// One thing that happened.
#[derive(Clone, Debug)]
pub struct Record {
    /// When, in true time. Never earlier than the record before.
    pub at: Instant,
    /// What.
    pub what: What,
}

/// What a record says, by who said it.
#[derive(Clone, Debug)]
pub enum What {
    /// A silo did something.
    Silo(SiloRecord),
    /// A client did something.
    Client(ClientEvent),
    /// A workload with a vocabulary of its own did something.
    User(UserRecord),
    /// The world did something, or was asked about something.
    World(WorldEvent),
}

/// Something that a silo did.
#[derive(Clone, Debug)]
pub struct SiloRecord {
    /// Which incarnation.
    pub silo: SiloId,
    /// When, on its own monotonic clock.
    pub local: Instant,
    /// What.
    pub event: SiloEvent,
}

/// The owned mirror of [`quark::Event`], where every field is explained.
#[derive(Clone, PartialEq, Debug)]
#[allow(missing_docs, reason = "the fields of the event, documented there")] // Field by field as `quark::Event`; saying it twice would let the two drift apart.
pub enum SiloEvent {
    /// The silo has joined.
    Joined,
    /// A newer view took effect.
    ViewInstalled { view: Arc<View> },
    /// The lease is proven until then.
    LeaseHeld { until: Instant },
    /// The lease ended unproven.
    LeaseLost,
    /// The silo stopped.
    Stopped { reason: Arc<str> },
    /// This silo, as directory owner, placed an actor.
    Placed { actor: ActorId, on: SiloId },
    /// An activation is ready for its first turn.
    Activated { actor: ActorId, epoch: Epoch },
    /// An activation ended.
    Deactivated { actor: ActorId, epoch: Epoch, reason: Arc<str> },
    /// A turn began.
    TurnStarted(TurnStarted),
    /// A turn ended.
    TurnEnded { actor: ActorId, epoch: Epoch, caller: SiloId, call: CallId, exclusive: bool },
    /// A commit is about to be asked for.
    CommitAsked(CommitAsked),
    /// What the commit that has just been asked for does to a reminder.
    ReminderAsked { actor: ActorId, write: WriteId, name: Arc<str>, change: ReminderChange },
    /// A durable turn's commit was acknowledged by the store.
    Committed { actor: ActorId, epoch: Epoch, version: Version },
    /// A stale activation was stopped from committing.
    Fenced { actor: ActorId, epoch: Epoch },
    /// The store has lost commits of which the silo was told.
    StoreWentBack { partition: Arc<str>, seen: Version, found: Version },
    /// A call was issued here.
    CallIssued { call: CallId, actor: ActorId, deadline: Instant },
    /// A call issued here got its outcome.
    CallEnded { call: CallId, outcome: Arc<str>, deadline: Instant },
    /// A message was dropped with a reason.
    DeadLettered { actor: Option<ActorId>, reason: Arc<str> },
}

/// A commit that is asked for: the fields of [`quark::Event::CommitAsked`].
#[derive(Clone, PartialEq, Debug)]
#[allow(missing_docs, reason = "the fields of the event, documented there")]
pub struct CommitAsked {
    pub actor: ActorId,
    pub epoch: Epoch,
    pub write: WriteId,
    pub after: Version,
    pub once: Option<Once>,
    pub withdrawn: Arc<[LetterId]>,
}

/// The owned mirror of [`quark::Once`].
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[allow(missing_docs, reason = "as the event's, documented there")]
pub enum Once {
    Key(IdempotencyKey),
    Letter { from: ActorId, id: LetterId },
}

/// The owned mirror of [`quark::ReminderChange`].
#[derive(Clone, PartialEq, Debug)]
#[allow(missing_docs, reason = "as the event's, documented there")]
pub enum ReminderChange {
    Set { schedule: Arc<Schedule>, policy: MissedPolicy, next: WallTime },
    Fired { due: WallTime, missed: u64, next: Option<WallTime> },
    Skipped { next: Option<WallTime> },
    Cancelled,
}

/// A turn's beginning: the fields of [`quark::Event::TurnStarted`].
#[derive(Clone, PartialEq, Debug)]
#[allow(missing_docs, reason = "the fields of the event, documented there")]
pub struct TurnStarted {
    pub actor: ActorId,
    pub epoch: Epoch,
    pub version: Version,
    pub method: MethodId,
    pub caller: SiloId,
    pub call: CallId,
    pub exclusive: bool,
    pub order: Option<(u64, u64)>,
    pub deadline: Instant,
}

/// What a workload's client saw. Operations know one small vocabulary: a balance that starts at zero.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ClientEvent {
    /// The client is about to call.
    Invoked {
        /// Which client.
        client: u64,
        /// Names the operation; never used again in this history.
        op_id: u64,
        /// On which actor.
        actor: ActorId,
        /// What it asks for.
        op: Op,
    },
    /// The call has ended, one way or another.
    Returned {
        /// The operation.
        op_id: u64,
        /// How it ended.
        outcome: Outcome,
    },
}

/// What a client can ask of a balance.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Op {
    /// Add so much; answers the new balance.
    Add(u64),
    /// Take so much if it is there; answers the new balance, or refuses with the balance as it is.
    Take(u64),
    /// Answers the balance.
    Read,
}

/// How an operation ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It happened, and this is the balance after it.
    Ok(u64),
    /// The actor refused, because its balance was this.
    Refused(u64),
    /// It did not happen and will not: the runtime says so.
    Failed,
    /// Nobody knows; it may yet happen.
    Unknown,
}

/// What the world did, or what it was like.
#[derive(Clone, PartialEq, Debug)]
pub enum WorldEvent {
    /// The silo's process is gone.
    Crashed(SiloId),
    /// The silo's process is frozen.
    Paused(SiloId),
    /// It goes on.
    Resumed(SiloId),
    /// A node computes so many thousandths of the usual time from now on, whichever process runs on it; 1000 is usual.
    Slowed {
        /// Its name.
        name: SiloName,
        /// How many times as long everything takes, in thousandths.
        milli: u32,
    },
    /// All faults are over. The last one begins the phase in which liveness is demanded.
    Healed,
    /// Nothing is under way any more: samples from now on must show empty tables.
    Quiet,
    /// A silo's own count of what it holds.
    Sampled {
        /// Which silo.
        silo: SiloId,
        /// What it says.
        status: SiloStatus,
    },
    /// A commit took effect in the store.
    StoreCommit {
        /// Which process asked for it: a node's index and its incarnation. Comparable only with other commits'.
        by: (usize, u32),
        /// The partition.
        partition: Arc<str>,
        /// What its rows now have.
        version: Version,
        /// The attempt.
        write_id: WriteId,
        /// The rows written.
        puts: Vec<Arc<str>>,
        /// The rows deleted.
        deletes: Vec<Arc<str>>,
        /// If it claims an actor: the epoch it takes, and for whom.
        claim: Option<(Epoch, SiloId)>,
    },
    /// A replica took the store over: commits of the last moments before, acknowledged or not, may be gone.
    StoreFailedOver,
    /// What time it truly is, and how far ahead of that the silos' wall clocks are.
    WallClocks {
        /// The true time of day.
        truth: WallTime,
        /// How far the clock is ahead that is furthest ahead; zero if none is.
        most: Duration,
        /// The same of all clocks but that one: of three or more clocks one that is wrong is outvoted.
        second: Duration,
    },
    /// Where a silo says that actors live: those it hosts, and those of the ranges that it owns.
    DirectorySampled {
        /// Which silo.
        silo: SiloId,
        /// The actors that are active there.
        hosts: Arc<[ActorId]>,
        /// The entries of its ranges: who lives where.
        entries: Arc<[(ActorId, SiloId)]>,
    },
    /// After all was healed an actor was asked whether it answers.
    Served {
        /// Which.
        actor: ActorId,
        /// Why it did not; `None` if it did.
        failure: Option<Arc<str>>,
    },
    /// What the store has of an actor, after all was healed.
    Scanned {
        /// Which.
        actor: ActorId,
        /// The newest version among its owner row, state and mark; 0 if it has none of them.
        version: Version,
        /// Its owner row: the epoch, and who took it.
        owner: Option<(Epoch, SiloId)>,
    },
    /// A fund is known to have so much in it from now on, spread over any number of actors.
    Endowed {
        /// Names the fund.
        fund: Arc<str>,
        /// How much there is of it.
        total: u64,
    },
    /// All that there is of a fund was counted, actor by actor.
    Counted {
        /// Names the fund.
        fund: Arc<str>,
        /// Who had how much.
        parts: Arc<[(ActorId, u64)]>,
        /// Whether nothing of it can have been under way between two of them.
        settled: bool,
    },
    /// From now on the story does what this promise excludes (two clock rates 10 % apart, a store that forgets):
    /// violations of it count as waived.
    Waived {
        /// The promise, as checkers name it: `P2`.
        promise: &'static str,
        /// Why.
        reason: String,
    },
}

/// Everything that happened, in order. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct History {
    records: Arc<Vec<Record>>,
    dropped: u64,
    index: Arc<OnceLock<Index>>,
}

/// What many checkers look for, found once: a history is larger than any cache.
#[derive(Debug)]
struct Index {
    silos: Silos,
    numbers: Numbers,
    clients: Vec<usize>,
    users: Vec<usize>,
    worlds: Vec<usize>,
}

impl Index {
    fn of(records: &[Record]) -> Self {
        let mut index = Self {
            silos: Silos::of(records),
            numbers: Numbers::of(records),
            clients: Vec::new(),
            users: Vec::new(),
            worlds: Vec::new(),
        };
        for (position, record) in records.iter().enumerate() {
            match &record.what {
                What::Silo(_) => {}
                What::Client(_) => index.clients.push(position),
                What::User(_) => index.users.push(position),
                What::World(_) => index.worlds.push(position),
            }
        }
        index
    }
}

impl History {
    /// A history of these records, of which the last `dropped` were not kept.
    ///
    /// Panics: if a record is earlier than the one before it.
    pub fn new(records: Vec<Record>, dropped: u64) -> Self {
        assert!(records.is_sorted_by_key(|r| r.at), "a history is in order of true time");
        Self { records: Arc::new(records), dropped, index: Arc::default() }
    }

    /// All records. Their position is the order in which they happened.
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// How many records came after the history was full, and are missing.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// The time of the last record.
    pub fn end(&self) -> Instant {
        self.records.last().map_or(Instant::ZERO, |r| r.at)
    }

    fn index(&self) -> &Index {
        self.index.get_or_init(|| Index::of(&self.records))
    }

    /// What every silo was able to do, and when.
    pub(crate) fn silos(&self) -> &Silos {
        &self.index().silos
    }

    /// The same of each silo by its number.
    pub(crate) fn lives(&self) -> Vec<Option<&Life>> {
        self.numbers().silos().map(|silo| self.silos().life(silo)).collect()
    }

    /// Which silo, actor and call each record is about, by number.
    pub(crate) fn numbers(&self) -> &Numbers {
        &self.index().numbers
    }

    fn at(&self, position: &usize) -> (usize, Instant, &What) {
        let record = &self.records[*position];
        (*position, record.at, &record.what)
    }

    /// What silos did: position, true time, record.
    pub fn silo_records(&self) -> impl Iterator<Item = (usize, Instant, &SiloRecord)> {
        self.records.iter().enumerate().filter_map(|(position, r)| match &r.what {
            What::Silo(record) => Some((position, r.at, record)),
            _ => None,
        })
    }

    /// What clients did: position, true time, event.
    pub fn client_events(&self) -> impl Iterator<Item = (usize, Instant, &ClientEvent)> {
        self.index().clients.iter().filter_map(|position| match self.at(position) {
            (position, at, What::Client(event)) => Some((position, at, event)),
            _ => None,
        })
    }

    /// What workloads with a vocabulary of their own did: position, true time, record.
    pub fn user_records(&self) -> impl Iterator<Item = (usize, Instant, &UserRecord)> {
        self.index().users.iter().filter_map(|position| match self.at(position) {
            (position, at, What::User(record)) => Some((position, at, record)),
            _ => None,
        })
    }

    /// What the world did: position, true time, event.
    pub fn world_events(&self) -> impl Iterator<Item = (usize, Instant, &WorldEvent)> {
        self.index().worlds.iter().filter_map(|position| match self.at(position) {
            (position, at, What::World(event)) => Some((position, at, event)),
            _ => None,
        })
    }
}
