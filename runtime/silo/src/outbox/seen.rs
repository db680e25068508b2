//! How far a receiver has read its senders' letters: one mark for each, which never expires.
//!
//! Marks are rows in the receiver's partition, read when a sender is first heard by an activation: who has heard of
//! millions keeps them in the store, and not in memory.

use super::letter::LetterId;
use crate::durable::partition_of;
use crate::routes::PointHasher;
use indexmap::IndexMap;
use quark_core::ActorId;
use std::hash::BuildHasherDefault;

/// The rows' names begin with this, which sorts after all rows that a claim reads.
pub(crate) const MARK_PREFIX: &str = "~seen/";
/// The most marks that an activation keeps in memory.
const KNOWN_MAX: usize = 1024;

/// The marks that this activation knows. Nobody else writes them while it holds its claim.
#[derive(Clone, Default, Debug)]
pub(crate) struct Seen {
    known: IndexMap<ActorId, Option<LetterId>, BuildHasherDefault<PointHasher>>,
}

impl Seen {
    /// The last letter of this sender that was taken, as far as this is known: `None` if the row has to be read.
    pub fn known(&self, sender: &ActorId) -> Option<Option<LetterId>> {
        self.known.get(sender).copied()
    }

    /// The mark is this, by the store.
    pub fn note(&mut self, sender: &ActorId, mark: Option<LetterId>) {
        if self.known.len() >= KNOWN_MAX && !self.known.contains_key(sender) {
            self.known.shift_remove_index(0);
        }
        self.known.insert(sender.clone(), mark);
    }
}

/// The row of a sender's mark.
pub(crate) fn mark_row(sender: &ActorId) -> String {
    format!("{MARK_PREFIX}{}", partition_of(sender).0)
}
