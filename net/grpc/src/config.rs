//! What a transport is told at its start.

use quark_core::handshake::Hello;
use std::net::SocketAddr;
use std::time::Duration;

/// How a silo's transport is set up.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where to listen. Port 0 lets the system choose; see [`GrpcTransport::listen_addr`](crate::GrpcTransport).
    pub listen: SocketAddr,
    /// Where peers reach this silo, as `host:port`, when that differs from `listen` (a proxy, a container). `None`
    /// announces the address listened on.
    pub advertise: Option<String>,
    /// Who this silo is and what it speaks.
    pub hello: Hello,
    /// Bounds and periods.
    pub limits: Limits,
}

impl Config {
    /// A configuration with the defaults for all but the two things that have none.
    pub fn new(listen: SocketAddr, hello: Hello) -> Self {
        Self { listen, advertise: None, hello, limits: Limits::default() }
    }
}

/// Bounds and periods of a transport. All memory that a peer can make it use follows from these.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The largest frame in bytes, both ways. The default holds an envelope with the largest default payload.
    pub frame_bytes_max: usize,
    /// The most frames that wait to be sent to one peer in one lane.
    pub queue_frames_max: usize,
    /// The most bytes that wait to be sent to one peer in one lane. A frame always fits into an empty queue.
    pub queue_bytes_max: usize,
    /// The most frames received and not yet taken, per lane, over all peers. Beyond it, links are not read.
    pub inbound_frames_max: usize,
    /// The most bytes received and not yet taken, per lane, over all peers. Each link may exceed it by one batch.
    pub inbound_bytes_max: usize,
    /// How many bytes HTTP/2 lets a peer send that have not been read, per link.
    pub window_bytes: u32,
    /// The most connections accepted at a time. A silo takes two of each peer. One more takes the place of the
    /// stranger who came first; if all are linked, it is closed.
    pub connections_max: usize,
    /// The most connections of which the handshake has not been done. One more takes the place of the first.
    pub strangers_max: usize,
    /// How long dialling may take until the connection stands.
    pub connect_timeout: Duration,
    /// How long a new connection may take until its handshake is done, on either side.
    pub handshake_timeout: Duration,
    /// How long a link may be silent before the peer is asked whether it is there.
    pub keep_alive_interval: Duration,
    /// How long the peer may take to answer that.
    pub keep_alive_timeout: Duration,
    /// The first pause before dialling again.
    pub backoff_min: Duration,
    /// The longest pause before dialling again. Pauses double between the two, each shortened by up to half at random.
    pub backoff_max: Duration,
    /// How long a shutdown may take to hand over what is queued.
    pub flush_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            frame_bytes_max: (4 << 20) + (256 << 10),
            queue_frames_max: 65_536,
            queue_bytes_max: 16 << 20,
            inbound_frames_max: 65_536,
            inbound_bytes_max: 32 << 20,
            window_bytes: 2 << 20,
            connections_max: 1024,
            strangers_max: 128,
            connect_timeout: Duration::from_secs(1),
            handshake_timeout: Duration::from_secs(5),
            keep_alive_interval: Duration::from_secs(1),
            keep_alive_timeout: Duration::from_secs(2),
            backoff_min: Duration::from_millis(50),
            backoff_max: Duration::from_secs(2),
            flush_timeout: Duration::from_secs(2),
        }
    }
}

impl Limits {
    /// The largest encoded batch: one of the usual size, or a single largest frame, and what protobuf puts around it.
    pub(crate) fn batch_message_bytes_max(&self) -> usize {
        const TAG_AND_LENGTH_BYTES_MAX: usize = 6;
        const GOODBYE_BYTES_MAX: usize = 4096;
        self.frame_bytes_max.max(BATCH_BYTES)
            + BATCH_FRAMES_MAX * TAG_AND_LENGTH_BYTES_MAX
            + GOODBYE_BYTES_MAX
    }
}

/// A writer closes a batch before it exceeds this, unless it is a single frame.
pub(crate) const BATCH_BYTES: usize = 256 << 10;
/// The most frames in a batch; a reader refuses more, so that empty frames cannot make it allocate without bound.
pub(crate) const BATCH_FRAMES_MAX: usize = 4096;

/// Why a silo cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Somebody else listens there. It did not happen; free the port or choose another.
    #[error(
        "cannot listen on {address}: the port is in use; stop the process that holds it, or configure another port"
    )]
    InUse {
        /// Where.
        address: SocketAddr,
    },
    /// The system does not let this process listen there, or the address is not one of this machine's.
    #[error("cannot listen on {address}: {source}; configure an address and port that this process may use")]
    Unusable {
        /// Where.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
}

impl BindError {
    pub(crate) fn new(address: SocketAddr, source: std::io::Error) -> Self {
        match source.kind() {
            std::io::ErrorKind::AddrInUse => Self::InUse { address },
            _ => Self::Unusable { address, source },
        }
    }
}
