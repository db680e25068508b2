//! A hierarchical timing wheel: a silo's volatile timers, millions of them, in a few nanoseconds each.
//!
//! Time is cut into ticks of a millisecond. Eight levels of 64 slots reach beyond the end of [`Instant`]: a timer
//! stands on the level of the highest digit, base 64, in which its tick differs from the current one, in that digit's
//! slot. When the clock enters a slot of a higher level, its timers move down; each moves at most seven times in its
//! life. Where a timer stands follows from its deadline and the current tick, so it need not be written down, and all
//! timers of one tick stand in one list, in the order in which they came.
//!
//! A bitmap for each level says which slots hold anything: the next deadline is a handful of instructions away, and a
//! year without timers costs as much as a millisecond.
//!
//! A timer costs 20 bytes and its value: 24 bytes with a value of four bytes that has a niche (`NonZeroU32`), 32 with a
//! box or an `Arc`. Memory is reused, and never given back.
//!
//! Source: Varghese and Lauck, Hashed and Hierarchical Timing Wheels (1987), scheme 7.

mod slab;
#[cfg(test)]
mod tests;

pub use slab::TimerKey;

use crate::Instant;
use slab::{Head, Slab};

/// Timers that each carry a value.
///
/// ```
/// use quark_core::Instant;
/// use quark_core::wheel::Wheel;
///
/// let ms = |n: u64| Instant(n * 1_000_000);
/// let mut wheel = Wheel::new(ms(0));
/// let tea = wheel.insert(ms(180_000), "tea");
/// wheel.insert(ms(60_000), "egg");
/// assert_eq!(wheel.cancel(tea), Some("tea"));
///
/// let mut fired = Vec::new();
/// while let Some(deadline) = wheel.next_deadline() {
///     wheel.advance(deadline, &mut |_, at, what| fired.push((at, what)));
/// }
/// assert_eq!(fired, [(ms(60_000), "egg")]);
/// ```
#[derive(Clone, Debug)]
pub struct Wheel<T> {
    slab: Slab<T>,
    /// The tick that [`Wheel::advance`] has come to. Every timer in a slot is of a later one.
    tick: u64,
    slots: [[Head; SLOTS]; LEVELS],
    /// Which slots of each level are not empty.
    filled: [u64; LEVELS],
    /// Timers that were due when they were inserted.
    overdue: Head,
    /// What fires in this tick, while it is being sorted.
    firing: Vec<u32>,
    len: usize,
}

impl<T> Wheel<T> {
    /// No timers, at a time of the clock that the deadlines will be of.
    pub fn new(now: Instant) -> Self {
        Self {
            slab: Slab::new(),
            tick: now.0 / TICK_NS,
            slots: [[Head::EMPTY; SLOTS]; LEVELS],
            filled: [0; LEVELS],
            overdue: Head::EMPTY,
            firing: Vec::new(),
            len: 0,
        }
    }

    /// How many timers there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Sets a timer. It fires at the first [`advance`](Self::advance) whose `now`, in whole milliseconds, has reached
    /// `at`: never before, and less than a millisecond late by this wheel's doing. One of the past fires at the next
    /// `advance`; one at [`Instant::NEVER`] never does.
    ///
    /// Panics: with more than four thousand million timers.
    #[inline]
    pub fn insert(&mut self, at: Instant, value: T) -> TimerKey {
        let (index, key) = self.slab.insert(at, value);
        self.place(index, tick_of(at));
        self.len += 1;
        key
    }

    /// Takes a timer away; `None` if it has fired or was cancelled before, whoever uses its place now.
    #[inline]
    pub fn cancel(&mut self, key: TimerKey) -> Option<T> {
        let index = self.slab.find(key)?;
        let tick = tick_of(self.slab.deadline(index));
        if tick <= self.tick {
            self.slab.unlink(&mut self.overdue, index);
        } else {
            let (level, slot) = self.position(tick);
            let head = &mut self.slots[level][slot];
            self.slab.unlink(head, index);
            if head.is_empty() {
                self.filled[level] &= !(1 << slot);
            }
        }
        self.len -= 1;
        Some(self.slab.remove(index))
    }

    /// When a timer fires; `None` if it is none any more.
    pub fn deadline(&self, key: TimerKey) -> Option<Instant> {
        self.slab.find(key).map(|index| self.slab.deadline(index))
    }

    /// When to call [`advance`](Self::advance) next: never later than a timer has to fire. Exact, to the millisecond,
    /// for one that is less than 64 ms away; for others it may be the time at which they move to a lower level, so
    /// that a timer of a year may wake its silo seven times before it fires. `None` without timers.
    pub fn next_deadline(&self) -> Option<Instant> {
        if !self.overdue.is_empty() {
            return Some(self.time());
        }
        let (_, _, tick) = self.next_slot()?;
        Some(time_of(tick)).filter(|time| *time != Instant::NEVER)
    }

    /// Fires every timer that is due: in the order of their deadlines, and those of equal ones in the order in which
    /// they were set. A `now` that goes back is taken as no progress.
    ///
    /// Takes time for what fires and what moves down a level, whatever time has passed.
    pub fn advance(&mut self, now: Instant, fire: &mut impl FnMut(TimerKey, Instant, T)) {
        let target = self.tick.max(now.0 / TICK_NS);
        let overdue = std::mem::replace(&mut self.overdue, Head::EMPTY);
        self.fire(overdue, fire);
        while let Some((level, slot, tick)) = self.next_slot()
            && tick <= target
        {
            self.tick = tick;
            let list = std::mem::replace(&mut self.slots[level][slot], Head::EMPTY);
            self.filled[level] &= !(1 << slot);
            if level == 0 {
                self.fire(list, fire);
            } else {
                self.move_down(list);
            }
        }
        self.tick = target;
    }

    /// Panics: when what must hold between any two calls does not. Takes time for every timer and every slot.
    pub fn check(&self) {
        let mut count = self.slab.walk(self.overdue).count();
        for index in self.slab.walk(self.overdue) {
            assert!(tick_of(self.slab.deadline(index)) <= self.tick, "a timer of the future is overdue");
        }
        for (level, slots) in self.slots.iter().enumerate() {
            for (slot, head) in slots.iter().enumerate() {
                let marked = self.filled[level] >> slot & 1 == 1;
                assert_eq!(marked, !head.is_empty(), "level {level}, slot {slot}: the bitmap is wrong");
                for index in self.slab.walk(*head) {
                    let tick = tick_of(self.slab.deadline(index));
                    assert!(tick > self.tick, "a timer was passed by");
                    assert_eq!(self.position(tick), (level, slot), "a timer stands where nobody looks");
                    count += 1;
                }
            }
        }
        assert_eq!(count, self.len, "timers were lost, or are counted twice");
    }

    /// The start of the current tick.
    fn time(&self) -> Instant {
        time_of(self.tick)
    }

    #[inline]
    fn place(&mut self, index: u32, tick: u64) {
        if tick <= self.tick {
            return self.slab.append(&mut self.overdue, index);
        }
        self.place_in_slot(index, tick);
    }

    #[inline]
    fn place_in_slot(&mut self, index: u32, tick: u64) {
        let (level, slot) = self.position(tick);
        self.slab.append(&mut self.slots[level][slot], index);
        self.filled[level] |= 1 << slot;
    }

    /// Level and slot of a tick that is not in the past.
    #[inline]
    fn position(&self, tick: u64) -> (usize, usize) {
        debug_assert!(tick >= self.tick, "the past has no slots");
        let highest_bit = 63 - ((tick ^ self.tick) | 1).leading_zeros();
        let level = highest_bit / DIGIT_BITS;
        let slot = tick >> (level * DIGIT_BITS) & (SLOTS as u64 - 1);
        (level as usize, slot as usize)
    }

    /// The first slot that is not empty, and the tick at which it begins. On the lowest such level: what is higher
    /// differs in a higher digit, and is later.
    #[inline]
    fn next_slot(&self) -> Option<(usize, usize, u64)> {
        let level = self.filled.iter().position(|bits| *bits != 0)?;
        let slot = self.filled[level].trailing_zeros();
        let shift = level as u32 * DIGIT_BITS;
        let above = self.tick >> (shift + DIGIT_BITS) << (shift + DIGIT_BITS);
        Some((level, slot as usize, above | u64::from(slot) << shift))
    }

    /// The clock has entered the slot that held these.
    fn move_down(&mut self, list: Head) {
        let mut rest = self.slab.first(list);
        while let Some(index) = rest {
            // Read before the timer is threaded into another list.
            rest = self.slab.after(list, index);
            let tick = tick_of(self.slab.deadline(index));
            // One that is due at the very start goes to this tick's own slot, which is next.
            self.place_in_slot(index, tick);
        }
    }

    fn fire(&mut self, list: Head, fire: &mut impl FnMut(TimerKey, Instant, T)) {
        let mut firing = std::mem::take(&mut self.firing);
        firing.extend(self.slab.walk(list));
        // A stable sort, for within a tick the list is in the order of coming.
        if !firing.is_sorted_by_key(|index| self.slab.deadline(*index)) {
            firing.sort_by_key(|index| self.slab.deadline(*index));
        }
        self.len -= firing.len();
        for index in firing.drain(..) {
            let (key, at) = (self.slab.key(index), self.slab.deadline(index));
            fire(key, at, self.slab.remove(index));
        }
        self.firing = firing;
    }
}

/// The first tick at which a deadline has passed.
#[inline]
fn tick_of(at: Instant) -> u64 {
    at.0.div_ceil(TICK_NS)
}

fn time_of(tick: u64) -> Instant {
    Instant(tick.saturating_mul(TICK_NS))
}

const TICK_NS: u64 = 1_000_000;
const DIGIT_BITS: u32 = 6;
const SLOTS: usize = 1 << DIGIT_BITS;
/// 64⁸ ticks are 8 900 years; an [`Instant`] holds 584.
const LEVELS: usize = 8;
