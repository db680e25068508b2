//! Expressions of numbers alone, as sets of bits.
//!
//! Nearly all expressions are such. The parser of the full grammar takes some 20 µs and 5 KiB for one, and each search some
//! 5 µs: a reminder is read from the store and asked for its next occurrence whenever it fires, so both were a third of what
//! a firing costs. Here the same is done in a tenth of a microsecond, and what is read fits into the schedule itself.
//!
//! Whatever is not understood here is left to the full parser, which alone says what is wrong. That both agree where both
//! have an answer is a law in `tests/plain.rs`.

use jiff::civil::{Date, DateTime, Time};

/// When the clock matches: minutes, hours and so on as bits, bit 0 for 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Plain {
    seconds: u64,
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    /// Sunday is bit 0.
    weekdays: u64,
    /// The field is `*`: it does not restrict the other one of the two.
    is_any_day: bool,
    is_any_weekday: bool,
}

impl Plain {
    /// Reads an expression of five or six fields, single spaces between them; `None` if it is one for the full parser.
    pub fn read(expression: &str) -> Option<Self> {
        let fields = expression.split(' ');
        let has_seconds = match expression.bytes().filter(|byte| *byte == b' ').count() {
            4 => false,
            5 => true,
            _ => return None,
        };
        let mut fields = std::iter::once("0").filter(|_| !has_seconds).chain(fields);
        let mut next = |min, max| {
            let text = fields.next().expect("six were counted");
            set_of(text, min, max).map(|set| (set, text == "*"))
        };
        let (seconds, minutes, hours) = (next(0, 59)?.0, next(0, 59)?.0, next(0, 23)?.0);
        let ((days, is_any_day), (months, _), (weekdays, is_any_weekday)) =
            (next(1, 31)?, next(1, 12)?, next(0, 7)?);
        // 0 and 7 are Sunday.
        let weekdays = (weekdays | (weekdays >> 7)) & WEEK;
        Some(Self { seconds, minutes, hours, days, months, weekdays, is_any_day, is_any_weekday })
    }

    /// Whether no hour is left out.
    pub fn has_all_hours(&self) -> bool {
        self.hours.count_ones() == 24
    }

    /// The first match later than what a clock shows, or at it. `None` if there is none within eight years, which is to say
    /// ever: the 29th of February comes that often.
    pub fn next(&self, shown: DateTime, inclusive: bool) -> Option<DateTime> {
        let (date, time) = (shown.date(), shown.time());
        let is_past = !inclusive || time.subsec_nanosecond() > 0;
        if self.days_of(date.year(), date.month())? & bit(date.day()) != 0
            && let Some(time) = self.time_from(time, is_past)
        {
            return Some(date.to_datetime(time));
        }
        let first = self.time_from(Time::midnight(), false).expect("no field is empty");
        Some(self.date_after(date)?.to_datetime(first))
    }

    /// The first match of the day from a time on, or after it.
    fn time_from(&self, time: Time, is_past: bool) -> Option<Time> {
        let (hour, minute, second) = (time.hour(), time.minute(), time.second());
        let first = |set: u64| set.trailing_zeros() as i8;
        let found = (|| {
            if self.hours & bit(hour) == 0 {
                return None;
            }
            let second =
                from(self.seconds, second + i8::from(is_past)).filter(|_| self.minutes & bit(minute) != 0);
            let this_minute = second.map(|second| (hour, minute, second));
            this_minute.or_else(|| Some((hour, from(self.minutes, minute + 1)?, first(self.seconds))))
        })();
        let later = || Some((from(self.hours, hour + 1)?, first(self.minutes), first(self.seconds)));
        let (hour, minute, second) = found.or_else(later)?;
        Some(Time::constant(hour, minute, second, 0))
    }

    /// The first matching day after one.
    fn date_after(&self, date: Date) -> Option<Date> {
        let (mut year, mut month) = (date.year(), date.month());
        let mut day = date.day() + 1;
        for _ in 0..=MONTHS_MAX {
            if let Some(day) = from(self.days_of(year, month)?, day) {
                return Date::new(year, month, day).ok();
            }
            day = 1;
            (year, month) = if month == 12 { (year.checked_add(1)?, 1) } else { (year, month + 1) };
        }
        None
    }

    /// The matching days of a month; `None` beyond the calendar's end.
    fn days_of(&self, year: i16, month: i8) -> Option<u64> {
        if self.months & bit(month) == 0 {
            return Some(0);
        }
        let first = Date::new(year, month, 1).ok()?;
        let all = (bit(first.days_in_month()) << 1) - 2;
        // Bit 0 of the week is the weekday of the first, and stands for the day with bit 1.
        let turn = first.weekday().to_sunday_zero_offset();
        let week = ((self.weekdays >> turn) | (self.weekdays << (7 - turn))) & WEEK;
        let by_weekday = (week * FIVE_WEEKS) << 1;
        let days = match (self.is_any_day, self.is_any_weekday) {
            (_, true) => self.days,
            (true, false) => by_weekday,
            (false, false) => self.days | by_weekday,
        };
        Some(days & all)
    }
}

fn bit(number: i8) -> u64 {
    1 << number
}

/// The first member of a set that is no less.
fn from(set: u64, least: i8) -> Option<i8> {
    let rest = set & (u64::MAX << least);
    (rest != 0).then(|| rest.trailing_zeros() as i8)
}

/// What a field says: `*`, or a list of numbers, ranges and stepped ranges within these bounds.
fn set_of(text: &str, min: u16, max: u16) -> Option<u64> {
    if text == "*" {
        return Some(range(min, max, 1));
    }
    text.split(',').try_fold(0, |set, item| Some(set | set_of_item(item, min, max)?))
}

fn set_of_item(item: &str, min: u16, max: u16) -> Option<u64> {
    let (range_text, step) = match item.split_once('/') {
        Some((range, step)) => (range, Some(number(step).filter(|step| *step > 0)?)),
        None => (item, None),
    };
    let (first, last) = match (range_text, range_text.split_once('-')) {
        ("*", _) if step.is_some() => (min, max),
        (_, Some((first, last))) => (number(first)?, number(last)?),
        // A single number with a step is an error, which is not ours to explain.
        (single, None) if step.is_none() => (number(single)?, number(single)?),
        _ => return None,
    };
    (min <= first && first <= last && last <= max).then(|| range(first, last, step.unwrap_or(1)))
}

fn range(first: u16, last: u16, step: u16) -> u64 {
    (first..=last).step_by(step.into()).fold(0, |set, number| set | 1 << number)
}

fn number(text: &str) -> Option<u16> {
    let is_plain = (1..=3).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_plain { text.parse().ok() } else { None }
}

/// Seven days.
const WEEK: u64 = 0x7F;
/// A week times this is that week five times.
const FIVE_WEEKS: u64 = 1 | 1 << 7 | 1 << 14 | 1 << 21 | 1 << 28;
/// Two leap years lie no further apart than eight years, and this begins in the midst of one.
const MONTHS_MAX: usize = 9 * 12;
