//! Histories written by hand, for the tests of the checkers.

use super::Checker;
use super::partitions::partition_of;
use crate::history::{
    ClientEvent, CommitAsked, History, Once, Op, Outcome, Record, SiloEvent, SiloRecord, TurnStarted, What,
    WorldEvent,
};
use crate::journal::{Typed, UserEvent, UserRecord};
use quark_core::membership::table::PARTITION;
use quark_core::view::{Member, Status, View};
use quark_core::wire::CallId;
use quark_core::{
    ActorId, Epoch, Generation, Instant, MethodId, SiloId, SiloName, Version, ViewVersion, WriteId,
};
use std::any::Any;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

/// A history in the making. Times are in milliseconds; silos' clocks show true time unless said otherwise.
#[derive(Clone, Default)]
pub struct Script {
    records: Vec<Record>,
    now: u64,
}

impl Script {
    pub fn new() -> Self {
        Self::default()
    }

    /// What follows happens at this time.
    pub fn at(mut self, ms: u64) -> Self {
        self.now = ms;
        self
    }

    pub fn silo(self, silo: &str, event: SiloEvent) -> Self {
        let now = self.now;
        self.silo_at(silo, now, event)
    }

    /// At this time of its own clock.
    pub fn silo_at(mut self, name: &str, local_ms: u64, event: SiloEvent) -> Self {
        let what = What::Silo(SiloRecord { silo: silo(name), local: ms(local_ms), event });
        self.records.push(Record { at: ms(self.now), what });
        self
    }

    pub fn world(mut self, event: WorldEvent) -> Self {
        self.records.push(Record { at: ms(self.now), what: What::World(event) });
        self
    }

    pub fn invoke(mut self, op_id: u64, key: &str, op: Op) -> Self {
        let event = ClientEvent::Invoked { client: op_id, op_id, actor: actor(key), op };
        self.records.push(Record { at: ms(self.now), what: What::Client(event) });
        self
    }

    pub fn answer(mut self, op_id: u64, outcome: Outcome) -> Self {
        let event = ClientEvent::Returned { op_id, outcome };
        self.records.push(Record { at: ms(self.now), what: What::Client(event) });
        self
    }

    /// An operation that ends before anything else begins.
    pub fn op(self, op_id: u64, key: &str, op: Op, outcome: Outcome) -> Self {
        self.invoke(op_id, key, op).answer(op_id, outcome)
    }

    /// An operation of a journal that ends before anything else begins.
    pub fn user<O, A>(self, journal: &str, op_id: u64, op: O, answer: A) -> Self
    where
        O: Any + Debug + Send + Sync,
        A: Any + Debug + Send + Sync,
    {
        self.open(journal, op_id, op).close(journal, op_id, UserEvent::Ok(Typed::new(answer)))
    }

    /// An operation of a journal that begins.
    pub fn open<O: Any + Debug + Send + Sync>(self, journal: &str, op_id: u64, op: O) -> Self {
        self.close(journal, op_id, UserEvent::Invoked { client: op_id, op: Typed::new(op) })
    }

    /// What becomes of an operation of a journal.
    pub fn close(mut self, journal: &str, op_id: u64, event: UserEvent) -> Self {
        let what = What::User(UserRecord { journal: journal.into(), op_id, event });
        self.records.push(Record { at: ms(self.now), what });
        self
    }

    /// Silos that hold their leases until the end of time.
    pub fn leased(mut self, silos: &[&str]) -> Self {
        for silo in silos {
            self = self.silo(silo, SiloEvent::LeaseHeld { until: ms(1_000_000) });
        }
        self
    }

    pub fn history(self) -> History {
        History::new(self.records, 0)
    }
}

pub fn ms(ms: u64) -> Instant {
    Instant(ms * 1_000_000)
}

/// `a#1` is the first generation of silo `a`.
pub fn silo(name: &str) -> SiloId {
    let (name, generation) = name.split_once('#').expect("name#generation");
    let generation = Generation(generation.parse().expect("a number"));
    SiloId::new(SiloName::new(name).expect("valid"), generation)
}

pub fn actor(key: &str) -> ActorId {
    ActorId::new("account", key).expect("valid")
}

pub fn call(number: u64) -> CallId {
    CallId { slot: 0, serial: number }
}

/// An exclusive turn for a call from `client#1`.
pub fn turn(key: &str, number: u64) -> TurnStarted {
    TurnStarted {
        actor: actor(key),
        epoch: Epoch(1),
        version: Version(0),
        method: MethodId(1),
        caller: silo("client#1"),
        call: call(number),
        exclusive: true,
        order: None,
        deadline: Instant::NEVER,
    }
}

pub fn started(key: &str, number: u64) -> SiloEvent {
    SiloEvent::TurnStarted(turn(key, number))
}

/// The end of [`turn`].
pub fn ended(key: &str, number: u64) -> SiloEvent {
    let turn = turn(key, number);
    SiloEvent::TurnEnded {
        actor: turn.actor,
        epoch: turn.epoch,
        caller: turn.caller,
        call: turn.call,
        exclusive: turn.exclusive,
    }
}

pub fn activated(key: &str, epoch: u64) -> SiloEvent {
    SiloEvent::Activated { actor: actor(key), epoch: Epoch(epoch) }
}

pub fn deactivated(key: &str, epoch: u64) -> SiloEvent {
    SiloEvent::Deactivated { actor: actor(key), epoch: Epoch(epoch), reason: "idle".into() }
}

pub fn committed(key: &str, epoch: u64, version: u64) -> SiloEvent {
    SiloEvent::Committed { actor: actor(key), epoch: Epoch(epoch), version: Version(version) }
}

/// A turn that has seen this version.
pub fn started_at(key: &str, number: u64, version: u64) -> SiloEvent {
    SiloEvent::TurnStarted(TurnStarted { version: Version(version), ..turn(key, number) })
}

/// The store is about to be asked for this version, which rests on the one before, or on the claim.
pub fn asked(key: &str, epoch: u64, version: u64, once: Option<Once>) -> SiloEvent {
    SiloEvent::CommitAsked(CommitAsked {
        actor: actor(key),
        epoch: Epoch(epoch),
        write: write_of(key, version),
        after: Version(version - 1),
        once,
        withdrawn: Arc::default(),
    })
}

/// The attempt that becomes this version.
pub fn write_of(key: &str, version: u64) -> WriteId {
    WriteId(u128::from(version) << 64 | key.bytes().fold(0, |all, byte| all << 8 | u128::from(byte)))
}

/// The store applies the commit that becomes this version.
pub fn stored(key: &str, version: u64) -> WorldEvent {
    WorldEvent::StoreCommit {
        by: (1, 1),
        partition: partition_of(&actor(key)),
        version: Version(version),
        write_id: write_of(key, version),
        puts: vec!["state".into()],
        deletes: Vec::new(),
        claim: None,
    }
}

/// The store applies a claim.
pub fn claimed(key: &str, version: u64, by: &str) -> WorldEvent {
    let WorldEvent::StoreCommit { by: process, partition, version, write_id, deletes, .. } =
        stored(key, version)
    else {
        unreachable!("it is one")
    };
    let claim = Some((Epoch(version.0), silo(by)));
    WorldEvent::StoreCommit {
        by: process,
        partition,
        version,
        write_id,
        puts: vec!["owner".into()],
        deletes,
        claim,
    }
}

/// An owner places an actor.
pub fn placed(key: &str, on: &str) -> SiloEvent {
    SiloEvent::Placed { actor: actor(key), on: silo(on) }
}

/// The same, and a row is gone by it.
pub fn stored_and_deleted(key: &str, version: u64, row: &str) -> WorldEvent {
    let WorldEvent::StoreCommit { by, partition, version, write_id, puts, claim, .. } = stored(key, version)
    else {
        unreachable!("it is one")
    };
    WorldEvent::StoreCommit { by, partition, version, write_id, puts, deletes: vec![row.into()], claim }
}

pub fn issued(number: u64, deadline_ms: u64) -> SiloEvent {
    SiloEvent::CallIssued { call: call(number), actor: actor("alice"), deadline: ms(deadline_ms) }
}

pub fn outcome(number: u64, deadline_ms: u64, outcome: &str) -> SiloEvent {
    SiloEvent::CallEnded { call: call(number), outcome: outcome.into(), deadline: ms(deadline_ms) }
}

/// A view of these silos, sorted by name, with a grace of one second for the dead.
pub fn view(version: u64, members: &[(&str, Status)]) -> SiloEvent {
    let member = |(name, status): &(&str, Status)| Member {
        id: silo(name),
        address: format!("{name}:11111"),
        status: *status,
        grace: if *status == Status::Dead { Duration::from_secs(1) } else { Duration::ZERO },
    };
    let view = View { version: ViewVersion(version), members: members.iter().map(member).collect() };
    SiloEvent::ViewInstalled { view: Arc::new(view) }
}

/// A silo reports that the store has lost changes of the membership table.
pub fn table_went_back(seen: u64, found: u64) -> SiloEvent {
    SiloEvent::StoreWentBack { partition: PARTITION.into(), seen: Version(seen), found: Version(found) }
}

/// The promises that the checker sees broken, in its order.
pub fn broken(checker: &dyn Checker, script: Script) -> Vec<&'static str> {
    checker.check(&script.history()).violations.iter().map(|v| v.promise).collect()
}

/// Which single mutations of this valid history the checker rejects: `drop 3` leaves record 3 out, `dup 3` lets it
/// happen twice, `swap 3` exchanges it with the next; the times stay where they are.
///
/// Panics: if the history is not valid, or the checker examined nothing in it.
pub fn rejected(checker: &dyn Checker, script: &Script) -> String {
    let records = script.clone().history().records().to_vec();
    let verdict = checker.check(&script.clone().history());
    assert_eq!(verdict.violations, [], "the history is valid");
    assert!(verdict.examined > 0, "a valid history that shows nothing proves nothing");
    let mut rejected = Vec::new();
    let mut try_out = |name: String, records: Vec<Record>| {
        if !checker.check(&History::new(records, 0)).violations.is_empty() {
            rejected.push(name);
        }
    };
    for i in 0..records.len() {
        let mut dropped = records.clone();
        dropped.remove(i);
        try_out(format!("drop {i}"), dropped);
        let mut doubled = records.clone();
        doubled.insert(i, records[i].clone());
        try_out(format!("dup {i}"), doubled);
        if i + 1 < records.len() {
            let mut swapped = records.clone();
            (swapped[i].what, swapped[i + 1].what) = (records[i + 1].what.clone(), records[i].what.clone());
            try_out(format!("swap {i}"), swapped);
        }
    }
    rejected.join(", ")
}
