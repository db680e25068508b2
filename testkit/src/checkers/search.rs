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
type Slots<M> = [Option<Operation<M>>; SLOTS];

/// Slots are bits.
const SLOTS: usize = 64;

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
    let mut slots: Slots<M> = std::array::from_fn(|_| None);
    let mut open: BTreeMap<u64, usize> = BTreeMap::new();
    let mut explanations: BTreeSet<Explanation<M>> = BTreeSet::from([(0, initial)]);
    for step in steps {
        match step {
            Step::Invoke(op_id, operation) => {
                let Some(slot) = slots.iter().position(Option::is_none) else { return Found::TooWide };
                if operation.answer.is_some() {
                    open.insert(*op_id, slot);
                }
                slots[slot] = Some(operation.clone());
                if open.len() > limits.width_max {
                    return Found::TooWide;
                }
            }
            Step::Answer(op_id, at) => {
                let slot = open.remove(op_id).expect("an answer follows its invocation");
                let Some(explained) = explain(model, slot, &slots, &explanations, limits) else {
                    return Found::TooWide;
                };
                if explained.is_empty() {
                    return Found::NoOrder { op_id: *op_id, at: *at };
                }
                slots[slot] = None;
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
    explanations: &BTreeSet<Explanation<M>>,
    limits: Limits,
) -> Option<BTreeSet<Explanation<M>>> {
    let mut explained = BTreeSet::new();
    let mut seen = explanations.clone();
    let mut to_do: Vec<Explanation<M>> = explanations.iter().cloned().collect();
    while let Some((happened, state)) = to_do.pop() {
        if happened & (1 << slot) != 0 {
            explained.insert((happened & !(1 << slot), state));
            continue;
        }
        for (next, operation) in slots.iter().enumerate() {
            let Some(operation) = operation else { continue };
            if happened & (1 << next) != 0 || has_elder_twin(next, operation, happened, slots) {
                continue;
            }
            let Some(state) = after(model, &state, operation) else { continue };
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

/// Of unknown operations that are equal, the one in the lowest slot happens first: the others' turn adds nothing.
fn has_elder_twin<M: Model>(slot: usize, operation: &Operation<M>, happened: u64, slots: &Slots<M>) -> bool {
    operation.answer.is_none()
        && (0..slot).any(|elder| happened & (1 << elder) == 0 && slots[elder].as_ref() == Some(operation))
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
