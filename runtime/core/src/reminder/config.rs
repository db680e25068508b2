//! The numbers of firing reminders, with the reasons for their defaults.

use std::time::Duration;

/// How a silo fires the reminders of its shards.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Config {
    /// The most rows of a shard in memory.
    pub window_rows_max: usize,
    /// Rows are read this long before they are due, so that a read does not make them late.
    pub read_ahead: Duration,
    /// How often a shard is read again from its beginning without a reason; [`Duration::MAX`] for never. It finds what
    /// was written by hand, restored from a backup, or forgotten here for want of room.
    pub recheck_every: Duration,
    /// The longest time without a look at the wall clock while there is anything to wait for: it may be set forward.
    pub wall_recheck: Duration,
    /// How often a silo asks others for the time.
    pub ask_time_every: Duration,
    /// How many reminders a second a silo fires when it has many to catch up with.
    pub fires_per_second: u32,
    /// How many it may fire at once before that rate applies.
    pub burst: u32,
    /// How many may be on their way at once: fired and not answered, or being moved in the index.
    pub in_flight_max: usize,
    /// How long after a failure it is tried again; doubles with each failure in a row.
    pub retry_min: Duration,
    /// The longest time between two tries.
    pub retry_max: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            window_rows_max: 256,
            read_ahead: Duration::from_secs(5),
            recheck_every: Duration::from_secs(60),
            wall_recheck: Duration::from_secs(1),
            ask_time_every: Duration::from_secs(10),
            fires_per_second: 1000,
            burst: 100,
            in_flight_max: 64,
            retry_min: Duration::from_millis(200),
            retry_max: Duration::from_secs(60),
        }
    }
}

impl Config {
    /// Panics: if the numbers contradict one another.
    pub(super) fn check(&self) {
        assert!(self.window_rows_max >= 4, "a window has room for a few rows");
        assert!(self.fires_per_second > 0 && self.burst > 0, "a rate of nothing never catches up");
        assert!(self.fires_per_second <= 1_000_000_000, "one a nanosecond is as good as no limit");
        assert!(self.in_flight_max > 0, "something has to be on its way");
        assert!(self.retry_min > Duration::ZERO, "a retry at once would never end");
        assert!(self.retry_max >= self.retry_min, "the longest retry is no shorter than the shortest");
        assert!(self.wall_recheck > Duration::ZERO, "the wall clock cannot be looked at all the time");
        assert!(self.ask_time_every > Duration::ZERO, "the others cannot be asked all the time");
        assert!(self.recheck_every > Duration::ZERO, "a shard cannot be read all the time");
    }

    /// The wait after so many failures in a row: between a half and all of it, as drawn.
    pub(super) fn back_off(&self, tries: u32, drawn: u64) -> Duration {
        let whole = self.retry_min.saturating_mul(1 << tries.min(20)).min(self.retry_max);
        let half_ns = u64::try_from(whole.as_nanos() / 2).unwrap_or(u64::MAX / 2);
        Duration::from_nanos(half_ns + drawn % (half_ns + 1))
    }
}
