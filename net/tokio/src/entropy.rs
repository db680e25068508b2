//! The operating system's entropy.

use quark_env::Entropy;

/// Random bytes from the operating system.
///
/// Streams exist so that a simulated world can keep components apart; real entropy needs no such care, so the name is
/// ignored.
///
/// Panics: when the system has no entropy source at all, because every name and idempotency key drawn after that
/// could collide.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsEntropy;

impl Entropy for OsEntropy {
    fn fill(&self, _stream: &'static str, out: &mut [u8]) {
        getrandom::fill(out).expect("the operating system gives entropy");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quark_env::EntropyExt;

    #[test]
    fn two_draws_of_one_stream_differ() {
        assert_ne!(OsEntropy.u128("test"), OsEntropy.u128("test"));
    }
}
