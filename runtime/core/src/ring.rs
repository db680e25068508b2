//! Who owns which part of the hash space: an immutable sorted array of points, built from the serving silos.
//!
//! A silo has [`POINTS_PER_SILO`] points, which follow from its *name* alone: a silo that restarts with a higher
//! generation keeps its ranges. A point owns the space behind it, from the point before (excluded) to itself
//! (included), and the first point also owns what lies beyond the last: the space is a circle. Two silos whose points
//! collide are told apart by name; the later name's point owns nothing until the earlier one leaves.
//!
//! Every silo computes the same ring from the same members, on every CPU: the hash is portable, the order total.

mod build;
mod diff;
mod owners;
mod range;
mod shared;
#[cfg(test)]
mod tests;

pub use diff::{Moved, diff};
pub use range::RingRange;

use crate::SiloId;
use std::fmt;

/// How many points a silo has on the ring.
pub const POINTS_PER_SILO: usize = 150;

/// The most silos on a ring.
pub const SILOS_MAX: usize = u16::MAX as usize;

/// The ring of one set of silos. Equal sets give equal rings.
#[derive(Clone, PartialEq, Eq)]
pub struct Ring {
    /// Sorted by name, one generation per name.
    silos: Vec<SiloId>,
    /// The points, sorted; those of different silos that collide lie side by side, sorted by name.
    points: Vec<u64>,
    /// Beside each point, whose it is: an index into `silos`.
    owners: Vec<u16>,
    /// For each value of a point's high bits: the first point that is not below it. See [`Ring::first_from`].
    buckets: Vec<u32>,
    /// How many low bits a bucket does not see.
    shift: u32,
}

impl Ring {
    /// The silo that owns a point; `None` if the ring is empty.
    #[inline]
    pub fn owner(&self, point: u64) -> Option<SiloId> {
        let at = self.first_from(point)?;
        Some(self.silos[self.owners[at] as usize])
    }

    /// The ranges that a silo owns, neighbours joined, in ascending order of their last points. None if exactly this
    /// incarnation is not on the ring.
    pub fn ranges_of(&self, silo: SiloId) -> impl Iterator<Item = RingRange> + use<> {
        let mut pieces: Vec<RingRange> = self.pieces_of(silo).collect();
        pieces.sort_unstable_by_key(|piece| piece.up_to);
        // Two points of one name may collide as well.
        pieces.dedup();
        range::joined(pieces.into_iter().map(|piece| (piece, ()))).into_iter().map(|(range, ())| range)
    }

    /// The same points as [`Ring::ranges_of`], one piece for each point of the silo, in no order.
    ///
    /// It looks up the silo's own points instead of walking the ring: 150 look-ups whatever the number of silos.
    pub fn pieces_of(&self, silo: SiloId) -> impl Iterator<Item = RingRange> + '_ {
        let wanted = self.index_of(silo);
        build::points_of(silo.name).filter(move |_| wanted.is_some()).filter_map(move |point| {
            // The first of colliding points owns the piece.
            let at = self.first_from(point).filter(|at| Some(self.owners[*at]) == wanted)?;
            let before = at.checked_sub(1).unwrap_or(self.points.len() - 1);
            Some(RingRange { after: self.points[before], up_to: point })
        })
    }

    /// The silos on the ring, sorted by name.
    pub fn silos(&self) -> &[SiloId] {
        &self.silos
    }

    /// Whether exactly this incarnation is on the ring.
    pub fn contains(&self, silo: SiloId) -> bool {
        self.index_of(silo).is_some()
    }

    /// How many silos are on the ring.
    pub fn len(&self) -> usize {
        self.silos.len()
    }

    /// Whether nobody is on the ring.
    pub fn is_empty(&self) -> bool {
        self.silos.is_empty()
    }

    /// How much of the space a silo owns, between 0 and 1.
    pub fn share_of(&self, silo: SiloId) -> f64 {
        self.ranges_of(silo).map(|range| range.fraction()).sum()
    }

    /// The first point at or after `point`, around the circle.
    ///
    /// A table indexed by the high bits says where to begin. Up to a hundred silos there are four buckets a point, and
    /// the walk from there is mostly no step; a binary search takes ten to seventeen that no CPU predicts.
    #[inline]
    fn first_from(&self, point: u64) -> Option<usize> {
        let mut at = *self.buckets.get((point >> self.shift) as usize)? as usize;
        while at < self.points.len() && self.points[at] < point {
            at += 1;
        }
        if at < self.points.len() { Some(at) } else { Some(self.wrapped()) }
    }

    /// Where a search that ran past the last point ends.
    #[cold]
    fn wrapped(&self) -> usize {
        crate::reached!("ring.wrapped");
        // A deliberate bug: the last point instead of the first.
        if crate::mutant!("m14") { self.points.len() - 1 } else { 0 }
    }

    fn index_of(&self, silo: SiloId) -> Option<u16> {
        let at = self.silos.binary_search_by(|s| s.name.cmp(&silo.name)).ok()?;
        (self.silos[at] == silo).then_some(at as u16)
    }
}

impl Default for Ring {
    /// The ring without silos.
    fn default() -> Self {
        Self::build([])
    }
}

impl fmt::Debug for Ring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Ring").field(&self.silos).finish()
    }
}
