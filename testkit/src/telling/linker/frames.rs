//! What became of frames.

use super::super::EntryKind;
use super::super::film::{Fate, Frame, Happening, Sending, Shot};
use super::{Draft, Linker};
use quark_core::Instant;
use quark_core::wire::Lane;
use serde_json::json;

/// One step in the life of a frame.
pub(super) fn link(linker: &mut Linker, shot: Shot) {
    let key = (shot.number, shot.is_copy);
    let known = linker.last.frames.get(&key).copied();
    match shot.what {
        Happening::Sent(sending) => {
            let sending = linker.sent(shot.at, shot.number, sending);
            linker.last.sendings.insert(shot.number, sending);
        }
        Happening::Copied => {
            let Some(original) = linker.last.frames.get(&(shot.number, false)).copied() else { return };
            let copy = Frame { is_copy: true, ..linker.frames[original as usize].clone() };
            linker.last.frames.insert(key, linker.frames.len() as u32);
            linker.frames.push(copy);
        }
        // Nothing else happens to a frame that was sent before anybody watched.
        step => {
            let Some(position) = known else { return };
            let frame = &mut linker.frames[position as usize];
            match step {
                Happening::Held => frame.was_held = true,
                Happening::Damaged => frame.is_damaged = true,
                Happening::Taken => frame.taken = Some(shot.at),
                Happening::Dropped(fate) => linker.ended(shot.at, shot.number, position, fate),
                _ => linker.ended(shot.at, shot.number, position, Fate::Delivered),
            }
        }
    }
}

impl Linker {
    fn sent(&mut self, at: Instant, number: u64, sending: Box<Sending>) -> Box<Sending> {
        let head = &sending.head;
        let lane_of = |node: usize| self.lane_of_node.get(node).copied().flatten();
        let from = lane_of(sending.from_node);
        let to = sending.to_node.and_then(lane_of);
        let frame = self.frames.len() as u32;
        let mut draft = Draft::new(at, EntryKind::Sent, format!("{} to {}", head.what, sending.to));
        draft.actor = head.actor.as_ref().map(|actor| self.actor(actor));
        (draft.lane, draft.life) = (from, Some(sending.from.generation.0));
        (draft.frame, draft.call) = (Some(frame), head.call);
        if !head.detail.is_empty() {
            draft.data = vec![("message", json!(head.detail))];
        }
        draft.causes = self.causes_of_sending(from, &sending, draft.actor);
        // A reply does not name its actor; what it answers does.
        if draft.actor.is_none() {
            let cause = draft.causes.iter().flatten().next();
            draft.actor = cause.and_then(|cause| self.events[*cause as usize].actor);
        }
        let sent = self.push(draft);
        self.last.frames.insert((number, false), frame);
        self.frames.push(Frame {
            number,
            is_copy: false,
            from: from.unwrap_or(0),
            to,
            silos: (sending.from.to_string(), sending.to.to_string()),
            lane: if sending.lane == Lane::Control { "control" } else { "user" }.into(),
            what: head.what.clone(),
            bytes: sending.bytes as u32,
            sent,
            end: None,
            fate: Fate::UnderWay,
            taken: None,
            was_held: false,
            is_damaged: false,
        });
        sending
    }

    fn causes_of_sending(
        &mut self,
        from: Option<u32>,
        sending: &Sending,
        actor: Option<u32>,
    ) -> Vec<Option<u32>> {
        let head = &sending.head;
        let Some(from) = from else { return Vec::new() };
        if let Some((family, number)) = head.asks {
            return vec![self.last.questions.get(&(from, sending.to, family, number)).copied()];
        }
        let Some(key) = head.call else { return Vec::new() };
        let arrived = self.last.requests.get(&(from, key)).copied();
        if head.is_reply {
            let last = &self.last;
            let passed_on = last.passed_on.get(&(from, key));
            let answered =
                passed_on.and_then(|own| last.call_ends.get(own).or_else(|| last.replies.get(&(from, *own))));
            let ended = last.turn_ends.get(&(sending.from, key)).or(answered);
            return vec![ended.copied().or(arrived)];
        }
        let issued = self.last.issued.get(&key).copied().filter(|_| key.0 == sending.from);
        // The turn that made the call is known only from the chain that rides with it.
        if let (Some(issued), Some(caller)) = (issued, &head.caller) {
            let caller = self.actor(caller);
            let turns = self.last.running.get(&(sending.from, caller));
            let turn = turns.and_then(|turns| Some(turns.last()?.1));
            let causes = &mut self.events[issued as usize].causes;
            if let Some(turn) = turn.filter(|turn| *turn < issued && !causes.contains(turn)) {
                causes.push(turn);
            }
        }
        let known = arrived.or(issued);
        match (known, actor) {
            (None, Some(actor)) if key.0 == sending.from => vec![self.op_of(from, key, actor)],
            _ => vec![known],
        }
    }

    fn ended(&mut self, at: Instant, number: u64, position: u32, fate: Fate) {
        let frame = self.frames[position as usize].clone();
        let is_delivered = fate == Fate::Delivered;
        let (kind, text) = match is_delivered {
            true => (EntryKind::Delivered, format!("{} from {}", frame.what, frame.silos.0)),
            false => {
                let text =
                    format!("{} from {} to {} {}", frame.what, frame.silos.0, frame.silos.1, fate.words());
                (EntryKind::Dropped, text)
            }
        };
        let mut draft = Draft::new(at, kind, text);
        let sent = &self.events[frame.sent as usize];
        (draft.actor, draft.frame) = (sent.actor, Some(position));
        let cut = (!is_delivered).then(|| self.cut_between(frame.from, frame.to)).flatten();
        draft.causes = vec![Some(frame.sent), cut];
        let Some(sending) = self.last.sendings.get(&number) else { return };
        draft.call = sending.head.call;
        draft.lane = if is_delivered { frame.to } else { frame.to.or(Some(frame.from)) };
        draft.life = is_delivered.then_some(sending.to.generation.0);
        let (call, asks, is_reply, from) =
            (sending.head.call, sending.head.asks, sending.head.is_reply, sending.from);
        let actor = draft.actor;
        let id = self.push(draft);
        let frame = &mut self.frames[position as usize];
        (frame.end, frame.fate) = (Some(id), fate);
        let from_lane = frame.from;
        let Some(to) = frame.to.filter(|_| is_delivered) else { return };
        if let Some(key) = call {
            // Straight from a client: what a silo sends on is no new call.
            if let (false, Some(actor), true) = (is_reply, actor, from_lane >= self.silos) {
                self.last.asked.entry((to, actor)).or_default().push_back((id, key));
            }
            let known = if is_reply { &mut self.last.replies } else { &mut self.last.requests };
            known.insert((to, key), id);
        }
        if let Some((family, number)) = asks {
            self.last.questions.insert((to, from, family, number), id);
        }
    }

    /// The cut that lies between two lanes.
    fn cut_between(&self, from: u32, to: Option<u32>) -> Option<u32> {
        let to = to?;
        let side = |groups: &[Vec<u32>], lane| groups.iter().position(|group| group.contains(&lane));
        let parts = |groups: &[Vec<u32>]| match (side(groups, from), side(groups, to)) {
            (Some(one), Some(two)) => one != two,
            _ => false,
        };
        self.last.cuts.iter().rev().find(|(groups, _)| parts(groups)).map(|(_, id)| *id)
    }
}
