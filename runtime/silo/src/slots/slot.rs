//! The type of a field that is a row of its own.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::cmp::Ordering as Order;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU64, Ordering};

/// A part of an actor's state that is stored as a row of its own, and written only when it has changed.
///
/// For what is large and changes seldom: a turn that changes the balance of an account does not write its history again.
/// It reads and changes like the value in it. Any `&mut` to the value counts as a change, and the turn's commit then
/// encodes the slot; if that gives the same bytes as were committed before, it is not written. Up to [`SLOTS_MAX`] fields
/// of a struct under [`#[quark::state]`](crate::state) can be slots, and each may have 1 MiB as encoded, its header included.
///
/// ```
/// use quark::{Deserialize, Serialize, Slot};
///
/// #[quark::state]
/// #[derive(Default, Serialize, Deserialize)]
/// struct Account {
///     balance: u64,
///     history: Slot<Vec<String>>,
/// }
///
/// #[quark::actor(kind = "account", durable)]
/// impl Account {
///     /// Writes the row `state`, some bytes, and nothing else.
///     fn deposit(&mut self, amount: u64) {
///         self.balance += amount;
///     }
///
///     /// Writes the row `s/history`, in one commit with `state`.
///     fn close(&mut self, why: String) {
///         self.balance = 0;
///         self.history.push(why);
///     }
///
///     fn closed(&self) -> usize {
///         self.history.len()
///     }
/// }
/// ```
///
/// All slots are loaded with the state when the actor is activated. One whose row is missing, because the field is newer than
/// the actor, is what `Default` makes. The row of a field that is gone stays where it is and is not read; a name that was
/// once used is not to be given to another content. A turn that fails leaves the slots as it leaves the state.
///
/// A change through `&`, as of a `Cell` or a lock in `T`, is not noticed. A slot is not sent: where the struct is an argument
/// or a result, its slots arrive as `Default` makes them.
///
/// Its functions are no methods, lest they hide those of the value: `Slot::set(&mut self.history, vec![])`.
///
/// In memory an activation has a slot twice: as a value, and as the record that was last committed.
pub struct Slot<T> {
    value: T,
    stamp: u64,
}

/// The most slots of a state.
pub const SLOTS_MAX: usize = 16;
/// The stamp of what `Default` makes: it needs no row.
pub(super) const UNTOUCHED: u64 = 0;
/// Only compared for equality: nothing that anybody can see depends on the numbers.
static NEXT_STAMP: AtomicU64 = AtomicU64::new(UNTOUCHED + 1);

fn new_stamp() -> u64 {
    NEXT_STAMP.fetch_add(1, Ordering::Relaxed)
}

impl<T> Slot<T> {
    /// A slot with this value, which is to be written by the next commit.
    pub fn new(value: T) -> Self {
        Self { value, stamp: new_stamp() }
    }

    /// The value, to change. The same as `&mut *slot`.
    pub fn get_mut(slot: &mut Self) -> &mut T {
        slot.stamp = new_stamp();
        &mut slot.value
    }

    /// Another value. The same as `*slot = value`.
    pub fn set(slot: &mut Self, value: T) {
        *Self::get_mut(slot) = value;
    }

    /// The value, without the slot.
    pub fn into_inner(slot: Self) -> T {
        slot.value
    }

    /// Names the content: two slots that have the same stamp have the same content.
    pub(crate) fn stamp(&self) -> u64 {
        self.stamp
    }
}

impl<T> Deref for Slot<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for Slot<T> {
    fn deref_mut(&mut self) -> &mut T {
        Self::get_mut(self)
    }
}

impl<T: Default> Default for Slot<T> {
    fn default() -> Self {
        Self { value: T::default(), stamp: UNTOUCHED }
    }
}

impl<T> From<T> for Slot<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

/// The copy has the same content, and so the same stamp.
impl<T: Clone> Clone for Slot<T> {
    fn clone(&self) -> Self {
        Self { value: self.value.clone(), stamp: self.stamp }
    }
}

impl<T: fmt::Debug> fmt::Debug for Slot<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}

impl<T: PartialEq> PartialEq for Slot<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl<T: Eq> Eq for Slot<T> {}

impl<T: PartialOrd> PartialOrd for Slot<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Order> {
        self.value.partial_cmp(&other.value)
    }
}

impl<T: Ord> Ord for Slot<T> {
    fn cmp(&self, other: &Self) -> Order {
        self.value.cmp(&other.value)
    }
}

impl<T: Hash> Hash for Slot<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.value.hash(state);
    }
}

/// What a slot would have to be to be encoded with the value that it is in. None is: it exists for the error message, which
/// names it. Put `#[quark::state]` above the `#[derive(..)]` of the actor's struct, and write the type of the field as
/// `Slot<..>`, not by an alias. A slot within another value is not possible.
pub trait FieldUnderQuarkState {}

impl<T> Serialize for Slot<T>
where
    T: Serialize,
    Slot<T>: FieldUnderQuarkState,
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(serializer)
    }
}

impl<'de, T> Deserialize<'de> for Slot<T>
where
    T: DeserializeOwned,
    Slot<T>: FieldUnderQuarkState,
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(Self::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_names_one_content() {
        let mut slot = Slot::<Vec<u8>>::default();
        assert_eq!(slot.stamp(), UNTOUCHED, "what `Default` makes needs no row");
        assert_eq!((slot.len(), slot.stamp()), (0, UNTOUCHED), "to read is not to change");
        slot.push(1);
        let (first, copy) = (slot.stamp(), slot.clone());
        assert_ne!(first, UNTOUCHED);
        assert_eq!(copy.stamp(), first);
        Slot::set(&mut slot, vec![2]);
        assert_ne!(slot.stamp(), first);
        assert_eq!((copy.stamp(), &copy[..]), (first, &[1][..]));
        assert_ne!(Slot::new(vec![2_u8]).stamp(), slot.stamp());
        slot = copy;
        assert_eq!(slot.stamp(), first, "as it was");
        assert_eq!(Slot::into_inner(slot), [1]);
    }
}
