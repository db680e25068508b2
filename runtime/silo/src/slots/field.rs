//! The list of a state's slots, as `#[quark::state]` writes it.

use bytes::Bytes;
use quark_core::codec::CodecError;
use serde_json::Value;
use std::marker::PhantomData;

/// One field of a state that is a slot.
pub struct SlotField<S> {
    /// Its name in the store.
    pub name: &'static str,
    /// The version of its schema that this code writes.
    pub version: u32,
    /// Names the content: equal only if nothing has changed.
    pub stamp: fn(&S) -> u64,
    /// The whole record, as of [`SlotField::version`].
    pub encode: fn(&S) -> Result<Bytes, CodecError>,
    /// Puts the content of a record of this schema version, without its header, into the state.
    pub load: fn(&mut S, version: u32, bytes: &[u8]) -> Result<(), CodecError>,
    /// What it holds, for people and for golden records.
    pub to_json: fn(&S) -> Result<Value, CodecError>,
}

/// A struct under [`#[quark::state]`](crate::state), which writes this.
pub trait Slotted: Sized + 'static {
    /// Its slots, in the order of the fields.
    const SLOTS: &'static [SlotField<Self>];
}

/// Finds out whether a type has slots: the constant of its own is nearer than that of [`WithoutSlots`].
pub struct SlotsOf<S>(PhantomData<S>);

impl<S: Slotted> SlotsOf<S> {
    /// Its slots.
    pub const TABLE: &'static [SlotField<S>] = S::SLOTS;
}

/// What [`SlotsOf`] finds of a type that is no [`Slotted`].
pub trait WithoutSlots {
    /// That type.
    type State: 'static;
    /// None.
    const TABLE: &'static [SlotField<Self::State>] = &[];
}

impl<S: 'static> WithoutSlots for SlotsOf<S> {
    type State = S;
}
