//! A moment of the calendar, as a test writes it down.

use jiff::{Timestamp, Zoned};
use quark_core::WallTime;
use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

/// A moment of the calendar, to the nanosecond. It comes from a text or a [`WallTime`], and moves by durations.
///
/// ```
/// use quark_testkit::travel::Moment;
/// use std::time::Duration;
///
/// let due = Moment::of("2026-03-29T09:00[Europe/Berlin]");
/// assert_eq!(due - Duration::from_millis(1), Moment::of("2026-03-29T06:59:59.999Z"));
/// assert_eq!((due + Duration::from_secs(60)).to_string(), "2026-03-29T07:01:00Z");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(WallTime);

impl Moment {
    /// The moment that a text names: in UTC or with an offset (`2038-01-19T03:14:07Z`, `2026-07-01T09:00+02:00`), or by the
    /// clocks of a zone (`2026-07-01T09:00[Europe/Berlin]`). Of an hour that a zone has twice, the first; of one that it
    /// leaves out, as far after the gap as it would have been after its start.
    ///
    /// Panics: if it names none, or none between 1677 and 2262.
    pub fn of(text: &str) -> Self {
        let parsed = if text.contains('[') {
            text.parse::<Zoned>().map(|zoned| zoned.timestamp())
        } else {
            text.parse::<Timestamp>()
        };
        let timestamp = parsed.unwrap_or_else(|error| {
            panic!("`{text}` is no moment ({error}): write 2026-03-29T01:00:00Z or 2026-03-29T09:00[Europe/Berlin]")
        });
        let ns = i64::try_from(timestamp.as_nanosecond());
        Self(WallTime(ns.unwrap_or_else(|_| panic!("`{text}` is not between 1677 and 2262"))))
    }

    /// By how many nanoseconds it is later than another moment; fewer than none if it is earlier.
    pub(super) fn ns_after(self, other: Moment) -> i64 {
        self.0.0.saturating_sub(other.0.0)
    }

    /// A moment so many nanoseconds later.
    pub(super) fn moved(self, by_ns: i64) -> Self {
        Self(WallTime(self.0.0.saturating_add(by_ns)))
    }
}

impl From<WallTime> for Moment {
    fn from(time: WallTime) -> Self {
        Self(time)
    }
}

impl From<Moment> for WallTime {
    fn from(moment: Moment) -> Self {
        moment.0
    }
}

impl Add<Duration> for Moment {
    type Output = Moment;

    /// Stops in 2262.
    fn add(self, by: Duration) -> Moment {
        self.moved(i64::try_from(by.as_nanos()).unwrap_or(i64::MAX))
    }
}

impl Sub<Duration> for Moment {
    type Output = Moment;

    /// Stops in 1677.
    fn sub(self, by: Duration) -> Moment {
        self.moved(i64::try_from(by.as_nanos()).map_or(i64::MIN, i64::wrapping_neg))
    }
}

impl fmt::Display for Moment {
    /// In UTC: `2026-03-29T07:00:00Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Timestamp::from_nanosecond(self.0.0.into()) {
            Ok(timestamp) => timestamp.fmt(f),
            Err(_) => write!(f, "{} ns since 1970", self.0.0),
        }
    }
}

impl fmt::Debug for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
