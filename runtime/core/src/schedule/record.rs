//! How a schedule is written: integers and text, so that a record of today is read in ten years.

use super::{Schedule, ScheduleError};
use crate::WallTime;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The variants are numbered by their order, which never changes; a new one goes to the end.
#[derive(Serialize, Deserialize)]
pub(super) enum Record {
    Once { at_ns: i64 },
    Every { first_ns: i64, period_ns: u64 },
    Cron { expression: String, zone: String },
}

impl From<Schedule> for Record {
    fn from(schedule: Schedule) -> Self {
        match schedule {
            Schedule::Once { at } => Self::Once { at_ns: at.0 },
            Schedule::Every(every) => {
                let period_ns = every.period().as_nanos();
                let period_ns = u64::try_from(period_ns).expect("it was made from an i64");
                Self::Every { first_ns: every.first().0, period_ns }
            }
            Schedule::Cron(cron) => {
                Self::Cron { expression: cron.expression().into(), zone: cron.zone().into() }
            }
        }
    }
}

/// Checked like what a person writes: bytes are never trusted.
impl TryFrom<Record> for Schedule {
    type Error = ScheduleError;

    fn try_from(record: Record) -> Result<Self, ScheduleError> {
        match record {
            Record::Once { at_ns } => Schedule::once(WallTime(at_ns)),
            Record::Every { first_ns, period_ns } => {
                Schedule::every(WallTime(first_ns), Duration::from_nanos(period_ns))
            }
            Record::Cron { expression, zone } => Schedule::cron(&expression, &zone),
        }
    }
}
