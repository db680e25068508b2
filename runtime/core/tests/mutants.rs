//! The planted bugs of core that no story needs to find: each law below holds, and breaks with its bug switched on.
//!
//! Run by `cargo ci mutants`, one at a time: the switch is the process's.
#![cfg(feature = "mutants")]

use quark_core::credit::{Amount, Credit};
use quark_core::mailbox::{Admit, Mailbox, MailboxLimits};
use quark_core::mutant;
use quark_core::reminder::{
    Action, Config, IndexRow, Input, Reminders, RowKey, ScannedRows, Shard, StoredRow,
};
use quark_core::ring::Ring;
use quark_core::schedule::Schedule;
use quark_core::wire::Lane;
use quark_core::{ActorId, Generation, Instant, SiloId, SiloName, Version, WallTime};
use std::time::Duration;

/// The law holds without the bug, so that it is the bug, and nothing else, that breaks it.
fn check(id: &str, law: fn() -> bool) {
    mutant::activate("");
    assert!(law(), "the law of {id} does not hold without its bug");
    mutant::activate(id);
    let held = law();
    mutant::activate("");
    assert!(!held, "nobody noticed {id}");
}

/// Whoever owns a point has it in a range: the two are computed by different code.
fn every_owner_has_its_points_in_its_ranges() -> bool {
    (2..20).all(|count| {
        let name = |n| SiloName::new(&format!("silo-{n}")).expect("valid");
        let ring = Ring::build((0..count).map(|n| SiloId::new(name(n), Generation(1))));
        let points = (0..64).map(|n| n << 58).chain([u64::MAX]);
        points.into_iter().all(|point| {
            let owner = ring.owner(point).expect("not empty");
            ring.ranges_of(owner).any(|range| range.contains(point))
        })
    })
}

/// Control never waits behind user messages.
fn control_leaves_first() -> bool {
    let mut mailbox = Mailbox::new(MailboxLimits::default());
    let admitted = [(Lane::User, "user"), (Lane::Control, "control")]
        .into_iter()
        .all(|(lane, message)| matches!(mailbox.admit(lane, message, 1), Admit::Accepted));
    admitted && mailbox.pop() == Some("control")
}

/// What is taken and given back is there again, once. The credit checks itself, so a breach may be a panic.
fn credit_comes_back_once() -> bool {
    let held = std::panic::catch_unwind(|| {
        let mut credit = Credit::new(Amount::new(10, 1000));
        let taken = credit.consume(100).expect("there is credit");
        credit.give_back(taken);
        credit.available() == Amount::new(10, 1000)
    });
    held.unwrap_or(false)
}

/// A schedule's occurrences lie on its grid, however late each was fired.
fn a_schedule_does_not_drift() -> bool {
    let schedule = Schedule::every(WallTime(0), Duration::from_secs(60)).expect("valid");
    let late = |due: WallTime| WallTime(due.0 + 1_500_000_000);
    let fired = std::iter::successors(schedule.first(), |due| schedule.next_after(late(*due)));
    fired.take(10).all(|due| due.0 % 60_000_000_000 == 0)
}

/// Until an actor has answered, its row stays in the index: whoever comes after a crash finds it there.
fn a_row_stays_until_it_is_answered() -> bool {
    let mut reminders = Reminders::new(Config::default(), 1);
    let actor = ActorId::new("clock", "1").expect("valid");
    let mut actions = Vec::new();
    let owned = Input::Owned { shards: vec![Shard::of(&actor)] };
    reminders.step(Instant::ZERO, WallTime(0), owned, &mut actions);
    let Some(Action::Scan { request, .. }) = actions.pop() else { return false };
    let row = IndexRow { actor, name: "r".into(), due: WallTime(0) };
    let rows = vec![StoredRow { key: row.key(), row, version: Version(1) }];
    let scanned = Input::Scanned { request, result: Ok(ScannedRows { rows, more: false }) };
    reminders.step(Instant::ZERO, WallTime(0), scanned, &mut actions);
    matches!(actions[..], [Action::Fire { .. }])
}

/// Two reminders that are due at the same time have two rows, whatever their actors and they are called.
fn every_reminder_has_a_row_of_its_own() -> bool {
    let pairs = [("clock", "1", "23"), ("clock", "12", "3"), ("cloc", "k1", "23"), ("clock", "123", "")];
    let row = |(kind, key, name)| RowKey::of(&ActorId::new(kind, key).expect("valid"), name, WallTime(0));
    let rows: std::collections::BTreeSet<RowKey> = pairs.into_iter().map(row).collect();
    rows.len() == pairs.len()
}

#[test]
fn m10_is_caught() {
    check("m10", a_schedule_does_not_drift);
}

#[test]
fn m29_is_caught() {
    check("m29", a_row_stays_until_it_is_answered);
}

#[test]
fn m13_is_caught() {
    check("m13", credit_comes_back_once);
}

#[test]
fn m14_is_caught() {
    check("m14", every_owner_has_its_points_in_its_ranges);
}

#[test]
fn m24_is_caught() {
    check("m24", control_leaves_first);
}

#[test]
fn m61_is_caught() {
    check("m61", every_reminder_has_a_row_of_its_own);
}
