//! Parts of a state that are rows of their own, so that a turn pays for what it changes and not for all there is.
//!
//! A field of type [`Slot`] in a struct under [`#[quark::state]`](crate::state) is the row `s/{name}` of the actor's partition,
//! beside the row `state`, which has the other fields. Both are written in one batch, with one check of the owner row: a
//! commit has all of a turn, or nothing. A slot's row is written only if the slot has changed.
//!
//! ```text
//!   owner        who may commit                              always checked
//!   state        the state without its slots                 written if it has changed
//!   s/history    a slot, as a record like a state's          written if it has changed
//!   mark         nothing; says that there was a commit       written if the state has not changed
//! ```
//! What a slot was when it was committed is known by a stamp ([`slot`]) and not by a flag: nobody has to take a flag back
//! when a commit fails, is in doubt, or was of a copy. What the store has, and what is under way to it, is kept beside the
//! claim ([`held`]). The list of a state's slots is written by the macro ([`field`]), what a commit is to write is an
//! [`image`].

mod field;
mod held;
mod image;
mod slot;

pub use field::{SlotField, SlotsOf, Slotted, WithoutSlots};
pub(crate) use held::{Held, Listed, found};
pub(crate) use image::{Image, Unfit};
pub use slot::{FieldUnderQuarkState, SLOTS_MAX, Slot};

/// The rows' names begin with this.
pub(crate) const PREFIX: &str = "s/";

/// The row of a slot.
pub(crate) fn row_of(name: &str) -> String {
    format!("{PREFIX}{name}")
}

/// How a slot is called where people read of it.
pub(crate) fn called(name: &str) -> String {
    format!("the slot `{name}`")
}
