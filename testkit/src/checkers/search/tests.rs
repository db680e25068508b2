use super::*;
use crate::history::Op;
use crate::model::{Balance, Counter, Log, LogAnswer, LogOp, Register, RegisterOp, Shown};
use proptest::prelude::*;

/// An operation, and the positions of its invocation and its answer.
type Span<M> = (Operation<M>, usize, usize);

/// Tries every order of every subset that contains all that is known to have happened.
fn brute_force<M: Model>(model: &M, initial: M::State, steps: &[Step<M>]) -> bool {
    let mut operations: Vec<Span<M>> = Vec::new();
    let mut ids: Vec<u64> = Vec::new();
    for (position, step) in steps.iter().enumerate() {
        match step {
            Step::Invoke(op_id, operation) => {
                ids.push(*op_id);
                operations.push((operation.clone(), position, usize::MAX));
            }
            Step::Answer(op_id, _) => {
                let i = ids.iter().position(|id| id == op_id).expect("invoked before");
                operations[i].2 = position;
            }
        }
    }
    permute(model, &operations, &mut vec![false; operations.len()], &initial)
}

fn permute<M: Model>(model: &M, operations: &[Span<M>], done: &mut Vec<bool>, state: &M::State) -> bool {
    let finished = operations.iter().zip(done.iter()).all(|((o, _, _), done)| *done || o.answer.is_none());
    if finished {
        return true;
    }
    for i in 0..operations.len() {
        // Whoever was answered before it was invoked must have happened before it.
        let too_early = |j: usize| !done[j] && operations[j].2 < operations[i].1;
        if done[i] || (0..operations.len()).any(too_early) {
            continue;
        }
        if let Some(after) = after(model, state, &operations[i].0) {
            done[i] = true;
            let ordered = permute(model, operations, done, &after);
            done[i] = false;
            if ordered {
                return true;
            }
        }
    }
    false
}

/// An operation in the making: what, whether anybody is answered, and two moments of which the earlier is its invocation.
type Drawn<O> = (O, bool, u32, u32);

fn drawn<O: std::fmt::Debug>(op: impl Strategy<Value = O>) -> impl Strategy<Value = Vec<Drawn<O>>> {
    prop::collection::vec((op, prop::bool::weighted(0.8), any::<u32>(), any::<u32>()), 1..=6)
}

/// Up to six operations, mixed at random, as a machine would answer that does each at the moment of its answer. Of those
/// that nobody is answered every other one happens. Then `flaw`, if it is one of them, gets the answer of another state.
fn history<M: Model>(model: &M, initial: M::State, drawn: Vec<Drawn<M::Op>>, flaw: usize) -> Vec<Step<M>> {
    let mut moments: Vec<(u32, bool, usize)> = Vec::new();
    for (i, (_, answered, a, b)) in drawn.iter().enumerate() {
        moments.push((*a.min(b), false, i));
        if *answered {
            moments.push((*a.max(b), true, i));
        }
    }
    moments.sort_unstable();
    let mut state = initial.clone();
    let mut before = initial;
    let mut answers: BTreeMap<usize, M::Answer> = BTreeMap::new();
    for (_, is_answer, i) in &moments {
        let (op, answered, ..) = &drawn[*i];
        if *is_answer || (!answered && i % 2 == 0) {
            let (after, answer) = model.apply(if *i == flaw { &before } else { &state }, op);
            answers.insert(*i, answer);
            before = std::mem::replace(&mut state, after);
        }
    }
    let step = |(_, is_answer, i): (u32, bool, usize)| {
        let (op, answered, ..) = &drawn[i];
        match is_answer {
            true => Step::Answer(i as u64, Instant::ZERO),
            false => {
                let answer = answers.get(&i).filter(|_| *answered).cloned();
                Step::Invoke(i as u64, Operation { op: op.clone(), answer })
            }
        }
    };
    moments.into_iter().map(step).collect()
}

/// The search says what all permutations say, on a history that has an order and on one that may have none.
fn agrees<M: Model>(
    model: &M,
    initial: M::State,
    drawn: Vec<Drawn<M::Op>>,
    flaw: usize,
) -> Result<(), TestCaseError> {
    let right = history(model, initial.clone(), drawn.clone(), usize::MAX);
    prop_assert_eq!(search(model, initial.clone(), &right, Limits::default()), Found::Order);
    prop_assert!(brute_force(model, initial.clone(), &right));
    let flawed = history(model, initial.clone(), drawn, flaw);
    let found = search(model, initial.clone(), &flawed, Limits::default());
    prop_assert_eq!(found == Found::Order, brute_force(model, initial, &flawed));
    Ok(())
}

fn name() -> String {
    "x".to_owned()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    #[test]
    fn balances_are_searched_as_all_orders_say(
        drawn in drawn(prop_oneof![(1u64..4).prop_map(Op::Add), (1u64..4).prop_map(Op::Take), Just(Op::Read)]),
        flaw in 0usize..6,
    ) {
        agrees(&Balance, 0, drawn, flaw)?;
    }

    #[test]
    fn whatever_a_balance_answers_is_judged_alike(
        drawn in drawn((
            prop_oneof![(1u64..4).prop_map(Op::Add), (1u64..4).prop_map(Op::Take), Just(Op::Read)],
            prop_oneof![3 => (0u64..8).prop_map(Shown::Now), 1 => (0u64..4).prop_map(Shown::Refused)],
        )),
    ) {
        let answers: Vec<Shown> = drawn.iter().map(|((_, answer), ..)| *answer).collect();
        let ops = drawn.into_iter().map(|((op, _), answered, a, b)| (op, answered, a, b)).collect();
        let mut steps = history(&Balance, 0, ops, usize::MAX);
        for step in &mut steps {
            if let Step::Invoke(id, Operation { answer: Some(answer), .. }) = step {
                *answer = answers[*id as usize];
            }
        }
        let found = search(&Balance, 0, &steps, Limits::default());
        prop_assert_eq!(found == Found::Order, brute_force(&Balance, 0, &steps), "{:?}", steps);
    }

    #[test]
    fn registers_are_searched_as_all_orders_say(
        drawn in drawn(prop_oneof![
            Just(RegisterOp::Read(name())),
            (0u64..3).prop_map(|value| RegisterOp::Write(name(), value)),
            (prop::option::of(0u64..3), 0u64..3).prop_map(|(old, new)| RegisterOp::Swap(name(), old, new)),
        ]),
        flaw in 0usize..6,
    ) {
        agrees(&Register, None, drawn, flaw)?;
    }

    #[test]
    fn counters_are_searched_as_all_orders_say(drawn in drawn((Just(name()), 0u64..3)), flaw in 0usize..6) {
        agrees(&Counter, 0, drawn, flaw)?;
    }

    #[test]
    fn logs_are_searched_as_all_orders_say(
        drawn in drawn(prop_oneof![
            (0u64..3).prop_map(|entry| LogOp::Append(name(), entry)),
            Just(LogOp::Read(name())),
        ]),
        flaw in 0usize..6,
    ) {
        agrees(&Log, Vec::new(), drawn, flaw)?;
    }
}

#[test]
fn models_do_what_they_say() {
    let swap = RegisterOp::Swap(name(), Some(1), 2);
    assert_eq!(Register.apply(&Some(1), &swap), (Some(2), Some(1)));
    assert_eq!(Register.apply(&None, &swap), (None, None));
    assert_eq!(Log.apply(&vec![7], &LogOp::Append(name(), 8)), (vec![7, 8], LogAnswer::At(1)));
    assert_eq!(Balance.apply(&3, &Op::Take(4)), (3, Shown::Refused(3)));
    assert_eq!(Counter.apply(&3, &(name(), 4)), (7, 7));
}
