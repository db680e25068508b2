//! What the store has of an actor's slots, as far as its claim knows, and what is under way there.
//!
//! There is one commit under way at most, and so one set of slots: begun with its batch, and settled when it is known what
//! became of that. Until then nothing of it counts: not what the store has, nor what a slot differs from.

use super::field::SlotField;
use super::image::Unfit;
use super::slot::UNTOUCHED;
use super::{PREFIX, row_of};
use crate::actor::Actor;
use crate::durable::CommitError;
use crate::stored::{self, LoadError};
use bytes::Bytes;
use quark_core::reached;
use quark_env::store::{Op, Record};

/// A slot of a kind whose type has been forgotten.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Listed {
    pub name: &'static str,
    /// The newest schema that this program knows.
    pub version: u32,
}

impl<S> From<&SlotField<S>> for Listed {
    fn from(field: &SlotField<S>) -> Self {
        Self { name: field.name, version: field.version }
    }
}

/// What the store has. Of a kind without slots: nothing, and it takes no memory.
#[derive(Default, Debug)]
pub(crate) struct Held(Option<Box<Slots>>);

#[derive(Debug)]
struct Slots {
    /// By their place in the list.
    kept: Vec<Kept>,
    /// Of the commit under way.
    under_way: Vec<Change>,
}

#[derive(Debug)]
struct Kept {
    name: &'static str,
    /// Of the content that was committed, or that has the same record.
    stamp: u64,
    /// `None`: there is no row yet.
    record: Option<Bytes>,
}

/// A slot that may differ from what the store has.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    /// Its place in the list.
    at: usize,
    stamp: u64,
    record: Bytes,
}

/// Finds the slots of a kind among the rows of a partition. Rows of other slots are left alone.
pub(crate) fn found(rows: &[Record], listed: &[Listed]) -> Result<Held, CommitError> {
    if listed.is_empty() {
        return Ok(Held::default());
    }
    let find = |slot: &Listed| {
        rows.iter()
            .find(|row| row.key.row.strip_prefix(PREFIX) == Some(slot.name))
            .map(|row| row.value.clone())
    };
    let keep = |slot: &Listed| {
        let record = find(slot);
        if let Some(record) = &record {
            let (stored, _) = stored::open(record).map_err(|error| {
                CommitError::Corrupt(LoadError::Slot { name: slot.name, error }.to_string())
            })?;
            if stored > slot.version {
                reached!("slots.newer");
                return Err(CommitError::NewerState { slot: Some(slot.name), stored, known: slot.version });
            }
        }
        Ok(Kept { name: slot.name, stamp: UNTOUCHED, record })
    };
    let kept = listed.iter().map(keep).collect::<Result<_, _>>()?;
    Ok(Held(Some(Box::new(Slots { kept, under_way: Vec::new() }))))
}

impl Held {
    /// Puts what the store has into a state that has just been loaded or made.
    pub fn load_into<A: Actor>(&mut self, actor: &mut A) -> Result<(), LoadError> {
        let Some(slots) = &mut self.0 else { return Ok(()) };
        assert_eq!(slots.kept.len(), A::SLOTS.len(), "both are of one kind");
        for (field, kept) in A::SLOTS.iter().zip(&mut slots.kept) {
            // Without a row the slot is what the state's own `Default`, or an upgrade of the state, has made of it.
            if let Some(record) = &kept.record {
                let of_slot = |error| LoadError::Slot { name: field.name, error };
                let (version, content) = stored::open(record).map_err(of_slot)?;
                (field.load)(actor, version, content).map_err(of_slot)?;
                kept.stamp = (field.stamp)(actor);
            }
        }
        Ok(())
    }

    /// The slots that may differ from what the store has, or will have.
    pub fn changes<A: Actor>(&self, actor: &A) -> Result<Vec<Change>, Unfit> {
        let mut changes = Vec::new();
        let Some(slots) = &self.0 else { return Ok(changes) };
        for (at, (field, kept)) in A::SLOTS.iter().zip(&slots.kept).enumerate() {
            let stamp = (field.stamp)(actor);
            // What is in doubt may be what the store has by the time of this commit.
            if stamp != kept.stamp || slots.under_way.iter().any(|change| change.at == at) {
                let record =
                    (field.encode)(actor).map_err(|error| Unfit { slot: Some(field.name), error })?;
                changes.push(Change { at, stamp, record });
            }
        }
        Ok(changes)
    }

    /// Leaves those out that are what the store has. No commit is under way.
    pub fn keep_unlike(&mut self, changes: &mut Vec<Change>) {
        let Some(slots) = &mut self.0 else { return };
        assert!(slots.under_way.is_empty(), "the commit before has been settled");
        changes.retain(|change| {
            let kept = &mut slots.kept[change.at];
            let same = change.stamp == kept.stamp || kept.record.as_ref() == Some(&change.record);
            if same {
                reached!("slots.same_again");
                kept.stamp = change.stamp;
            }
            !same
        });
    }

    /// A commit of these begins: its writes.
    pub fn begin(&mut self, changes: Vec<Change>) -> Vec<Op> {
        let Some(slots) = &mut self.0 else { return Vec::new() };
        let put = |change: &Change| Op::Put {
            row: row_of(slots.kept[change.at].name).into(),
            value: change.record.clone(),
        };
        let ops = changes.iter().map(put).collect();
        slots.under_way = changes;
        ops
    }

    /// The commit under way has happened.
    pub fn committed(&mut self) {
        let Some(slots) = &mut self.0 else { return };
        for change in std::mem::take(&mut slots.under_way) {
            reached!("slots.written");
            let kept = &mut slots.kept[change.at];
            (kept.stamp, kept.record) = (change.stamp, Some(change.record));
        }
    }

    /// The commit under way has not happened, and never will.
    pub fn refused(&mut self) {
        if let Some(slots) = &mut self.0 {
            slots.under_way.clear();
        }
    }
}
