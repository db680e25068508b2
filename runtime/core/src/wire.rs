//! The envelope: what silos say to one another, and how it is laid out in bytes.
//!
//! The header is laid by hand, with a version byte first and a crc32c last, because it is the hottest code of a
//! remote call and the first thing a hostile peer touches. Limits are checked before anything is allocated, and
//! decoding never panics. One envelope has exactly one encoding: whatever decodes, encodes back to the same bytes.
//!
//! ```text
//!   bytes  field                     (numbers are little endian; `v` is a LEB128 varint in its shortest form)
//!   1      version                   1
//!   1      kind                      see Kind
//!   1      flags                     which optional fields follow: origin 1, deadline 2, actor 4, chain 8,
//!                                    idempotency 16, headers 32, route 64
//!   1      hops
//!   1      outcome
//!   4      method
//!   4      call slot
//!   8      call serial
//!   v v v  to_generation, view, epoch
//!   ?      origin                    u8 length, name, v generation
//!   ?      deadline                  v nanoseconds
//!   ?      actor                     u8 tenant length, u8 kind length, v key length, their text
//!   ?      chain                     v count, that many actors
//!   ?      idempotency               16
//!   ?      route                     u8 parts (order 1, registration 2), v sender, v serial, v view, v serial
//!   ?      headers                   v count, that many (v length, key, v length, value)
//!   v      payload length
//!   ...    payload
//!   4      crc32c of everything before
//! ```

mod decode;
mod encode;
mod error;
mod idempotency;
mod layout;
#[cfg(test)]
mod tests;

pub use error::{DecodeError, EncodeError};
pub use idempotency::IdempotencyKey;

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
    /// skew between silos cannot matter. Travels in nanoseconds; beyond 2^64 of them (584 years) it is cut to that.
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
    /// The caller's idempotency key, if the call has one (promise P5).
    pub idempotency: Option<IdempotencyKey>,
    /// The sending activation and this message's place in its order (promise P6).
    pub order: Option<(u64, u64)>,
    /// The last place in that order that was sent to this actor by way of another silo, if it may still be under way:
    /// this message has to wait for it.
    pub after: Option<u64>,
    /// The placement under which the directory owner sends this request to its host: view and count.
    pub registration: Option<(ViewVersion, u64)>,
    /// W3C trace context and user request context: short key-value pairs.
    pub headers: Vec<(String, String)>,
    /// Arguments, result, error or control message, encoded.
    pub payload: Bytes,
}

impl Envelope {
    /// An envelope of this kind that carries `payload` and nothing else: every other field is empty or zero.
    ///
    /// Made for the struct update syntax: `Envelope { call, actor, ..Envelope::new(Kind::Request, payload) }`.
    pub fn new(kind: Kind, payload: Bytes) -> Self {
        Self {
            kind,
            call: CallId::default(),
            to_generation: Generation::default(),
            origin: None,
            view: ViewVersion::default(),
            epoch: Epoch::default(),
            deadline: None,
            hops: 0,
            actor: None,
            method: MethodId::default(),
            outcome: 0,
            chain: Vec::new(),
            idempotency: None,
            order: None,
            after: None,
            registration: None,
            headers: Vec::new(),
            payload,
        }
    }

    /// Which queue it rides in: requests, replies, one-way messages, cancels and hints of calls go with the user's
    /// messages, in their order; everything else is control.
    pub const fn lane(&self) -> Lane {
        match self.kind {
            Kind::Control => Lane::Control,
            Kind::Request | Kind::Reply | Kind::OneWay | Kind::Ack | Kind::Moved | Kind::Cancel => Lane::User,
        }
    }
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

impl Limits {
    /// The longest frame that these limits let through, in bytes. Transports refuse longer ones unread.
    pub const fn frame_bytes_max(&self) -> usize {
        layout::FIXED_BYTES
            .saturating_add(layout::OPTIONAL_BYTES_MAX)
            .saturating_add(layout::ACTOR_BYTES_MAX.saturating_mul(self.chain_max.saturating_add(1)))
            .saturating_add(
                self.header_bytes_max
                    .saturating_add(layout::VARINT_BYTES_MAX)
                    .saturating_mul(2)
                    .saturating_mul(self.headers_max),
            )
            .saturating_add(self.payload_bytes_max)
    }
}
