//! Which events a violation is about.
//!
//! A checker says when it saw something and, in words, whom it is about. The events that it means are those at or before
//! that moment whose silo and actor the words name; the more of both, the more likely it is the one.

use super::Mark;
use super::entry::{Entry, EntryKind};
use super::lanes::Lane;
use crate::story::Violation;

/// How many events a violation is about at most.
const EVENTS_MAX: usize = 4;

/// The events that a violation is about.
pub(super) fn mark(violation: &Violation, events: &[Entry], lanes: &[Lane], actors: &[String]) -> Mark {
    let words: Vec<&str> = words(&violation.message).collect();
    let names = |name: &str| words.contains(&name);
    // Where a sentence gives silos' ids, a bare `a` in it is an article.
    let has_ids = words.iter().any(|word| word.contains('#'));
    let named_actors: Vec<bool> = actors.iter().map(|actor| names(actor) || names(key_of(actor))).collect();
    let score = |entry: &Entry| {
        let actor = entry.actor.is_some_and(|actor| named_actors[actor as usize]);
        let lane = entry.lane.map(|lane| &lanes[lane as usize]);
        let silo = lane.is_some_and(|lane| {
            (!has_ids && names(&lane.name))
                || entry.life.is_some_and(|life| names(&format!("{}#{life}", lane.name)))
        });
        u32::from(actor) * 4 + u32::from(silo) * 2 + u32::from(is_telling(entry.kind))
    };
    let end = events.partition_point(|entry| entry.at <= violation.at);
    let start = events[..end].partition_point(|entry| entry.at < violation.at);
    let best = |from: usize, to: usize| {
        let named = (from..to).filter(|at| score(&events[*at]) >= 2);
        let most = named.clone().map(|at| score(&events[at])).max()?;
        let found: Vec<u32> = named.filter(|at| score(&events[*at]) == most).map(|at| at as u32).collect();
        Some(found[found.len().saturating_sub(EVENTS_MAX)..].to_vec())
    };
    let here = best(start, end).or_else(|| best(0, start).map(|found| found[found.len() - 1..].to_vec()));
    let last = || end.checked_sub(1).map(|last| vec![last as u32]);
    Mark { events: here.or_else(last).unwrap_or_default() }
}

/// The life of frames, and leases that go on, say less about a violation than what a silo did.
fn is_telling(kind: EntryKind) -> bool {
    !kind.is_of_frames() && !matches!(kind, EntryKind::LeaseHeld | EntryKind::Sampled | EntryKind::Observed)
}

/// Names in a sentence: without the punctuation around them.
fn words(message: &str) -> impl Iterator<Item = &str> {
    message
        .split(|c: char| c.is_whitespace() || "[](),;\"`'".contains(c))
        .map(|word| word.trim_matches(|c: char| ":.".contains(c)))
        .filter(|word| !word.is_empty())
}

/// `account-3` of `account/account-3`: as stories call it.
fn key_of(actor: &str) -> &str {
    actor.split_once('/').map_or(actor, |(_, key)| key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use quark_core::Instant;

    fn entry(at: u64, kind: EntryKind, lane: u32, actor: Option<u32>) -> Entry {
        Entry {
            at: Instant(at),
            kind,
            lane: Some(lane),
            life: Some(1),
            actor,
            call: None,
            frame: None,
            text: String::new(),
            data: Default::default(),
            causes: Vec::new(),
        }
    }

    fn marked(message: &str, at: u64) -> Vec<u32> {
        let lane = |name: &str| Lane { name: name.into(), is_silo: true, lives: Vec::new() };
        let events = [
            entry(1, EntryKind::Turn, 0, Some(0)),
            entry(5, EntryKind::Turn, 0, Some(0)),
            entry(5, EntryKind::Turn, 1, Some(0)),
            entry(5, EntryKind::Turn, 1, Some(1)),
            entry(7, EntryKind::Sent, 1, Some(1)),
        ];
        let violation = Violation { checker: "P2".into(), message: message.into(), at: Instant(at) };
        mark(&violation, &events, &[lane("a"), lane("d")], &["account/x-1".into(), "account/x-2".into()])
            .events
    }

    #[test]
    fn the_event_at_that_time_on_that_silo_about_that_actor_is_meant() {
        assert_eq!(marked("placement: d#1 started a turn of account/x-1; it was dead", 5), [2]);
    }

    #[test]
    fn a_key_alone_names_an_actor_and_a_turn_says_more_than_a_frame() {
        assert_eq!(marked("x-2 has 5; acknowledged 7", 9), [3]);
    }

    #[test]
    fn without_a_name_the_last_event_before_it_is_all_there_is() {
        assert_eq!(marked("nothing was ever agreed", 6), [3]);
        assert_eq!(marked("nothing was ever agreed", 0), [] as [u32; 0]);
    }
}
