//! What is refused, and whether the refusal helps.

use super::*;

/// The message of a refused expression contains these.
fn refused(expression: &str, zone: &str, expect: &[&str]) {
    let error = Schedule::cron(expression, zone).expect_err(expression).to_string();
    for wanted in expect {
        assert!(error.contains(wanted), "`{wanted}` is not in: {error}");
    }
}

#[test]
fn a_bad_field_is_named() {
    refused("60 * * * *", "UTC", &["`60` is no minute"]);
    refused("0 24 * * *", "UTC", &["`24` is no hour"]);
    refused("0 0 32 * *", "UTC", &["`32` is no day of month"]);
    refused("0 0 0 * *", "UTC", &["`0` is no day of month"]);
    refused("0 0 * 13 *", "UTC", &["`13` is no month"]);
    refused("0 0 * * 8", "UTC", &["`8` is no day of week"]);
    refused("61 0 0 * * *", "UTC", &["`61` is no second"]);
    refused("*/0 * * * *", "UTC", &["`*/0` is no minute"]);
    refused("0 22-2 * * *", "UTC", &["`22-2` is no hour"]);
    refused("-5 * * * *", "UTC", &["`-5` is no minute"]);
    refused("1,,2 * * * *", "UTC", &["`1,,2` is no minute", "empty"]);
    refused("99999999999 * * * *", "UTC", &["is no minute"]);
    refused("0 0 * * FRI-MON", "UTC", &["`FRI-MON` is no day of week"]);
    refused("? 0 * * *", "UTC", &["`?` is no minute"]);
}

#[test]
fn names_stand_only_where_they_mean_something() {
    refused("MON 0 * * *", "UTC", &["`MON` is no minute", "means nothing here"]);
    refused("0 0 * JANFEB *", "UTC", &["`JANFEB` is no month"]);
    refused("0 0 * * MONDAY", "UTC", &["`MONDAY` is no day of week"]);
    refused("0 0 JAN * *", "UTC", &["is no day of month"]);
    refused("0 0 * * жы", "UTC", &["is no day of week"]);
}

#[test]
fn a_wrong_number_of_fields_is_counted() {
    refused("", "UTC", &["has 0 fields"]);
    refused("* * * *", "UTC", &["has 4 fields", "five"]);
    refused("0 0 0 1 1 * 2026", "UTC", &["has 7 fields"]);
    refused("@reboot", "UTC", &["`@reboot` is unknown", "@daily"]);
    refused(&"1,".repeat(600), "UTC", &["at most 1024 bytes"]);
}

#[test]
fn a_day_that_never_comes_is_refused() {
    refused("0 0 31 2 *", "UTC", &["`0 0 31 2 *` never happens"]);
    refused("0 0 31 4,6,9,11 *", "UTC", &["never happens"]);
    refused("0 0 30W 2 *", "UTC", &["never happens"]);
}

#[test]
fn an_unknown_zone_is_answered_with_a_name_that_looks_like_it() {
    refused("@daily", "Europe/Berlln", &["did you mean `Europe/Berlin`?"]);
    refused("@daily", "Berlin", &["did you mean `Europe/Berlin`?"]);
    refused("@daily", "new york", &["did you mean `America/New_York`?"]);
    refused("@daily", "Middle-earth/Hobbiton", &["no time zone `Middle-earth/Hobbiton`", "such as"]);
    refused("@daily", "Etc/Unknown", &["no time zone"]);
    refused("@daily", "", &["no time zone"]);
    refused("@daily", "/etc/localtime", &["no time zone"]);
    refused("@daily", "EST5EDT,M3.2.0,M11.1.0", &["no time zone"]);
    refused("@daily", &"x".repeat(10_000), &["no time zone"]);
}

#[test]
fn the_name_of_a_zone_is_kept_as_the_database_writes_it() {
    let Schedule::Cron(cron) = Schedule::cron(" 0   2 * * * ", "europe/BERLIN").expect("valid") else {
        panic!("not a cron schedule")
    };
    assert_eq!((cron.expression(), cron.zone()), ("0 2 * * *", "Europe/Berlin"));
}

#[test]
fn a_period_below_a_second_is_refused_with_the_remedy() {
    let error = Schedule::every(WallTime(0), Duration::from_millis(999)).expect_err("too short");
    assert!(error.to_string().contains("999ms is shorter than 1s: use a timer"), "{error}");
    assert!(Schedule::every(WallTime(0), Duration::ZERO).is_err());
    assert!(Schedule::every(WallTime(0), PERIOD_MIN).is_ok());
    let error = Schedule::every(WallTime(0), Duration::MAX).expect_err("too long");
    assert!(matches!(error, ScheduleError::PeriodTooLong { .. }));
}

#[test]
fn nothing_begins_before_1970() {
    let error = Schedule::every(WallTime(-1), secs(1)).expect_err("before 1970").to_string();
    assert!(error.contains("-1 ns since 1970"), "{error}");
    assert_eq!(Schedule::once(WallTime(i64::MIN)), Err(ScheduleError::BeforeEpoch { ns: i64::MIN }));
}
