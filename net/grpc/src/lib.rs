//! Frames between silos over gRPC: the production [`Transport`].
//!
//! Between two peers there is, per lane and direction, one *link*: an HTTP/2 connection with one bidirectional gRPC
//! stream of batches. Control and user frames have connections of their own, so that no heartbeat waits behind a
//! payload, not even in the kernel's socket buffer.
//!
//! ```text
//!   try_send ── queue per peer and lane ── Writer (all that is queued = one batch) ── HTTP/2 ──┐
//!   poll_recv ── Inbound (control first) ── reader, stops reading when it is full ── HTTP/2 ───┘
//! ```
//!
//! *Who dials.* Each silo dials the link that it sends on, to the address it has learnt (or, before that, to the one
//! that the peer announced when it linked to us). A peer without an address, a client, is answered on the link that
//! it dialled. So at any time exactly one link carries a lane in one direction, which is what keeps it in order.
//!
//! *When a link breaks.* What was queued is dropped, [`Incoming::LinkDown`](quark_env::transport::Incoming) says so,
//! and whoever dialled dials again with back-off. Every frame that was accepted is thus either handed to a link or
//! followed by a `LinkDown`, and a frame queued before a `LinkDown` is never sent after it.
//!
//! *What is refused.* Another cluster, protocol or contract, and generations that [`Transport::forget`] named, with the
//! reason, in the handshake. Strangers who talk no HTTP/2, or too slowly, are cut off after five seconds, and earlier if more of
//! them come than there may be ([`Limits::strangers_max`]).
#![deny(missing_docs)]

mod backoff;
mod codec;
mod config;
mod dial;
mod hello;
mod inbound;
mod link;
mod listen;
mod network;
mod peer;
mod roster;
mod seats;
mod transport;

pub use config::{BindError, Config, Limits};
pub use dial::DialError;
pub use network::{Network, Wire};
pub use transport::GrpcTransport;

// Generated. Its documentation is proto/link.proto, and its style is the generator's.
#[allow(missing_docs, clippy::default_constructed_unit_structs)]
mod proto {
    tonic::include_proto!("quark.link.v1");
}
