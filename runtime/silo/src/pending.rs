//! The calls that a silo or client waits for.
//!
//! A slab: a call's number is its slot and a serial that is never reused, so a late reply cannot complete another
//! call. Deadlines hang in buckets of one tick, linked through the slab, so that opening and closing a call costs
//! no allocation and leaves nothing behind.

use crate::message::Ended;
use quark_core::wire::CallId;
use quark_core::{ActorId, Instant, SiloId, mutant};
use std::collections::BTreeMap;
use std::task::Waker;

/// The resolution of deadlines.
pub(crate) const TICK_NS: u64 = 10_000_000;
const NONE: u32 = u32::MAX;

/// One call in waiting.
struct Entry {
    serial: u64,
    actor: ActorId,
    deadline: Instant,
    target: Option<SiloId>,
    /// The hop that takes it to `target`.
    hop: u8,
    state: State,
    before: u32,
    after: u32,
}

enum State {
    Free,
    Waiting(Option<Waker>),
    Ended(Ended),
}

/// What a poll of a call says.
pub(crate) enum Polled {
    Pending,
    Ended(Ended),
}

/// All calls in waiting. Bounded.
pub(crate) struct Pending {
    entries: Vec<Entry>,
    free: Vec<u32>,
    serial: u64,
    open: usize,
    most: usize,
    /// Tick → first slot that expires in it, but for the tick in `last`.
    buckets: BTreeMap<u64, u32>,
    /// The bucket of the call that was opened last. It stands beside the others, because one call after another opens and
    /// closes the only one of its tick, and a map allocates for its first.
    last: Option<Bucket>,
}

/// The calls that expire in one tick.
#[derive(Clone, Copy)]
struct Bucket {
    tick: u64,
    /// The first of them.
    first: u32,
}

impl Pending {
    pub fn new(most: usize) -> Self {
        Self {
            entries: Vec::new(),
            free: Vec::new(),
            serial: 0,
            open: 0,
            most,
            buckets: BTreeMap::new(),
            last: None,
        }
    }

    /// How many calls are waiting or have an outcome that nobody has taken yet.
    pub fn open(&self) -> usize {
        self.open
    }

    /// Opens a call, or `None` when too many are.
    pub fn start(&mut self, actor: ActorId, deadline: Instant) -> Option<CallId> {
        if self.open >= self.most {
            return None;
        }
        self.open += 1;
        self.serial += 1;
        let serial = self.serial;
        let entry = Entry {
            serial,
            actor,
            deadline,
            target: None,
            hop: 0,
            state: State::Waiting(None),
            before: NONE,
            after: NONE,
        };
        let slot = match self.free.pop() {
            Some(slot) => {
                self.entries[slot as usize] = entry;
                slot
            }
            None => {
                self.entries.push(entry);
                (self.entries.len() - 1) as u32
            }
        };
        self.hang(slot);
        Some(CallId { slot, serial })
    }

    /// Notes which silo the call was sent to by its so-manieth hop. What is heard of an earlier hop is old news.
    pub fn aim(&mut self, id: CallId, target: SiloId, hop: u8) {
        if let Some(entry) = self.entry(id).filter(|entry| hop >= entry.hop) {
            (entry.target, entry.hop) = (Some(target), hop);
        }
    }

    /// Gives a call its outcome, once. `false` if the call is unknown or has one.
    pub fn end(&mut self, id: CallId, ended: Ended) -> (bool, Option<Waker>) {
        let id = if mutant!("m20") { self.ignore_serial(id) } else { id };
        let Some(entry) = self.entry(id) else { return (false, None) };
        let State::Waiting(waker) = &mut entry.state else { return (false, None) };
        let waker = waker.take();
        entry.state = State::Ended(ended);
        self.unhang(id.slot);
        (true, waker)
    }

    /// Takes the outcome, or leaves a waker.
    pub fn poll(&mut self, id: CallId, waker: &Waker) -> Polled {
        let entry = self.entry(id).expect("a call is polled only while it is open");
        match &mut entry.state {
            State::Waiting(kept) => {
                match kept {
                    Some(kept) => kept.clone_from(waker),
                    None => *kept = Some(waker.clone()),
                }
                Polled::Pending
            }
            State::Ended(_) => {
                let State::Ended(ended) = std::mem::replace(&mut entry.state, State::Free) else {
                    unreachable!("just matched")
                };
                self.release(id.slot);
                Polled::Ended(ended)
            }
            State::Free => unreachable!("a free slot has no serial"),
        }
    }

    /// Forgets a call whose caller went away. Returns where it was sent, if it was still waiting.
    pub fn withdraw(&mut self, id: CallId) -> Option<(SiloId, ActorId)> {
        let entry = self.entry(id)?;
        let waiting = matches!(entry.state, State::Waiting(_));
        let target = entry.target.map(|silo| (silo, entry.actor.clone()));
        entry.state = State::Free;
        if waiting {
            self.unhang(id.slot);
        }
        if mutant!("m12") {
            return None;
        }
        self.release(id.slot);
        if waiting { target } else { None }
    }

    /// The calls that wait for any silo that `dead` names.
    pub fn aimed_at(&self, dead: impl Fn(SiloId) -> bool) -> Vec<CallId> {
        self.waiting().filter(|(_, e)| e.target.is_some_and(&dead)).map(|(id, _)| id).collect()
    }

    /// The calls whose deadline has come.
    pub fn expired(&self, now: Instant) -> Vec<CallId> {
        let tick = now.0 / TICK_NS;
        let mut due: Vec<Bucket> =
            self.buckets.range(..=tick).map(|(&tick, &first)| Bucket { tick, first }).collect();
        if let Some(last) = self.last.filter(|last| last.tick <= tick) {
            due.insert(due.partition_point(|bucket| bucket.tick < last.tick), last);
        }
        let mut late = Vec::new();
        for bucket in due {
            let mut slot = bucket.first;
            while slot != NONE {
                let entry = &self.entries[slot as usize];
                if entry.deadline <= now {
                    late.push(CallId { slot, serial: entry.serial });
                }
                slot = entry.after;
            }
        }
        late
    }

    /// When the next call expires, rounded up to the tick.
    pub fn next_deadline(&self) -> Option<Instant> {
        let first = self.buckets.keys().next().copied();
        let tick = match (first, self.last) {
            (Some(tick), Some(last)) => Some(tick.min(last.tick)),
            (first, last) => first.or(last.map(|last| last.tick)),
        };
        tick.map(|tick| Instant((tick + 1) * TICK_NS))
    }

    fn waiting(&self) -> impl Iterator<Item = (CallId, &Entry)> {
        self.entries
            .iter()
            .enumerate()
            .filter(|(_, e)| matches!(e.state, State::Waiting(_)))
            .map(|(slot, e)| (CallId { slot: slot as u32, serial: e.serial }, e))
    }

    fn entry(&mut self, id: CallId) -> Option<&mut Entry> {
        self.entries
            .get_mut(id.slot as usize)
            .filter(|e| e.serial == id.serial && !matches!(e.state, State::Free))
    }

    /// The deliberate bug m20: a late reply completes whichever call has its slot now.
    fn ignore_serial(&self, id: CallId) -> CallId {
        let serial = self.entries.get(id.slot as usize).map_or(id.serial, |e| e.serial);
        CallId { slot: id.slot, serial }
    }

    fn hang(&mut self, slot: u32) {
        let deadline = self.entries[slot as usize].deadline;
        if deadline == Instant::NEVER {
            return;
        }
        let tick = deadline.0 / TICK_NS;
        let next = match self.last {
            Some(last) if last.tick == tick => last.first,
            before => {
                if let Some(before) = before {
                    self.buckets.insert(before.tick, before.first);
                }
                // maybe: none has that tick. Most often the map is empty.
                if self.buckets.is_empty() { NONE } else { self.buckets.remove(&tick).unwrap_or(NONE) }
            }
        };
        self.last = Some(Bucket { tick, first: slot });
        self.entries[slot as usize].after = next;
        if next != NONE {
            self.entries[next as usize].before = slot;
        }
    }

    fn unhang(&mut self, slot: u32) {
        let Entry { deadline, before, after, .. } = self.entries[slot as usize];
        if deadline == Instant::NEVER {
            return;
        }
        if before == NONE {
            let tick = deadline.0 / TICK_NS;
            match &mut self.last {
                Some(last) if last.tick == tick && after == NONE => self.last = None,
                Some(last) if last.tick == tick => last.first = after,
                _ if after == NONE => {
                    self.buckets.remove(&tick);
                }
                _ => {
                    self.buckets.insert(tick, after);
                }
            }
        } else {
            self.entries[before as usize].after = after;
        }
        if after != NONE {
            self.entries[after as usize].before = before;
        }
        let entry = &mut self.entries[slot as usize];
        (entry.before, entry.after) = (NONE, NONE);
    }

    fn release(&mut self, slot: u32) {
        self.open -= 1;
        self.free.push(slot);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn actor() -> ActorId {
        ActorId::new("account", "alice").expect("valid")
    }

    #[test]
    fn a_late_reply_never_completes_another_call() {
        let mut pending = Pending::new(10);
        let first = pending.start(actor(), Instant(TICK_NS)).expect("room");
        assert!(pending.withdraw(first).is_none());
        let second = pending.start(actor(), Instant(TICK_NS)).expect("room");
        assert_eq!(first.slot, second.slot);
        assert!(!pending.end(first, Ended::Ok(Bytes::new())).0);
        assert!(pending.end(second, Ended::Ok(Bytes::new())).0);
        assert!(!pending.end(second, Ended::Bounced).0, "an outcome is final");
    }

    #[test]
    fn deadlines_come_in_order_and_leave_nothing_behind() {
        let mut pending = Pending::new(10);
        let ids: Vec<_> = [3, 1, 1, 2]
            .iter()
            .map(|t| pending.start(actor(), Instant(t * TICK_NS)).expect("room"))
            .collect();
        assert_eq!(pending.expired(Instant(TICK_NS)).len(), 2);
        assert_eq!(pending.next_deadline(), Some(Instant(2 * TICK_NS)));
        for id in [ids[1], ids[3], ids[0], ids[2]] {
            pending.withdraw(id);
        }
        assert_eq!((pending.next_deadline(), pending.open()), (None, 0));
        assert!(pending.buckets.is_empty() && pending.last.is_none());
    }

    #[test]
    fn the_table_is_bounded() {
        let mut pending = Pending::new(1);
        assert!(pending.start(actor(), Instant::NEVER).is_some());
        assert!(pending.start(actor(), Instant::NEVER).is_none());
    }
}
