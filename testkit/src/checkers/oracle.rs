//! The version oracle for a workload's own answers: a model whose answers say of which version they speak needs no search.
//!
//! Linear in the history, and blind to nothing that versions show: a version has one writer and one content, each names the
//! version before it and no two name the same, nobody is shown a version that was never written, and nobody is shown less
//! than somebody was before he asked (so neither is what was there ever absent again). What the operations *mean* it does
//! not see; that is the search's, and beyond the search's width this is what is left.
//! Source: the oracle of openraft's simulation tests.

use super::{Checker, Verdict};
use crate::history::History;
use crate::journal::UserEvent;
use crate::model::Model;
use quark_core::Instant;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A model whose answers carry versions.
pub trait Versioned: Model {
    /// What the answer says of versions; `None` if it says nothing.
    fn seen(&self, op: &Self::Op, answer: &Self::Answer) -> Option<Seen>;
}

/// What an answer says of versions. The first one of a key comes after version 0, which is its absence.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Seen {
    /// Of which version it speaks.
    pub version: u64,
    /// Which version was there before, if the operation wrote this one.
    pub after: Option<u64>,
    /// A digest of the content, if it says one: the same for all who see the version.
    pub content: Option<u64>,
}

/// See the module.
pub struct VersionOracle<M> {
    journal: Arc<str>,
    model: M,
}

impl<M: Versioned> VersionOracle<M> {
    /// For the journal of this name.
    pub fn new(journal: &str, model: M) -> Self {
        Self { journal: journal.into(), model }
    }
}

/// What is known of one key.
#[derive(Default)]
struct Key {
    /// The newest version that anybody was shown.
    shown: u64,
    contents: BTreeMap<u64, u64>,
    written: BTreeSet<u64>,
    /// Version → the one that was written on it.
    sequels: BTreeMap<u64, u64>,
    /// Versions that somebody saw or wrote on, when first, and by which operation.
    met: BTreeMap<u64, (Instant, u64)>,
    /// Operations that may have written, and nobody knows which version.
    unknown: usize,
}

impl<M: Versioned> Checker for VersionOracle<M> {
    fn name(&self) -> &'static str {
        "version-oracle"
    }

    fn check(&self, history: &History) -> Verdict {
        let mut verdict = Verdict::default();
        let mut keys: BTreeMap<M::Key, Key> = BTreeMap::new();
        // Operation → what, and what had been shown before it was asked for.
        let mut open: BTreeMap<u64, (&M::Op, u64)> = BTreeMap::new();
        for (_, at, record) in history.user_records().filter(|(_, _, r)| r.journal == self.journal) {
            match &record.event {
                UserEvent::Invoked { op, .. } => {
                    let op: &M::Op = op.get().expect("a journal has operations of its model");
                    let key = keys.entry(self.model.key(op)).or_default();
                    open.insert(record.op_id, (op, key.shown));
                }
                UserEvent::Ok(answer) => {
                    let answer = answer.get().expect("a journal has answers of its model");
                    let Some((op, floor)) = open.remove(&record.op_id) else { continue };
                    let name = self.model.key(op);
                    let key = keys.entry(name.clone()).or_default();
                    if let Some(seen) = self.model.seen(op, answer) {
                        key.answer(&format!("{name:?}"), record.op_id, seen, floor, at, &mut verdict);
                    }
                }
                UserEvent::Failed => drop(open.remove(&record.op_id)),
                UserEvent::Unknown => {}
            }
        }
        for (op, _) in open.into_values().filter(|(op, _)| !self.model.is_read(op)) {
            keys.entry(self.model.key(op)).or_default().unknown += 1;
        }
        for (name, key) in &keys {
            key.judge_phantoms(&format!("{name:?}"), &mut verdict);
        }
        verdict
    }
}

impl Key {
    fn answer(&mut self, name: &str, op_id: u64, seen: Seen, floor: u64, at: Instant, verdict: &mut Verdict) {
        let Seen { version, after, content } = seen;
        let least = floor + u64::from(after.is_some());
        verdict.require("P3", at, version >= least, || {
            format!(
                "operation {op_id} on {name} speaks of version {version}; {floor} had been shown before it"
            )
        });
        if let Some(content) = content {
            let first = *self.contents.entry(version).or_insert(content);
            verdict.require("P3", at, first == content, || {
                format!("operation {op_id} saw another content of version {version} of {name}")
            });
        }
        if let Some(after) = after {
            let is_new = self.written.insert(version);
            verdict.require("P3", at, is_new && after < version, || {
                format!("operation {op_id} wrote version {version} of {name} after {after}, or again")
            });
            let sequel = *self.sequels.entry(after).or_insert(version);
            verdict.require("P3", at, sequel == version, || {
                format!("version {version} of {name} is a sequel of {after}, and so is {sequel}: an update is lost")
            });
            self.met.entry(after).or_insert((at, op_id));
        } else {
            self.met.entry(version).or_insert((at, op_id));
        }
        self.shown = self.shown.max(version);
    }

    /// What was seen was written: by somebody who was told, or by one of those of whom nobody knows.
    fn judge_phantoms(&self, name: &str, verdict: &mut Verdict) {
        let phantoms =
            self.met.iter().filter(|(version, _)| **version != 0 && !self.written.contains(version));
        for (nth, (version, (at, op_id))) in phantoms.enumerate() {
            verdict.require("P3", *at, nth < self.unknown, || {
                format!("operation {op_id} met version {version} of {name}, which nobody has written")
            });
        }
    }
}

#[cfg(test)]
mod tests;
