//! A piece of the circle.

use serde::{Deserialize, Serialize};
use smallvec::{SmallVec, smallvec};
use std::fmt;
use std::ops::RangeInclusive;

/// The points from `after` (excluded) to `up_to` (included), around the circle. Where both are equal it is the whole
/// circle; there is no empty range.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RingRange {
    /// The last point before the range.
    pub after: u64,
    /// The last point of the range.
    pub up_to: u64,
}

impl RingRange {
    /// The whole circle, in its usual form.
    pub const FULL: RingRange = RingRange { after: u64::MAX, up_to: u64::MAX };

    /// Whether the range holds a point.
    #[inline]
    pub const fn contains(&self, point: u64) -> bool {
        // How far behind `after` the two lie, around the circle; the whole circle is as far as it gets.
        point.wrapping_sub(self.after).wrapping_sub(1) <= self.last_offset()
    }

    /// Whether this is the whole circle.
    pub const fn is_full(&self) -> bool {
        self.after == self.up_to
    }

    /// The range as one or two pieces of the line of numbers, in ascending order: keys for a sorted map.
    pub fn spans(&self) -> impl Iterator<Item = RangeInclusive<u64>> + use<> {
        let first = self.after.wrapping_add(1);
        let (one, two) = if self.is_full() {
            (0..=u64::MAX, None)
        } else if first <= self.up_to {
            (first..=self.up_to, None)
        } else {
            (0..=self.up_to, Some(first..=u64::MAX))
        };
        std::iter::once(one).chain(two)
    }

    /// The points that both ranges hold: none, one or two ranges.
    pub fn intersect(&self, other: &RingRange) -> SmallVec<[RingRange; 2]> {
        if self.is_full() {
            return smallvec![*other];
        }
        let mut common = SmallVec::new();
        // Both as offsets behind `self.after`, where `self` is 0..=last and `other` one or two pieces.
        let last = self.last_offset();
        let shifted = RingRange {
            after: other.after.wrapping_sub(self.after).wrapping_sub(1),
            up_to: other.up_to.wrapping_sub(self.after).wrapping_sub(1),
        };
        for span in shifted.spans() {
            if *span.start() <= last {
                let (start, end) = (*span.start(), last.min(*span.end()));
                common.push(RingRange {
                    after: self.after.wrapping_add(start),
                    up_to: self.after.wrapping_add(end).wrapping_add(1),
                });
            }
        }
        common
    }

    /// The points that this range holds and the other does not: none, one or two ranges.
    pub fn subtract(&self, other: &RingRange) -> SmallVec<[RingRange; 2]> {
        if other.is_full() {
            return SmallVec::new();
        }
        self.intersect(&RingRange { after: other.up_to, up_to: other.after })
    }

    /// How much of the circle this is, between 0 (excluded) and 1.
    pub fn fraction(&self) -> f64 {
        (self.last_offset() as f64 + 1.0) / 2f64.powi(64)
    }

    /// How far the last point lies behind the first: one less than the number of points, which may be 2^64.
    const fn last_offset(&self) -> u64 {
        self.up_to.wrapping_sub(self.after).wrapping_sub(1)
    }
}

impl fmt::Debug for RingRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The high half tells ranges apart and can be read.
        if self.is_full() {
            f.write_str("(all]")
        } else {
            write!(f, "({:08x}..{:08x}]", self.after >> 32, self.up_to >> 32)
        }
    }
}

impl fmt::Display for RingRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// Joins neighbouring pieces with equal labels. The pieces are disjoint and in ring order.
pub(super) fn joined<L: PartialEq>(pieces: impl Iterator<Item = (RingRange, L)>) -> Vec<(RingRange, L)> {
    let mut joined: Vec<(RingRange, L)> = Vec::new();
    for (piece, label) in pieces {
        match joined.last_mut() {
            Some((last, same)) if last.up_to == piece.after && *same == label => last.up_to = piece.up_to,
            _ => joined.push((piece, label)),
        }
    }
    // The circle closes: the last may end where the first begins.
    if let [(first, one), .., (last, other)] = &mut joined[..]
        && last.up_to == first.after
        && one == other
    {
        first.after = last.after;
        joined.pop();
    }
    if let [(only, _)] = &mut joined[..]
        && only.is_full()
    {
        *only = RingRange::FULL;
    }
    joined
}
