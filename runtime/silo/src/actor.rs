//! What an actor is to the runtime. The macro `#[quark::actor]` writes the implementation.

use crate::call::ActorHandle;
use crate::context::ActorContext;
use crate::slots::SlotField;
use bytes::Bytes;
use quark_core::codec::CodecError;
use quark_core::placement::Placement;
use quark_core::{ActorId, MethodId};
use quark_env::BoxFuture;
use std::time::Duration;

/// A kind of actor. Written by `#[quark::actor]`; implementing it by hand is possible but seldom wise.
///
/// Rust's borrow rules are the reentrancy rules: `&mut self` methods are exclusive turns, `&self` methods may
/// interleave with other `&self` methods.
pub trait Actor: Sized + Send + Sync + 'static {
    /// The stable wire name of the kind.
    const KIND: &'static str;
    /// Whether the state is stored.
    const DURABLE: bool;
    /// When it is, for kinds whose state is stored.
    const SAVE: Save = Save::EachTurn;
    /// Where an actor of this kind is placed on its first call.
    const PLACEMENT: Placement = Placement::RingOwner;
    /// The schema version of the state that this code writes, from 1 on. It is no part of the contract: silos that
    /// differ in it alone share a cluster, so that a new version can be rolled out silo by silo.
    const STATE_VERSION: u32 = 1;
    /// The parts of the state that are rows of their own, in the order of their fields.
    const SLOTS: &'static [SlotField<Self>] = &[];

    /// The typed reference that callers hold.
    type Ref: Clone + Send + Sync + 'static;

    /// The wire contract.
    fn contract() -> &'static Contract;

    /// Wraps a handle in the typed reference.
    fn reference(handle: ActorHandle) -> Self::Ref;

    /// A fresh actor that has no committed state.
    fn create(id: &ActorId) -> Self;

    /// Encodes the state for the store: the whole record, as of [`Actor::STATE_VERSION`]. Called for durable kinds only.
    fn encode_state(&self) -> Result<Bytes, CodecError>;

    /// Decodes a committed state of this schema version, without the record's header, and upgrades it.
    /// [`load_state`](crate::stored::load_state) reads a whole record. Called for durable kinds only.
    fn decode_state(version: u32, bytes: &[u8]) -> Result<Self, CodecError>;

    /// Runs before the first turn. An error ends the activation, and its callers get `ActivationFailed`.
    fn on_activate<'a>(&'a mut self, _ctx: &'a ActorContext) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// Runs after the last turn of an activation that ends in order (idle, drain, stop); not after a panic or fence.
    fn on_deactivate<'a>(&'a mut self, _ctx: &'a ActorContext) -> BoxFuture<'a, ()> {
        Box::pin(std::future::ready(()))
    }

    /// Runs an exclusive method.
    fn call_mut<'a>(&'a mut self, ctx: &'a ActorContext, method: MethodId, args: &'a [u8]) -> Dispatch<'a>;

    /// Runs a shared method.
    fn call_ref<'a>(&'a self, ctx: &'a ActorContext, method: MethodId, args: &'a [u8]) -> Dispatch<'a>;
}

/// When the state of an actor is committed, chosen by its kind with an option of `#[quark::actor]`.
///
/// Only [`Save::EachTurn`] promises that what was acknowledged is committed (promise P3). In every mode a turn that carries
/// an idempotency key, sets or cancels a reminder, or runs for one, commits before its reply, with all of the state: those
/// promises need one commit. And in every mode a commit is fenced (promise P1): of two activations, one commits.
///
/// | | `durable` | `write_behind = "500ms"` | `save = manual` |
/// | --- | --- | --- | --- |
/// | a reply waits for the commit | yes | no | no, but for the author's own `ctx.save(self).await` |
/// | a crash of the silo loses, of what was acknowledged | nothing | at most the interval | what was not saved |
/// | so does a panic of the actor | its own turn | at most the interval | what was not saved |
/// | an orderly stop, a drain or idle collection loses | nothing | nothing | what was not saved |
/// | while the store is dark | turns fail, nothing is lost | turns run on; what a crash loses grows | saving fails |
/// | readers may see what is lost later | no | yes | yes |
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Save {
    /// `durable`: each exclusive turn, before its reply.
    EachTurn,
    /// `write_behind = ".."`: at most that much later, by the silo.
    ///
    /// The silo begins half of the interval after the first change, so that a commit that takes no longer than the other
    /// half is in time, also when the actor is at work then. While the store does not answer it tries again with growing
    /// pauses of up to five seconds; meanwhile the actor serves, and one encoded copy of its state is kept beside it. An
    /// idle actor stays in memory until it is committed, and so does one of a silo that drains, for as long as
    /// [`SiloConfig::shutdown_timeout`](crate::SiloConfig::shutdown_timeout). A state that has outgrown the store is an
    /// error in the log at each try, for those replies are gone.
    Behind(Duration),
    /// `save = manual`: when the actor says [`ctx.save(self)`](crate::ActorContext::save).
    Manual,
}

/// The encoded result of a method.
pub type MethodResult = Result<Bytes, MethodError>;

/// A method that has run, or is to be awaited. A synchronous `fn` needs no future at all.
pub enum Dispatch<'a> {
    /// It has run.
    Ready(MethodResult),
    /// It is to be polled to its end.
    Future(BoxFuture<'a, MethodResult>),
}

/// How a method ended without a result.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum MethodError {
    /// The actor's own error, encoded.
    App(Bytes),
    /// The arguments did not decode.
    BadArguments(String),
    /// The result or error did not encode.
    BadResult(String),
    /// There is no such method with this access.
    UnknownMethod,
}

/// How a method borrows the actor.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Access {
    /// `&mut self`: runs alone.
    Exclusive,
    /// `&self`: runs beside other `&self` methods.
    Shared,
}

/// One method of a kind, as the wire and the JSON gateway see it.
#[derive(Debug)]
pub struct Method {
    /// Its wire number.
    pub id: MethodId,
    /// Its name.
    pub name: &'static str,
    /// How it borrows the actor.
    pub access: Access,
    /// The names and types of its arguments.
    pub arguments: &'static [(&'static str, &'static str)],
    /// Encodes arguments from a JSON object, by argument name.
    pub arguments_from_json: fn(&serde_json::Value) -> Result<Bytes, ArgumentError>,
    /// Decodes a result to JSON.
    pub result_to_json: fn(&[u8]) -> Result<serde_json::Value, CodecError>,
    /// Decodes the actor's own error to JSON.
    pub error_to_json: fn(&[u8]) -> Result<serde_json::Value, CodecError>,
}

/// What is wrong with JSON arguments.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ArgumentError {
    /// The body is no JSON object.
    #[error("the arguments must be a JSON object like {example}")]
    NotAnObject {
        /// What it could look like.
        example: String,
    },
    /// An argument is missing.
    #[error("argument `{name}` ({kind}) is missing")]
    Missing {
        /// Its name.
        name: &'static str,
        /// Its type.
        kind: &'static str,
    },
    /// An argument that the method does not have.
    #[error("there is no argument `{name}`; the arguments are: {known}")]
    Unknown {
        /// Its name.
        name: String,
        /// Those there are.
        known: String,
    },
    /// An argument of another type.
    #[error("argument `{name}` is no {kind}: {reason}")]
    Invalid {
        /// Its name.
        name: &'static str,
        /// Its type.
        kind: &'static str,
        /// What the decoder said.
        reason: String,
    },
    /// Arguments that are well typed and cannot be encoded, for instance because they are too large.
    #[error("the arguments cannot be encoded: {reason}")]
    Encoding {
        /// What the encoder said.
        reason: String,
    },
}

/// The wire contract of a kind.
#[derive(Debug)]
pub struct Contract {
    /// The kind.
    pub kind: &'static str,
    /// Its methods, sorted by id.
    pub methods: &'static [Method],
    /// A hash over kind, method names, argument and result types: two silos that disagree on it do not share a
    /// cluster.
    pub digest: u64,
}

impl Contract {
    /// The method of this number.
    pub fn method(&self, id: MethodId) -> Option<&'static Method> {
        self.methods.binary_search_by_key(&id, |m| m.id).ok().map(|at| &self.methods[at])
    }

    /// The method of this name.
    pub fn method_named(&self, name: &str) -> Option<&'static Method> {
        self.methods.iter().find(|m| m.name == name)
    }
}

/// The wire number of a method: FNV-1a of its name, at compile time, so that the macro can refuse collisions.
pub const fn method_id(name: &str) -> MethodId {
    let hash = digest(name);
    MethodId((hash ^ (hash >> 32)) as u32)
}

/// FNV-1a, 64 bits, usable at compile time.
pub const fn digest(text: &str) -> u64 {
    let bytes = text.as_bytes();
    let mut hash = 0xCBF2_9CE4_8422_2325_u64;
    let mut at = 0;
    while at < bytes.len() {
        hash ^= bytes[at] as u64;
        hash = hash.wrapping_mul(0x0000_0100_0000_01B3);
        at += 1;
    }
    hash
}
