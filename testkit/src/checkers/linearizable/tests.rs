use super::super::script::{Script, broken, rejected};
use super::*;
use crate::history::{Op, Outcome};

fn valid() -> Script {
    Script::new()
        .op(1, "alice", Op::Add(5), Outcome::Ok(5))
        .invoke(2, "alice", Op::Add(2))
        .invoke(3, "alice", Op::Read)
        .answer(3, Outcome::Ok(7))
        .answer(2, Outcome::Ok(7))
}

#[test]
fn every_answer_has_its_moment() {
    // Positions: 0 and 1 add 5; 2 and 4 add 2; 3 and, before it, the read's invocation.
    assert_eq!(rejected(&Linearizable::default(), &valid()), "drop 0, drop 2");
    let early =
        Script::new().op(1, "alice", Op::Read, Outcome::Ok(5)).op(2, "alice", Op::Add(5), Outcome::Ok(5));
    assert_eq!(broken(&Linearizable::default(), early), ["P3"]);
    let lost = Script::new()
        .invoke(1, "alice", Op::Add(5))
        .invoke(2, "alice", Op::Add(5))
        .answer(1, Outcome::Ok(5))
        .answer(2, Outcome::Ok(5));
    assert_eq!(broken(&Linearizable::default(), lost), ["P3"]);
}

#[test]
fn actors_are_independent() {
    let two = valid().op(9, "bob", Op::Read, Outcome::Ok(0));
    assert_eq!(broken(&Linearizable::default(), two), [] as [&str; 0]);
}

#[test]
fn the_unknown_may_happen_late_or_never_but_once() {
    let doubt = || Script::new().op(1, "alice", Op::Add(5), Outcome::Unknown);
    for shown in [0, 5] {
        let script = doubt().op(2, "alice", Op::Read, Outcome::Ok(shown));
        assert_eq!(broken(&Linearizable::default(), script), [] as [&str; 0]);
    }
    let late = doubt().op(2, "alice", Op::Read, Outcome::Ok(0)).op(3, "alice", Op::Read, Outcome::Ok(5));
    assert_eq!(broken(&Linearizable::default(), late.clone()), [] as [&str; 0]);
    assert_eq!(broken(&Linearizable::default(), late.op(4, "alice", Op::Read, Outcome::Ok(0))), ["P3"]);
    let twice = doubt().op(2, "alice", Op::Read, Outcome::Ok(10));
    assert_eq!(broken(&Linearizable::default(), twice), ["P3"]);
}

#[test]
fn many_equal_doubts_are_one_question() {
    let mut script = Script::new();
    for op_id in 0..40 {
        script = script.op(op_id, "alice", Op::Add(1), Outcome::Unknown);
    }
    for read in 0..30 {
        script = script.op(100 + read, "alice", Op::Read, Outcome::Ok(read + 10));
    }
    let verdict = Linearizable::default().check(&script.clone().history());
    assert_eq!((verdict.violations.len(), verdict.examined), (0, 30));
    assert_eq!(broken(&Linearizable::default(), script.op(200, "alice", Op::Read, Outcome::Ok(41))), ["P3"]);
}

#[test]
fn what_is_too_wide_is_not_judged() {
    let mut script = Script::new();
    for op_id in 0..25 {
        script = script.invoke(op_id, "alice", Op::Read);
    }
    for op_id in 0..25 {
        script = script.answer(op_id, Outcome::Ok(op_id));
    }
    assert_eq!(Linearizable::default().check(&script.history()), Verdict::default());
}

/// A lock by name: who takes it, and who leaves it.
struct Lock;

impl Model for Lock {
    type Key = &'static str;
    type State = Option<u64>;
    type Op = (&'static str, bool, u64);
    type Answer = bool;

    fn key(&self, (name, ..): &Self::Op) -> &'static str {
        name
    }

    fn initial(&self, _: &&'static str) -> Option<u64> {
        None
    }

    fn apply(&self, holder: &Option<u64>, (_, takes, client): &Self::Op) -> (Option<u64>, bool) {
        match (takes, holder) {
            (true, None) => (Some(*client), true),
            (false, Some(holder)) if holder == client => (None, true),
            _ => (*holder, false),
        }
    }
}

/// Positions: 0, 1 client 1 takes it; 2, 3 client 2 does not get it; 4, 5 client 1 leaves it; 6, 7 client 2 takes it.
fn a_lock() -> Script {
    Script::new()
        .user("locks", 1, ("x", true, 1u64), true)
        .user("locks", 2, ("x", true, 2u64), false)
        .user("locks", 3, ("x", false, 1u64), true)
        .user("locks", 4, ("x", true, 2u64), true)
}

#[test]
fn a_model_of_a_user_is_searched_like_our_own() {
    let linear = || Linear::new("locks", Lock);
    assert_eq!(rejected(&linear(), &a_lock()), "drop 0, drop 4");
    let both = a_lock().user("locks", 5, ("x", true, 1u64), true);
    assert_eq!(broken(&linear(), both), ["P3"]);
    let other = a_lock().user("locks", 5, ("y", true, 1u64), true);
    assert_eq!(broken(&linear(), other), [] as [&str; 0], "keys are independent");
    let elsewhere = a_lock().user("doors", 5, ("x", true, 1u64), true);
    assert_eq!(broken(&linear(), elsewhere), [] as [&str; 0], "so are journals");
    let failed = a_lock().open("locks", 5, ("x", false, 2u64)).close("locks", 5, UserEvent::Failed);
    assert_eq!(broken(&linear(), failed.user("locks", 6, ("x", true, 1u64), true)), ["P3"]);
    let unknown = a_lock().open("locks", 5, ("x", false, 2u64)).close("locks", 5, UserEvent::Unknown);
    assert_eq!(broken(&linear(), unknown.user("locks", 6, ("x", true, 1u64), true)), [] as [&str; 0]);
}
