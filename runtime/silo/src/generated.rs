//! What `#[quark::actor]` writes names. Not for use by hand: it changes without notice.
//!
//! Everything that is the same for each method is a function here, so that the written code is short to read and
//! quick to compile.

pub use crate::actor::{
    Access, Actor, ArgumentError, Contract, Dispatch, Method, MethodError, MethodResult, Save, digest,
    method_id,
};
pub use crate::call::{ActorHandle, Call};
pub use crate::context::ActorContext;
pub use crate::portable::{Arguments, Portable};
pub use crate::slots::{FieldUnderQuarkState, SLOTS_MAX, Slot, SlotField, SlotsOf, Slotted, WithoutSlots};
pub use bytes::Bytes;
pub use quark_core::codec::{self, CodecError};
pub use quark_core::placement::Placement;
pub use quark_core::{ActorId, MethodId};
pub use quark_env::BoxFuture;
pub use serde;
pub use serde_json;

use crate::{portable, stored};
use quark_core::codec::CodecLimits;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::convert::Infallible;
use std::fmt::Display;

/// A state that can be stored: any owned serde type. It exists for its error message.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be stored: a durable actor is an owned serde type",
    label = "the state of a durable actor",
    note = "help: add `#[derive(Serialize, Deserialize)]` to `{Self}`, or remove `durable`"
)]
pub trait Storable: Serialize + DeserializeOwned {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned> Storable for T {}

/// The shape of a state in an earlier version: any owned type that can be read. It exists for its error message.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be loaded: the shape of an earlier version is an owned serde type",
    label = "the shape of an earlier version of the state",
    note = "help: add `#[derive(Deserialize)]` to `{Self}`, with its fields as they were"
)]
pub trait Loadable: DeserializeOwned {}

#[diagnostic::do_not_recommend]
impl<T: DeserializeOwned> Loadable for T {}

/// A state that an earlier version's can be turned into. It exists for its error message.
#[diagnostic::on_unimplemented(
    message = "a step is missing in the upgrades of a state: `{Self}` cannot be made from `{Old}`",
    label = "there is no way to here from the version before",
    note = "help: write `impl From<{Old}> for {Self} {{ .. }}`"
)]
pub trait UpgradedFrom<Old>: From<Old> {}

#[diagnostic::do_not_recommend]
impl<Old, New: From<Old>> UpgradedFrom<Old> for New {}

/// Encodes the arguments of a call: a tuple, in order.
pub fn encode_arguments<T: Arguments>(arguments: &T) -> Result<Bytes, CodecError> {
    arguments.encode()
}

/// Decodes the arguments of a call.
pub fn decode_arguments<T: Arguments>(bytes: &[u8]) -> Result<T, MethodError> {
    T::decode(bytes).map_err(|error| MethodError::BadArguments(error.to_string()))
}

/// Encodes the result of a method that cannot refuse.
pub fn returned<T: Portable>(result: T) -> MethodResult {
    portable::encode(&result).map_err(|error| MethodError::BadResult(error.to_string()))
}

/// Encodes the result of a method that may refuse.
pub fn returned_result<T: Portable, E: Portable>(result: Result<T, E>) -> MethodResult {
    match result {
        Ok(result) => returned(result),
        Err(refusal) => Err(match portable::encode(&refusal) {
            Ok(bytes) => MethodError::App(bytes),
            Err(error) => MethodError::BadResult(error.to_string()),
        }),
    }
}

/// Encodes the state of a durable actor: a record of this schema version.
pub fn encode_durable_state<T: Storable>(state: &T, version: u32) -> Result<Bytes, CodecError> {
    stored::seal(state, version)
}

/// Decodes the state of a durable actor.
pub fn decode_durable_state<T: Storable>(bytes: &[u8]) -> Result<T, CodecError> {
    codec::decode(bytes, CodecLimits::default())
}

/// Decodes a state as an earlier version wrote it.
pub fn decode_old_state<T: Loadable>(bytes: &[u8]) -> Result<T, CodecError> {
    codec::decode(bytes, CodecLimits::default())
}

/// One step from an earlier version to the next.
pub fn upgrade_state<Old, New: UpgradedFrom<Old>>(old: Old) -> New {
    New::from(old)
}

/// Names the content of a slot.
pub fn slot_stamp<T>(slot: &Slot<T>) -> u64 {
    slot.stamp()
}

/// Encodes a slot: a record of this schema version.
pub fn encode_slot<T: Storable>(slot: &Slot<T>, version: u32) -> Result<Bytes, CodecError> {
    stored::seal(&**slot, version)
}

/// What a slot holds, as JSON.
pub fn slot_to_json<T: Storable>(slot: &Slot<T>) -> Result<Value, CodecError> {
    serde_json::to_value(&**slot)
        .map_err(|error| malformed::<T>(format_args!("JSON cannot hold it: {error}")))
}

/// A version that the kind never had.
pub fn unknown_state_version<T>(version: u32) -> Result<T, CodecError> {
    Err(malformed::<T>(format_args!("there is no version {version} of it")))
}

/// A kind that is not durable has no state to encode.
pub fn no_state_to_encode(kind: &str) -> Result<Bytes, CodecError> {
    Err(malformed::<()>(format_args!("`{kind}` is not durable: it has no state to store")))
}

/// A kind that is not durable has no state to decode.
pub fn no_state_to_decode<T>(kind: &str) -> Result<T, CodecError> {
    Err(malformed::<T>(format_args!("`{kind}` is not durable: it has no stored state")))
}

/// The outcome of an activation hook that may refuse.
pub fn activation<E: Display>(outcome: Result<(), E>) -> Result<(), String> {
    outcome.map_err(|error| error.to_string())
}

/// Decodes a result or an error to JSON.
pub fn to_json<T: Portable>(bytes: &[u8]) -> Result<Value, CodecError> {
    let value: T = portable::decode(bytes)?;
    serde_json::to_value(&value).map_err(|error| malformed::<T>(format_args!("JSON cannot hold it: {error}")))
}

/// The error of a method that cannot refuse: a peer that sends one speaks another contract.
pub fn never_to_json(_: &[u8]) -> Result<Value, CodecError> {
    Err(never_refuses())
}

pub(crate) fn never_refuses() -> CodecError {
    malformed::<Infallible>("an error of a method that has none")
}

fn malformed<T>(reason: impl Display) -> CodecError {
    CodecError::Malformed { of: std::any::type_name::<T>(), reason: reason.to_string() }
}

/// The arguments of a method, as JSON.
pub struct JsonArguments<'a> {
    known: &'static [(&'static str, &'static str)],
    given: Option<&'a Map<String, Value>>,
}

impl<'a> JsonArguments<'a> {
    /// Checks that `value` is an object with no names but known ones; `null` will do when there are no arguments.
    pub fn open(
        value: &'a Value,
        known: &'static [(&'static str, &'static str)],
    ) -> Result<Self, ArgumentError> {
        let given = match value {
            Value::Object(given) => Some(given),
            Value::Null if known.is_empty() => None,
            _ => return Err(ArgumentError::NotAnObject { example: example(known) }),
        };
        let unknown =
            given.into_iter().flat_map(Map::keys).find(|name| known.iter().all(|(known, _)| known != name));
        match unknown {
            None => Ok(Self { known, given }),
            Some(name) => {
                let known = match known {
                    [] => "none".into(),
                    known => known
                        .iter()
                        .map(|(name, kind)| format!("{name}: {kind}"))
                        .collect::<Vec<_>>()
                        .join(", "),
                };
                Err(ArgumentError::Unknown { name: name.clone(), known })
            }
        }
    }

    /// The argument at this place of the method's list.
    pub fn take<T: Portable>(&self, at: usize) -> Result<T, ArgumentError> {
        let (name, kind) = self.known[at];
        let value = self.given.and_then(|given| given.get(name));
        let value = value.ok_or(ArgumentError::Missing { name, kind })?;
        T::deserialize(value).map_err(|error| ArgumentError::Invalid {
            name,
            kind,
            reason: error.to_string(),
        })
    }

    /// Encodes what was taken.
    pub fn encode<T: Arguments>(&self, arguments: &T) -> Result<Bytes, ArgumentError> {
        arguments.encode().map_err(|error| ArgumentError::Encoding { reason: error.to_string() })
    }
}

/// An object that a person can start from.
fn example(known: &[(&'static str, &'static str)]) -> String {
    let sample = |kind: &str| match kind {
        "bool" => "true",
        "String" | "char" => "\"a\"",
        "f32" | "f64" => "0.5",
        kind if matches!(kind.as_bytes(), [b'u' | b'i', b'0'..=b'9' | b's', ..]) => "0",
        kind if kind.starts_with("Option<") => "null",
        kind if kind.starts_with("Vec<") => "[]",
        _ => "…",
    };
    let pairs: Vec<String> =
        known.iter().map(|(name, kind)| format!("\"{name}\": {}", sample(kind))).collect();
    format!("{{{}}}", pairs.join(", "))
}

#[cfg(test)]
mod tests;
