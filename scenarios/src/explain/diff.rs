//! `quark sim diff`: two tellings side by side.

use super::Source;
use crate::travel::print::hanging;
use quark_testkit::telling::Telling;
use quark_testkit::telling::diff::{Difference, Line, compare};
use serde_json::json;

/// Compares two tellings. `true` if they are the same.
///
/// Errors: one of them cannot be read or told.
pub fn diff(one: &Source, two: &Source, json: bool) -> Result<bool, String> {
    let (one, two) = (one.tell()?.telling, two.tell()?.telling);
    let found = compare(&one, &two);
    if json {
        let mut value = serde_json::to_value(&found).expect("a difference is plain data");
        value["one_is"] = json!(title(&one));
        value["two_is"] = json!(title(&two));
        println!("{value}");
    } else {
        print!("{}", in_words(&one, &two, &found));
    }
    Ok(found.is_same)
}

fn title(telling: &Telling) -> String {
    format!("{}, seed {}", telling.story, telling.seed)
}

fn in_words(one: &Telling, two: &Telling, found: &Difference) -> String {
    let mut text = format!(
        "1: {}, trace {}\n2: {}, trace {}\n\n",
        title(one),
        found.hashes.0,
        title(two),
        found.hashes.1
    );
    let Some(first) = found.first else {
        let events = one.events.len();
        return text
            + &if found.is_same {
                format!("the same, in all of {events} events\n")
            } else {
                format!(
                    "the same in all of {events} events, and yet their traces differ: something that is no event\n"
                )
            };
    };
    text += &format!("the first event that differs is number {first}\n\n");
    found.common.iter().for_each(|line| text += &shown("   ", line));
    if found.one.is_empty() {
        text += "1: nothing more\n";
    }
    found.one.iter().for_each(|line| text += &shown("1: ", line));
    if found.two.is_empty() {
        text += "2: nothing more\n";
    }
    found.two.iter().for_each(|line| text += &shown("2: ", line));
    text += &format!("\n{:<18} {:>10} {:>10}\n", "events", 1, 2);
    for (kind, (of_one, of_two)) in &found.counts {
        text += &format!("{kind:<18} {of_one:>10} {of_two:>10}\n");
    }
    text += &format!("{:<18} {:>10} {:>10}\n", "all", one.events.len(), two.events.len());
    for (which, violations) in [(1, &found.violations.0), (2, &found.violations.1)] {
        if violations.is_empty() {
            text += &format!("\n{which} is good\n");
        }
        violations
            .iter()
            .for_each(|said| text += &format!("\n{}", hanging(&format!("{which} violates "), said, 4)));
    }
    text
}

fn shown(mark: &str, line: &Line) -> String {
    hanging(&format!("{mark}{:>12}  {:<8} ", format!("{:?}", line.at), line.on), &line.text, 25)
}
