//! A token bucket on the monotonic clock: the cap on the rate of catching up.

use crate::Instant;
use std::time::Duration;

/// Fills at a rate, up to a burst. Counts time instead of tokens, so that nothing is rounded away.
#[derive(Clone, Debug)]
pub(super) struct Bucket {
    token_ns: u64,
    full_ns: u64,
    saved_ns: u64,
    filled_at: Instant,
}

impl Bucket {
    pub fn new(per_second: u32, burst: u32) -> Self {
        let token_ns = 1_000_000_000 / u64::from(per_second);
        let full_ns = token_ns * u64::from(burst);
        Self { token_ns, full_ns, saved_ns: full_ns, filled_at: Instant::ZERO }
    }

    pub fn fill(&mut self, now: Instant) {
        let passed = now.0.saturating_sub(self.filled_at.0);
        self.saved_ns = self.saved_ns.saturating_add(passed).min(self.full_ns);
        self.filled_at = self.filled_at.max(now);
    }

    pub fn has_token(&self) -> bool {
        self.saved_ns >= self.token_ns
    }

    pub fn take(&mut self) {
        assert!(self.has_token(), "a token was taken that was not there");
        if !crate::mutant!("m44") {
            self.saved_ns -= self.token_ns;
        }
    }

    /// When there is a token again.
    pub fn ready_at(&self) -> Instant {
        self.filled_at.after(Duration::from_nanos(self.token_ns.saturating_sub(self.saved_ns)))
    }

    pub fn check(&self) {
        assert!(self.saved_ns <= self.full_ns, "more tokens than the bucket holds");
    }
}
