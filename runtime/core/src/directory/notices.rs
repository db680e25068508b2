//! What must be told until it is heard: placements that ended (to the owner), and that lost (to the host).

use super::core::{Action, Directory};
use super::message::{DirectoryMessage, Registration};
use super::point_map::PointMap;
use super::span::Spans;
use crate::{ActorId, Instant, SiloId};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Placements that this silo ended and whose owner has not confirmed it, and evictions that wait for their end.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default, Serialize)]
pub(super) struct Notices {
    ended: PointMap<Notice<Registration>>,
    ended_due: BTreeSet<(Instant, ActorId)>,
    /// Kept apart: there is none unless two silos host one actor.
    evict: BTreeMap<(SiloId, ActorId), Notice<Registration>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize)]
struct Notice<T> {
    what: T,
    tries: u32,
    due: Instant,
}

impl Notices {
    pub fn is_empty(&self) -> bool {
        self.ended.is_empty() && self.evict.is_empty()
    }

    pub fn next_deadline(&self) -> Instant {
        let ended = self.ended_due.first().map_or(Instant::NEVER, |(due, _)| *due);
        self.evict.values().map(|n| n.due).fold(ended, Instant::min)
    }

    /// The owner has to learn that this placement ended.
    pub fn ended(&mut self, due: Instant, actor: &ActorId, registration: Registration) {
        let notice = match self.ended.get(actor) {
            // A request that keeps coming back must not put off the next try, nor the detour. It may bring them forward:
            // the owner, which may have been locked when it was told, has just shown that it still believes in this.
            Some(known) => Notice { what: known.what.max(registration), due: known.due.min(due), ..*known },
            None => Notice { what: registration, tries: 0, due },
        };
        self.put_ended(actor, notice);
    }

    /// A new view may have brought a new owner: tell at once.
    pub fn wake(&mut self, now: Instant) {
        let waiting: Vec<_> = self.ended.iter().map(|(a, n)| (a.clone(), n.what)).collect();
        for (actor, what) in waiting {
            self.put_ended(&actor, Notice { what, tries: 0, due: now });
        }
    }

    /// The owner has forgotten these.
    pub fn forgotten(&mut self, ended: &[(ActorId, Registration)]) {
        for (actor, registration) in ended {
            if self.ended.get(actor).is_some_and(|n| n.what <= *registration) {
                self.take_ended(actor);
            }
        }
    }

    /// A host has to end a placement that lost.
    pub fn evict(&mut self, now: Instant, silo: SiloId, actor: &ActorId, registration: Registration) {
        self.evict.insert((silo, actor.clone()), Notice { what: registration, tries: 0, due: now });
    }

    /// That host says that this placement ended.
    pub fn evicted(&mut self, silo: SiloId, actor: &ActorId, registration: Registration) {
        if self.evict.is_empty() {
            return;
        }
        let key = (silo, actor.clone());
        if self.evict.get(&key).is_some_and(|n| n.what <= registration) {
            self.evict.remove(&key);
        }
    }

    fn put_ended(&mut self, actor: &ActorId, notice: Notice<Registration>) {
        self.take_ended(actor);
        self.ended_due.insert((notice.due, actor.clone()));
        self.ended.insert(actor, notice);
    }

    fn take_ended(&mut self, actor: &ActorId) -> Option<Notice<Registration>> {
        let notice = self.ended.remove(actor)?;
        assert!(self.ended_due.remove(&(notice.due, actor.clone())), "every notice is due at some time");
        Some(notice)
    }
}

impl Directory {
    /// Processes this silo's own notices for ranges that it now answers for.
    pub(super) fn settle_ended(&mut self, opened: &Spans) {
        if self.notices.ended.is_empty() {
            return;
        }
        let count = self.notices.ended.len();
        let (settled, _) = self.notices.ended.chunk(opened, None, count);
        for (actor, notice) in settled {
            self.notices.take_ended(&actor);
            self.forget(&actor, self.me, notice.what);
        }
    }

    pub(super) fn send_notices(&mut self, now: Instant, out: &mut Vec<Action>) {
        self.send_ended(now, out);
        self.send_evictions(now, out);
    }

    fn send_ended(&mut self, now: Instant, out: &mut Vec<Action>) {
        let mut by_way = BTreeMap::<_, Vec<_>>::new();
        for _ in 0..ENDED_BURST {
            let due = self.notices.ended_due.first().filter(|(due, _)| *due <= now);
            let Some((_, actor)) = due.cloned() else { break };
            let notice = self.notices.take_ended(&actor).expect("it was due");
            if self.forget(&actor, self.me, notice.what) {
                continue;
            }
            match self.ring.as_ref().and_then(|ring| ring.owner(actor.point())) {
                Some(owner) if owner != self.me => {
                    let way = (owner, self.way_to(owner, notice.tries));
                    by_way.entry(way).or_default().push((actor.clone(), notice.what));
                }
                // Locked here, or nobody owns anything just now.
                _ => {}
            }
            let due = now + self.patience(notice.tries);
            self.notices.put_ended(&actor, Notice { tries: notice.tries + 1, due, ..notice });
        }
        for ((owner, via), ended) in by_way {
            for part in ended.chunks(self.config.chunk_entries_max) {
                let (view, floor) = (self.view.version, self.hosted.floor());
                self.send(owner, via, DirectoryMessage::Ended { view, floor, ended: part.to_vec() }, out);
            }
        }
    }

    fn send_evictions(&mut self, now: Instant, out: &mut Vec<Action>) {
        if self.notices.evict.values().all(|n| n.due > now) {
            return;
        }
        let mut notices = std::mem::take(&mut self.notices.evict);
        notices.retain(|(silo, _), _| self.is_alive(*silo));
        for ((silo, actor), notice) in notices.iter_mut().filter(|(_, n)| n.due <= now) {
            let message = DirectoryMessage::Evict { actor: actor.clone(), registration: notice.what };
            self.send(*silo, self.way_to(*silo, notice.tries), message, out);
            notice.due = now + self.patience(notice.tries);
            notice.tries += 1;
        }
        self.notices.evict = notices;
    }
}

/// The most notices sent in one step.
const ENDED_BURST: usize = 2048;
