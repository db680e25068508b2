use super::script::{
    Script, activated, actor, asked, claimed, committed, ended, ms, placed, silo, started, started_at,
    stored, view, write_of,
};
use super::*;
use crate::history::{Once, Op, Outcome, Record, ReminderChange, SiloEvent, What};
use quark::{MissedPolicy, Schedule};
use quark_core::view::Status;
use quark_core::wire::IdempotencyKey;
use quark_core::{Epoch, Version, WallTime};
use std::time::Duration;

fn two_turns_at_once() -> Script {
    Script::new().leased(&["a#1"]).at(5).silo("a#1", started("alice", 1)).silo("a#1", started("alice", 2))
}

fn waived(promise: &'static str) -> WorldEvent {
    WorldEvent::Waived { promise, reason: "the story says so".into() }
}

#[test]
fn a_waived_promise_is_reported_apart_and_only_from_then_on() {
    let checkers = || -> Vec<Box<dyn Checker>> { vec![Box::new(OneRunner)] };
    let report = check_all(&two_turns_at_once().history(), &checkers());
    assert_eq!((report.is_clean(), report.waived.len()), (false, 0));
    let before = Script::new().world(waived("P2")).leased(&["a#1"]).at(5);
    let before = before.silo("a#1", started("alice", 1)).silo("a#1", started("alice", 2));
    let report = check_all(&before.clone().history(), &checkers());
    assert_eq!((report.is_clean(), report.waived.len()), (true, 1));
    let after = two_turns_at_once().at(6).world(waived("P2"));
    assert!(!check_all(&after.history(), &checkers()).is_clean());
    let other = Script::new().world(waived("P1")).leased(&["a#1"]);
    let other = other.silo("a#1", started("alice", 1)).silo("a#1", started("alice", 2));
    assert!(!check_all(&other.history(), &checkers()).is_clean());
}

#[test]
fn a_verdict_on_half_a_history_is_no_verdict() {
    let history = Script::new().silo("a#1", SiloEvent::Joined).history();
    assert!(check_all(&history, &always_on()).is_clean());
    let cut = History::new(history.records().to_vec(), 1);
    let report = check_all(&cut, &always_on());
    assert_eq!(report.violations().map(|(name, _)| name).collect::<Vec<_>>(), ["completeness"]);
}

#[test]
fn silence_about_nothing_is_called_vacuous() {
    let report = check_all(&History::default(), &always_on());
    assert!(report.is_clean());
    assert_eq!(report.vacuous(1).len(), always_on().len());
    let report = check_all(&two_turns_at_once().history(), &always_on());
    assert!(!report.vacuous(1).contains(&"one-runner"));
    assert!(report.vacuous(1).contains(&"ledger"));
}

/// A reminder is set by the commit that becomes this version.
fn reminded(key: &str, version: u64) -> SiloEvent {
    let schedule = Schedule::every(WallTime(1), Duration::from_secs(1)).expect("valid");
    let (actor, name) = (actor(key), "tea".into());
    let next = WallTime(i64::MAX);
    let change = ReminderChange::Set { schedule: schedule.into(), policy: MissedPolicy::FireAll, next };
    SiloEvent::ReminderAsked { actor, write: write_of(key, version), name, change }
}

/// A history with something for most checkers, under names that come first or last in every order.
fn relabelled(silos: [&str; 2], keys: [&str; 2]) -> History {
    let [a, b] = silos;
    let [x, y] = keys;
    let mut sorted = silos;
    sorted.sort_unstable();
    Script::new()
        .leased(&silos)
        .at(10)
        .op(1, x, Op::Add(5), Outcome::Ok(5))
        .silo(a, started(x, 1))
        .silo(b, started(y, 2))
        .at(20)
        .silo(a, ended(x, 1))
        .silo(b, ended(y, 2))
        .silo(b, started(x, 3))
        .silo(b, ended(x, 3))
        .op(2, x, Op::Read, Outcome::Ok(5))
        .op(3, y, Op::Read, Outcome::Ok(0))
        .at(30)
        .silo(a, view(1, &sorted.map(|silo| (silo, Status::Active))))
        .silo(a, placed(x, a))
        .world(claimed(x, 1, a))
        .silo(a, activated(x, 1))
        .silo(a, started_at(x, 4, 1))
        .silo(a, asked(x, 1, 2, Some(Once::Key(IdempotencyKey::new(7)))))
        .silo(a, reminded(x, 2))
        .world(stored(x, 2))
        .silo(a, committed(x, 1, 2))
        .silo(a, ended(x, 4))
        .world(WorldEvent::Endowed { fund: "coins".into(), total: 3 })
        .world(WorldEvent::Counted {
            fund: "coins".into(),
            parts: [(actor(x), 1), (actor(y), 2)].into(),
            settled: true,
        })
        .world(WorldEvent::Quiet)
        .world(WorldEvent::DirectorySampled {
            silo: silo(a),
            hosts: [actor(x)].into(),
            entries: [(actor(x), silo(a))].into(),
        })
        .world(WorldEvent::Scanned { actor: actor(x), version: Version(2), owner: Some((Epoch(1), silo(a))) })
        .history()
}

#[test]
fn names_do_not_matter() {
    let mut examined = Vec::new();
    for silos in [["a#1", "b#1"], ["b#1", "a#1"], ["z#9", "a#3"]] {
        for keys in [["x", "y"], ["y", "x"], ["alice", "bob"]] {
            let report = check_all(&relabelled(silos, keys), &always_on());
            assert!(report.is_clean(), "{silos:?} {keys:?}\n{report}");
            examined.push(report.verdicts.iter().map(|(_, v)| v.examined).collect::<Vec<_>>());
        }
    }
    examined.dedup();
    assert_eq!(examined.len(), 1, "the same was looked at under every name");
}

#[test]
fn times_do_not_matter() {
    let history = relabelled(["a#1", "b#1"], ["x", "y"]);
    let later = |by: u64| {
        let shift = |record: &Record| {
            let mut record = record.clone();
            record.at = Instant(record.at.0 + by);
            record
        };
        History::new(history.records().iter().map(shift).collect(), 0)
    };
    let reports = [0, 1, 1_000_000_000_000].map(|by| check_all(&later(by), &always_on()));
    for report in &reports {
        assert!(report.is_clean(), "{report}");
        assert_eq!(report.examined(), reports[0].examined(), "silos' own clocks are not true time");
    }
}

#[test]
fn checkers_have_distinct_names_and_a_report_reads_well() {
    let checkers = always_on();
    let mut names: Vec<_> = checkers.iter().map(|c| c.name()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), checkers.len());
    let text = check_all(&two_turns_at_once().history(), &checkers).to_string();
    assert!(text.contains("one-runner: 1 violations"), "{text}");
    assert!(text.contains("P2 at 0.005000s: two turns of account/alice ran at once"), "{text}");
}

#[test]
#[should_panic(expected = "in order of true time")]
fn a_history_out_of_order_is_refused() {
    let record = |at| Record { at: ms(at), what: What::World(WorldEvent::Healed) };
    History::new(vec![record(2), record(1)], 0);
}
