//! I2, promise P3: the operations on each actor are linearizable: as if each had happened at one moment between its
//! invocation and its answer.
//!
//! Actors are independent, so each is searched alone. The search is Wing and Gong's with Lowe's just-in-time order: at
//! every answer it keeps each (set of open operations that have happened, balance) that can explain all answers so far.
//! An operation that nobody knows the outcome of stays open for ever and may happen at any time or never. What is too
//! wide to search is left to [`super::Ledger`] and counts as not examined.

use super::{Checker, Verdict};
use crate::history::{ClientEvent, History, Op, Outcome};
use quark_core::{ActorId, Instant};
use std::collections::{BTreeMap, BTreeSet};

/// See the module.
pub struct Linearizable {
    /// The most operations with a known outcome that may be open on one actor at once.
    pub width_max: usize,
    /// The most explanations kept side by side.
    pub states_max: usize,
}

impl Default for Linearizable {
    fn default() -> Self {
        Self { width_max: 24, states_max: 50_000 }
    }
}

/// An operation on one actor; `outcome` is how it will end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Operation {
    op: Op,
    outcome: Outcome,
}

/// What one client saw of one actor, in order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Step {
    Invoke(u64, Operation),
    Answer(u64, Instant),
}

/// Which slots have happened, and the balance then.
type Explanation = (u64, u64);

/// Slots are bits.
const SLOTS: usize = 64;

/// What a search says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Found {
    Order,
    /// None explains this answer.
    NoOrder {
        op_id: u64,
        at: Instant,
    },
    TooWide,
}

impl Checker for Linearizable {
    fn name(&self) -> &'static str {
        "linearizable"
    }

    fn check(&self, history: &History) -> Verdict {
        let mut verdict = Verdict::default();
        for (actor, steps) in by_actor(history) {
            match self.search(&steps) {
                Found::Order => {
                    verdict.examined += steps.iter().filter(|s| matches!(s, Step::Answer(..))).count();
                }
                Found::NoOrder { op_id, at } => verdict.require("P3", at, false, || {
                    format!(
                        "no order of the operations on {actor} explains the answer of operation {op_id}: {}",
                        around(&steps, op_id)
                    )
                }),
                Found::TooWide => quark_core::reached!("checkers.linearizable.too_wide"),
            }
        }
        verdict
    }
}

/// The steps on each actor. What did not happen, and reads that nobody was told of, explain nothing and are left out.
fn by_actor(history: &History) -> BTreeMap<ActorId, Vec<Step>> {
    let mut outcomes: BTreeMap<u64, Outcome> = BTreeMap::new();
    for (_, _, event) in history.client_events() {
        if let ClientEvent::Returned { op_id, outcome } = event {
            outcomes.entry(*op_id).or_insert(*outcome);
        }
    }
    let mut actors: BTreeMap<ActorId, Vec<Step>> = BTreeMap::new();
    let mut open: BTreeMap<u64, ActorId> = BTreeMap::new();
    for (_, at, event) in history.client_events() {
        match event {
            ClientEvent::Invoked { op_id, actor, op, .. } => {
                let outcome = outcomes.get(op_id).copied().unwrap_or(Outcome::Unknown);
                if outcome == Outcome::Failed || (outcome == Outcome::Unknown && *op == Op::Read) {
                    continue;
                }
                let steps = actors.entry(actor.clone()).or_default();
                steps.push(Step::Invoke(*op_id, Operation { op: *op, outcome }));
                if outcome != Outcome::Unknown {
                    open.insert(*op_id, actor.clone());
                }
            }
            ClientEvent::Returned { op_id, .. } => {
                if let Some(actor) = open.remove(op_id) {
                    actors.entry(actor).or_default().push(Step::Answer(*op_id, at));
                }
            }
        }
    }
    actors
}

impl Linearizable {
    fn search(&self, steps: &[Step]) -> Found {
        let mut slots: [Option<Operation>; SLOTS] = [None; SLOTS];
        let mut open: BTreeMap<u64, usize> = BTreeMap::new();
        let mut explanations: BTreeSet<Explanation> = BTreeSet::from([(0, 0)]);
        for step in steps {
            match step {
                Step::Invoke(op_id, operation) => {
                    let Some(slot) = slots.iter().position(Option::is_none) else { return Found::TooWide };
                    slots[slot] = Some(*operation);
                    if operation.outcome != Outcome::Unknown {
                        open.insert(*op_id, slot);
                    }
                    if open.len() > self.width_max {
                        return Found::TooWide;
                    }
                }
                Step::Answer(op_id, at) => {
                    let slot = open.remove(op_id).expect("an answer follows its invocation");
                    let Some(explained) = self.explain(slot, &slots, &explanations) else {
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
    fn explain(
        &self,
        slot: usize,
        slots: &[Option<Operation>; SLOTS],
        explanations: &BTreeSet<Explanation>,
    ) -> Option<BTreeSet<Explanation>> {
        let mut explained = BTreeSet::new();
        let mut seen = explanations.clone();
        let mut to_do: Vec<Explanation> = explanations.iter().copied().collect();
        while let Some((happened, balance)) = to_do.pop() {
            if happened & (1 << slot) != 0 {
                explained.insert((happened & !(1 << slot), balance));
                continue;
            }
            for (next, operation) in slots.iter().enumerate() {
                let Some(operation) = operation else { continue };
                if happened & (1 << next) != 0 || has_elder_twin(next, operation, happened, slots) {
                    continue;
                }
                let Some(balance) = apply(operation, balance) else { continue };
                let further = (happened | 1 << next, balance);
                if seen.insert(further) {
                    to_do.push(further);
                }
            }
            if seen.len() > self.states_max {
                return None;
            }
        }
        Some(explained)
    }
}

/// Of unknown operations that are equal, the one in the lowest slot happens first: the others' turn adds nothing.
fn has_elder_twin(
    slot: usize,
    operation: &Operation,
    happened: u64,
    slots: &[Option<Operation>; SLOTS],
) -> bool {
    operation.outcome == Outcome::Unknown
        && (0..slot).any(|elder| happened & (1 << elder) == 0 && slots[elder].as_ref() == Some(operation))
}

/// The balance after the operation, if it can end as it did on this balance.
fn apply(operation: &Operation, balance: u64) -> Option<u64> {
    let after = match operation.op {
        Op::Add(amount) => balance.checked_add(amount),
        Op::Take(amount) => balance.checked_sub(amount),
        Op::Read => Some(balance),
    };
    match operation.outcome {
        Outcome::Ok(shown) => after.filter(|after| *after == shown),
        Outcome::Refused(shown) => (after.is_none() && shown == balance).then_some(balance),
        // A refused one would change nothing, so that it need not be tried.
        Outcome::Unknown => after,
        Outcome::Failed => None,
    }
}

/// The operations around the one that nothing explains, for people.
fn around(steps: &[Step], op_id: u64) -> String {
    let at = steps.iter().position(|s| matches!(s, Step::Answer(id, _) if *id == op_id)).unwrap_or(0);
    let shown: Vec<String> = steps[at.saturating_sub(12)..=at]
        .iter()
        .map(|step| match step {
            Step::Invoke(id, operation) => format!("{id}?{:?}→{:?}", operation.op, operation.outcome),
            Step::Answer(id, _) => format!("{id}!"),
        })
        .collect();
    shown.join(" ")
}

#[cfg(test)]
mod tests;
