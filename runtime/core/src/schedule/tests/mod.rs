//! Tables of what calendars do to schedules, and laws that hold for all of them.

mod daylight;
mod laws;
mod missed;
mod plain;
mod records;
mod refused;

use super::*;

/// A time as people write it in UTC: `2026-03-29T01:00:00Z`.
fn at(text: &str) -> WallTime {
    let time: jiff::Timestamp = text.parse().unwrap_or_else(|e| panic!("`{text}`: {e}"));
    WallTime(i64::try_from(time.as_nanosecond()).expect("before 2262"))
}

fn text(time: WallTime) -> String {
    zone::timestamp(time).to_string()
}

/// The occurrences after a time, in UTC.
fn after(schedule: &Schedule, start: &str, count: usize) -> Vec<String> {
    let times = std::iter::successors(Some(at(start)), |time| schedule.next_after(*time));
    times.skip(1).take(count).map(text).collect()
}

/// What an expression gives after a time, in UTC.
fn check(expression: &str, zone: &str, start: &str, expect: &[&str]) {
    let schedule = Schedule::cron(expression, zone).unwrap_or_else(|e| panic!("{e}"));
    let found = after(&schedule, start, expect.len());
    assert_eq!(found, expect, "`{expression}` in {zone} after {start}");
}

fn secs(count: u64) -> Duration {
    Duration::from_secs(count)
}
