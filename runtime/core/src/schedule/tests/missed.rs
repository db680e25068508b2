//! What fires after the clock has gone on without us.

use super::*;
use MissedPolicy::{FireAll, FireOnce, Skip};

const MINUTE: i64 = 60_000_000_000;

fn minutes(n: i64) -> WallTime {
    WallTime(n * MINUTE)
}

fn hourly() -> Schedule {
    Schedule::every(minutes(0), secs(3600)).expect("valid")
}

/// Policy, next due, now (both in minutes), grace in minutes; then what fires with how many missed, what is next, and
/// how many are missed in all.
type Row = (MissedPolicy, i64, i64, u64, Option<(i64, u64)>, Option<i64>, u64);

fn check(schedule: &Schedule, rows: &[Row]) {
    for (policy, due, now, grace, fire, next, missed) in rows {
        let found = progress(schedule, *policy, minutes(*due), minutes(*now), secs(grace * 60));
        let expect = Progress {
            fire: fire.map(|(due, missed)| Firing { due: minutes(due), missed }),
            next: next.map(minutes),
            missed: *missed,
            saturated: false,
        };
        assert_eq!(found, expect, "{policy:?} due at {due}, now {now}, grace {grace}");
    }
}

const ROWS: &[Row] = &[
    // In time, and not yet.
    (FireOnce, 60, 59, 0, None, Some(60), 0),
    (FireOnce, 60, 60, 0, Some((60, 0)), Some(120), 0),
    (FireAll, 60, 60, 0, Some((60, 0)), Some(120), 0),
    (Skip, 60, 60, 0, Some((60, 0)), Some(120), 0),
    // Late by less than a period.
    (FireOnce, 60, 90, 0, Some((60, 0)), Some(120), 0),
    (FireAll, 60, 90, 0, Some((60, 0)), Some(120), 0),
    (Skip, 60, 90, 5, None, Some(120), 1),
    (Skip, 60, 90, 30, Some((60, 0)), Some(120), 0),
    // Ten periods late, and a bit.
    (FireOnce, 60, 665, 0, Some((60, 10)), Some(720), 10),
    (FireAll, 60, 665, 0, Some((60, 0)), Some(120), 0),
    (Skip, 60, 665, 4, None, Some(720), 11),
    (Skip, 60, 665, 5, Some((660, 10)), Some(720), 10),
    (Skip, 60, 665, 70, Some((600, 9)), Some(660), 9),
];

#[test]
fn a_period_that_was_missed() {
    check(&hourly(), ROWS);
}

#[test]
fn a_cron_expression_goes_by_the_same_table() {
    check(&Schedule::cron("0 * * * *", "UTC").expect("valid"), ROWS);
}

#[test]
fn what_is_due_once_fires_late_or_is_skipped() {
    let once = Schedule::once(minutes(60)).expect("valid");
    check(
        &once,
        &[
            (FireOnce, 60, 500, 0, Some((60, 0)), None, 0),
            (FireAll, 60, 500, 0, Some((60, 0)), None, 0),
            (Skip, 60, 500, 10, None, None, 1),
            (Skip, 60, 65, 10, Some((60, 0)), None, 0),
        ],
    );
}

#[test]
fn counting_a_cron_expression_stops_at_its_cap_and_says_so() {
    let every_second = Schedule::cron("* * * * * *", "UTC").expect("valid");
    let year = WallTime(365 * 24 * 60 * MINUTE);
    let found = progress(&every_second, FireOnce, WallTime(0), year, Duration::ZERO);
    assert_eq!((found.missed, found.saturated), (CRON_COUNT_MAX, true));
    assert_eq!(found.next, Some(WallTime(year.0 + 1_000_000_000)));
    let exactly = WallTime(1_000 * 1_000_000_000);
    let found = progress(&every_second, FireOnce, WallTime(0), exactly, Duration::ZERO);
    assert_eq!((found.missed, found.saturated), (CRON_COUNT_MAX, false));
}

#[test]
fn a_period_is_counted_over_two_centuries_at_once() {
    let every_second = Schedule::every(WallTime(0), secs(1)).expect("valid");
    let end = WallTime(i64::MAX);
    let found = progress(&every_second, FireOnce, WallTime(0), end, Duration::ZERO);
    assert_eq!((found.missed, found.next, found.saturated), (9_223_372_036, None, false));
    let found = progress(&every_second, Skip, WallTime(0), end, Duration::MAX);
    assert_eq!(found.fire, Some(Firing { due: WallTime(0), missed: 0 }), "a grace of for ever skips nothing");
}
