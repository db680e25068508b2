//! What changes hands between two rings.

use super::{Ring, RingRange, range};
use crate::SiloId;

/// A range that another incarnation owns than before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Moved {
    /// The range.
    pub range: RingRange,
    /// Who owned it; `None` if nobody did.
    pub from: Option<SiloId>,
    /// Who owns it now; `None` if nobody does.
    pub to: Option<SiloId>,
}

/// The ranges whose owner differs between two rings, in ring order, neighbours with the same owners joined.
///
/// A silo that restarted keeps its ranges as a *name*, and still loses them as an incarnation: they are listed, since
/// the new generation knows nothing of what the old one did.
pub fn diff(old: &Ring, new: &Ring) -> Vec<Moved> {
    let pieces = pieces(old, new).into_iter().map(|(range, from, to)| (range, (from, to)));
    let joined = range::joined(pieces);
    joined
        .into_iter()
        .filter(|(_, (from, to))| from != to)
        .map(|(range, (from, to))| Moved { range, from, to })
        .collect()
}

/// The pieces between neighbouring points of either ring, in ring order, each with its owners.
fn pieces(old: &Ring, new: &Ring) -> Vec<(RingRange, Option<SiloId>, Option<SiloId>)> {
    let (mut olds, mut news) = (Cursor::new(old), Cursor::new(new));
    let Some(last) = old.points.last().max(new.points.last()).copied() else { return Vec::new() };
    let mut pieces = Vec::with_capacity(old.points.len() + new.points.len());
    let mut after = last;
    while let Some(up_to) = [olds.point(), news.point()].into_iter().flatten().min() {
        let is_first = pieces.is_empty();
        // Only the first piece may end where it begins: it is then the whole circle.
        if is_first || after != up_to {
            pieces.push((RingRange { after, up_to }, olds.owner(), news.owner()));
        }
        olds.pass(up_to);
        news.pass(up_to);
        after = up_to;
    }
    pieces
}

/// Walks along the points of a ring.
struct Cursor<'r> {
    ring: &'r Ring,
    at: usize,
}

impl<'r> Cursor<'r> {
    fn new(ring: &'r Ring) -> Self {
        Self { ring, at: 0 }
    }

    fn point(&self) -> Option<u64> {
        self.ring.points.get(self.at).copied()
    }

    /// The owner of what lies right before the cursor's point; beyond the last point that is the first one's.
    fn owner(&self) -> Option<SiloId> {
        let owner = self.ring.owners.get(self.at).or(self.ring.owners.first())?;
        Some(self.ring.silos[*owner as usize])
    }

    fn pass(&mut self, point: u64) {
        while self.point() == Some(point) {
            self.at += 1;
        }
    }
}
