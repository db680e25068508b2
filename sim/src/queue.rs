//! What will happen, ordered by (time, sequence).

use quark_core::wire::Lane;
use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// Something that is going to happen at an instant of true time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Event {
    /// The first frame that waits at a slow path has left.
    Sent { path: u32, lane: Lane, turn: u32 },
    /// A frame arrives.
    Deliver { flight: u32 },
    /// A sleep ends.
    Timer { timer: u32, serial: u32 },
    /// A node's processor is free again.
    NodeFree { node: u32, incarnation: u32 },
    /// A link is dialled.
    Dial { link: u32, serial: u32 },
    /// A link's keep-alive, or a reset, may find it broken.
    LinkCheck { link: u32, serial: u32 },
    /// A notice (a refusal, a broken link) reaches a node.
    Notice { notice: u32 },
    /// A store operation takes effect.
    StoreApply { call: u32 },
    /// The answer of a store operation arrives.
    StoreReply { call: u32 },
}

/// The future. Popping is in order; cancelled timers are left in place and swept out when they are half of it.
#[derive(Default)]
pub(crate) struct Queue {
    heap: BinaryHeap<Entry>,
    sequence: u64,
    cancelled: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Entry {
    /// The time, and below it the sequence: one number, because every step of the heap compares two of them.
    key: u128,
    event: Event,
}

impl Entry {
    #[inline]
    fn at(&self) -> u64 {
        (self.key >> 64) as u64
    }
}

impl Queue {
    #[inline]
    pub(crate) fn push(&mut self, at: u64, event: Event) {
        self.sequence += 1;
        let key = u128::from(at) << 64 | u128::from(self.sequence);
        self.heap.push(Entry { key, event });
    }

    /// When the next event (perhaps a cancelled one) is due.
    #[inline]
    pub(crate) fn next_at(&self) -> Option<u64> {
        self.heap.peek().map(Entry::at)
    }

    #[inline]
    pub(crate) fn pop(&mut self) -> Option<(u64, Event)> {
        self.heap.pop().map(|entry| (entry.at(), entry.event))
    }

    /// A cancelled event has been popped.
    pub(crate) fn popped_cancelled(&mut self) {
        self.cancelled -= 1;
    }

    /// One more queued event is void. `is_live` tells which ones are not.
    pub(crate) fn cancelled_one(&mut self, is_live: impl Fn(&Event) -> bool) {
        self.cancelled += 1;
        if self.cancelled > 64 && self.cancelled * 2 > self.heap.len() {
            // The pops' order is fixed by (at, sequence), so rebuilding the heap cannot be observed.
            self.heap.retain(|entry| is_live(&entry.event));
            self.cancelled = 0;
        }
    }

    /// Entries, cancelled ones included: at most twice the live ones plus 64.
    pub(crate) fn len(&self) -> usize {
        self.heap.len()
    }
}

impl Ord for Entry {
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        other.key.cmp(&self.key)
    }
}

impl PartialOrd for Entry {
    #[inline]
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_in_order_of_time_then_of_insertion() {
        let mut queue = Queue::default();
        for (at, call) in [(5, 0), (3, 1), (5, 2), (3, 3), (1, 4)] {
            queue.push(at, Event::StoreApply { call });
        }
        let order: Vec<_> = std::iter::from_fn(|| queue.pop()).collect();
        let expected =
            [(1, 4), (3, 1), (3, 3), (5, 0), (5, 2)].map(|(at, call)| (at, Event::StoreApply { call }));
        assert_eq!(order, expected);
    }

    #[test]
    fn cancelled_events_leave_no_residue() {
        let mut queue = Queue::default();
        let mut live = std::collections::BTreeSet::new();
        for timer in 0..100_000 {
            queue.push(1_000_000 + u64::from(timer), Event::Timer { timer, serial: 0 });
            live.insert(timer);
            if timer >= 10 {
                live.remove(&(timer - 10));
                queue.cancelled_one(
                    |event| matches!(event, Event::Timer { timer, .. } if live.contains(timer)),
                );
            }
            assert!(queue.len() <= 2 * 10 + 66, "{}", queue.len());
        }
    }
}
