//! The search for a linear order, over any model.
//!
//! Wing and Gong's search (*Testing and Verifying Concurrent Objects*, 1993) with Lowe's just-in-time order (*Testing for
//! Linearizability*, 2017): at every answer it keeps each (set of open operations that have happened, state) that can
//! explain all answers so far. An operation of unknown outcome stays open for ever and may happen at any time or never.

use crate::model::Model;
use quark_core::Instant;
use std::collections::{BTreeMap, BTreeSet};

/// How far a search goes before it gives up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// The most operations with a known outcome that may be open on one key at once.
    pub width_max: usize,
    /// The most explanations kept side by side.
    pub states_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { width_max: 24, states_max: 50_000 }
    }
}

/// An operation on one key; `answer` is how it will end, `None` if nobody knows.
#[derive(Debug)]
pub(super) struct Operation<M: Model> {
    pub op: M::Op,
    pub answer: Option<M::Answer>,
}

impl<M: Model> Clone for Operation<M> {
    fn clone(&self) -> Self {
        Self { op: self.op.clone(), answer: self.answer.clone() }
    }
}

impl<M: Model> PartialEq for Operation<M> {
    fn eq(&self, other: &Self) -> bool {
        self.op == other.op && self.answer == other.answer
    }
}

/// What clients saw of one key, in order.
#[derive(Debug)]
pub(super) enum Step<M: Model> {
    Invoke(u64, Operation<M>),
    Answer(u64, Instant),
}

impl<M: Model> Clone for Step<M> {
    fn clone(&self) -> Self {
        match self {
            Step::Invoke(op_id, operation) => Step::Invoke(*op_id, operation.clone()),
            Step::Answer(op_id, at) => Step::Answer(*op_id, *at),
        }
    }
}

/// Which slots have happened, and the state then.
type Explanation<M> = (u64, <M as Model>::State);

/// Slots are bits.
const SLOTS: usize = 64;

/// The operations that are open: those that wait for their answer, and those that nobody knows the outcome of.
struct Slots<M: Model> {
    operations: [Option<Operation<M>>; SLOTS],
    /// A bit for each that is taken.
    taken: u64,
    /// For an unknown one, the nearest lower slot with an equal one: that happens first, the other's turn adds nothing.
    elder: [Option<usize>; SLOTS],
}

impl<M: Model> Slots<M> {
    fn new() -> Self {
        Self { operations: std::array::from_fn(|_| None), taken: 0, elder: [None; SLOTS] }
    }

    /// The slot of an operation that begins; `None` if all are taken.
    fn open(&mut self, operation: &Operation<M>) -> Option<usize> {
        let slot = (!self.taken).trailing_zeros() as usize;
        if slot == SLOTS {
            return None;
        }
        let is_twin = |elder: &usize| self.operations[*elder].as_ref() == Some(operation);
        self.elder[slot] = (0..slot).rev().find(is_twin).filter(|_| operation.answer.is_none());
        self.operations[slot] = Some(operation.clone());
        self.taken |= 1 << slot;
        Some(slot)
    }

    fn close(&mut self, slot: usize) {
        self.operations[slot] = None;
        self.taken &= !(1 << slot);
    }

    /// The operations that may happen next.
    fn next(&self, happened: u64) -> impl Iterator<Item = (usize, &Operation<M>)> {
        let mut left = self.taken & !happened;
        std::iter::from_fn(move || {
            while left != 0 {
                let slot = left.trailing_zeros() as usize;
                left &= left - 1;
                if self.elder[slot].is_none_or(|elder| happened & (1 << elder) != 0) {
                    return self.operations[slot].as_ref().map(|operation| (slot, operation));
                }
            }
            None
        })
    }
}

/// What a search says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Found {
    Order,
    /// None explains this answer.
    NoOrder {
        op_id: u64,
        at: Instant,
    },
    TooWide,
}

/// Whether there is one order of the operations that explains every answer.
pub(super) fn search<M: Model>(model: &M, initial: M::State, steps: &[Step<M>], limits: Limits) -> Found {
    let mut slots: Slots<M> = Slots::new();
    let mut open: BTreeMap<u64, usize> = BTreeMap::new();
    let mut explanations: BTreeSet<Explanation<M>> = BTreeSet::from([(0, initial)]);
    for step in steps {
        match step {
            Step::Invoke(op_id, operation) => {
                let Some(slot) = slots.open(operation) else { return Found::TooWide };
                if operation.answer.is_some() {
                    open.insert(*op_id, slot);
                }
                if open.len() > limits.width_max {
                    return Found::TooWide;
                }
            }
            Step::Answer(op_id, at) => {
                let slot = open.remove(op_id).expect("an answer follows its invocation");
                let Some(explained) = explain(model, slot, &slots, explanations, limits) else {
                    return Found::TooWide;
                };
                if explained.is_empty() {
                    return Found::NoOrder { op_id: *op_id, at: *at };
                }
                slots.close(slot);
                explanations = explained;
            }
        }
    }
    Found::Order
}

/// Every explanation in which `slot` has happened, with its bit given back. `None` if there are too many.
fn explain<M: Model>(
    model: &M,
    slot: usize,
    slots: &Slots<M>,
    explanations: BTreeSet<Explanation<M>>,
    limits: Limits,
) -> Option<BTreeSet<Explanation<M>>> {
    let mut explained = BTreeSet::new();
    let sought = slots.operations[slot].as_ref().expect("it is open");
    let open: Vec<&M::Op> = slots.operations.iter().flatten().map(|operation| &operation.op).collect();
    let is_hopeless = |state: &M::State| {
        sought.answer.as_ref().is_some_and(|answer| model.is_hopeless(state, &sought.op, answer, &open))
    };
    let mut to_do: Vec<Explanation<M>> = explanations.iter().cloned().collect();
    let mut seen = explanations;
    while let Some((happened, state)) = to_do.pop() {
        if happened & (1 << slot) != 0 {
            explained.insert((happened & !(1 << slot), state));
            continue;
        }
        for (next, operation) in slots.next(happened) {
            let Some(state) = after(model, &state, operation) else { continue };
            if next != slot && is_hopeless(&state) {
                continue;
            }
            let further = (happened | 1 << next, state);
            if !seen.contains(&further) {
                seen.insert(further.clone());
                to_do.push(further);
            }
        }
        if seen.len() > limits.states_max {
            return None;
        }
    }
    Some(explained)
}

/// The state after the operation, if it can end as it did in this one.
pub(super) fn after<M: Model>(model: &M, state: &M::State, operation: &Operation<M>) -> Option<M::State> {
    match &operation.answer {
        Some(answer) => model.explain(state, &operation.op, answer),
        // One that would change nothing need not be tried.
        None => Some(model.apply(state, &operation.op).0).filter(|after| after != state),
    }
}

/// The operations around the one that nothing explains, for people.
pub(super) fn around<M: Model>(steps: &[Step<M>], op_id: u64) -> String {
    let at = steps.iter().position(|s| matches!(s, Step::Answer(id, _) if *id == op_id)).unwrap_or(0);
    let shown: Vec<String> = steps[at.saturating_sub(12)..=at]
        .iter()
        .map(|step| match step {
            Step::Invoke(id, Operation { op, answer: Some(answer) }) => format!("{id}?{op:?}→{answer:?}"),
            Step::Invoke(id, Operation { op, answer: None }) => format!("{id}?{op:?}→unknown"),
            Step::Answer(id, _) => format!("{id}!"),
        })
        .collect();
    shown.join(" ")
}

#[cfg(test)]
mod tests;
