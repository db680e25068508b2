//! What one world has shown and the other has not.

use super::{Pair, Shape};
use serde::Serialize;
use std::fmt;

/// Who has shown a pair alone.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
pub enum Side {
    /// Real processes: a hole in the model, or a hand of the stage that the model has not.
    Real,
    /// The simulator: it has more seeds and more faults.
    Sim,
}

/// A pair of events that only one of two shapes has.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
pub struct Difference {
    /// Who has it.
    pub side: Side,
    /// The pair.
    pub pair: Pair,
    /// How often.
    pub count: u64,
}

/// Every pair that only one of them has: those of the real world first.
pub fn differences(sim: &Shape, real: &Shape) -> Vec<Difference> {
    let only = |side, one: &Shape, other: &Shape| -> Vec<Difference> {
        let missing = one.pairs.iter().filter(|(pair, _)| !other.pairs.contains_key(*pair));
        missing.map(|(pair, count)| Difference { side, pair: pair.clone(), count: *count }).collect()
    };
    let mut all = only(Side::Real, real, sim);
    all.extend(only(Side::Sim, sim, real));
    all
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Real => "real",
            Self::Sim => "sim",
        })
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} only: {} ({} times)", self.side, self.pair, self.count)
    }
}
