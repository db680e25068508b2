//! Two tellings, compared: the first event in which they differ, and what they count up to.

use super::Telling;
use super::entry::{Entry, EntryKind};
use quark_core::Instant;
use serde::Serialize;
use std::collections::BTreeMap;

/// How two tellings differ.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Difference {
    /// Whether everything that was compared is the same.
    pub is_same: bool,
    /// The number of the first event that is not the same in both; `None` if there is none.
    pub first: Option<u32>,
    /// The last events that they have in common, and the next of each.
    pub common: Vec<Line>,
    /// What the first one did then.
    pub one: Vec<Line>,
    /// What the second one did then.
    pub two: Vec<Line>,
    /// For each kind of event of which one has more: how many each has.
    pub counts: BTreeMap<&'static str, (u64, u64)>,
    /// What did not hold in the one, and in the other.
    pub violations: (Vec<String>, Vec<String>),
    /// The trace hashes.
    pub hashes: (String, String),
}

/// One event in a line.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Line {
    /// Its number.
    pub event: u32,
    /// When.
    #[serde(rename = "at_ns")]
    pub at: Instant,
    /// Where: a node, or nothing for the world.
    pub on: String,
    /// What.
    pub text: String,
}

/// How many events are shown on each side.
const CONTEXT: usize = 5;

impl Telling {
    /// An event in a line.
    ///
    /// Panics: if it is not there.
    pub fn line(&self, event: u32) -> Line {
        let entry = &self.events[event as usize];
        Line { event, at: entry.at, on: self.place(entry), text: entry.text.clone() }
    }

    /// The incarnation on which something happened: `a#2`, or the node alone if no incarnation is known.
    pub fn place(&self, entry: &Entry) -> String {
        let name = entry.lane.map(|lane| self.lanes[lane as usize].name.as_str());
        match (name, entry.life) {
            (Some(name), Some(life)) => format!("{name}#{life}"),
            (name, _) => name.unwrap_or_default().to_owned(),
        }
    }
}

/// Compares two tellings event by event: when, what kind, where, about whom, and in which words.
pub fn compare(one: &Telling, two: &Telling) -> Difference {
    let same = |at: &usize| is_same(one, &one.events[*at], two, &two.events[*at]);
    let shorter = one.events.len().min(two.events.len());
    let agreed = (0..shorter).take_while(same).count();
    let is_whole = agreed == one.events.len() && agreed == two.events.len();
    let lines = |telling: &Telling, from: usize, to: usize| {
        (from..to.min(telling.events.len())).map(|at| telling.line(at as u32)).collect::<Vec<_>>()
    };
    let violations = |telling: &Telling| {
        telling.report.violations.iter().map(|v| format!("{}: {}", v.checker, v.message)).collect::<Vec<_>>()
    };
    let (counts_one, counts_two) = (counts(one), counts(two));
    let differing = EntryKind::ALL.iter().filter_map(|kind| {
        let of = |counts: &BTreeMap<EntryKind, u64>| counts.get(kind).copied().unwrap_or(0);
        let pair = (of(&counts_one), of(&counts_two));
        (pair.0 != pair.1).then_some((kind.name(), pair))
    });
    Difference {
        is_same: is_whole && one.report.hash == two.report.hash,
        first: (!is_whole).then_some(agreed as u32),
        common: lines(one, agreed.saturating_sub(CONTEXT), agreed),
        one: lines(one, agreed, agreed + CONTEXT),
        two: lines(two, agreed, agreed + CONTEXT),
        counts: differing.collect(),
        violations: (violations(one), violations(two)),
        hashes: (format!("{:016x}", one.report.hash.0), format!("{:016x}", two.report.hash.0)),
    }
}

fn is_same(one: &Telling, a: &Entry, two: &Telling, b: &Entry) -> bool {
    let lane =
        |telling: &Telling, entry: &Entry| entry.lane.map(|lane| telling.lanes[lane as usize].name.clone());
    let actor =
        |telling: &Telling, entry: &Entry| entry.actor.map(|actor| telling.actors[actor as usize].clone());
    (a.at, a.kind, a.life, &a.call, &a.text, &a.data) == (b.at, b.kind, b.life, &b.call, &b.text, &b.data)
        && lane(one, a) == lane(two, b)
        && actor(one, a) == actor(two, b)
}

fn counts(telling: &Telling) -> BTreeMap<EntryKind, u64> {
    let mut counts = BTreeMap::new();
    for entry in &telling.events {
        *counts.entry(entry.kind).or_default() += 1;
    }
    counts
}
