//! What a new view means: who is dead, which ranges came, which went.

use super::core::{Action, Directory, Owners};
use super::span::Spans;
use crate::view::{Status, View};
use crate::{Instant, SiloId, reached};
use std::collections::BTreeMap;
use std::sync::Arc;

impl Directory {
    pub(super) fn view_changed(
        &mut self,
        now: Instant,
        view: Arc<View>,
        ring: Arc<dyn Owners>,
        out: &mut Vec<Action>,
    ) {
        if view.version <= self.view.version {
            return;
        }
        if view.is_dead(self.me) {
            // Others own, host and answer in our place now: whatever we said would be a lie.
            reached!("directory.stopped");
            self.stopped = true;
            return;
        }
        let gone = self.note_graces(now, &view);
        let first = self.ring.is_none();
        let before = std::mem::replace(&mut self.view, view);
        let ring_before = self.ring.replace(ring.clone());
        self.actives = self.view.active().map(|m| m.id).collect();
        if first {
            // No owner of an earlier view can know this incarnation.
            self.hosted.sealed = self.view.version;
        }
        let owns = if self.actives.contains(&self.me) { ring.spans_of(self.me) } else { Spans::none() };
        let (lost, gained) = (self.owned.minus(&owns), owns.minus(&self.owned));
        self.owned = owns;
        self.release(&lost, before.version);
        self.leave_sessions(now, &lost, &gone);
        self.gain(now, gained, ring_before.as_deref(), out);
        if !lost.is_empty() {
            out.push(Action::Unlocked { spans: lost });
        }
        self.refresh_sessions(now, out);
        self.notices.wake(now);
        for held in std::mem::take(&mut self.held) {
            if held.since > self.view.version {
                self.held.push(held);
            } else if !self.view.is_dead(held.peer.silo) {
                self.deliver(now, held.peer, held.message, out);
            }
        }
    }

    /// Starts the clock of every incarnation that is dead now and was not before. Returns those.
    ///
    /// The grace counts from our first sight of the row, on our own clock: later than the true moment, never earlier.
    fn note_graces(&mut self, now: Instant, view: &View) -> Vec<SiloId> {
        let mut newly_gone = Vec::new();
        let mut known = self.view.members.iter().peekable();
        for member in &view.members {
            while let Some(gone) = known.next_if(|m| m.id.name < member.id.name) {
                if gone.status != Status::Dead {
                    newly_gone.push(gone.id);
                    self.graces.extend(gone.id, now + self.config.lost_grace);
                }
            }
            let before = known.next_if(|m| m.id.name == member.id.name);
            let dead = member.status == Status::Dead;
            let lived = before.filter(|b| b.status != Status::Dead && (dead || b.id != member.id));
            newly_gone.extend(lived.map(|b| b.id));
            let grace = match before {
                Some(b) if b.id == member.id => {
                    if !dead || b.status == Status::Dead {
                        continue;
                    }
                    member.grace
                }
                // More than one incarnation came between: their rows, and their graces, were never seen.
                Some(b) if b.id.generation.next() < member.id.generation => {
                    member.grace.max(self.config.lost_grace)
                }
                // Superseded, or never seen before.
                _ => member.grace,
            };
            self.graces.extend(member.id, now + grace);
        }
        for gone in known.filter(|m| m.status != Status::Dead) {
            newly_gone.push(gone.id);
            self.graces.extend(gone.id, now + self.config.lost_grace);
        }
        if self.graces.end(now) {
            // Those that left in order have no grace: their entries, if any, can go at once.
            self.sweep = Some(None);
        }
        newly_gone
    }

    /// Locks what came, and decides whom to ask for it.
    fn gain(&mut self, now: Instant, gained: Spans, before: Option<&dyn Owners>, out: &mut Vec<Action>) {
        let kept = self.reclaim(&gained);
        if !kept.is_empty() {
            // Lost and regained before anyone asked: nobody else ever answered for it.
            reached!("directory.reclaimed");
            self.open(kept.clone(), out);
        }
        let mut by_source: BTreeMap<SiloId, Vec<_>> = BTreeMap::new();
        let mut recover = Vec::new();
        for span in gained.minus(&kept).iter() {
            // When several owned parts of the span before, the others' entries are found by recovery: whoever is
            // asked hands over only what it is sure of, so asking the wrong one costs time and nothing else.
            match before.and_then(|ring| ring.owner(span.last)) {
                Some(source) if source != self.me && self.is_alive(source) => {
                    by_source.entry(source).or_default().push(span);
                }
                _ => recover.push(span),
            }
        }
        for (source, spans) in by_source {
            self.start_transfer(now, source, Spans::of(spans), out);
        }
        self.recover_soon(now, Spans::of(recover));
    }
}
