//! Sets of points on the ring, cut open at zero.
//!
//! The ring is a circle, but entries are kept in a sorted map, and a sorted map is a line. A [`Span`] is a stretch of
//! that line, both ends included, so that the whole ring is one span and no arithmetic overflows.

use crate::ring::RingRange;
use serde::{Deserialize, Deserializer, Serialize};

/// The points from `first` to `last`, both included.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Span {
    /// The lowest point.
    pub first: u64,
    /// The highest point, not below `first`.
    pub last: u64,
}

impl From<std::ops::RangeInclusive<u64>> for Span {
    fn from(range: std::ops::RangeInclusive<u64>) -> Self {
        Self { first: *range.start(), last: *range.end() }
    }
}

/// A set of points: sorted, disjoint spans that do not touch one another, hence one form per set.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default, Serialize)]
pub struct Spans(Vec<Span>);

impl Spans {
    /// More spans than one message may name. A silo has 150 ranges of the ring; a thousandfold of it is hostile.
    pub const COUNT_MAX: usize = 16_384;

    /// No point.
    pub const fn none() -> Self {
        Self(Vec::new())
    }

    /// Every point.
    pub fn all() -> Self {
        Self(vec![Span { first: 0, last: u64::MAX }])
    }

    /// The union of spans in any order, which may overlap; a span that ends before it starts is empty.
    pub fn of(spans: impl IntoIterator<Item = Span>) -> Self {
        let mut sorted: Vec<Span> = spans.into_iter().filter(|s| s.first <= s.last).collect();
        sorted.sort_unstable();
        let mut merged: Vec<Span> = Vec::with_capacity(sorted.len());
        for span in sorted {
            match merged.last_mut() {
                Some(before) if before.last == u64::MAX || before.last + 1 >= span.first => {
                    before.last = before.last.max(span.last);
                }
                _ => merged.push(span),
            }
        }
        Self(merged)
    }

    /// The points of a range of the ring.
    pub fn of_range(range: RingRange) -> Self {
        Self::of(range.spans().map(Span::from))
    }

    /// Whether the set has no point.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many spans the set is written with.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The spans, in order.
    pub fn iter(&self) -> impl Iterator<Item = Span> + '_ {
        self.0.iter().copied()
    }

    /// Whether a point is in the set.
    #[inline]
    pub fn contains(&self, point: u64) -> bool {
        let next = self.0.partition_point(|s| s.last < point);
        self.0.get(next).is_some_and(|s| s.first <= point)
    }

    /// The points of either set.
    pub fn union(&self, other: &Self) -> Self {
        if other.is_empty() {
            return self.clone();
        }
        Self::of(self.iter().chain(other.iter()))
    }

    /// The points of this set that are not in the other.
    pub fn minus(&self, other: &Self) -> Self {
        if !self.meets(other) {
            return self.clone();
        }
        let mut rest = Vec::new();
        let mut cuts = other.0.iter().peekable();
        for span in &self.0 {
            let mut first = span.first;
            let mut open = true;
            while cuts.peek().is_some_and(|c| c.last < first) {
                cuts.next();
            }
            while let Some(cut) = cuts.peek().filter(|c| c.first <= span.last) {
                if cut.first > first {
                    rest.push(Span { first, last: cut.first - 1 });
                }
                if cut.last >= span.last {
                    // This cut may reach into the next span, so it stays.
                    open = false;
                    break;
                }
                first = cut.last + 1;
                cuts.next();
            }
            if open {
                rest.push(Span { first, last: span.last });
            }
        }
        Self(rest)
    }

    /// The points of both sets.
    pub fn overlap(&self, other: &Self) -> Self {
        let (few, many) = by_count(self, other);
        let mut both = Vec::new();
        for a in few {
            for b in many[first_not_before(many, a)..].iter().take_while(|b| b.first <= a.last) {
                both.push(Span { first: a.first.max(b.first), last: a.last.min(b.last) });
            }
        }
        Self(both)
    }

    /// Whether the two sets share a point.
    ///
    /// It looks for the spans of the smaller set in the larger one, since the question that is asked for every message
    /// is whether a few spans are among a silo's 150.
    pub fn meets(&self, other: &Self) -> bool {
        let (few, many) = by_count(self, other);
        few.iter().any(|a| many.get(first_not_before(many, a)).is_some_and(|b| b.first <= a.last))
    }
}

/// The spans of both sets, the fewer first.
fn by_count<'a>(one: &'a Spans, other: &'a Spans) -> (&'a [Span], &'a [Span]) {
    if one.0.len() <= other.0.len() { (&one.0, &other.0) } else { (&other.0, &one.0) }
}

/// The index of the first span that does not end before this one begins.
fn first_not_before(spans: &[Span], span: &Span) -> usize {
    spans.partition_point(|s| s.last < span.first)
}

impl<'de> Deserialize<'de> for Spans {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let spans = Vec::<Span>::deserialize(d)?;
        if spans.len() > Self::COUNT_MAX {
            return Err(serde::de::Error::custom(format_args!(
                "{} spans in one message, at most {} are allowed",
                spans.len(),
                Self::COUNT_MAX
            )));
        }
        Ok(Self::of(spans))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn spans(list: &[(u64, u64)]) -> Spans {
        Spans::of(list.iter().map(|&(first, last)| Span { first, last }))
    }

    #[test]
    fn a_range_through_zero_is_two_spans_of_the_line() {
        let arc = |after, up_to| Spans::of_range(RingRange { after, up_to });
        assert_eq!(arc(10, 20), spans(&[(11, 20)]));
        assert_eq!(arc(20, 10), spans(&[(0, 10), (21, u64::MAX)]));
        assert_eq!(arc(u64::MAX, 10), spans(&[(0, 10)]));
        assert_eq!(arc(7, 7), Spans::all());
        assert_eq!(arc(10, 0), spans(&[(0, 0), (11, u64::MAX)]));
    }

    #[test]
    fn touching_spans_become_one() {
        assert_eq!(spans(&[(5, 9), (0, 4), (10, 10)]), spans(&[(0, 10)]));
        assert_eq!(spans(&[(5, 4)]), Spans::none());
        assert_eq!(spans(&[(0, u64::MAX), (3, 4)]), Spans::all());
        assert_eq!(Spans::all().minus(&spans(&[(0, u64::MAX)])), Spans::none());
    }

    /// Sets over the points 0..16 and the three highest ones: small enough to compare point by point.
    fn some_set() -> impl Strategy<Value = (Spans, Vec<bool>)> {
        proptest::collection::vec(any::<bool>(), 19).prop_map(|bits| {
            let at = |i: usize| if i < 16 { i as u64 } else { u64::MAX - (18 - i) as u64 };
            let set = Spans::of(
                bits.iter().enumerate().filter(|b| *b.1).map(|(i, _)| Span { first: at(i), last: at(i) }),
            );
            (set, bits)
        })
    }

    proptest! {
        #[test]
        fn sets_of_spans_are_sets_of_points((a, x) in some_set(), (b, y) in some_set()) {
            for i in 0..19 {
                let p = if i < 16 { i as u64 } else { u64::MAX - (18 - i) as u64 };
                prop_assert_eq!(a.contains(p), x[i]);
                prop_assert_eq!(a.union(&b).contains(p), x[i] || y[i]);
                prop_assert_eq!(a.minus(&b).contains(p), x[i] && !y[i]);
                prop_assert_eq!(a.overlap(&b).contains(p), x[i] && y[i]);
            }
            prop_assert_eq!(a.meets(&b), x.iter().zip(&y).any(|(x, y)| *x && *y));
            for set in [a.union(&b), a.minus(&b), a.overlap(&b)] {
                prop_assert_eq!(&Spans::of(set.iter()), &set, "one form per set");
            }
        }
    }
}
