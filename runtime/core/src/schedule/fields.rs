//! The fields of a cron expression: which of them is wrong, and why.

use super::ScheduleError;
use croner::parser::{CronParser, Seconds, Year};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

/// So many expressions of those read last are kept, at 5 KiB each.
const KEPT: usize = 64;

type Kept = VecDeque<(String, Arc<croner::Cron>)>;

/// The last ones are at the end. A firing asks for the same expression several times in a row. What is found here is what
/// would be read again, so nothing can be told by it but the time.
static READ: Mutex<Kept> = Mutex::new(Kept::new());

fn kept() -> MutexGuard<'static, Kept> {
    READ.lock().expect("no panic while held")
}

/// Reads an expression of five or six fields, or a word like `@daily`.
pub(super) fn parse(expression: &str) -> Result<Arc<croner::Cron>, ScheduleError> {
    if let Some((_, cron)) = kept().iter().rev().find(|(text, _)| text == expression) {
        return Ok(cron.clone());
    }
    let cron = Arc::new(read(expression)?);
    let mut kept = kept();
    if kept.len() >= KEPT {
        kept.pop_front();
    }
    kept.push_back((expression.to_owned(), cron.clone()));
    Ok(cron)
}

fn read(expression: &str) -> Result<croner::Cron, ScheduleError> {
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
        check_words(name, text).map_err(|reason| wrong(name, text, expression, reason))?;
    }
    parser().parse(expression).map_err(|error| {
        let alone = names.iter().zip(&fields).find_map(|(name, text)| {
            check_alone(name, text).err().map(|reason| wrong(name, text, expression, reason))
        });
        // maybe: fields that are right one by one and wrong together. None is known; none may panic.
        alone.unwrap_or_else(|| wrong("expression", expression, expression, error.to_string()))
    })
}

fn wrong(field: &'static str, text: &str, expression: &str, reason: String) -> ScheduleError {
    ScheduleError::CronField { field, text: text.into(), expression: expression.into(), reason }
}

fn parser() -> CronParser {
    CronParser::builder().seconds(Seconds::Optional).year(Year::Disallowed).build()
}

/// The parser takes names anywhere, and `JANFEB` for twelve, so names are looked at first.
fn check_words(name: &str, text: &str) -> Result<(), String> {
    if text.split(',').any(str::is_empty) {
        return Err("an item of the list is empty".into());
    }
    let words = text.split(|c: char| !c.is_ascii_alphabetic()).filter(|w| !w.is_empty());
    for word in words {
        if !words_of(name).iter().any(|known| known.eq_ignore_ascii_case(word)) {
            return Err(format!("`{word}` means nothing here"));
        }
    }
    Ok(())
}

/// The parser does not say which field it dislikes, so each is shown to it among stars.
fn check_alone(name: &str, text: &str) -> Result<(), String> {
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
