//! Finds out what came from what, reading everything that happened once, in order.
//!
//! ```text
//! client invoked ─▶ request sent ─▶ delivered ─▶ turn ─▶ store commit ─▶ commit ─▶ turn ended ─▶ reply sent ─▶ delivered ─▶ returned
//! placed, store commit (claim) ─▶ activated ─▶ turn ─▶ next turn of the activation        turn ─▶ call ─▶ request ..
//! store commit (lease row) ─▶ lease held ─▶ lease lost     store commit (view row) ─▶ view    cut ─▶ frame dropped
//! ```
//! A cause is what the records prove: the same call, frame, row or activation. That two things happened on one silo one
//! after the other makes neither the cause of the other, or everything would have come from everything.

mod clients;
mod frames;
mod silos;
mod world;

use super::entry::{Entry, EntryKind};
use super::film::{Frame, Sending, Shot};
use quark_core::wire::CallId;
use quark_core::{ActorId, Epoch, Instant, SiloId, Version};
use serde_json::Value;
use std::collections::{BTreeMap, VecDeque};

/// A call, by whoever issued it.
pub(super) type CallKey = (SiloId, CallId);

/// A turn that has not ended: its call, if it has a number of its own, and its event.
type RunningTurn = (Option<CallKey>, u32);

/// Everything so far, and what later events may have come from.
pub(super) struct Linker {
    pub(super) events: Vec<Entry>,
    pub(super) frames: Vec<Frame>,
    pub(super) actors: Vec<String>,
    actor_of: BTreeMap<String, u32>,
    /// By name of the node.
    lane_of: BTreeMap<String, u32>,
    /// By index in the world.
    lane_of_node: Vec<Option<u32>>,
    /// The newest generation that was heard of, by lane.
    newest: Vec<Option<u64>>,
    /// Lanes from this one on are clients'.
    silos: u32,
    last: Last,
}

/// The last event of each kind that something later may refer to.
#[derive(Default)]
struct Last {
    /// Frames under way, by number and whether it is a copy: their position.
    frames: BTreeMap<(u64, bool), u32>,
    sendings: BTreeMap<u64, Box<Sending>>,
    requests: BTreeMap<(u32, CallKey), u32>,
    replies: BTreeMap<(u32, CallKey), u32>,
    questions: BTreeMap<(u32, SiloId, &'static str, u64), u32>,
    issued: BTreeMap<CallKey, u32>,
    call_ends: BTreeMap<CallKey, u32>,
    /// Requests of clients that arrived at a gateway, by lane and actor: it makes a call of its own of each, in order.
    asked: BTreeMap<(u32, u32), VecDeque<(u32, CallKey)>>,
    /// Which call of a gateway a client's call became.
    passed_on: BTreeMap<(u32, CallKey), CallKey>,
    turns: BTreeMap<(SiloId, CallKey), u32>,
    turn_ends: BTreeMap<(SiloId, CallKey), u32>,
    /// Turns that have not ended, by silo and actor.
    running: BTreeMap<(SiloId, u32), Vec<RunningTurn>>,
    /// What an activation did last.
    activations: BTreeMap<(SiloId, u32), u32>,
    placed: BTreeMap<u32, u32>,
    commits: BTreeMap<(u32, Version), u32>,
    /// The last commit of which an activation was told.
    committed: BTreeMap<(SiloId, u32), u32>,
    claims: BTreeMap<(u32, Epoch), u32>,
    view_commit: Option<u32>,
    lease_commits: BTreeMap<u32, u32>,
    leases: BTreeMap<SiloId, u32>,
    views: BTreeMap<SiloId, u32>,
    ops: BTreeMap<u64, clients::OpenOp>,
    client_lanes: BTreeMap<u64, u32>,
    /// Cuts in force: the two sides as lanes, and their event.
    cuts: Vec<(Vec<Vec<u32>>, u32)>,
    /// What was done last to each lane, and not undone.
    troubles: BTreeMap<u32, u32>,
}

/// An event without its number.
pub(super) struct Draft {
    pub(super) at: Instant,
    pub(super) kind: EntryKind,
    pub(super) lane: Option<u32>,
    pub(super) life: Option<u64>,
    pub(super) actor: Option<u32>,
    pub(super) call: Option<CallKey>,
    pub(super) frame: Option<u32>,
    pub(super) text: String,
    pub(super) data: Vec<(&'static str, Value)>,
    pub(super) causes: Vec<Option<u32>>,
}

impl Draft {
    pub(super) fn new(at: Instant, kind: EntryKind, text: String) -> Self {
        Self {
            at,
            kind,
            lane: None,
            life: None,
            actor: None,
            call: None,
            frame: None,
            text,
            data: Vec::new(),
            causes: Vec::new(),
        }
    }
}

/// A call as people read it.
pub(super) fn call_words((silo, call): CallKey) -> String {
    format!("{silo}:{}.{}", call.slot, call.serial)
}

impl Linker {
    /// Before anything has happened, on these lanes, the first `silos` of which are silos; `nodes` has the name of each of the world's nodes.
    pub(super) fn new(lanes: &[String], silos: usize, nodes: &[String]) -> Self {
        let lane_of: BTreeMap<String, u32> = (0..).zip(lanes).map(|(at, name)| (name.clone(), at)).collect();
        Self {
            events: Vec::new(),
            frames: Vec::new(),
            actors: Vec::new(),
            actor_of: BTreeMap::new(),
            lane_of_node: nodes.iter().map(|name| lane_of.get(name).copied()).collect(),
            newest: vec![None; lanes.len()],
            lane_of,
            silos: silos as u32,
            last: Last::default(),
        }
    }

    /// A step in the life of a frame.
    pub(super) fn shot(&mut self, shot: Shot) {
        frames::link(self, shot);
    }

    fn push(&mut self, draft: Draft) -> u32 {
        let id = self.events.len() as u32;
        let mut causes: Vec<u32> = Vec::new();
        for cause in draft.causes.into_iter().flatten() {
            if cause < id && !causes.contains(&cause) {
                causes.push(cause);
            }
        }
        if let (Some(lane), Some(life)) = (draft.lane, draft.life) {
            let newest = &mut self.newest[lane as usize];
            *newest = (*newest).max(Some(life));
        }
        self.events.push(Entry {
            at: draft.at,
            kind: draft.kind,
            lane: draft.lane,
            life: draft.life,
            actor: draft.actor,
            call: draft.call.map(call_words),
            frame: draft.frame,
            text: draft.text,
            data: draft.data.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            causes,
        });
        id
    }

    fn actor(&mut self, actor: &ActorId) -> u32 {
        self.actor_named(actor.to_string())
    }

    fn actor_named(&mut self, name: String) -> u32 {
        if let Some(known) = self.actor_of.get(&name) {
            return *known;
        }
        let number = self.actors.len() as u32;
        self.actors.push(name.clone());
        self.actor_of.insert(name, number);
        number
    }

    /// The actor whose partition this is: the silo writes `a{length}.{length}/{tenant}{kind}/{key}`.
    fn actor_of_partition(&mut self, partition: &str) -> Option<u32> {
        let (lengths, rest) = partition.strip_prefix('a')?.split_once('/')?;
        let (tenant_length, kind_length) = lengths.split_once('.')?;
        let tenant = rest.get(..tenant_length.parse().ok()?)?;
        let kind = rest.get(tenant.len()..)?.get(..kind_length.parse().ok()?)?;
        let key = rest.get(tenant.len() + kind.len()..)?.strip_prefix('/')?;
        let tenant = if tenant.is_empty() { String::new() } else { format!("{tenant}:") };
        Some(self.actor_named(format!("{tenant}{kind}/{key}")))
    }

    fn lane(&self, silo: SiloId) -> Option<u32> {
        self.lane_of.get(silo.name.as_str()).copied()
    }

    fn lane_name(&self, lane: Option<u32>) -> &str {
        lane.and_then(|lane| self.lane_of.iter().find(|(_, at)| **at == lane))
            .map_or("nobody", |(name, _)| name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_names_its_actor() {
        let mut linker = Linker::new(&[], 0, &[]);
        for (partition, actor) in [
            ("a0.7/account/a/b", Some("account/a/b")),
            ("a4.4/acmeuser/x", Some("acme:user/x")),
            ("cluster", None),
            ("a9.9/short", None),
        ] {
            let found = linker.actor_of_partition(partition);
            assert_eq!(found.map(|at| linker.actors[at as usize].clone()).as_deref(), actor, "{partition}");
        }
    }
}
