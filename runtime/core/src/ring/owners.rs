//! The ring as the directory sees it.

use super::Ring;
use crate::SiloId;
use crate::directory::{Owners, Span, Spans};

impl Owners for Ring {
    fn owner(&self, point: u64) -> Option<SiloId> {
        Ring::owner(self, point)
    }

    fn spans_of(&self, silo: SiloId) -> Spans {
        Spans::of(self.pieces_of(silo).flat_map(|piece| piece.spans()).map(Span::from))
    }
}
