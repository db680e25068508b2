//! Numbers for names: which silo, actor and call each record of a history is about.
//!
//! Twenty checkers ask for what they know of an actor, or of a call, at every record. Looked up by name that is a search
//! among texts each time, and was most of what checkers cost; so each name is looked up once, and checkers have an array.
//! Numbers are given in the order in which names first appear, so they are the same wherever the history is read.

use super::{CommitAsked, Once, Record, SiloEvent, SiloRecord, What, WorldEvent};
use crate::checkers::actor_of_partition;
use indexmap::IndexSet;
use quark_core::wire::CallId;
use quark_core::{ActorId, SiloId, hash};
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::sync::Arc;

/// What a record is about, by number; [`NOTHING`] where it is about none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Named {
    /// The silo that says it.
    pub silo: u32,
    /// The actor that it happened to. Of a commit of the store: whose partition it is.
    pub actor: u32,
    /// That actor on that silo.
    pub place: u32,
    /// The call, which is one of its caller's: the silo that says it, or the one that a turn was asked for by.
    pub call: u32,
}

/// No number.
pub(crate) const NOTHING: u32 = u32::MAX;

/// All names of a history, and the numbers of each record.
#[derive(Debug)]
pub(crate) struct Numbers {
    silos: IndexSet<SiloId, Fixed>,
    actors: IndexSet<ActorId, Fixed>,
    places: IndexSet<(u32, u32), Fixed>,
    calls: usize,
    of: Vec<Named>,
}

type Fixed = BuildHasherDefault<Mixer>;

impl Numbers {
    /// Reads the records once.
    pub fn of(records: &[Record]) -> Self {
        let mut reader = Reader::default();
        let of = records.iter().map(|record| reader.read(&record.what)).collect();
        let Reader { silos, actors, places, calls, .. } = reader;
        Self { silos, actors, places, calls: calls.len(), of }
    }

    /// What the record at this position is about.
    pub fn at(&self, position: usize) -> Named {
        self.of[position]
    }

    /// The actor of this number.
    pub fn actor(&self, number: u32) -> &ActorId {
        &self.actors[number as usize]
    }

    /// The number of an actor, if a record is about it, or about its letter.
    pub fn number_of(&self, actor: &ActorId) -> Option<u32> {
        self.actors.get_index_of(actor).map(|at| at as u32)
    }

    /// The number of an actor on a silo, if a record is about it there.
    pub fn place_of(&self, silo: SiloId, actor: &ActorId) -> Option<u32> {
        let silo = self.silos.get_index_of(&silo)? as u32;
        self.places.get_index_of(&(silo, self.number_of(actor)?)).map(|at| at as u32)
    }

    /// The silo of this number.
    pub fn silo(&self, number: u32) -> SiloId {
        self.silos[number as usize]
    }

    /// All of them, in the order of their numbers.
    pub fn silos(&self) -> impl Iterator<Item = SiloId> {
        self.silos.iter().copied()
    }

    /// What a checker knows of each silo that says something or whose calls are served, nothing yet.
    pub fn of_silos<T: Default>(&self) -> Vec<T> {
        blank(self.silos.len())
    }

    /// What a checker knows of each actor, nothing yet.
    pub fn of_actors<T: Default>(&self) -> Vec<T> {
        blank(self.actors.len())
    }

    /// What a checker knows of each actor on each silo, nothing yet.
    pub fn of_places<T: Default>(&self) -> Vec<T> {
        blank(self.places.len())
    }

    /// What a checker knows of each call, nothing yet.
    pub fn of_calls<T: Default>(&self) -> Vec<T> {
        blank(self.calls)
    }
}

fn blank<T: Default>(count: usize) -> Vec<T> {
    std::iter::repeat_with(T::default).take(count).collect()
}

#[derive(Default)]
struct Reader {
    silos: IndexSet<SiloId, Fixed>,
    /// The silo of the last record.
    last: Option<(SiloId, u32)>,
    actors: IndexSet<ActorId, Fixed>,
    places: IndexSet<(u32, u32), Fixed>,
    calls: IndexSet<(u32, CallId), Fixed>,
    /// Partitions of the store, and beside each the number of its actor.
    partitions: IndexSet<Arc<str>, Fixed>,
    owners: Vec<u32>,
}

impl Reader {
    fn read(&mut self, what: &What) -> Named {
        match what {
            What::Silo(record) => self.silo(record),
            What::World(WorldEvent::StoreCommit { partition, .. }) => {
                Named { silo: NOTHING, actor: self.partition(partition), place: NOTHING, call: NOTHING }
            }
            What::World(_) | What::Client(_) | What::User(_) => {
                Named { silo: NOTHING, actor: NOTHING, place: NOTHING, call: NOTHING }
            }
        }
    }

    fn silo(&mut self, record: &SiloRecord) -> Named {
        let silo = self.speaker(record.silo);
        if let SiloEvent::CommitAsked(CommitAsked { once: Some(Once::Letter { from, .. }), .. }) =
            &record.event
        {
            number(&mut self.actors, from);
        }
        let (actor, call) = about(&record.event);
        let actor = actor.map_or(NOTHING, |actor| number(&mut self.actors, actor));
        let place = if actor == NOTHING { NOTHING } else { number(&mut self.places, &(silo, actor)) };
        let call = call.map_or(NOTHING, |(caller, call)| {
            let caller = match caller {
                Some(caller) if caller != record.silo => number(&mut self.silos, &caller),
                _ => silo,
            };
            number(&mut self.calls, &(caller, call))
        });
        Named { silo, actor, place, call }
    }

    /// Whoever speaks mostly goes on speaking: a silo's name is long.
    fn speaker(&mut self, silo: SiloId) -> u32 {
        match self.last {
            Some((last, number)) if last == silo => number,
            _ => {
                let number = number(&mut self.silos, &silo);
                self.last = Some((silo, number));
                number
            }
        }
    }

    fn partition(&mut self, partition: &Arc<str>) -> u32 {
        let (at, is_new) = match self.partitions.get_index_of(partition) {
            Some(at) => (at, false),
            None => self.partitions.insert_full(partition.clone()),
        };
        if is_new {
            let owner = actor_of_partition(partition);
            self.owners.push(owner.map_or(NOTHING, |actor| number(&mut self.actors, &actor)));
        }
        self.owners[at]
    }
}

/// The actor and the call that an event is about, and whose call it is if not the silo's own.
fn about(event: &SiloEvent) -> (Option<&ActorId>, Option<(Option<SiloId>, CallId)>) {
    match event {
        SiloEvent::Placed { actor, .. }
        | SiloEvent::Activated { actor, .. }
        | SiloEvent::Deactivated { actor, .. }
        | SiloEvent::ReminderAsked { actor, .. }
        | SiloEvent::Committed { actor, .. }
        | SiloEvent::Fenced { actor, .. } => (Some(actor), None),
        SiloEvent::CommitAsked(asked) => (Some(&asked.actor), None),
        SiloEvent::TurnStarted(turn) => (Some(&turn.actor), Some((Some(turn.caller), turn.call))),
        SiloEvent::TurnEnded { actor, caller, call, .. } => (Some(actor), Some((Some(*caller), *call))),
        SiloEvent::CallIssued { call, actor, .. } => (Some(actor), Some((None, *call))),
        SiloEvent::CallEnded { call, .. } => (None, Some((None, *call))),
        SiloEvent::DeadLettered { actor, .. } => (actor.as_ref(), None),
        SiloEvent::Joined
        | SiloEvent::ViewInstalled { .. }
        | SiloEvent::LeaseHeld { .. }
        | SiloEvent::LeaseLost
        | SiloEvent::Stopped { .. }
        | SiloEvent::StoreWentBack { .. } => (None, None),
    }
}

fn number<T: Hash + Eq + Clone>(names: &mut IndexSet<T, Fixed>, name: &T) -> u32 {
    // Nearly all are known, and knowing one takes no copy.
    let at = names.get_index_of(name).unwrap_or_else(|| names.insert_full(name.clone()).0);
    u32::try_from(at).expect("a history has fewer names than records, and of these there are a million")
}

/// The same on every machine: numbers do not depend on it, but nor shall what a look-up costs.
#[derive(Clone, Copy, Default)]
struct Mixer(u64);

impl Hasher for Mixer {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = hash::point_in(self.0, bytes);
    }

    fn write_u8(&mut self, value: u8) {
        self.write_u64(value.into());
    }

    fn write_u32(&mut self, value: u32) {
        self.write_u64(value.into());
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = hash::mix(self.0 ^ value);
    }

    fn write_usize(&mut self, value: usize) {
        self.write_u64(value as u64);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
