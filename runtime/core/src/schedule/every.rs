//! A first time and a period.

use super::{ScheduleError, since_1970};
use crate::WallTime;
use std::time::Duration;

/// The shortest period of a durable reminder: each occurrence costs commits.
pub const PERIOD_MIN: Duration = Duration::from_secs(1);

/// `first`, and every multiple of `period` after it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Every {
    first: WallTime,
    period_ns: i64,
}

impl Every {
    pub(super) fn new(first: WallTime, period: Duration) -> Result<Self, ScheduleError> {
        since_1970(first)?;
        if period < PERIOD_MIN {
            return Err(ScheduleError::PeriodTooShort { period });
        }
        let period_ns =
            i64::try_from(period.as_nanos()).map_err(|_| ScheduleError::PeriodTooLong { period })?;
        Ok(Self { first, period_ns })
    }

    /// The first occurrence.
    pub fn first(&self) -> WallTime {
        self.first
    }

    /// The time from one occurrence to the next.
    pub fn period(&self) -> Duration {
        Duration::from_nanos(self.period_ns.unsigned_abs())
    }

    pub(super) fn next_after(&self, time: WallTime) -> Option<WallTime> {
        if time < self.first {
            return Some(self.first);
        }
        if crate::mutant!("m10") {
            return time.0.checked_add(self.period_ns).map(WallTime);
        }
        let periods = self.periods_until(time) + 1;
        i64::try_from(i128::from(self.first.0) + periods * i128::from(self.period_ns)).ok().map(WallTime)
    }

    /// How many occurrences are later than `after` and not later than `until`.
    pub(super) fn count(&self, after: WallTime, until: WallTime) -> u64 {
        let count = self.occurrences_until(until) - self.occurrences_until(after);
        u64::try_from(count.max(0)).expect("an i64 of nanoseconds holds fewer periods")
    }

    fn occurrences_until(&self, time: WallTime) -> i128 {
        if time < self.first { 0 } else { self.periods_until(time) + 1 }
    }

    /// Whole periods from the first occurrence to a time that is not before it.
    fn periods_until(&self, time: WallTime) -> i128 {
        (i128::from(time.0) - i128::from(self.first.0)) / i128::from(self.period_ns)
    }
}
