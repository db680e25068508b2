//! Whether the checkers had anything to look at: a checker that examined nothing is silent about nothing.
//!
//! Every story feeds some checkers, whatever it is about; a story names others among its
//! [`sometimes`](quark_testkit::story::Scenario::sometimes), as `checked:reminders`. Over a range of seeds each of them has to
//! have examined at least its floor, or the story has not run.

use quark_testkit::runner::Report;
use quark_testkit::story::Scenario;
use std::collections::BTreeMap;

/// A name in `sometimes` that begins with this is a checker's.
pub const PREFIX: &str = "checked:";

/// What every story has to show, for each seed, on average: silos that join, their views, and an epilogue.
const EVERY_STORY: [(&str, u64); 4] =
    [("completeness", 50), ("views", 2), ("bounded-memory", 2), ("leaks", 2)];
/// The same of stories in which actors are called: they are placed, run turns, and are looked for in the end.
const WITH_ACTORS: [(&str, u64); 5] =
    [("placement", 2), ("one-runner", 2), ("at-most-once", 2), ("directory", 2), ("durability", 1)];
/// Stories about membership alone.
const WITHOUT_ACTORS: [&str; 2] = ["twenty-silos", "create-race"];
/// What a story that names a checker has to show it, for each seed, on average.
const NAMED: u64 = 1;

/// Story → checker → how many facts it examined over all seeds.
pub type Meters = BTreeMap<&'static str, BTreeMap<String, u64>>;

/// What the checkers examined in these runs.
pub fn of(reports: &[(&'static str, Report)]) -> Meters {
    let mut meters = Meters::new();
    for (story, report) in reports {
        let story = meters.entry(story).or_default();
        for (checker, examined) in &report.examined {
            *story.entry(checker.clone()).or_default() += examined;
        }
    }
    meters
}

/// The checkers that these stories need and that had too little to look at, in so many seeds of each.
pub fn starved(stories: &[Scenario], meters: &Meters, seeds: u64) -> Vec<String> {
    let mut starved = Vec::new();
    // Those that are planted to fail, or to do nothing, have nothing to be looked at.
    for story in stories.iter().filter(|story| !story.name.starts_with("planted-")) {
        let named = story.sometimes.iter().filter_map(|name| Some((name.strip_prefix(PREFIX)?, NAMED)));
        let has_actors = !WITHOUT_ACTORS.contains(&story.name);
        let actors = WITH_ACTORS.into_iter().filter(|_| has_actors);
        for (checker, floor) in EVERY_STORY.into_iter().chain(actors).chain(named) {
            let floor = floor * seeds;
            let examined = meters.get(story.name).and_then(|m| m.get(checker)).copied().unwrap_or(0);
            if examined < floor {
                let name = story.name;
                starved.push(format!(
                    "{name}: {PREFIX}{checker} examined {examined} facts, the floor is {floor}"
                ));
            }
        }
    }
    starved
}

/// A line for each story: what each checker examined, most first, those that examined nothing last.
pub fn lines(meters: &Meters) -> Vec<String> {
    let line = |(story, examined): (&&str, &BTreeMap<String, u64>)| {
        let mut by_count: Vec<_> = examined.iter().collect();
        by_count.sort_by_key(|(checker, count)| (std::cmp::Reverse(**count), (*checker).clone()));
        let (fed, idle): (Vec<_>, Vec<_>) = by_count.into_iter().partition(|(_, count)| **count > 0);
        let fed: Vec<_> = fed.iter().map(|(checker, count)| format!("{checker} {count}")).collect();
        let idle: Vec<_> = idle.iter().map(|(checker, _)| checker.as_str()).collect();
        let nothing = if idle.is_empty() { String::new() } else { format!("; nothing: {}", idle.join(", ")) };
        format!("{story}: {}{nothing}", fed.join(", "))
    };
    meters.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stories;

    fn meters(story: &'static str, examined: u64) -> Meters {
        let all = EVERY_STORY.into_iter().chain(WITH_ACTORS);
        let checkers = all.map(|(checker, floor)| (checker.to_owned(), 50 * floor));
        let named = [("exactly-once".to_owned(), examined)];
        BTreeMap::from([(story, checkers.chain(named).collect())])
    }

    #[test]
    fn a_checker_that_a_story_names_must_have_seen_something() {
        let stories: Vec<_> = stories::all().into_iter().filter(|s| s.name == "same-key").collect();
        assert_eq!(starved(&stories, &meters("same-key", 50), 50), [] as [String; 0]);
        let starved = starved(&stories, &meters("same-key", 49), 50);
        assert_eq!(starved, ["same-key: checked:exactly-once examined 49 facts, the floor is 50"]);
    }

    #[test]
    fn a_story_without_turns_is_starved_unless_it_is_about_membership() {
        let idle = |name: &str| {
            let stories: Vec<_> = stories::all().into_iter().filter(|s| s.name == name).collect();
            let checkers = EVERY_STORY.map(|(checker, floor)| (checker.to_owned(), 50 * floor));
            let meters = BTreeMap::from([(stories[0].name, BTreeMap::from(checkers))]);
            starved(&stories, &meters, 50).len()
        };
        assert_eq!(idle("zombie-silo"), WITH_ACTORS.len());
        assert_eq!(idle("twenty-silos"), 0);
    }

    #[test]
    fn a_story_names_checkers_that_there_are() {
        let known: Vec<_> = quark_testkit::checkers::always_on().iter().map(|c| c.name()).collect();
        for story in stories::all() {
            for name in story.sometimes.iter().filter_map(|name| name.strip_prefix(PREFIX)) {
                assert!(known.contains(&name), "{} names `{name}`; there are {known:?}", story.name);
            }
        }
    }

    #[test]
    fn a_line_says_who_saw_nothing() {
        let seen =
            BTreeMap::from([("views".to_owned(), 7), ("ledger".to_owned(), 0), ("fifo".to_owned(), 9)]);
        assert_eq!(lines(&BTreeMap::from([("x", seen)])), ["x: fifo 9, views 7; nothing: ledger"]);
    }
}
