//! Why an envelope was not written or not read.

use crate::ids::{ActorIdError, NameError};

/// An envelope that may not be sent. Nothing happened; sending it again fails again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// A part is longer, or has more elements, than the limits allow. Send less, or raise the limit on every silo.
    #[error("the {what} of an envelope has {size}, the limit is {limit}")]
    TooLarge {
        /// Which part.
        what: &'static str,
        /// Its size: bytes, elements or hops.
        size: usize,
        /// The most allowed, in the same unit.
        limit: usize,
    },
}

/// Bytes that are no envelope. Nothing of them was acted on. The sender is of another version, broken or hostile, or
/// the link flips bits: drop the frame, count it, and close a link that keeps sending such frames.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The frame's layout is of another version. The handshake should have refused this peer.
    #[error("a frame of layout version {found}, this silo reads version {expected}")]
    Version {
        /// The version that this silo reads.
        expected: u8,
        /// The first byte of the frame.
        found: u8,
    },
    /// The frame ends within a part.
    #[error("a frame ends within its {what}: {needed} bytes expected, {found} left")]
    Truncated {
        /// Which part.
        what: &'static str,
        /// The bytes that the part has, as announced.
        needed: u64,
        /// The bytes that are left.
        found: usize,
    },
    /// The bytes are not those that were sent.
    #[error("a frame's checksum is {found:#010x}, its content has {expected:#010x}")]
    Checksum {
        /// Computed over the content.
        expected: u32,
        /// Carried by the frame.
        found: u32,
    },
    /// A part exceeds the limits; nothing was allocated for it.
    #[error("the {what} of a frame has {size}, the limit is {limit}")]
    TooLarge {
        /// Which part.
        what: &'static str,
        /// Its size as announced: bytes, elements or hops.
        size: u64,
        /// The most allowed, in the same unit.
        limit: usize,
    },
    /// No such kind of envelope.
    #[error("a frame of kind {found}, known are 1 to 7")]
    Kind {
        /// The kind's number.
        found: u8,
    },
    /// A flag that means nothing in this version.
    #[error("a frame with flags {found:#04x}, known are {known:#04x}")]
    Flags {
        /// The flags.
        found: u8,
        /// All that mean something.
        known: u8,
    },
    /// A varint of more than 64 bits, or longer than needed: every envelope has exactly one encoding.
    #[error("the {what} of a frame is no shortest varint of 64 bits")]
    Varint {
        /// Which part.
        what: &'static str,
    },
    /// A list is announced by its flag and has no element: every envelope has exactly one encoding.
    #[error("the {what} of a frame is announced and empty")]
    Empty {
        /// Which part.
        what: &'static str,
    },
    /// A text is not UTF-8.
    #[error("the {what} of a frame is not UTF-8")]
    Utf8 {
        /// Which part.
        what: &'static str,
    },
    /// The origin is no name of a silo.
    #[error("the origin of a frame: {0}")]
    Origin(#[from] NameError),
    /// The target or a link of the call chain is no actor.
    #[error("an actor of a frame: {0}")]
    Actor(#[from] ActorIdError),
    /// Bytes follow the payload.
    #[error("a frame has {bytes} bytes after its payload")]
    Trailing {
        /// How many.
        bytes: usize,
    },
}
