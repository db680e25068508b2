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
    let Some(last) = old.points.last().max(new.points.last()).copied() else { return Vec::new() };
    let (mut olds, mut news) =
        (Cursor::new(old, old_labels(old, new)), Cursor::new(new, (0..).take(new.len()).collect()));
    let mut moved = Vec::new();
    let mut after = last;
    for at in 0.. {
        let Some(up_to) = olds.next_point(&news) else { break };
        let (from, to) = (olds.owner(), news.owner());
        // Only the first piece may end where it begins: it is then the whole circle.
        if from != to && (after != up_to || at == 0) {
            moved.push((RingRange { after, up_to }, (from, to)));
        }
        olds.pass(up_to);
        news.pass(up_to);
        after = up_to;
    }
    let from =
        |label: u32| old.silos[olds.labels.iter().position(|l| *l == label).expect("a label of the old")];
    let joined = range::joined(moved.into_iter()).into_iter();
    joined
        .map(|(range, (was, is))| Moved {
            range,
            from: was.map(from),
            to: is.map(|at| new.silos[at as usize]),
        })
        .collect()
}

/// Numbers the old ring's silos: an incarnation that is on both rings has its place in the new one, the others follow.
fn old_labels(old: &Ring, new: &Ring) -> Vec<u32> {
    let behind = new.len() as u32;
    let label = |(silo, at): (&SiloId, u32)| new.index_of(*silo).map_or(behind + at, u32::from);
    old.silos.iter().zip(0u32..).map(label).collect()
}

/// Walks along the points of a ring.
struct Cursor<'r> {
    ring: &'r Ring,
    /// A number for each silo, equal where the silos are: comparing those is cheaper than names.
    labels: Vec<u32>,
    at: usize,
}

impl<'r> Cursor<'r> {
    fn new(ring: &'r Ring, labels: Vec<u32>) -> Self {
        Self { ring, labels, at: 0 }
    }

    fn point(&self) -> Option<u64> {
        self.ring.points.get(self.at).copied()
    }

    /// The nearer of two cursors' points.
    fn next_point(&self, other: &Cursor<'_>) -> Option<u64> {
        match (self.point(), other.point()) {
            (Some(one), Some(two)) => Some(one.min(two)),
            (one, two) => one.or(two),
        }
    }

    /// The owner of what lies right before the cursor's point; beyond the last point that is the first one's.
    fn owner(&self) -> Option<u32> {
        let owner = self.ring.owners.get(self.at).or(self.ring.owners.first())?;
        Some(self.labels[*owner as usize])
    }

    fn pass(&mut self, point: u64) {
        while self.point() == Some(point) {
            self.at += 1;
        }
    }
}
