//! Pauses between attempts to dial.

use crate::config::Limits;
use std::time::Duration;

/// Doubles from a first pause to a longest one, with jitter, so that silos which lost a peer together do not come back
/// together.
pub(crate) struct Backoff {
    next: Duration,
    min: Duration,
    max: Duration,
}

impl Backoff {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self { next: limits.backoff_min, min: limits.backoff_min, max: limits.backoff_max }
    }

    /// The next pause is the shortest.
    pub(crate) fn reset(&mut self) {
        self.next = self.min;
    }

    /// The next pause is the longest: nothing will change soon.
    pub(crate) fn exhaust(&mut self) {
        self.next = self.max;
    }

    /// How long to pause now: between half of the current pause and all of it.
    pub(crate) fn pause(&mut self, random: u64) -> Duration {
        let pause = self.next.min(self.max);
        self.next = pause.saturating_mul(2).min(self.max);
        let share = (random >> 32) as f64 / f64::from(u32::MAX);
        pause.div_f64(2.0) + pause.div_f64(2.0).mul_f64(share)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_start_over_on_success() {
        let mut backoff = Backoff::new(&Limits::default());
        let pauses: Vec<u128> = (0..8).map(|_| backoff.pause(u64::MAX).as_millis()).collect();
        assert_eq!(pauses, [50, 100, 200, 400, 800, 1600, 2000, 2000]);
        backoff.reset();
        assert_eq!(backoff.pause(u64::MAX), Duration::from_millis(50));
        backoff.exhaust();
        assert_eq!(backoff.pause(u64::MAX), Duration::from_secs(2));
    }

    #[test]
    fn jitter_shortens_a_pause_by_at_most_half() {
        let mut backoff = Backoff::new(&Limits::default());
        backoff.exhaust();
        assert_eq!(backoff.pause(0), Duration::from_secs(1));
        for random in [1, u64::MAX / 3, u64::MAX / 2] {
            let pause = backoff.pause(random);
            assert!((Duration::from_secs(1)..=Duration::from_secs(2)).contains(&pause), "{pause:?}");
        }
    }
}
