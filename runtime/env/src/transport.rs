//! Frames between peers. A transport carries frames, never calls: correlation, deadlines, retries and shedding
//! stay in code that the simulator sees.

use bytes::Bytes;
use quark_core::SiloId;
use quark_core::wire::Lane;
use std::task::{Context, Poll};

/// Carries frames between this silo (or client) and its peers.
///
/// At most once; in order per lane and link incarnation; a frame that was accepted may still be lost. Control frames
/// never queue behind user frames.
pub trait Transport: Send + Sync {
    /// Who this end is.
    fn local(&self) -> SiloId;

    /// Says where a peer listens. The transport links to it, and keeps re-linking (with back-off) until told to
    /// [`Transport::forget`] it. Idempotent; a new address replaces the old one.
    fn learn(&self, peer: SiloId, address: &str);

    /// Drops the links with this incarnation and refuses it from now on, telling it why.
    fn forget(&self, peer: SiloId, reason: &str);

    /// Queues a frame. `Ok` promises nothing but that it was queued.
    ///
    /// A peer that linked to us (a client, say) can be sent to without having been learnt.
    fn try_send(&self, to: SiloId, lane: Lane, frame: Bytes) -> Result<(), SendError>;

    /// Moves everything that has arrived into `out` (at most `max`), or registers the waker. `Ready(0)` means closed.
    fn poll_recv(&self, cx: &mut Context<'_>, out: &mut Vec<Incoming>, max: usize) -> Poll<usize>;
}

/// What arrives from the network.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Incoming {
    /// A frame.
    Frame {
        /// Who sent it: the peer at the other end of the link, proven by the handshake.
        from: SiloId,
        /// The lane it came by.
        lane: Lane,
        /// Its bytes: an encoded envelope.
        bytes: Bytes,
    },
    /// The link to a peer broke: frames sent but not answered may or may not have arrived. A hint, not a verdict on
    /// the peer's life.
    LinkDown {
        /// The peer.
        peer: SiloId,
    },
    /// The peer refused this silo: another cluster, an incompatible protocol, a dead generation.
    Refused {
        /// The peer.
        peer: SiloId,
        /// Its reason, for people.
        reason: String,
        /// Whether the peer says that this incarnation has been declared dead.
        dead: bool,
    },
}

/// Why a frame was not queued. It was not sent, and will not be.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SendError {
    /// The peer was never learnt and has not linked to us, or was forgotten.
    #[error("no link to the peer")]
    NotConnected,
    /// The bounded send buffer is full. Retry later; the peer or the link is slow.
    #[error("the send buffer to the peer is full")]
    Full,
    /// The frame is larger than the transport carries.
    #[error("a frame of {bytes} bytes exceeds the limit of {bytes_max}")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        bytes_max: usize,
    },
    /// The transport has been shut down.
    #[error("the transport is closed")]
    Closed,
}
