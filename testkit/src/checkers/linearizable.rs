//! I2, promise P3: the operations on each actor are linearizable: as if each had happened at one moment between its
//! invocation and its answer.
//!
//! Actors are independent, so each is searched alone ([`super::search`]), as balances. What is too wide to search is left to
//! [`super::Ledger`] and [`super::Versions`], and counts as not examined. [`Linear`] does the same for what a workload has
//! written into a journal, by the model of that journal.

use super::search::{Found, Limits, Operation, Step, around, search};
use super::{Checker, Verdict};
use crate::history::{ClientEvent, History, Outcome};
use crate::journal::UserEvent;
use crate::model::{Balance, Model, Shown};
use quark_core::ActorId;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

/// See the module.
#[derive(Default)]
pub struct Linearizable {
    /// How far the search goes.
    pub limits: Limits,
}

impl Checker for Linearizable {
    fn name(&self) -> &'static str {
        "linearizable"
    }

    fn check(&self, history: &History) -> Verdict {
        let mut verdict = Verdict::default();
        for (actor, steps) in by_actor(history) {
            judge(&Balance, &(), &actor, &steps, self.limits, &mut verdict);
        }
        verdict
    }
}

/// The operations of one journal, key by key, against its model.
pub struct Linear<M> {
    journal: Arc<str>,
    model: Arc<M>,
    /// How far the search goes.
    pub limits: Limits,
}

impl<M: Model> Linear<M> {
    /// For the journal of this name.
    pub fn new(journal: &str, model: M) -> Self {
        Self::shared(journal, Arc::new(model))
    }

    pub(crate) fn shared(journal: &str, model: Arc<M>) -> Self {
        Self { journal: journal.into(), model, limits: Limits::default() }
    }
}

impl<M: Model> Checker for Linear<M> {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn check(&self, history: &History) -> Verdict {
        let mut verdict = Verdict::default();
        for (key, steps) in self.by_key(history) {
            let what = format!("{key:?} of `{}`", self.journal);
            judge(&*self.model, &key, &what, &steps, self.limits, &mut verdict);
        }
        verdict
    }
}

impl<M: Model> Linear<M> {
    /// The steps on each key. What did not happen, and reads that nobody was answered, explain nothing and are left out.
    ///
    /// Panics: if the journal has values of another model.
    fn by_key(&self, history: &History) -> BTreeMap<M::Key, Vec<Step<M>>> {
        let mut ends: BTreeMap<u64, &UserEvent> = BTreeMap::new();
        let records = || history.user_records().filter(|(_, _, record)| record.journal == self.journal);
        for (_, _, record) in records() {
            if !matches!(record.event, UserEvent::Invoked { .. }) {
                ends.entry(record.op_id).or_insert(&record.event);
            }
        }
        let mut keys: BTreeMap<M::Key, Vec<Step<M>>> = BTreeMap::new();
        let mut open: BTreeMap<u64, M::Key> = BTreeMap::new();
        for (_, at, record) in records() {
            let UserEvent::Invoked { op, .. } = &record.event else {
                if let Some(key) = open.remove(&record.op_id) {
                    keys.entry(key).or_default().push(Step::Answer(record.op_id, at));
                }
                continue;
            };
            let op: &M::Op = op.get().expect("a journal has operations of its model");
            let answer = match ends.get(&record.op_id) {
                Some(UserEvent::Failed) => continue,
                Some(UserEvent::Ok(answer)) => {
                    Some(answer.get::<M::Answer>().expect("a journal has answers of its model").clone())
                }
                Some(UserEvent::Unknown | UserEvent::Invoked { .. }) | None => None,
            };
            if answer.is_none() && self.model.is_read(op) {
                continue;
            }
            let key = self.model.key(op);
            if answer.is_some() {
                open.insert(record.op_id, key.clone());
            }
            let step = Step::Invoke(record.op_id, Operation { op: op.clone(), answer });
            keys.entry(key).or_default().push(step);
        }
        keys
    }
}

fn judge<M: Model>(
    model: &M,
    key: &M::Key,
    what: &dyn Debug,
    steps: &[Step<M>],
    limits: Limits,
    verdict: &mut Verdict,
) {
    match search(model, model.initial(key), steps, limits) {
        Found::Order => verdict.examined += steps.iter().filter(|s| matches!(s, Step::Answer(..))).count(),
        Found::NoOrder { op_id, at } => verdict.require("P3", at, false, || {
            let around = around(steps, op_id);
            format!(
                "no order of the operations on {what:?} explains the answer of operation {op_id}: {around}"
            )
        }),
        Found::TooWide => quark_core::reached!("checkers.linearizable.too_wide"),
    }
}

/// The steps on each actor. What did not happen, and reads that nobody was told of, explain nothing and are left out.
fn by_actor(history: &History) -> BTreeMap<ActorId, Vec<Step<Balance>>> {
    let mut outcomes: BTreeMap<u64, Outcome> = BTreeMap::new();
    for (_, _, event) in history.client_events() {
        if let ClientEvent::Returned { op_id, outcome } = event {
            outcomes.entry(*op_id).or_insert(*outcome);
        }
    }
    let mut actors: BTreeMap<ActorId, Vec<Step<Balance>>> = BTreeMap::new();
    let mut open: BTreeMap<u64, ActorId> = BTreeMap::new();
    for (_, at, event) in history.client_events() {
        match event {
            ClientEvent::Invoked { op_id, actor, op, .. } => {
                let outcome = outcomes.get(op_id).copied().unwrap_or(Outcome::Unknown);
                if outcome == Outcome::Failed || (outcome == Outcome::Unknown && Balance.is_read(op)) {
                    continue;
                }
                let steps = actors.entry(actor.clone()).or_default();
                let operation = Operation { op: *op, answer: Shown::of(outcome) };
                steps.push(Step::Invoke(*op_id, operation));
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

#[cfg(test)]
mod tests;
