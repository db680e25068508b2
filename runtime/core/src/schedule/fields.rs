//! The fields of a cron expression: which of them is wrong, and why.

use super::ScheduleError;
use croner::parser::{CronParser, Seconds, Year};

/// Reads an expression of five or six fields, or a word like `@daily`.
pub(super) fn parse(expression: &str) -> Result<croner::Cron, ScheduleError> {
    if expression.starts_with('@') {
        let unknown = || ScheduleError::CronNickname { text: expression.into() };
        return parser().parse(expression).map_err(|_| unknown());
    }
    let fields: Vec<&str> = expression.split_whitespace().collect();
    let names = match fields.len() {
        5 => &NAMES[1..],
        6 => &NAMES[..],
        count => return Err(ScheduleError::CronFieldCount { expression: expression.into(), count }),
    };
    for (name, text) in names.iter().zip(&fields) {
        check_alone(name, text).map_err(|reason| wrong(name, text, expression, reason))?;
    }
    let reading = parser().parse(expression);
    // maybe: fields that are right one by one and wrong together. None is known; none may panic.
    reading.map_err(|error| wrong("expression", expression, expression, error.to_string()))
}

fn wrong(field: &'static str, text: &str, expression: &str, reason: String) -> ScheduleError {
    ScheduleError::CronField { field, text: text.into(), expression: expression.into(), reason }
}

fn parser() -> CronParser {
    CronParser::builder().seconds(Seconds::Optional).year(Year::Disallowed).build()
}

/// The parser does not say which field it dislikes, so each is shown to it among stars. It takes names anywhere, and
/// `JANFEB` for twelve, so names are looked at first.
fn check_alone(name: &str, text: &str) -> Result<(), String> {
    if text.split(',').any(str::is_empty) {
        return Err("an item of the list is empty".into());
    }
    let words = text.split(|c: char| !c.is_ascii_alphabetic()).filter(|w| !w.is_empty());
    for word in words {
        if !words_of(name).iter().any(|known| known.eq_ignore_ascii_case(word)) {
            return Err(format!("`{word}` means nothing here"));
        }
    }
    let among_stars = NAMES.map(|other| if other == name { text } else { "*" }).join(" ");
    match parser().parse(&among_stars) {
        Ok(_) => Ok(()),
        Err(
            croner::errors::CronError::ComponentError(reason)
            | croner::errors::CronError::InvalidPattern(reason)
            | croner::errors::CronError::IllegalCharacters(reason),
        ) => Err(reason),
        Err(other) => Err(other.to_string()),
    }
}

fn words_of(name: &str) -> &'static [&'static str] {
    match name {
        "day of month" => &["L", "W", "LW"],
        "month" => &["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"],
        "day of week" => &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT", "L"],
        _ => &[],
    }
}

const NAMES: [&str; 6] = ["second", "minute", "hour", "day of month", "month", "day of week"];
