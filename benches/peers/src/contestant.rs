//! A peer whose type is forgotten, so that all of them fit in one list.

use crate::peer::Peer;
use crate::rows::{self, Row, Scale};

/// One runtime in the list.
#[derive(Clone, Copy)]
pub struct Contestant {
    pub name: &'static str,
    moves: bool,
    measure: fn(Row, Scale) -> Vec<f64>,
}

impl Contestant {
    pub const fn of<P: Peer>() -> Self {
        Self { name: P::NAME, moves: P::MOVES, measure: rows::measure::<P> }
    }

    /// Whether it can be measured so at all.
    pub fn has(&self, row: Row) -> bool {
        self.moves || row != Row::ManyOnTwo
    }

    /// One measurement, on a runtime of its own: the row's figures in their order.
    pub fn measure(&self, row: Row, scale: Scale) -> Vec<f64> {
        (self.measure)(row, scale)
    }
}
