//! Seeded draws for the random cases.

use quark_core::hash::mix;

/// A stream of numbers that depends on its seed alone.
pub(super) struct Draws(u64);

impl Draws {
    /// The stream of this seed.
    pub(super) fn new(seed: u64) -> Self {
        Self(mix(seed))
    }

    /// Any number.
    pub(super) fn any(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(self.0)
    }

    /// A number below `bound`, which is not zero. The bias of the remainder does not matter here.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        (self.any() % bound as u64) as usize
    }

    /// True `percent` times in a hundred.
    pub(super) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// One of these.
    pub(super) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}
