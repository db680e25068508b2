//! How to test what happens once a month: a year of invoices, two changes of the clocks and a power cut, in milliseconds.
//!
//! A customer is billed on the first of each month at nine in the morning, in Berlin. What could go wrong is all here: an
//! hour too early in summer, a month left out because the silo was down, one billed twice because it came back.

use quark::{ActorContext, Deserialize, MissedPolicy, Reminder, Schedule, Serialize};
use quark_core::WallTime;
use quark_testkit::travel::{Moment, TimeTravel};
use std::time::Duration;

#[derive(Default, Serialize, Deserialize)]
struct Customer {
    invoices: Vec<WallTime>,
}

#[quark::actor(kind = "customer", durable)]
impl Customer {
    fn subscribe(&mut self, ctx: &ActorContext) -> Result<(), String> {
        let monthly = Schedule::cron("0 9 1 * *", "Europe/Berlin").map_err(|error| error.to_string())?;
        // Who owes for three months gets three invoices.
        let reminder = Reminder::new("invoice", monthly).missed(MissedPolicy::FireAll);
        let reminders = ctx.reminders().map_err(|error| error.to_string())?;
        reminders.set(reminder, ctx.myself::<Self>().bill()).map_err(|error| error.to_string())
    }

    fn cancel(&mut self, ctx: &ActorContext) -> bool {
        ctx.reminders().is_ok_and(|reminders| reminders.cancel("invoice"))
    }

    /// The invoice and the reminder's next date are one commit: it is written once, or not at all.
    fn bill(&mut self, ctx: &ActorContext) {
        if let Some(tick) = ctx.tick() {
            self.invoices.push(tick.due);
        }
    }

    fn invoices(&self) -> Vec<WallTime> {
        self.invoices.clone()
    }
}

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// Hours since 2026-01-01T00:00Z.
fn hours(time: WallTime) -> i64 {
    (time.0 - 1_767_225_600_000_000_000) / HOUR.as_nanos() as i64
}

/// Nine in the morning in Berlin, on the first of February to December: at 8:00 UTC in winter, at 7:00 in summer.
fn expected() -> Vec<i64> {
    let days = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30];
    let mut day = 0;
    let mut hours = Vec::new();
    for (month, length) in (2..).zip(days) {
        day += length;
        let summer = (4..=10).contains(&month);
        hours.push(day * 24 + if summer { 7 } else { 8 });
    }
    hours
}

fn subscribed() -> TimeTravel {
    let mut test = TimeTravel::new(|silo| silo.actor::<Customer>());
    // The first of January's is past.
    test.advance(12 * HOUR);
    test.run(test.client().actor::<Customer>("alice").subscribe()).expect("it is set");
    test
}

fn invoices(test: &mut TimeTravel) -> Vec<i64> {
    let invoices = test.run(test.client().actor::<Customer>("alice").invoices()).expect("she is there");
    invoices.into_iter().map(hours).collect()
}

#[test]
fn a_year_has_its_invoices_at_nine_in_the_morning_in_summer_too() {
    let mut test = subscribed();
    test.advance(364 * DAY);
    assert_eq!(invoices(&mut test), expected());
}

#[test]
fn a_power_cut_just_before_an_invoice_neither_loses_nor_doubles_it() {
    let mut test = subscribed();
    let due = Moment::of("2026-03-01T09:00[Europe/Berlin]");
    test.at(due - Duration::from_millis(1)).crash();
    test.at(due + 2 * DAY).restart();
    test.advance_to(due + 2 * DAY + HOUR);
    assert_eq!(invoices(&mut test), expected()[..2]);
    test.advance_to(Moment::of("2026-12-31T12:00:00Z"));
    assert_eq!(invoices(&mut test), expected());
}

#[test]
fn whenever_the_power_fails_that_morning_there_is_one_invoice() {
    let due = Moment::of("2026-03-01T09:00[Europe/Berlin]");
    let that_morning = || {
        let mut test = subscribed();
        test.advance_to(due - Duration::from_millis(2));
        test
    };
    TimeTravel::what_if(0..20, that_morning, |test| {
        let cut = test.true_time() + test.draw_time(Duration::from_millis(8));
        test.at(cut).crash();
        test.at(cut + HOUR).restart();
        test.advance(2 * HOUR);
        assert_eq!(invoices(test), expected()[..2]);
    });
}

#[test]
fn three_months_in_the_dark_are_billed_for_one_by_one() {
    let mut test = subscribed();
    test.crash();
    test.advance(100 * DAY);
    test.restart();
    test.advance(HOUR);
    assert_eq!(invoices(&mut test), expected()[..3]);
}

#[test]
fn who_has_cancelled_is_billed_no_more() {
    let mut test = subscribed();
    test.advance(70 * DAY);
    assert_eq!(test.run(test.client().actor::<Customer>("alice").cancel()), Ok(true));
    test.advance(300 * DAY);
    assert_eq!(invoices(&mut test), expected()[..2]);
}
