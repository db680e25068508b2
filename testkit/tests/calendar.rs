//! Reminders where the calendar and the clocks are odd: on a silo that runs, with its store, its commits and its clock.

use quark::{ActorContext, Deserialize, MissedPolicy, Reminder, Schedule, Serialize};
use quark_core::WallTime;
use quark_testkit::travel::{Moment, TimeTravel};
use std::time::Duration;

/// Notes when it was reminded.
#[derive(Default, Serialize, Deserialize)]
struct Almanac {
    noted: Vec<Noted>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Noted {
    due: WallTime,
    /// By the clock of the silo on which the turn ran.
    at: WallTime,
}

#[quark::actor(kind = "almanac", durable)]
impl Almanac {
    fn cron(&mut self, ctx: &ActorContext, expression: String, zone: String) -> Result<(), String> {
        let schedule = Schedule::cron(&expression, &zone).map_err(|error| error.to_string())?;
        self.remind(ctx, schedule)
    }

    fn every(&mut self, ctx: &ActorContext, first: WallTime, seconds: u64) -> Result<(), String> {
        let schedule =
            Schedule::every(first, Duration::from_secs(seconds)).map_err(|error| error.to_string())?;
        self.remind(ctx, schedule)
    }

    fn note(&mut self, ctx: &ActorContext) {
        if let Some(tick) = ctx.tick() {
            self.noted.push(Noted { due: tick.due, at: ctx.wall_time() });
        }
    }

    fn noted(&self) -> Vec<Noted> {
        self.noted.clone()
    }
}

impl Almanac {
    fn remind(&mut self, ctx: &ActorContext, schedule: Schedule) -> Result<(), String> {
        let reminder = Reminder::new("day", schedule).missed(MissedPolicy::FireAll);
        let reminders = ctx.reminders().map_err(|error| error.to_string())?;
        reminders.set(reminder, ctx.myself::<Self>().note()).map_err(|error| error.to_string())
    }
}

const MS: Duration = Duration::from_millis(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

fn starting(at: &str) -> TimeTravel {
    TimeTravel::setup().begins(Moment::of(at)).start(|silo| silo.actor::<Almanac>())
}

fn set_cron(test: &mut TimeTravel, expression: &str, zone: &str) {
    let almanac = test.client().actor::<Almanac>("wall");
    test.run(almanac.cron(expression.into(), zone.into())).expect("it is set");
}

fn noted(test: &mut TimeTravel) -> Vec<Noted> {
    let almanac = test.client().actor::<Almanac>("wall");
    test.run(almanac.noted()).expect("it serves")
}

fn dues(test: &mut TimeTravel) -> Vec<Moment> {
    noted(test).into_iter().map(|noted| noted.due.into()).collect()
}

fn moments(texts: &[&str]) -> Vec<Moment> {
    texts.iter().map(|text| Moment::of(text)).collect()
}

#[test]
fn a_nightly_job_runs_once_in_the_night_that_has_no_such_hour() {
    let mut test = starting("2026-03-28T00:00:00Z");
    set_cron(&mut test, "30 2 * * *", "Europe/Berlin");
    test.advance(3 * DAY);
    assert_eq!(
        dues(&mut test),
        moments(&[
            "2026-03-28T02:30[Europe/Berlin]",
            "2026-03-29T03:00[Europe/Berlin]",
            "2026-03-30T02:30[Europe/Berlin]"
        ]),
        "from two the clock goes to three"
    );
}

#[test]
fn a_nightly_job_runs_once_in_the_night_that_has_its_hour_twice() {
    let mut test = starting("2026-10-24T00:00:00Z");
    set_cron(&mut test, "30 2 * * *", "Europe/Berlin");
    // The power fails in the hour between the two half past twos.
    test.at(Moment::of("2026-10-25T00:45:00Z")).crash();
    test.at(Moment::of("2026-10-25T01:15:00Z")).restart();
    test.advance(3 * DAY);
    assert_eq!(
        dues(&mut test),
        moments(&["2026-10-24T00:30:00Z", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"])
    );
}

#[test]
fn an_hourly_job_takes_no_notice_of_either_night() {
    for night in ["2026-03-28T20:30:00Z", "2026-10-24T20:30:00Z"] {
        let mut test = starting(night);
        set_cron(&mut test, "0 * * * *", "Europe/Berlin");
        test.advance(10 * HOUR);
        let first = Moment::of(night) + 30 * MINUTE;
        let expected: Vec<_> = (0..10).map(|hours| first + hours * HOUR).collect();
        assert_eq!(dues(&mut test), expected);
    }
}

#[test]
fn the_twenty_ninth_of_february_comes_in_leap_years_alone() {
    for (year, is_leap) in [(2027, false), (2028, true), (2100, false)] {
        let mut test = starting(&format!("{year}-02-27T00:00:00Z"));
        set_cron(&mut test, "0 9 29 2 *", "UTC");
        test.advance(4 * DAY);
        let expected: Vec<_> =
            is_leap.then(|| Moment::of(&format!("{year}-02-29T09:00:00Z"))).into_iter().collect();
        assert_eq!(dues(&mut test), expected, "{year}");
    }
}

#[test]
fn no_second_is_left_out_or_doubled_where_32_bits_end() {
    let mut test = starting("2038-01-19T03:13:00Z");
    let first = Moment::of("2038-01-19T03:14:00Z");
    let almanac = test.client().actor::<Almanac>("wall");
    test.run(almanac.every(first.into(), 1)).expect("it is set");
    // 2^31 seconds after 1970 is 03:14:08. The power fails a millisecond before, and is back a quarter of an hour later.
    let last = Moment::of("2038-01-19T03:14:08Z");
    test.at(last - MS).crash();
    test.at(last + 15 * MINUTE).restart();
    test.advance(40 * MINUTE);
    let dues = dues(&mut test);
    let expected: Vec<_> = (0..dues.len() as u32).map(|n| first + n * Duration::from_secs(1)).collect();
    assert_eq!(dues, expected);
    assert!(dues.len() > 900, "{} of them, those in the dark included", dues.len());
}

/// A reminder of ten minutes from a quarter past on, for so many hours, in the second of which a clock is in 1970.
fn a_clock_in_1970(silos: usize, wrong: usize, hours: u32) -> (Vec<Moment>, Vec<Noted>) {
    let mut test = TimeTravel::with_silos(silos, |silo| silo.actor::<Almanac>());
    let first = Moment::of("2026-01-01T00:15:00Z");
    let almanac = test.client().actor::<Almanac>("wall");
    test.run(almanac.every(first.into(), 600)).expect("it is set");
    let (from, until) = (Moment::of("2026-01-01T01:00:00Z"), Moment::of("2026-01-01T02:00:00Z"));
    test.at(from).silo(wrong).set_wall_clock(Moment::of("1970-01-01T00:00:00Z"));
    test.at(until).silo(wrong).set_wall_clock(until);
    test.advance(hours * HOUR);
    let expected = (0..hours * 6 - 1).map(|n| first + n * 10 * MINUTE).collect();
    (expected, noted(&mut test))
}

#[test]
fn while_the_only_clock_is_in_1970_nothing_is_due_and_afterwards_nothing_is_missing() {
    // In a year that a test runs through, a silo looks at its wall clock every six hours.
    let (expected, noted) = a_clock_in_1970(1, 0, 9);
    let dues: Vec<Moment> = noted.iter().map(|noted| noted.due.into()).collect();
    assert_eq!(dues, expected, "each once, and in order");
    let right = Moment::of("2026-01-01T01:00:00Z");
    let in_the_dark =
        noted.iter().filter(|noted| Moment::from(noted.at) < Moment::of("2025-01-01T00:00:00Z"));
    assert_eq!(in_the_dark.count(), 0, "none fired while it was 1970");
    assert!(noted.iter().any(|noted| Moment::from(noted.due) > right));
}

#[test]
fn of_three_clocks_one_in_1970_is_outvoted_wherever_it_is() {
    for wrong in 0..3 {
        let (expected, noted) = a_clock_in_1970(3, wrong, 5);
        let dues: Vec<Moment> = noted.iter().map(|noted| noted.due.into()).collect();
        assert_eq!(dues, expected, "each once, and in order, with silo {wrong} in 1970");
        // On a silo whose clock is right, none is late; the wrong clock says nothing about how late it was.
        let late = noted.iter().find(|noted| {
            let (due, at) = (Moment::from(noted.due), Moment::from(noted.at));
            at > Moment::of("2026-01-01T00:00:00Z") && at > due + MINUTE
        });
        assert_eq!(late, None, "with silo {wrong} in 1970");
    }
}

#[test]
fn clocks_that_disagree_and_drift_fire_each_day_once() {
    let mut test = TimeTravel::setup()
        .seed(4)
        .silos(3)
        .clocks_off_by(Duration::from_secs(2))
        .drift_ppm(100)
        .start(|silo| silo.actor::<Almanac>());
    let clocks: Vec<WallTime> = (0..3).map(|silo| test.now_of(silo)).collect();
    assert!(clocks[0] != clocks[1] && clocks[1] != clocks[2], "they disagree: {clocks:?}");
    set_cron(&mut test, "0 9 * * *", "UTC");
    test.advance(4 * DAY);
    let expected: Vec<_> = (1..=4).map(|day| Moment::of(&format!("2026-01-0{day}T09:00:00Z"))).collect();
    assert_eq!(dues(&mut test), expected);
}

#[test]
fn another_silo_takes_over_from_one_that_dies_a_millisecond_before() {
    // Whichever of the three owns the reminder, it is down by then.
    for victim in 0..3 {
        let mut test = TimeTravel::with_silos(3, |silo| silo.actor::<Almanac>());
        set_cron(&mut test, "0 9 * * *", "UTC");
        let due = Moment::of("2026-01-01T09:00:00Z");
        test.at(due - MS).silo(victim).crash();
        test.advance(10 * HOUR);
        let noted = noted(&mut test);
        assert_eq!(noted.iter().map(|noted| noted.due.into()).collect::<Vec<Moment>>(), [due]);
        let at = Moment::from(noted[0].at);
        assert!(at >= due && at < due + 30 * MINUTE, "silo {victim} was down, and it was {at}");
    }
}

#[test]
fn whenever_the_power_fails_around_it_a_job_runs_once() {
    let due = Moment::of("2026-01-01T00:20:00Z");
    let a_little_before = move || {
        let mut test = TimeTravel::new(|silo| silo.actor::<Almanac>());
        let almanac = test.client().actor::<Almanac>("wall");
        test.run(almanac.every(due.into(), 24 * 3600)).expect("it is set");
        test.advance_to(due - MS);
        test
    };
    let mut committed_before_the_crash = 0;
    TimeTravel::what_if(0..100, a_little_before, |test| {
        let crash = test.true_time() + test.draw_time(3 * MS);
        test.at(crash).crash();
        test.at(crash + HOUR).restart();
        test.advance(2 * HOUR);
        let noted = noted(test);
        assert_eq!(noted.iter().map(|noted| noted.due.into()).collect::<Vec<Moment>>(), [due]);
        committed_before_the_crash += u32::from(Moment::from(noted[0].at) < crash);
    });
    // Else the futures were all the same one.
    assert!((10..90).contains(&committed_before_the_crash), "{committed_before_the_crash} of 100");
}
