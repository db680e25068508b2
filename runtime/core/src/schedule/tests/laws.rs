//! Laws for all schedules, against the simplest thing that could be right: look at every minute.

use super::*;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use proptest::prelude::*;
use std::collections::BTreeSet;

const ZONES: &[&str] = &[
    "Europe/Berlin",
    "America/New_York",
    "America/St_Johns",
    "America/Santiago",
    "Australia/Lord_Howe",
    "Australia/Sydney",
    "Pacific/Apia",
    "Africa/Casablanca",
    "Asia/Kathmandu",
    "Asia/Tehran",
    "Antarctica/Troll",
    "UTC",
];

/// Minutes and hours as sets, and perhaps one day of the month.
#[derive(Clone, Debug)]
struct Simple {
    minutes: BTreeSet<i8>,
    hours: Option<BTreeSet<i8>>,
    day: Option<i8>,
}

impl Simple {
    fn expression(&self) -> String {
        let list = |set: &BTreeSet<i8>| set.iter().map(i8::to_string).collect::<Vec<_>>().join(",");
        let hours = self.hours.as_ref().map_or("*".into(), list);
        let day = self.day.map_or("*".into(), |d| d.to_string());
        format!("{} {hours} {day} * *", list(&self.minutes))
    }

    fn matches(&self, shown: DateTime) -> bool {
        self.minutes.contains(&shown.minute())
            && self.hours.as_ref().is_none_or(|hours| hours.contains(&shown.hour()))
            && self.day.is_none_or(|day| day == shown.day())
    }

    fn is_interval_like(&self) -> bool {
        self.hours.as_ref().is_none_or(|hours| hours.len() == 24)
    }

    /// Every occurrence from a minute on, by looking at each: at what the clock shows, and at what it skips.
    fn by_looking(&self, zone: &TimeZone, start: Timestamp, minutes: i64) -> BTreeSet<Timestamp> {
        let mut found = BTreeSet::new();
        let minute = jiff::SignedDuration::from_mins(1);
        let mut now = start;
        // What has been shown so far, and what the clock goes on from.
        let mut highest = zone.to_datetime(start - minute);
        for _ in 0..minutes {
            let shown = zone.to_datetime(now);
            if self.is_interval_like() {
                if self.matches(shown) {
                    found.insert(now);
                }
            } else {
                // All that the clock has passed since, whether it showed it or skipped it; nothing twice.
                while highest < shown {
                    highest = highest.checked_add(minute).expect("in range");
                    if self.matches(highest) {
                        found.insert(now);
                    }
                }
            }
            now += minute;
        }
        found
    }
}

fn simple() -> impl Strategy<Value = Simple> {
    let minutes = proptest::collection::btree_set(0i8..60, 1..5);
    let hours = prop_oneof![
        1 => Just(None),
        4 => proptest::collection::btree_set(0i8..24, 1..6).prop_map(Some),
        1 => Just(Some((0..24).collect())),
    ];
    let day = prop_oneof![3 => Just(None), 1 => (1i8..=31).prop_map(Some)];
    (minutes, hours, day).prop_map(|(minutes, hours, day)| Simple { minutes, hours, day })
}

fn zone_of(name: &str) -> TimeZone {
    TimeZoneDatabase::bundled().get(name).expect("in the database")
}

/// A minute before a change of the clock in some year, or of the year's first day where there is none.
fn near_a_change(zone: &TimeZone, year: i16, which: usize) -> Timestamp {
    let new_year = jiff::civil::date(year, 1, 1).at(0, 0, 0, 0).to_zoned(TimeZone::UTC).expect("in range");
    let change = zone.following(new_year.timestamp()).nth(which).map(|c| c.timestamp());
    change.unwrap_or(new_year.timestamp())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn cron_finds_what_looking_at_every_minute_finds(
        simple in simple(),
        zone in proptest::sample::select(ZONES),
        year in 1985i16..2060,
        which in 0usize..3,
        before in 0i64..2_000,
        window in 500i64..3_500,
    ) {
        let tz = zone_of(zone);
        let change = near_a_change(&tz, year, which);
        prop_assume!(change.as_second() % 60 == 0);
        let start = change - jiff::SignedDuration::from_mins(before);
        let expected = simple.by_looking(&tz, start, window);

        let schedule = Schedule::cron(&simple.expression(), zone);
        prop_assume!(schedule.is_ok());
        let schedule = schedule.expect("just looked");
        let begin = zone::wall_time(start - jiff::SignedDuration::from_nanos(1)).expect("before 2262");
        let end = start + jiff::SignedDuration::from_mins(window);
        let found: BTreeSet<Timestamp> =
            std::iter::successors(schedule.next_after(begin), |t| schedule.next_after(*t))
                .map(zone::timestamp)
                .take_while(|t| *t < end)
                .collect();
        // A repeated time whose first pass lies before the window is not seen by looking from its start.
        let first_pass_seen = |t: &&Timestamp| {
            let second = tz.to_ambiguous_timestamp(tz.to_datetime(start)).is_ambiguous();
            !second || **t > start + jiff::SignedDuration::from_hours(26)
        };
        let expected: Vec<_> = expected.iter().filter(first_pass_seen).collect();
        let found: Vec<_> = found.iter().filter(first_pass_seen).collect();
        prop_assert_eq!(found, expected, "`{}` in {} from {}", simple.expression(), zone, start);
    }

    #[test]
    fn the_next_is_later_whatever_the_time(
        simple in simple(),
        zone in proptest::sample::select(ZONES),
        time in any::<i64>(),
    ) {
        let schedule = Schedule::cron(&simple.expression(), zone);
        prop_assume!(schedule.is_ok());
        let schedule = schedule.expect("just looked");
        if let Some(next) = schedule.next_after(WallTime(time)) {
            prop_assert!(next > WallTime(time));
            // Nothing lies between: whoever asks from there is told the same.
            let between = WallTime(time + (next.0 - time) / 2);
            prop_assert_eq!(schedule.next_after(between), Some(next));
            prop_assert_eq!(schedule.next_after(WallTime(next.0 - 1)), Some(next));
        }
    }

    #[test]
    fn a_period_never_drifts(first in 0i64.., period in 1_000_000_000u64..1 << 60, time in any::<i64>()) {
        let schedule = Schedule::every(WallTime(first), Duration::from_nanos(period)).expect("valid");
        let Some(next) = schedule.next_after(WallTime(time)) else {
            prop_assert!(i128::from(time) + i128::from(period) > i128::from(i64::MAX));
            return Ok(());
        };
        prop_assert!(next.0 > time && next.0 >= first);
        prop_assert_eq!((next.0 - first) as u64 % period, 0);
        prop_assert!(next.0 == first || next.0 - (period as i64) <= time);
    }

    #[test]
    fn firing_all_fires_each_and_firing_once_counts_them(
        first in 0i64..1 << 50,
        period in 1_000_000_000u64..1 << 45,
        late in 0i64..1 << 50,
        grace in 0u64..1 << 46,
    ) {
        let schedule = Schedule::every(WallTime(first), Duration::from_nanos(period)).expect("valid");
        let (due, now) = (WallTime(first), WallTime(first + late));
        let once = progress(&schedule, MissedPolicy::FireOnce, due, now, Duration::ZERO);
        prop_assert_eq!(once.missed + 1, late as u64 / period + 1);
        prop_assert!(once.next.is_some_and(|next| next > now));
        let grace = Duration::from_nanos(grace);
        let skip = progress(&schedule, MissedPolicy::Skip, due, now, grace);
        if let Some(fire) = skip.fire {
            let overdue = Duration::from_nanos((now.0 - fire.due.0) as u64);
            prop_assert!(overdue <= grace);
            prop_assert_eq!((fire.due.0 - first) as u64 / period, skip.missed);
        }
        let all = progress(&schedule, MissedPolicy::FireAll, due, now, Duration::ZERO);
        prop_assert_eq!(all.fire.map(|f| f.due), Some(due));
        prop_assert_eq!(all.next, schedule.next_after(due));
    }

    #[test]
    fn a_schedule_survives_its_record(simple in simple(), zone in proptest::sample::select(ZONES)) {
        let schedule = Schedule::cron(&simple.expression(), zone);
        prop_assume!(schedule.is_ok());
        let schedule = schedule.expect("just looked");
        let bytes = crate::codec::encode(&schedule, 4096).expect("small");
        let limits = crate::codec::CodecLimits::of_bytes(4096);
        prop_assert_eq!(crate::codec::decode::<Schedule>(&bytes, limits).expect("as written"), schedule);
    }

    #[test]
    fn whatever_is_written_nothing_panics(expression in ".{0,40}", zone in ".{0,20}") {
        let known = Schedule::cron(&expression, "UTC");
        let odd = Schedule::cron("@daily", &zone);
        prop_assert!(known.is_err() || known.is_ok_and(|s| s.first().is_some()));
        prop_assert!(odd.is_err() || odd.is_ok_and(|s| s.first().is_some()));
    }

    #[test]
    fn whatever_looks_like_an_expression_nothing_panics(
        expression in "([0-9*/,LW#?+-]{1,6}|[A-Z]{3})( ([0-9*/,LW#?+-]{1,6}|[A-Z]{3})){4,5}",
    ) {
        if let Ok(schedule) = Schedule::cron(&expression, "Europe/Berlin") {
            prop_assert!(schedule.first().is_some());
        }
    }
}
