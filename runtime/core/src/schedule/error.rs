//! Schedules that cannot be.

use super::every::PERIOD_MIN;
use std::time::Duration;

/// A schedule that cannot be. Nothing happened; the same values fail again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// A time that no schedule begins at.
    #[error("{ns} ns since 1970 is before 1970: give a time since then")]
    BeforeEpoch {
        /// What was given.
        ns: i64,
    },
    /// A period that would keep a silo busy with nothing else.
    #[error(
        "a period of {period:?} is shorter than {PERIOD_MIN:?}: use a timer, which is not durable, instead"
    )]
    PeriodTooShort {
        /// What was given.
        period: Duration,
    },
    /// A period longer than there is time.
    #[error("a period of {period:?} ends beyond the year 2262: use a schedule of one time")]
    PeriodTooLong {
        /// What was given.
        period: Duration,
    },
    /// Not an expression of five or six fields.
    #[error(
        "`{expression}` has {count} fields: a cron expression has five (minute, hour, day of month, month, day of \
         week), or six with seconds first"
    )]
    CronFieldCount {
        /// What was given.
        expression: String,
        /// How many fields it has.
        count: usize,
    },
    /// A field that makes no sense.
    #[error("`{text}` is no {field} in `{expression}`: {reason}")]
    CronField {
        /// `second`, `minute`, `hour`, `day of month`, `month` or `day of week`.
        field: &'static str,
        /// What stands there.
        text: String,
        /// The whole expression.
        expression: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A word like `@daily` that is none of the known ones.
    #[error("`{text}` is unknown: there are @yearly, @annually, @monthly, @weekly, @daily and @hourly")]
    CronNickname {
        /// What was given.
        text: String,
    },
    /// Longer than any expression needs to be.
    #[error("a cron expression has at most {limit} bytes, this one has {length}")]
    CronTooLong {
        /// Its length in bytes.
        length: usize,
        /// The most allowed.
        limit: usize,
    },
    /// A well-formed expression of a day that does not exist.
    #[error("`{expression}` never happens: no such day is in any calendar")]
    NeverFires {
        /// What was given.
        expression: String,
    },
    /// Not a name of the time zone database.
    #[error("there is no time zone `{zone}`{}", hint(suggestion.as_deref()))]
    UnknownZone {
        /// What was given.
        zone: String,
        /// A name that looks like it.
        suggestion: Option<String>,
    },
}

fn hint(suggestion: Option<&str>) -> String {
    match suggestion {
        Some(name) => format!(": did you mean `{name}`?"),
        None => ": give a name of the time zone database, such as `Europe/Berlin` or `UTC`".into(),
    }
}
