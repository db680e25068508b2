//! What silos did.

use super::super::EntryKind;
use super::super::silo_words::{data, words};
use super::{CallKey, Draft, Linker};
use crate::history::{SiloEvent, SiloRecord};
use quark_core::wire::CallId;
use quark_core::{ActorId, Instant, SiloId};

impl Linker {
    /// A silo did something.
    pub(in super::super) fn silo(&mut self, at: Instant, record: &SiloRecord) {
        let (silo, event) = (record.silo, &record.event);
        let lane = self.lane(silo);
        let mut draft = Draft::new(at, kind(event), words(event));
        (draft.lane, draft.life) = (lane, Some(silo.generation.0));
        draft.data = data(event, record.local);
        draft.actor = subject(event).map(|actor| self.actor(actor));
        draft.call = call(silo, event);
        draft.causes = self.causes_of(silo, event, draft.actor);
        if let (SiloEvent::CallIssued { .. }, Some(lane), Some(actor), Some(key)) =
            (event, lane, draft.actor, draft.call)
        {
            draft.causes.push(self.pass_on(lane, actor, key));
        }
        let (actor, key) = (draft.actor, draft.call);
        let id = self.push(draft);
        let last = &mut self.last;
        match event {
            SiloEvent::CallIssued { .. } => last.issued.extend(key.map(|key| (key, id))),
            SiloEvent::TurnStarted(_) => {
                last.turns.extend(key.map(|key| ((silo, key), id)));
                if let Some(actor) = actor {
                    last.running.entry((silo, actor)).or_default().push((key, id));
                }
            }
            SiloEvent::TurnEnded { .. } => {
                last.turn_ends.extend(key.map(|key| ((silo, key), id)));
                let turns = actor.and_then(|actor| last.running.get_mut(&(silo, actor)));
                if let Some(turns) = turns
                    && let Some(at) = turns.iter().position(|(of, _)| *of == key)
                {
                    turns.remove(at);
                }
            }
            SiloEvent::CallEnded { .. } => last.call_ends.extend(key.map(|key| (key, id))),
            SiloEvent::Committed { .. } => last.committed.extend(actor.map(|actor| ((silo, actor), id))),
            SiloEvent::LeaseHeld { .. } => last.leases.extend([(silo, id)]),
            SiloEvent::ViewInstalled { .. } => last.views.extend([(silo, id)]),
            SiloEvent::Placed { .. } => last.placed.extend(actor.map(|actor| (actor, id))),
            _ => {}
        }
        if let (Some(actor), SiloEvent::TurnEnded { .. } | SiloEvent::Activated { .. }) = (actor, event) {
            last.activations.insert((silo, actor), id);
        }
    }

    /// A gateway makes a call of its own of a client's: the request that it came by.
    fn pass_on(&mut self, lane: u32, actor: u32, key: CallKey) -> Option<u32> {
        let (request, asked) = self.last.asked.get_mut(&(lane, actor))?.pop_front()?;
        self.last.passed_on.insert((lane, asked), key);
        Some(request)
    }

    fn causes_of(&self, silo: SiloId, event: &SiloEvent, actor: Option<u32>) -> Vec<Option<u32>> {
        let last = &self.last;
        let here = actor.map(|actor| (silo, actor));
        let running = || here.and_then(|here| Some(last.running.get(&here)?.last()?.1));
        let before = || here.and_then(|here| last.activations.get(&here).copied());
        let lane = self.lane(silo);
        let arrived = |key| lane.and_then(|lane| last.requests.get(&(lane, key)).copied());
        match event {
            SiloEvent::TurnStarted(turn) => {
                let key = (turn.caller, turn.call);
                vec![arrived(key).or_else(|| last.issued.get(&key).copied()), before()]
            }
            SiloEvent::TurnEnded { caller, call, .. } => {
                let began = last.turns.get(&(silo, (*caller, *call))).copied();
                let committed = here.and_then(|here| last.committed.get(&here).copied());
                vec![began, committed.filter(|commit| Some(*commit) > began)]
            }
            SiloEvent::Committed { version, .. } => {
                vec![actor.and_then(|actor| last.commits.get(&(actor, *version)).copied()), running()]
            }
            SiloEvent::CommitAsked(_) | SiloEvent::ReminderAsked { .. } => vec![running()],
            SiloEvent::CallEnded { call, .. } => {
                let key = (silo, *call);
                let reply = lane.and_then(|lane| last.replies.get(&(lane, key)).copied());
                let local = last.turn_ends.get(&(silo, key)).copied();
                vec![reply.or(local), last.issued.get(&key).copied()]
            }
            SiloEvent::Activated { epoch, .. } => {
                let claim = actor.and_then(|actor| last.claims.get(&(actor, *epoch)).copied());
                vec![claim, actor.and_then(|actor| last.placed.get(&actor).copied())]
            }
            SiloEvent::Deactivated { .. } => vec![before()],
            SiloEvent::Fenced { epoch, .. } => {
                let newer = actor.and_then(|actor| {
                    last.claims.range((actor, epoch.next())..).next().filter(|((of, _), _)| *of == actor)
                });
                vec![newer.map(|(_, id)| *id), running(), before()]
            }
            SiloEvent::ViewInstalled { .. } => vec![last.view_commit],
            SiloEvent::LeaseHeld { .. } => vec![lane.and_then(|lane| last.lease_commits.get(&lane).copied())],
            SiloEvent::LeaseLost => {
                let trouble = lane.and_then(|lane| last.troubles.get(&lane).copied());
                vec![last.leases.get(&silo).copied(), trouble]
            }
            SiloEvent::Stopped { .. } => vec![last.views.get(&silo).copied()],
            SiloEvent::Joined => vec![last.view_commit],
            SiloEvent::CallIssued { .. }
            | SiloEvent::Placed { .. }
            | SiloEvent::StoreWentBack { .. }
            | SiloEvent::DeadLettered { .. } => Vec::new(),
        }
    }
}

fn kind(event: &SiloEvent) -> EntryKind {
    match event {
        SiloEvent::Joined => EntryKind::Joined,
        SiloEvent::ViewInstalled { .. } => EntryKind::View,
        SiloEvent::LeaseHeld { .. } => EntryKind::LeaseHeld,
        SiloEvent::LeaseLost => EntryKind::LeaseLost,
        SiloEvent::Stopped { .. } => EntryKind::Stopped,
        SiloEvent::Placed { .. } => EntryKind::Placed,
        SiloEvent::Activated { .. } => EntryKind::Activated,
        SiloEvent::Deactivated { .. } => EntryKind::Deactivated,
        SiloEvent::TurnStarted(_) => EntryKind::Turn,
        SiloEvent::TurnEnded { .. } => EntryKind::TurnEnd,
        SiloEvent::CommitAsked(_) => EntryKind::CommitAsked,
        SiloEvent::ReminderAsked { .. } => EntryKind::ReminderAsked,
        SiloEvent::Committed { .. } => EntryKind::Commit,
        SiloEvent::Fenced { .. } => EntryKind::Fenced,
        SiloEvent::StoreWentBack { .. } => EntryKind::StoreWentBack,
        SiloEvent::CallIssued { .. } => EntryKind::Call,
        SiloEvent::CallEnded { .. } => EntryKind::CallEnd,
        SiloEvent::DeadLettered { .. } => EntryKind::DeadLetter,
    }
}

/// The actor that it is about.
fn subject(event: &SiloEvent) -> Option<&ActorId> {
    match event {
        SiloEvent::Placed { actor, .. }
        | SiloEvent::Activated { actor, .. }
        | SiloEvent::Deactivated { actor, .. }
        | SiloEvent::TurnEnded { actor, .. }
        | SiloEvent::Committed { actor, .. }
        | SiloEvent::Fenced { actor, .. }
        | SiloEvent::ReminderAsked { actor, .. }
        | SiloEvent::CallIssued { actor, .. } => Some(actor),
        SiloEvent::CommitAsked(asked) => Some(&asked.actor),
        SiloEvent::TurnStarted(turn) => Some(&turn.actor),
        SiloEvent::DeadLettered { actor, .. } => actor.as_ref(),
        _ => None,
    }
}

/// The call that it is about. One that nobody waits for has no number of its own.
fn call(silo: SiloId, event: &SiloEvent) -> Option<(SiloId, CallId)> {
    let key = match event {
        SiloEvent::CallIssued { call, .. } | SiloEvent::CallEnded { call, .. } => (silo, *call),
        SiloEvent::TurnStarted(turn) => (turn.caller, turn.call),
        SiloEvent::TurnEnded { caller, call, .. } => (*caller, *call),
        _ => return None,
    };
    (key.1 != CallId::default()).then_some(key)
}
