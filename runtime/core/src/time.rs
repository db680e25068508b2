//! Two kinds of time that must never meet.
//!
//! [`Instant`] is one silo's monotonic clock: it only grows, and compares only with itself. [`WallTime`] is what
//! people write in calendars: it may jump. They are different types so that mixing them does not compile.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::{Add, AddAssign, Sub};
use std::time::Duration;

/// A reading of one silo's monotonic clock, in nanoseconds since an arbitrary start.
///
/// Comparable only with readings of the same silo incarnation. It is never sent to another silo: durations are.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Instant(pub u64);

impl Instant {
    /// The start of the clock.
    pub const ZERO: Instant = Instant(0);
    /// A deadline that never comes.
    pub const NEVER: Instant = Instant(u64::MAX);

    /// The time since `earlier`, or zero if `earlier` is later.
    #[inline]
    pub const fn since(self, earlier: Instant) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// This instant plus a duration, stopping at [`Instant::NEVER`].
    #[inline]
    pub const fn after(self, by: Duration) -> Instant {
        let ns = by.as_nanos();
        Instant(self.0.saturating_add(if ns > u64::MAX as u128 { u64::MAX } else { ns as u64 }))
    }
}

impl Add<Duration> for Instant {
    type Output = Instant;
    #[inline]
    fn add(self, by: Duration) -> Instant {
        self.after(by)
    }
}

impl AddAssign<Duration> for Instant {
    #[inline]
    fn add_assign(&mut self, by: Duration) {
        *self = self.after(by);
    }
}

impl Sub<Instant> for Instant {
    type Output = Duration;
    #[inline]
    fn sub(self, earlier: Instant) -> Duration {
        self.since(earlier)
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Instant::NEVER {
            return f.write_str("never");
        }
        write!(f, "{}.{:06}s", self.0 / 1_000_000_000, self.0 % 1_000_000_000 / 1_000)
    }
}

/// A wall-clock reading in nanoseconds since 1970-01-01 UTC. It may jump, also backwards.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
pub struct WallTime(pub i64);

impl WallTime {
    /// So much later, by the same clock; the end of time if it would be past that.
    #[must_use]
    pub fn after(self, time: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(time.as_nanos()).unwrap_or(i64::MAX)))
    }
}
