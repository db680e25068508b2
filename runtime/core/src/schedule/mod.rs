//! When something is due, by the calendars that people live by.
//!
//! A [`Schedule`] answers one question, [`Schedule::next_after`], and reads no clock to do it. It is kept for years in
//! durable records, so what is written is what a person would write: integers for times, text for cron and zone.
//! The time zones are those of this binary, never those of the machine: the same schedule gives the same times
//! everywhere. A newer release may know newer zones, and occurrences that it computes then follow them.
//!
//! # Daylight saving
//!
//! Where the local clock jumps, an expression falls into one of two classes. *Fixed-time*: the hour field leaves some
//! hour out (`30 2 * * *`, `0 */2 * * *`, `*/5 9-17 * * *`). *Interval-like*: every hour is in (`*/5 * * * *`,
//! `0 * * * *`).
//!
//! | the local clock | fixed-time | interval-like |
//! | --- | --- | --- |
//! | skips a time (the *gap*, one hour or a whole day) | what was due in it is due once, at the first instant after it | no time has passed, so nothing is due |
//! | shows a time twice (the *overlap*) | due once, the first time | due both times |
//!
//! So a daily job runs every day, and a job of every five minutes every five minutes: an interval follows elapsed time
//! wherever the jump is a whole number of intervals. (On Lord Howe, whose clock jumps by half an hour, full hours do
//! come half an hour late or early on that day.) Several occurrences that meet in
//! one instant (`0,30 2 * * *` in a gap from 2 to 3) are one. Vixie cron calls `*/2` in the hour field a wildcard, and
//! skips it in a gap; here it is twelve fixed hours, since that is what it says.

mod cron;
mod error;
mod every;
mod fields;
mod missed;
mod plain;
mod record;
#[cfg(test)]
mod tests;
mod zone;

pub use cron::Cron;
pub use error::ScheduleError;
pub use every::{Every, PERIOD_MIN};
pub use missed::{CRON_COUNT_MAX, Firing, MissedPolicy, Progress, progress};

use crate::WallTime;
use record::Record;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// When something is due: once, every so often, or as a cron expression says.
///
/// ```
/// use quark_core::WallTime;
/// use quark_core::schedule::Schedule;
///
/// let daily = Schedule::cron("30 2 * * *", "Europe/Berlin")?;
/// // 2026-03-28T12:00:00Z. In the following night the clocks of Berlin go from 2:00 to 3:00, at 1:00 UTC.
/// let noon = WallTime(1_774_699_200_000_000_000);
/// let night = WallTime(1_774_746_000_000_000_000);
/// assert_eq!(daily.next_after(noon), Some(night));
/// # Ok::<(), quark_core::schedule::ScheduleError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "Record", into = "Record")]
#[non_exhaustive]
pub enum Schedule {
    /// Once, at this time.
    Once {
        /// Not before 1970, which [`Schedule::once`] sees to.
        at: WallTime,
    },
    /// At a first time, and every period after it.
    Every(Every),
    /// Whenever the clock of a time zone matches an expression.
    Cron(Cron),
}

impl Schedule {
    /// Due once. A time in the past is due at once.
    ///
    /// Errors: [`ScheduleError::BeforeEpoch`].
    pub fn once(at: WallTime) -> Result<Self, ScheduleError> {
        since_1970(at)?;
        Ok(Self::Once { at })
    }

    /// Due at `first` and at every multiple of `period` after it, exactly: lateness does not add up.
    ///
    /// Errors: [`ScheduleError::BeforeEpoch`], and a period below [`PERIOD_MIN`] or of centuries.
    pub fn every(first: WallTime, period: Duration) -> Result<Self, ScheduleError> {
        Every::new(first, period).map(Self::Every)
    }

    /// Due whenever the clock of a time zone matches a cron expression. See [`Cron::new`].
    ///
    /// Errors: each names the field or the zone that is wrong.
    pub fn cron(expression: &str, zone: &str) -> Result<Self, ScheduleError> {
        Cron::new(expression, zone).map(Self::Cron)
    }

    /// The first occurrence later than `time`; `None` when there is none, or none before the end of [`WallTime`] in
    /// the year 2262.
    pub fn next_after(&self, time: WallTime) -> Option<WallTime> {
        match self {
            Self::Once { at } => (*at > time).then_some(*at),
            Self::Every(every) => every.next_after(time),
            Self::Cron(cron) => cron.next_after(time),
        }
    }

    /// The first occurrence at `time` or later.
    pub fn next_from(&self, time: WallTime) -> Option<WallTime> {
        match time.0.checked_sub(1) {
            Some(before) => self.next_after(WallTime(before)),
            None => self.next_after(time),
        }
    }

    /// The first occurrence of all, from 1970 on.
    pub fn first(&self) -> Option<WallTime> {
        self.next_from(WallTime(0))
    }
}

fn since_1970(time: WallTime) -> Result<(), ScheduleError> {
    if time.0 < 0 { Err(ScheduleError::BeforeEpoch { ns: time.0 }) } else { Ok(()) }
}
