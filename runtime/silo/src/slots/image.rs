//! What an actor is at a moment, as it is to be committed.

use super::held::{Change, Held};
use crate::actor::Actor;
use crate::error::Failure;
use crate::stored::cannot_be_stored;
use bytes::Bytes;
use quark_core::ActorId;
use quark_core::codec::CodecError;

/// The state, and those of its slots that may differ from what the store has.
#[derive(Debug)]
pub(crate) struct Image {
    pub state: Bytes,
    /// Without slots, or while none has changed, it has no memory of its own.
    pub slots: Vec<Change>,
}

/// Why there is none: a part has no encoding that the store takes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Unfit {
    /// Which; `None` for the state.
    pub slot: Option<&'static str>,
    pub error: CodecError,
}

impl Image {
    /// Of an actor whose slots the store has like this.
    pub fn of<A: Actor>(actor: &A, held: &Held) -> Result<Self, Unfit> {
        let state = actor.encode_state().map_err(|error| Unfit { slot: None, error })?;
        Ok(Self { state, slots: held.changes(actor)? })
    }
}

impl Unfit {
    pub fn into_failure(self, actor: &ActorId) -> Failure {
        let what = self.slot.map_or_else(|| "the state".to_owned(), super::called);
        cannot_be_stored(actor, &what, self.error)
    }
}
