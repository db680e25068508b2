//! What happens where the local clock jumps, and where the calendar is odd.

use super::*;

const BERLIN: &str = "Europe/Berlin";
const NEW_YORK: &str = "America/New_York";
const LORD_HOWE: &str = "Australia/Lord_Howe";
const APIA: &str = "Pacific/Apia";
const CASABLANCA: &str = "Africa/Casablanca";
const SYDNEY: &str = "Australia/Sydney";

#[test]
fn a_fixed_time_in_the_gap_is_due_once_at_its_end() {
    // 2026-03-29, 2:00 to 3:00 local, at 1:00 UTC.
    let next_day = "2026-03-30T00:30:00Z";
    check("30 2 * * *", BERLIN, "2026-03-28T12:00:00Z", &["2026-03-29T01:00:00Z", next_day]);
    // Strictly after: the end of the gap itself is not due again.
    check("30 2 * * *", BERLIN, "2026-03-29T01:00:00Z", &[next_day]);
    check("30 2 * * *", BERLIN, "2026-03-29T00:59:59.999999999Z", &["2026-03-29T01:00:00Z", next_day]);
    // All that is skipped, and what is due at the end anyway, meet in one instant.
    check(
        "0,20,40 2,3 29 3 *",
        BERLIN,
        "2026-03-29T00:00:00Z",
        &["2026-03-29T01:00:00Z", "2026-03-29T01:20:00Z", "2026-03-29T01:40:00Z", "2027-03-29T00:00:00Z"],
    );
    // The other hemisphere: 2026-10-04, 2:00 to 3:00, at 16:00 UTC of the day before.
    check("15 2 * * *", SYDNEY, "2026-10-02T20:00:00Z", &["2026-10-03T16:00:00Z", "2026-10-04T15:15:00Z"]);
    check("0 2 * * *", NEW_YORK, "2026-03-07T12:00:00Z", &["2026-03-08T07:00:00Z", "2026-03-09T06:00:00Z"]);
}

#[test]
fn a_fixed_time_in_the_overlap_is_due_once_the_first_time() {
    // 2026-10-25, 3:00 back to 2:00 local, at 1:00 UTC.
    let next_day = "2026-10-26T01:30:00Z";
    check("30 2 * * *", BERLIN, "2026-10-24T12:00:00Z", &["2026-10-25T00:30:00Z", next_day]);
    // Asked in the second pass, before and after the half hour.
    check("30 2 * * *", BERLIN, "2026-10-25T01:10:00Z", &[next_day]);
    check("30 2 * * *", BERLIN, "2026-10-25T01:40:00Z", &[next_day]);
    check("59 2 * * *", BERLIN, "2026-10-25T01:00:00Z", &["2026-10-26T01:59:00Z"]);
    check("0 3 * * *", BERLIN, "2026-10-25T01:10:00Z", &["2026-10-25T02:00:00Z"]);
    check(
        "*/30 2 * * *",
        BERLIN,
        "2026-10-24T23:00:00Z",
        &["2026-10-25T00:00:00Z", "2026-10-25T00:30:00Z", "2026-10-26T01:00:00Z"],
    );
    check("30 1 * * *", NEW_YORK, "2026-11-01T00:00:00Z", &["2026-11-01T05:30:00Z", "2026-11-02T06:30:00Z"]);
    check("30 2 * * *", SYDNEY, "2026-04-04T00:00:00Z", &["2026-04-04T15:30:00Z", "2026-04-05T16:30:00Z"]);
}

#[test]
fn an_interval_follows_elapsed_time() {
    check(
        "*/20 * * * *",
        BERLIN,
        "2026-03-29T00:30:00Z",
        &["2026-03-29T00:40:00Z", "2026-03-29T01:00:00Z", "2026-03-29T01:20:00Z"],
    );
    check(
        "*/30 * * * *",
        BERLIN,
        "2026-10-24T23:40:00Z",
        &[
            "2026-10-25T00:00:00Z",
            "2026-10-25T00:30:00Z",
            "2026-10-25T01:00:00Z",
            "2026-10-25T01:30:00Z",
            "2026-10-25T02:00:00Z",
        ],
    );
    // An hour range of all hours says the same as a star.
    check(
        "15 0-23 * * *",
        BERLIN,
        "2026-10-25T00:00:00Z",
        &["2026-10-25T00:15:00Z", "2026-10-25T01:15:00Z", "2026-10-25T02:15:00Z"],
    );
    check(
        "*/30 * * * * *",
        NEW_YORK,
        "2026-11-01T05:59:20Z",
        &["2026-11-01T05:59:30Z", "2026-11-01T06:00:00Z", "2026-11-01T06:00:30Z"],
    );
    // Days of the schedule hold in both passes: of the 25th only.
    check("0 * 25 10 *", BERLIN, "2026-10-25T00:30:00Z", &["2026-10-25T01:00:00Z", "2026-10-25T02:00:00Z"]);
}

#[test]
fn a_step_of_hours_is_a_list_of_fixed_hours() {
    check("0 */2 * * *", BERLIN, "2026-03-28T23:30:00Z", &["2026-03-29T01:00:00Z", "2026-03-29T02:00:00Z"]);
    check("0 */2 * * *", BERLIN, "2026-10-24T22:30:00Z", &["2026-10-25T00:00:00Z", "2026-10-25T03:00:00Z"]);
}

#[test]
fn lord_howe_jumps_by_half_an_hour() {
    // Gap 2026-10-04, 2:00 to 2:30 (15:30 UTC of the 3rd); overlap 2026-04-05, 2:00 back to 1:30 (15:00 UTC of the 4th).
    check("15 2 * * *", LORD_HOWE, "2026-10-03T00:00:00Z", &["2026-10-03T15:30:00Z", "2026-10-04T15:15:00Z"]);
    check("30 2 * * *", LORD_HOWE, "2026-10-03T00:00:00Z", &["2026-10-03T15:30:00Z"]);
    check("45 1 * * *", LORD_HOWE, "2026-04-04T00:00:00Z", &["2026-04-04T14:45:00Z", "2026-04-05T15:15:00Z"]);
    check(
        "*/15 * * * *",
        LORD_HOWE,
        "2026-04-04T14:20:00Z",
        &[
            "2026-04-04T14:30:00Z",
            "2026-04-04T14:45:00Z",
            "2026-04-04T15:00:00Z",
            "2026-04-04T15:15:00Z",
            "2026-04-04T15:30:00Z",
        ],
    );
    // The clock never shows 2:00 that day, and three o'clock comes an hour and a half after one.
    check("0 * * * *", LORD_HOWE, "2026-10-03T14:00:00Z", &["2026-10-03T14:30:00Z", "2026-10-03T16:00:00Z"]);
}

#[test]
fn a_day_that_was_skipped_is_a_gap_like_any_other() {
    // Samoa went from the 29th to the 31st of December 2011, at 10:00 UTC.
    check(
        "0 12 * * *",
        APIA,
        "2011-12-29T00:00:00Z",
        &["2011-12-29T22:00:00Z", "2011-12-30T10:00:00Z", "2011-12-30T22:00:00Z"],
    );
    check("0 12 30 12 *", APIA, "2011-06-01T00:00:00Z", &["2011-12-30T10:00:00Z", "2012-12-29T22:00:00Z"]);
    check(
        "0 * * * *",
        APIA,
        "2011-12-30T08:30:00Z",
        &["2011-12-30T09:00:00Z", "2011-12-30T10:00:00Z", "2011-12-30T11:00:00Z"],
    );
    check("30 * 30 12 *", APIA, "2011-12-29T00:00:00Z", &["2012-12-29T10:30:00Z"]);
}

#[test]
fn zones_with_odd_offsets_and_odd_rules() {
    check("0 6 * * *", "Asia/Kathmandu", "2026-01-01T12:00:00Z", &["2026-01-02T00:15:00Z"]);
    check("*/5 * * * *", "Asia/Kathmandu", "2026-01-01T12:01:00Z", &["2026-01-01T12:05:00Z"]);
    // Morocco goes back for Ramadan: 2026-02-15 3:00 to 2:00 (2:00 UTC), and on again on 2026-03-22 (2:00 UTC).
    check(
        "30 2 * * *",
        CASABLANCA,
        "2026-02-14T12:00:00Z",
        &["2026-02-15T01:30:00Z", "2026-02-16T02:30:00Z"],
    );
    check(
        "30 2 * * *",
        CASABLANCA,
        "2026-03-21T12:00:00Z",
        &["2026-03-22T02:00:00Z", "2026-03-23T01:30:00Z"],
    );
    check("@daily", "utc", "2026-03-28T12:00:00Z", &["2026-03-29T00:00:00Z"]);
    // Midnight is what is skipped in Santiago.
    check(
        "0 0 * * *",
        "America/Santiago",
        "2026-09-05T12:00:00Z",
        &["2026-09-06T04:00:00Z", "2026-09-07T03:00:00Z"],
    );
}

#[test]
fn leap_days_year_ends_and_far_years() {
    check("0 0 29 2 *", "UTC", "2026-01-01T00:00:00Z", &["2028-02-29T00:00:00Z", "2032-02-29T00:00:00Z"]);
    // 2100 is no leap year.
    check("0 0 29 2 *", "UTC", "2096-03-01T00:00:00Z", &["2104-02-29T00:00:00Z"]);
    check("59 23 31 12 *", BERLIN, "2026-12-31T22:59:00Z", &["2027-12-31T22:59:00Z"]);
    check("0 0 1 1 *", NEW_YORK, "2026-12-31T23:00:00Z", &["2027-01-01T05:00:00Z"]);
    // The second after the last one of 32 bits.
    check("14 3 19 1 *", "UTC", "2038-01-19T00:00:00Z", &["2038-01-19T03:14:00Z", "2039-01-19T03:14:00Z"]);
    check("30 2 * * *", BERLIN, "2099-03-28T12:00:00Z", &["2099-03-29T01:00:00Z"]);
    // Friday the 29th of February.
    check("0 0 29 2 +FRI", "UTC", "2026-01-01T00:00:00Z", &["2036-02-29T00:00:00Z", "2064-02-29T00:00:00Z"]);
}

#[test]
fn the_extensions_mean_what_the_docs_say() {
    check("0 0 L * *", "UTC", "2028-02-01T00:00:00Z", &["2028-02-29T00:00:00Z", "2028-03-31T00:00:00Z"]);
    // 2026-08-15 is a Saturday.
    check("0 0 15W 8 *", "UTC", "2026-08-01T00:00:00Z", &["2026-08-14T00:00:00Z"]);
    check("0 0 * * 5#2", "UTC", "2026-08-01T00:00:00Z", &["2026-08-14T00:00:00Z", "2026-09-11T00:00:00Z"]);
    check("0 0 * * 5L", "UTC", "2026-08-01T00:00:00Z", &["2026-08-28T00:00:00Z"]);
    check("0 0 1 * MON", "UTC", "2026-08-29T00:00:00Z", &["2026-08-31T00:00:00Z", "2026-09-01T00:00:00Z"]);
    check(
        "0 0 * JAN-MAR/2 7",
        "UTC",
        "2026-01-20T00:00:00Z",
        &["2026-01-25T00:00:00Z", "2026-03-01T00:00:00Z"],
    );
}

#[test]
fn time_ends_in_2262() {
    let schedule = Schedule::cron("0 0 1 1 *", "UTC").expect("valid");
    assert_eq!(after(&schedule, "2261-06-01T00:00:00Z", 3), ["2262-01-01T00:00:00Z"]);
    assert_eq!(schedule.next_after(WallTime(i64::MAX)), None);
    assert_eq!(schedule.first(), Some(WallTime(0)));
    assert!(schedule.next_after(WallTime(i64::MIN)).is_some());
}

#[test]
fn once_is_due_once() {
    let schedule = Schedule::once(WallTime(5)).expect("valid");
    assert_eq!(schedule.next_after(WallTime(4)), Some(WallTime(5)));
    assert_eq!(schedule.next_after(WallTime(5)), None);
    assert_eq!(schedule.next_from(WallTime(5)), Some(WallTime(5)));
    assert_eq!(schedule.next_from(WallTime(i64::MIN)), Some(WallTime(5)));
}
