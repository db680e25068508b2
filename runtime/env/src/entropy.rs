//! Entropy in named streams, so that a new draw in one component shifts no draw of another.

/// Random bytes.
pub trait Entropy: Send + Sync {
    /// Fills `out` from the stream of this name.
    fn fill(&self, stream: &'static str, out: &mut [u8]);

    /// Whether the rare and legal thing of this site happens now; see [`quark_core::buggify!`]. Only a simulator has whims.
    fn whim(&self, _site: &'static str) -> bool {
        false
    }
}

/// Comfort on top of [`Entropy`].
pub trait EntropyExt: Entropy {
    /// Eight random bytes as a number.
    fn u64(&self, stream: &'static str) -> u64 {
        let mut bytes = [0; 8];
        self.fill(stream, &mut bytes);
        u64::from_le_bytes(bytes)
    }

    /// Sixteen random bytes as a number.
    fn u128(&self, stream: &'static str) -> u128 {
        let mut bytes = [0; 16];
        self.fill(stream, &mut bytes);
        u128::from_le_bytes(bytes)
    }
}

impl<T: Entropy + ?Sized> EntropyExt for T {}
