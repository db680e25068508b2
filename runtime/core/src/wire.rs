//! The envelope: what silos say to one another, and how it is laid out in bytes.
//!
//! The header is laid by hand, with a version byte first and a crc32c last, because it is the hottest code of a
//! remote call and the first thing a hostile peer touches. Limits are checked before anything is allocated, and
//! decoding never panics.

use crate::{ActorId, Epoch, Generation, MethodId, ViewVersion};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Which queue a frame rides in. Control never waits behind user messages (promise P8).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Lane {
    /// Probes, membership, directory, replies' little sisters: small and urgent.
    Control,
    /// Requests, replies and one-way messages of actors.
    User,
}

/// What an envelope is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum Kind {
    /// A call that waits for a reply.
    Request = 1,
    /// The outcome of a request. A void result is an empty payload with a success outcome, never an absence.
    Reply = 2,
    /// A message that waits for nothing.
    OneWay = 3,
    /// A one-way or request was admitted (used to withdraw or confirm; carries no outcome).
    Ack = 4,
    /// "The actor lives elsewhere": a hint to a caller's cache.
    Moved = 5,
    /// Membership and directory traffic between silos.
    Control = 6,
    /// The caller no longer wants the reply: withdraws a queued call, never cuts a running turn.
    Cancel = 7,
}

/// Names a call: unique per caller incarnation. `slot` indexes the caller's pending table; `serial` tells a reused
/// slot from its earlier tenant, so that a late reply can never complete another call.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
pub struct CallId {
    /// Index in the pending table of the caller.
    pub slot: u32,
    /// Grows with every use of any slot.
    pub serial: u64,
}

/// An idempotency key chosen by the caller. It differs from the call id: a retry has a new call id and the same key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct IdempotencyKey(pub u128);

/// One message between silos or between a client and a silo.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Envelope {
    /// What it is.
    pub kind: Kind,
    /// Which call it belongs to (`CallId::default()` for control).
    pub call: CallId,
    /// The generation of the silo that it is meant for; 0 when unknown. A silo refuses another's mail.
    pub to_generation: Generation,
    /// The silo that issued the call, when a forwarder sent this envelope on; replies go straight there.
    pub origin: Option<crate::SiloId>,
    /// The sender's view when it sent.
    pub view: ViewVersion,
    /// The epoch of the activation meant (0: whichever is current), or in a reply the one that answered.
    pub epoch: Epoch,
    /// Time left until the deadline, when sent; `None` has no deadline. Remaining time, not a clock reading, so that
    /// skew between silos cannot matter.
    pub deadline: Option<Duration>,
    /// How many silos have forwarded this.
    pub hops: u8,
    /// The target of a request; `None` in replies and control.
    pub actor: Option<ActorId>,
    /// The method called.
    pub method: MethodId,
    /// For a reply: 0 is success, anything else a failure class that the silo's error type defines.
    pub outcome: u8,
    /// The actors that wait for this call, outermost first (promise P8).
    pub chain: Vec<ActorId>,
    /// The activation that sent it and its place in that activation's order, for promise P6.
    pub idempotency: Option<IdempotencyKey>,
    /// W3C trace context and user request context: short key-value pairs.
    pub headers: Vec<(String, String)>,
    /// Arguments, result, error or control message, encoded.
    pub payload: Bytes,
}

/// What decoding and encoding refuse. Both sides use the same numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// The longest payload in bytes.
    pub payload_bytes_max: usize,
    /// The longest call chain.
    pub chain_max: usize,
    /// The most headers.
    pub headers_max: usize,
    /// The longest key or value of a header in bytes.
    pub header_bytes_max: usize,
    /// The most hops before a message is dropped as lost in a loop.
    pub hops_max: u8,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            payload_bytes_max: 4 << 20,
            chain_max: 64,
            headers_max: 32,
            header_bytes_max: 1024,
            hops_max: 4,
        }
    }
}
