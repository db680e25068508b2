//! Where timers live, and the lists that thread through them.
//!
//! Lists are circular and doubly linked by index, so that a slot is four bytes and both ends are at hand.

use crate::Instant;

/// Names one timer for as long as it is set. A key whose timer is gone finds nothing, also when its place has been
/// taken by another (until that place has been used four thousand million times).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TimerKey {
    index: u32,
    generation: u32,
}

/// The first of a list.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head(u32);

impl Head {
    pub const EMPTY: Head = Head(NONE);

    #[inline]
    pub fn is_empty(self) -> bool {
        self.0 == NONE
    }
}

#[derive(Clone, Debug)]
struct Node<T> {
    at: Instant,
    /// Counts the timers that this place has held.
    generation: u32,
    previous: u32,
    /// In a free place: the next free one.
    next: u32,
    value: Option<T>,
}

#[derive(Clone, Debug)]
pub(super) struct Slab<T> {
    nodes: Vec<Node<T>>,
    free: u32,
}

impl<T> Slab<T> {
    pub fn new() -> Self {
        Self { nodes: Vec::new(), free: NONE }
    }

    /// A timer in no list.
    #[inline]
    pub fn insert(&mut self, at: Instant, value: T) -> (u32, TimerKey) {
        let index = self.free;
        if index == NONE {
            return self.grow(at, value);
        }
        let node = &mut self.nodes[index as usize];
        self.free = node.next;
        node.at = at;
        node.value = Some(value);
        (index, TimerKey { index, generation: node.generation })
    }

    #[inline]
    fn grow(&mut self, at: Instant, value: T) -> (u32, TimerKey) {
        let index = self.nodes.len() as u32;
        assert!(self.nodes.len() < NONE as usize, "a wheel holds at most {NONE} timers");
        self.nodes.push(Node { at, generation: 0, previous: index, next: index, value: Some(value) });
        (index, TimerKey { index, generation: 0 })
    }

    /// Gives the place of a timer that is in no list to whoever comes next.
    #[inline]
    pub fn remove(&mut self, index: u32) -> T {
        let node = &mut self.nodes[index as usize];
        node.generation = node.generation.wrapping_add(1);
        node.next = self.free;
        self.free = index;
        node.value.take().expect("only a place that is taken is given back")
    }

    #[inline]
    pub fn find(&self, key: TimerKey) -> Option<u32> {
        let node = self.nodes.get(key.index as usize)?;
        (node.generation == key.generation && node.value.is_some()).then_some(key.index)
    }

    #[inline]
    pub fn deadline(&self, index: u32) -> Instant {
        self.nodes[index as usize].at
    }

    pub fn key(&self, index: u32) -> TimerKey {
        TimerKey { index, generation: self.nodes[index as usize].generation }
    }

    #[inline]
    pub fn append(&mut self, list: &mut Head, index: u32) {
        if list.is_empty() {
            list.0 = index;
            let node = &mut self.nodes[index as usize];
            (node.previous, node.next) = (index, index);
            return;
        }
        let first = list.0;
        let last = std::mem::replace(&mut self.nodes[first as usize].previous, index);
        self.nodes[last as usize].next = index;
        let node = &mut self.nodes[index as usize];
        (node.previous, node.next) = (last, first);
    }

    #[inline]
    pub fn unlink(&mut self, list: &mut Head, index: u32) {
        let node = &self.nodes[index as usize];
        let (previous, next) = (node.previous, node.next);
        if next == index {
            list.0 = NONE;
            return;
        }
        self.nodes[previous as usize].next = next;
        self.nodes[next as usize].previous = previous;
        if list.0 == index {
            list.0 = next;
        }
    }

    pub fn first(&self, list: Head) -> Option<u32> {
        (!list.is_empty()).then_some(list.0)
    }

    /// What stands after one in its list; `None` after the last.
    pub fn after(&self, list: Head, index: u32) -> Option<u32> {
        Some(self.nodes[index as usize].next).filter(|next| *next != list.0)
    }

    pub fn walk(&self, list: Head) -> impl Iterator<Item = u32> + '_ {
        std::iter::successors(self.first(list), move |index| self.after(list, *index))
    }
}

const NONE: u32 = u32::MAX;

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::NonZeroU32;

    #[test]
    fn a_timer_takes_24_bytes_with_its_value() {
        assert_eq!(size_of::<Node<NonZeroU32>>(), 24);
        assert_eq!(size_of::<Node<Box<u64>>>(), 32);
    }
}
