//! Making a ring: from nothing, or from the ring before.

use super::{POINTS_PER_SILO, Ring, SILOS_MAX};
use crate::view::View;
use crate::{SiloId, SiloName, hash};

impl Ring {
    /// The ring of these silos, in any order. Of two generations of one name the higher counts.
    ///
    /// Costs about 3 ms for 1000 silos; see [`Ring::shared`] and [`Ring::updated`] for cheaper ways.
    /// Panics: if there are more than [`SILOS_MAX`].
    pub fn build(members: impl IntoIterator<Item = SiloId>) -> Ring {
        let silos = sorted(members.into_iter().collect());
        let mut marks: Vec<(u64, u16)> = Vec::with_capacity(silos.len() * POINTS_PER_SILO);
        for (at, silo) in silos.iter().enumerate() {
            marks.extend(points_of(silo.name).map(|point| (point, at as u16)));
        }
        marks.sort_unstable();
        Self::from_sorted(silos, marks.into_iter())
    }

    /// The ring of the silos that serve in a view.
    pub fn of_view(view: &View) -> Ring {
        Self::build(view.active().map(|member| member.id))
    }

    /// This ring with some silos added and some removed: equal to building it anew, at a merge's cost.
    ///
    /// A removal names an incarnation exactly; one that is not on the ring changes nothing. Removals come first.
    /// Panics: if there are more than [`SILOS_MAX`] afterwards.
    pub fn updated(&self, added: &[SiloId], removed: &[SiloId]) -> Ring {
        let kept = self.silos.iter().filter(|silo| !removed.contains(silo)).copied();
        let silos = sorted(kept.chain(added.iter().copied()).collect());
        let index = |name: SiloName| silos.binary_search_by(|s| s.name.cmp(&name)).ok().map(|at| at as u16);

        // Where each old silo is now; a changed generation keeps its points, as they follow from the name.
        let moved: Vec<Option<u16>> = self.silos.iter().map(|silo| index(silo.name)).collect();
        let mut fresh: Vec<(u64, u16)> = Vec::new();
        for (at, silo) in silos.iter().enumerate() {
            if self.silos.binary_search_by(|s| s.name.cmp(&silo.name)).is_err() {
                fresh.extend(points_of(silo.name).map(|point| (point, at as u16)));
            }
        }
        fresh.sort_unstable();

        let old = self.points.iter().zip(&self.owners);
        let mut old = old.filter_map(|(&point, &at)| Some((point, moved[at as usize]?))).peekable();
        let mut fresh = fresh.into_iter().peekable();
        let merged = std::iter::from_fn(|| match (old.peek(), fresh.peek()) {
            (Some(o), Some(f)) if f < o => fresh.next(),
            (None, _) => fresh.next(),
            (Some(_), _) => old.next(),
        });
        Self::from_sorted(silos, merged)
    }

    pub(super) fn from_sorted(silos: Vec<SiloId>, marks: impl Iterator<Item = (u64, u16)>) -> Ring {
        assert!(silos.len() <= SILOS_MAX, "{} silos on a ring, at most {SILOS_MAX} fit", silos.len());
        let count = silos.len() * POINTS_PER_SILO;
        let (mut points, mut owners) = (Vec::with_capacity(count), Vec::with_capacity(count));
        for (point, owner) in marks {
            points.push(point);
            owners.push(owner);
        }
        assert_eq!(points.len(), count, "every silo has its points");
        debug_assert!(points.is_sorted());
        let shift = u64::BITS - bucket_bits(count);
        let buckets = buckets(&points, shift);
        Ring { silos, points, owners, buckets, shift }
    }
}

/// Sorted by name, the highest generation of each.
pub(super) fn sorted(mut silos: Vec<SiloId>) -> Vec<SiloId> {
    silos.sort_unstable_by(|a, b| b.cmp(a));
    silos.dedup_by_key(|silo| silo.name);
    silos.reverse();
    silos
}

/// The points of a silo, unsorted: a sequence of mixed numbers that begins at the hash of its name.
///
/// Not one hash of the name per point, with the point's number for a seed: of up to three bytes xxh3 mixes only the
/// exclusive or of text and seed, so that `s1` with one number and `s2` with another were the same point, and the
/// first of sixty silos owned three times its part while most owned next to nothing.
pub(super) fn points_of(name: SiloName) -> impl Iterator<Item = u64> {
    let first = hash::point_in(POINT_DOMAIN, name.as_str().as_bytes());
    (0..POINTS_PER_SILO as u64).map(move |at| hash::mix(first.wrapping_add(at.wrapping_mul(STRIDE))))
}

/// Enough bits for four buckets a point or more, so that most look-ups take no step at all, within what stays in a
/// CPU's caches (256 KiB).
fn bucket_bits(points: usize) -> u32 {
    (usize::BITS - points.leading_zeros() + 2).clamp(4, 16)
}

fn buckets(points: &[u64], shift: u32) -> Vec<u32> {
    if points.is_empty() {
        return Vec::new();
    }
    let mut at = 0;
    (0..1u64 << (u64::BITS - shift))
        .map(|bucket| {
            while at < points.len() && points[at] < bucket << shift {
                at += 1;
            }
            at as u32
        })
        .collect()
}

/// Keeps the points of silos off those of actors whose names are equal. Changing it moves every actor.
const POINT_DOMAIN: u64 = 0x0005_14C0_0000;
/// Odd and without a pattern, so that no two names' sequences run side by side; of nine such numbers the one whose
/// rings of 5 to 1000 silos are the most even.
const STRIDE: u64 = 0x1656_67B1_9E37_79F9;
