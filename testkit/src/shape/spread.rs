//! How durations are spread, in buckets that add up.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// Durations in buckets that are an eighth of a power of two wide: a quantile is at most an eighth too low.
///
/// Why buckets: thirty tellings have a million durations, and a shape is to be written down and added to others.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Spread {
    /// How many durations are in the bucket that begins at so many microseconds.
    buckets: BTreeMap<u64, u64>,
}

impl Spread {
    /// One more.
    pub fn add(&mut self, duration: Duration) {
        let us = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        // All but the four leading bits are dropped: the first, and three that divide the octave by eight.
        let dropped = us.checked_ilog2().unwrap_or(0).saturating_sub(3);
        *self.buckets.entry(us >> dropped << dropped).or_insert(0) += 1;
    }

    /// All of another.
    pub fn add_all(&mut self, other: &Self) {
        super::add(&mut self.buckets, &other.buckets);
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.buckets.values().sum()
    }

    /// The duration that `percent` of them do not exceed, a bucket's width apart; `None` if there are none.
    ///
    /// Panics: if `percent` is beyond 100.
    pub fn quantile(&self, percent: u64) -> Option<Duration> {
        assert!(percent <= 100, "{percent} % of all are more than all");
        let rank = (self.count() * percent).div_ceil(100).max(1);
        let mut below = 0;
        let bucket = self.buckets.iter().find(|(_, count)| {
            below += **count;
            below >= rank
        });
        bucket.map(|(us, _)| Duration::from_micros(*us))
    }
}
