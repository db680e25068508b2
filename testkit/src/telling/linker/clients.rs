//! What clients did. A client outside of the cluster tells nobody the numbers of its calls: the frames do.

use super::super::EntryKind;
use super::super::world_words::{op_words, outcome_words};
use super::{CallKey, Draft, Linker};
use crate::history::ClientEvent;
use crate::journal::{UserEvent, UserRecord};
use quark_core::Instant;
use serde_json::json;

/// An operation that has been invoked and has not returned.
pub(super) struct OpenOp {
    client: u64,
    actor: u32,
    invoked: u32,
    /// The node that it comes from, and the call, once a frame has been seen of it.
    call: Option<(u32, CallKey)>,
}

impl Linker {
    /// A client did something.
    pub(in super::super) fn client(&mut self, at: Instant, event: &ClientEvent) {
        match event {
            ClientEvent::Invoked { client, op_id, actor, op } => {
                let text = format!("client {client} asks {actor} to {}", op_words(*op));
                let mut draft = Draft::new(at, EntryKind::Invoked, text);
                let actor = self.actor(actor);
                (draft.actor, draft.lane) = (Some(actor), self.lane_of_client(*client));
                draft.data = vec![("client", json!(client)), ("op", json!(op_id.to_string()))];
                let invoked = self.push(draft);
                self.last.ops.insert(*op_id, OpenOp { client: *client, actor, invoked, call: None });
            }
            ClientEvent::Returned { op_id, outcome } => {
                let mut draft = Draft::new(at, EntryKind::Returned, outcome_words(*outcome));
                draft.data =
                    vec![("op", json!(op_id.to_string())), ("outcome", json!(format!("{outcome:?}")))];
                if let Some(op) = self.last.ops.remove(op_id) {
                    let reply = op.call.and_then(|call| self.last.replies.get(&call).copied());
                    draft.causes = vec![reply, Some(op.invoked)];
                    draft.actor = Some(op.actor);
                    draft.call = op.call.map(|(_, key)| key);
                    draft.lane = op.call.map(|(lane, _)| lane).or_else(|| self.lane_of_client(op.client));
                    draft.text = format!("client {}: {}", op.client, draft.text);
                }
                self.push(draft);
            }
        }
    }

    /// A workload with a vocabulary of its own did something.
    pub(in super::super) fn user(&mut self, at: Instant, record: &UserRecord) {
        let (kind, text) = match &record.event {
            UserEvent::Invoked { client, op } => {
                (EntryKind::Invoked, format!("client {client} of {} asks for {op:?}", record.journal))
            }
            UserEvent::Ok(answer) => (EntryKind::Returned, format!("{}: done, {answer:?}", record.journal)),
            UserEvent::Failed => (EntryKind::Returned, format!("{}: it did not happen", record.journal)),
            UserEvent::Unknown => {
                (EntryKind::Returned, format!("{}: nobody knows whether it happened", record.journal))
            }
        };
        let mut draft = Draft::new(at, kind, text);
        draft.data = vec![("op", json!(record.op_id.to_string()))];
        if let UserEvent::Invoked { client, .. } = &record.event {
            draft.lane = self.lane_of_client(*client);
        }
        self.push(draft);
    }

    /// Stories call the node of client 3 `client-3`, if they do not call it something else; frames say which it is.
    fn lane_of_client(&self, client: u64) -> Option<u32> {
        let named = || self.lane_of.get(&format!("client-{client}")).copied();
        self.last.client_lanes.get(&client).copied().or_else(named)
    }

    /// The operation that a request from a client's node belongs to: the oldest one on that actor from there.
    pub(super) fn op_of(&mut self, lane: u32, key: CallKey, actor: u32) -> Option<u32> {
        let from_here = |client: u64| self.lane_of_client(client).is_none_or(|of| of == lane);
        let found = self.last.ops.values().filter(|op| op.actor == actor && from_here(op.client));
        let op = found.min_by_key(|op| (op.call.is_some_and(|(_, known)| known != key), op.invoked))?;
        let (client, invoked) = (op.client, op.invoked);
        self.last.client_lanes.insert(client, lane);
        let op = self.last.ops.values_mut().find(|op| op.invoked == invoked).expect("it was just found");
        op.call = Some((lane, key));
        let entry = &mut self.events[invoked as usize];
        entry.lane.get_or_insert(lane);
        entry.call.get_or_insert_with(|| super::call_words(key));
        Some(invoked)
    }
}
