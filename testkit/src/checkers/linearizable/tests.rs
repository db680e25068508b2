use super::super::script::{Script, broken, rejected};
use super::*;
use proptest::prelude::*;

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

/// Tries every order of every subset that contains all that is known to have happened.
fn brute_force(steps: &[Step]) -> bool {
    let mut operations: Vec<(Operation, usize, usize)> = Vec::new();
    let mut ids: Vec<u64> = Vec::new();
    for (position, step) in steps.iter().enumerate() {
        match step {
            Step::Invoke(op_id, operation) => {
                ids.push(*op_id);
                operations.push((*operation, position, usize::MAX));
            }
            Step::Answer(op_id, _) => {
                let i = ids.iter().position(|id| id == op_id).expect("invoked before");
                operations[i].2 = position;
            }
        }
    }
    permute(&operations, &mut vec![false; operations.len()], 0)
}

fn permute(operations: &[(Operation, usize, usize)], done: &mut Vec<bool>, balance: u64) -> bool {
    let finished =
        operations.iter().zip(done.iter()).all(|((o, _, _), done)| *done || o.outcome == Outcome::Unknown);
    if finished {
        return true;
    }
    for i in 0..operations.len() {
        // Whoever was answered before it was invoked must have happened before it.
        let too_early = |j: usize| !done[j] && operations[j].2 < operations[i].1;
        if done[i] || (0..operations.len()).any(too_early) {
            continue;
        }
        if let Some(after) = apply(&operations[i].0, balance) {
            done[i] = true;
            let ordered = permute(operations, done, after);
            done[i] = false;
            if ordered {
                return true;
            }
        }
    }
    false
}

/// Up to six operations on one actor, their invocations and answers mixed at random, their balances small.
fn small_histories() -> impl Strategy<Value = Vec<Step>> {
    let op = prop_oneof![(1u64..4).prop_map(Op::Add), (1u64..4).prop_map(Op::Take), Just(Op::Read)];
    let outcome = prop_oneof![
        6 => (0u64..8).prop_map(Outcome::Ok),
        1 => (0u64..4).prop_map(Outcome::Refused),
        2 => Just(Outcome::Unknown),
    ];
    prop::collection::vec((op, outcome, any::<u32>(), any::<u32>()), 1..=6).prop_map(|drawn| {
        let mut moments: Vec<(u32, Step)> = Vec::new();
        for (op_id, (op, outcome, a, b)) in drawn.into_iter().enumerate() {
            let operation = Operation { op, outcome };
            moments.push((a.min(b), Step::Invoke(op_id as u64, operation)));
            if outcome != Outcome::Unknown {
                moments.push((a.max(b), Step::Answer(op_id as u64, Instant::ZERO)));
            }
        }
        moments.sort_by_key(|(moment, step)| (*moment, matches!(step, Step::Answer(..))));
        moments.into_iter().map(|(_, step)| step).collect()
    })
}

/// As [`small_histories`], but answered by a balance that exists: most of these have an order.
fn plausible_histories() -> impl Strategy<Value = Vec<Step>> {
    (small_histories(), any::<u64>()).prop_map(|(mut steps, flaw)| {
        let mut balance = 0;
        let mut outcomes: BTreeMap<u64, Outcome> = BTreeMap::new();
        // Each happens when it is answered; who is never answered happens at once or never.
        for i in 0..steps.len() {
            let operation = |id: u64| {
                steps.iter().find_map(|s| match s {
                    Step::Invoke(other, operation) if *other == id => Some(*operation),
                    _ => None,
                })
            };
            let (Step::Invoke(id, _) | Step::Answer(id, _)) = steps[i];
            let of = operation(id).expect("invoked");
            let doubtful = of.outcome == Outcome::Unknown;
            match steps[i] {
                Step::Invoke(..) if doubtful && flaw >> id & 1 == 1 => {
                    balance = apply(&of, balance).unwrap_or(balance);
                }
                Step::Answer(..) => {
                    let after = apply(&Operation { outcome: Outcome::Unknown, ..of }, balance);
                    let outcome = after.map_or(Outcome::Refused(balance), Outcome::Ok);
                    balance = after.unwrap_or(balance);
                    outcomes.insert(id, outcome);
                }
                Step::Invoke(..) => {}
            }
        }
        for step in &mut steps {
            if let Step::Invoke(id, operation) = step
                && let Some(outcome) = outcomes.get(id)
            {
                operation.outcome = *outcome;
            }
        }
        steps
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn the_search_agrees_with_brute_force(steps in small_histories()) {
        let found = Linearizable::default().search(&steps);
        prop_assert_eq!(found == Found::Order, brute_force(&steps), "{:?}", steps);
    }

    #[test]
    fn what_a_balance_answered_has_an_order(steps in plausible_histories()) {
        prop_assert_eq!(Linearizable::default().search(&steps), Found::Order, "{:?}", steps);
        prop_assert!(brute_force(&steps));
    }

    #[test]
    fn one_wrong_answer_is_judged_alike(steps in plausible_histories(), which in any::<prop::sample::Index>()) {
        let mut steps = steps;
        let i = which.index(steps.len());
        if let Step::Invoke(_, Operation { outcome: Outcome::Ok(shown), .. }) = &mut steps[i] {
            *shown += 1;
        }
        let found = Linearizable::default().search(&steps);
        prop_assert_eq!(found == Found::Order, brute_force(&steps), "{:?}", steps);
    }
}
