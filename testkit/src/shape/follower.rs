//! Follows every call, activation, silo and operation through a history.

use super::{Chain, Counts, Pair, Shape, Spread, client_kind, silo_kind};
use crate::history::{ClientEvent, SiloEvent, SiloRecord};
use quark_core::wire::CallId;
use quark_core::{ActorId, Epoch, Instant, SiloId};
use std::collections::BTreeMap;

/// What something happens to.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Thing {
    Operation(u64),
    /// Where it is seen, who called, and the caller's number.
    Call(SiloId, SiloId, CallId),
    Activation(SiloId, ActorId, Epoch),
    Silo(SiloId),
}

impl Thing {
    fn chain(&self) -> Chain {
        match self {
            Self::Operation(_) => Chain::Operation,
            Self::Call(..) => Chain::Call,
            Self::Activation(..) => Chain::Activation,
            Self::Silo(_) => Chain::Silo,
        }
    }
}

/// An activation as far as it is known.
#[derive(Default)]
struct Activation {
    /// Since when it is ready for turns.
    since: Option<Instant>,
    /// Turns under way: whose call, since when, whether alone.
    turns: BTreeMap<(SiloId, CallId), (Instant, bool)>,
    /// Since when a commit is under way.
    asked: Option<Instant>,
}

#[derive(Default)]
pub(super) struct Follower {
    /// The last event of whatever goes on.
    last: BTreeMap<Thing, String>,
    pairs: BTreeMap<Pair, u64>,
    activations: BTreeMap<(SiloId, ActorId, Epoch), Activation>,
    /// When an operation was invoked, or a call issued.
    began: BTreeMap<Thing, Instant>,
    nests: Counts,
    latencies: BTreeMap<String, Spread>,
    turns: BTreeMap<SiloId, u64>,
    operations: u64,
    operations_wide: u64,
    turns_wide: u64,
}

impl Follower {
    /// A client did something.
    pub(super) fn client(&mut self, at: Instant, event: &ClientEvent) {
        let kind = client_kind(event);
        match event {
            ClientEvent::Invoked { op_id, .. } => {
                let operation = Thing::Operation(*op_id);
                self.began.insert(operation.clone(), at);
                self.operations += 1;
                self.operations_wide = self.operations_wide.max(self.operations);
                self.follows(operation, kind);
            }
            ClientEvent::Returned { op_id, .. } => {
                let operation = Thing::Operation(*op_id);
                self.took("invoked > returned", self.began.get(&operation).copied(), at);
                if self.began.remove(&operation).is_some() {
                    self.operations -= 1;
                }
                self.follows(operation.clone(), kind);
                self.ends(&operation);
            }
        }
    }

    /// A silo did something.
    pub(super) fn silo(&mut self, record: &SiloRecord) {
        let (silo, at, kind) = (record.silo, record.local, silo_kind(&record.event));
        match &record.event {
            SiloEvent::Joined
            | SiloEvent::ViewInstalled { .. }
            | SiloEvent::LeaseHeld { .. }
            | SiloEvent::LeaseLost
            | SiloEvent::Stopped { .. } => {
                let silo = Thing::Silo(silo);
                if self.last.get(&silo) != Some(&kind) {
                    self.follows(silo, &kind);
                }
            }
            SiloEvent::Activated { actor, epoch } => {
                self.activation(silo, actor, *epoch).since = Some(at);
                self.follows(Thing::Activation(silo, actor.clone(), *epoch), &kind);
            }
            SiloEvent::Deactivated { actor, epoch, .. } => {
                let gone = self.activations.remove(&(silo, actor.clone(), *epoch));
                self.took("activated > deactivated", gone.and_then(|gone| gone.since), at);
                let activation = Thing::Activation(silo, actor.clone(), *epoch);
                self.follows(activation.clone(), &kind);
                self.ends(&activation);
            }
            SiloEvent::TurnStarted(turn) => {
                self.turn_starts(
                    silo,
                    at,
                    (&turn.actor, turn.epoch),
                    (turn.caller, turn.call, turn.exclusive),
                );
                self.follows(Thing::Activation(silo, turn.actor.clone(), turn.epoch), &kind);
                self.follows(Thing::Call(silo, turn.caller, turn.call), &kind);
            }
            SiloEvent::TurnEnded { actor, epoch, caller, call, exclusive } => {
                self.turn_ends(silo, at, (actor, *epoch), (*caller, *call, *exclusive));
                self.follows(Thing::Activation(silo, actor.clone(), *epoch), &kind);
                self.follows(Thing::Call(silo, *caller, *call), &kind);
            }
            SiloEvent::CommitAsked(asked) => {
                let activation = self.activation(silo, &asked.actor, asked.epoch);
                activation.asked = Some(at);
                let is_ready = activation.since.is_some();
                let is_in_turn = activation.turns.values().any(|(_, exclusive)| *exclusive);
                self.nests(is_ready, if is_in_turn { "turn > commit" } else { "commit" });
                self.of_a_turn(silo, &asked.actor, asked.epoch, &kind);
            }
            SiloEvent::Committed { actor, epoch, .. } | SiloEvent::Fenced { actor, epoch } => {
                let asked = self.activation(silo, actor, *epoch).asked.take();
                self.took(&format!("asked > {kind}"), asked, at);
                self.of_a_turn(silo, actor, *epoch, &kind);
            }
            SiloEvent::CallIssued { call, .. } => {
                let call = Thing::Call(silo, silo, *call);
                self.began.insert(call.clone(), at);
                self.follows(call, &kind);
            }
            SiloEvent::CallEnded { call, .. } => {
                let call = Thing::Call(silo, silo, *call);
                let issued = self.began.remove(&call);
                self.took("issued > ended", issued, at);
                self.follows(call.clone(), &kind);
                self.ends(&call);
            }
            SiloEvent::Placed { .. }
            | SiloEvent::ReminderAsked { .. }
            | SiloEvent::StoreWentBack { .. }
            | SiloEvent::DeadLettered { .. } => {}
        }
    }

    /// Hands over what was found. What still goes on has ended with the history.
    pub(super) fn finish(mut self, shape: &mut Shape) {
        let open: Vec<Thing> = self.last.keys().cloned().collect();
        open.iter().for_each(|thing| self.ends(thing));
        shape.pairs = self.pairs;
        shape.nests = self.nests;
        shape.latencies = self.latencies;
        shape.operations_wide = self.operations_wide;
        shape.turns_wide = self.turns_wide;
    }

    fn turn_starts(&mut self, silo: SiloId, at: Instant, of: (&ActorId, Epoch), by: (SiloId, CallId, bool)) {
        let (caller, call, exclusive) = by;
        let activation = self.activation(silo, of.0, of.1);
        let what = match (activation.asked.is_some(), activation.turns.is_empty()) {
            (true, _) => "turn beside a commit",
            (false, true) => "turn",
            (false, false) => "turn beside a turn",
        };
        activation.turns.insert((caller, call), (at, exclusive));
        let is_ready = activation.since.is_some();
        self.nests(is_ready, what);
        let under_way = self.turns.entry(silo).or_insert(0);
        *under_way += 1;
        self.turns_wide = self.turns_wide.max(*under_way);
    }

    fn turn_ends(&mut self, silo: SiloId, at: Instant, of: (&ActorId, Epoch), by: (SiloId, CallId, bool)) {
        let (caller, call, _) = by;
        let Some((since, _)) = self.activation(silo, of.0, of.1).turns.remove(&(caller, call)) else {
            return;
        };
        self.took("turn > turn end", Some(since), at);
        *self.turns.get_mut(&silo).expect("a turn of it has started") -= 1;
    }

    /// A commit, which belongs to the activation, and to the call whose turn runs alone there, if there is one.
    fn of_a_turn(&mut self, silo: SiloId, actor: &ActorId, epoch: Epoch, kind: &str) {
        let turns = &self.activation(silo, actor, epoch).turns;
        let alone = turns.iter().find(|(_, (_, exclusive))| *exclusive).map(|(by, _)| *by);
        if let Some((caller, call)) = alone {
            self.follows(Thing::Call(silo, caller, call), kind);
        }
        self.follows(Thing::Activation(silo, actor.clone(), epoch), kind);
    }

    fn activation(&mut self, silo: SiloId, actor: &ActorId, epoch: Epoch) -> &mut Activation {
        self.activations.entry((silo, actor.clone(), epoch)).or_default()
    }

    fn nests(&mut self, is_ready: bool, what: &str) {
        let outer = if is_ready { "activation > " } else { "no activation > " };
        *self.nests.entry(format!("{outer}{what}")).or_insert(0) += 1;
    }

    fn took(&mut self, what: &str, since: Option<Instant>, at: Instant) {
        if let Some(since) = since {
            self.latencies.entry(what.to_owned()).or_default().add(at.since(since));
        }
    }

    fn follows(&mut self, thing: Thing, kind: &str) {
        let chain = thing.chain();
        let from = self.last.insert(thing, kind.to_owned()).unwrap_or_else(|| Pair::BEGIN.to_owned());
        *self.pairs.entry(Pair { chain, from, to: kind.to_owned() }).or_insert(0) += 1;
    }

    fn ends(&mut self, thing: &Thing) {
        if let Some(from) = self.last.remove(thing) {
            let pair = Pair { chain: thing.chain(), from, to: Pair::END.to_owned() };
            *self.pairs.entry(pair).or_insert(0) += 1;
        }
    }
}
