//! A cron expression on the clock of a time zone.

use super::plain::Plain;
use super::zone::{Shown, Zone, timestamp, wall_time};
use super::{ScheduleError, fields};
use crate::WallTime;
use jiff::Timestamp;
use jiff::civil::{DateTime, date};
use std::sync::Arc;

/// A cron expression and the time zone whose clock it is about.
///
/// One of numbers alone is kept as it is read, in 64 bytes. One with `L`, `W`, `#` or names is kept as text and read anew
/// (some 20 µs) when the next occurrence is asked for, unless it is among the last that were, since what is read takes 5 KiB,
/// and there may be a million of them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cron {
    expression: String,
    zone: Zone,
    plain: Option<Plain>,
}

impl Cron {
    /// Checks an expression and a zone.
    ///
    /// Five fields: minute, hour, day of month, month, day of week (0 and 7 are Sunday); or six, with seconds first.
    /// Each takes `*`, lists, ranges (`9-17`) and steps (`*/5`, `0-30/10`); months and days of the week also their
    /// English names of three letters. Day of month: `L` the last, `15W` the weekday closest to the 15th. Day of week:
    /// `5#2` the second Friday, `5L` the last. With both a day of month and a day of week given, either suffices;
    /// with `+` before the day of week both have to hold. Or one of `@yearly`, `@annually`, `@monthly`, `@weekly`,
    /// `@daily`, `@hourly`. The zone is a name of the time zone database.
    ///
    /// Errors: see [`ScheduleError`]; one that can never happen, such as the 31st of February, is an error too.
    pub fn new(expression: &str, zone: &str) -> Result<Self, ScheduleError> {
        let limit = EXPRESSION_BYTES_MAX;
        if expression.len() > limit {
            return Err(ScheduleError::CronTooLong { length: expression.len(), limit });
        }
        let expression = expression.split_whitespace().collect::<Vec<_>>().join(" ");
        let plain = Plain::read(&expression);
        let pattern = match plain {
            Some(plain) => Pattern::Plain(plain),
            None => Pattern::Full(fields::parse(&expression)?),
        };
        let zone = Zone::named(zone)?;
        if pattern.next(date(1970, 1, 1).at(0, 0, 0, 0), true).is_none() {
            return Err(ScheduleError::NeverFires { expression });
        }
        Ok(Self { expression, zone, plain })
    }

    /// The expression, with single spaces between its fields.
    pub fn expression(&self) -> &str {
        &self.expression
    }

    /// The time zone's name.
    pub fn zone(&self) -> &str {
        self.zone.name()
    }

    pub(super) fn next_after(&self, time: WallTime) -> Option<WallTime> {
        self.occurrences_after(time).next()
    }

    /// All occurrences later than `time`, in order.
    pub(super) fn occurrences_after(&self, time: WallTime) -> impl Iterator<Item = WallTime> + '_ {
        let read = || fields::parse(&self.expression).expect("it was checked when it was made");
        let pattern = self.plain.map_or_else(|| Pattern::Full(read()), Pattern::Plain);
        let clock = Clock { zone: &self.zone, pattern };
        let next = move |last: &WallTime| clock.next_after(timestamp(*last)).and_then(wall_time);
        std::iter::successors(Some(time), next).skip(1)
    }
}

/// An expression that has been read, on the clock of its zone.
///
/// The pattern is only ever asked about what a local clock may show; what that means for instants is decided here.
struct Clock<'a> {
    zone: &'a Zone,
    pattern: Pattern,
}

/// What a local clock is compared with.
enum Pattern {
    Plain(Plain),
    Full(Arc<croner::Cron>),
}

impl Pattern {
    /// The first match later than what a clock shows, or at it.
    fn next(&self, shown: DateTime, inclusive: bool) -> Option<DateTime> {
        match self {
            Self::Plain(plain) => plain.next(shown, inclusive),
            // It fails only beyond the year 5000, which no wall time reaches.
            Self::Full(cron) => cron.find_next_occurrence(&shown, inclusive).ok(),
        }
    }

    fn has_all_hours(&self) -> bool {
        match self {
            Self::Plain(plain) => plain.has_all_hours(),
            Self::Full(cron) => cron.pattern.hours.values().len() == 24,
        }
    }
}

impl Clock<'_> {
    fn next_after(&self, time: Timestamp) -> Option<Timestamp> {
        if self.is_interval_like() { self.next_elapsed(time) } else { self.next_fixed(time) }
    }

    /// Whether no hour is left out, so that people mean a rhythm and not a time of day.
    fn is_interval_like(&self) -> bool {
        self.pattern.has_all_hours()
    }

    /// Each time of day once: a skipped one when the gap ends, a repeated one the first time.
    fn next_fixed(&self, time: Timestamp) -> Option<Timestamp> {
        let local = self.zone.local(time);
        let mut shown = match self.zone.when(local)? {
            // What is shown for the second time has had its turn.
            Shown::Twice { second, ends, .. } if second == time => self.matching(ends, true)?,
            _ => self.matching(local, false)?,
        };
        loop {
            let instant = match self.zone.when(shown)? {
                Shown::Once(instant) => instant,
                Shown::Never { until, .. } => until,
                Shown::Twice { first, .. } => first,
            };
            if instant > time {
                return Some(instant);
            }
            // maybe: the end of a gap that `time` is, or that a match before `time` has been moved to.
            shown = self.matching(shown, false)?;
        }
    }

    /// Whenever the clock shows a match: never in a gap, both times in an overlap.
    fn next_elapsed(&self, time: Timestamp) -> Option<Timestamp> {
        let local = self.zone.local(time);
        let ahead = self.shown_after(local, time);
        // In the first pass, the clock is about to show times again that it has already passed.
        let Some(Shown::Twice { first, begins, ends, .. }) = self.zone.when(local) else { return ahead };
        if first != time {
            return ahead;
        }
        let again = self.matching(begins, true).filter(|shown| *shown < ends);
        let again = again.and_then(|shown| match self.zone.when(shown)? {
            Shown::Twice { second, .. } => Some(second),
            Shown::Once(_) | Shown::Never { .. } => None,
        });
        [ahead, again].into_iter().flatten().min()
    }

    /// The first instant after `time` at which the clock shows a match later than `local`.
    fn shown_after(&self, local: DateTime, time: Timestamp) -> Option<Timestamp> {
        let mut shown = self.matching(local, false)?;
        loop {
            match self.zone.when(shown)? {
                Shown::Once(instant) if instant > time => return Some(instant),
                Shown::Twice { first, .. } if first > time => return Some(first),
                Shown::Twice { second, .. } if second > time => return Some(second),
                Shown::Never { resumes, .. } => shown = self.matching(resumes, true)?,
                Shown::Once(_) | Shown::Twice { .. } => shown = self.matching(shown, false)?,
            }
        }
    }

    /// See [`Pattern::next`].
    fn matching(&self, shown: DateTime, inclusive: bool) -> Option<DateTime> {
        self.pattern.next(shown, inclusive)
    }
}

/// Far more than any expression needs: all of its fields written out as lists of every value take 650 bytes.
const EXPRESSION_BYTES_MAX: usize = 1024;
