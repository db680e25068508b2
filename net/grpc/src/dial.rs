//! Linking to a peer, and linking again when that breaks.

use crate::backoff::Backoff;
use crate::hello::{self, Greeting};
use crate::link::{self, End, Link, Writer};
use crate::peer::Peer;
use crate::proto::links_client::LinksClient;
use crate::proto::{Batch, Refusal};
use crate::transport::Shared;
use futures_util::Stream;
use quark_core::SiloId;
use quark_core::handshake::{Hello, check_expected};
use quark_core::wire::Lane;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{sleep, timeout};
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Streaming};

/// Why a peer could not be linked to. Nothing was sent.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// The address is no `host:port`.
    #[error("`{address}` is no address: write host:port")]
    Address {
        /// What was given.
        address: String,
    },
    /// Nobody answers there, or not in time.
    #[error("no connection to {address}: {reason}")]
    Unreachable {
        /// Where.
        address: String,
        /// What went wrong.
        reason: String,
    },
    /// Somebody answers who is no Quark peer.
    #[error("{address} does not speak this protocol: {reason}")]
    Stranger {
        /// Where.
        address: String,
        /// What it said instead.
        reason: String,
    },
    /// Another incarnation than the expected one answers there.
    #[error("{address}: {reason}")]
    Misdirected {
        /// Where.
        address: String,
        /// Who was expected.
        expected: SiloId,
        /// Who answers.
        reason: String,
    },
    /// The peer refuses this one.
    #[error("{address} refuses: {reason}")]
    Refused {
        /// Where.
        address: String,
        /// Its reason.
        reason: String,
        /// Whether it says that this incarnation has been declared dead.
        dead: bool,
    },
}

/// Keeps one lane of a peer linked for as long as the peer is wanted.
pub(crate) async fn keep_linked(shared: Arc<Shared>, peer: Arc<Peer>, lane: Lane) {
    let mut backoff = Backoff::new(&shared.limits);
    loop {
        let Some(address) = peer.address() else { return };
        let link = Link::new(lane);
        let outgoing = Writer::new(link.clone(), peer.clone());
        let greeting = shared.greeting(Some(lane), Some(peer.id));
        let attempt = open(&shared, &address, &greeting, outgoing);
        let outcome = tokio::select! {
            biased;
            () = peer.gone.cancelled() => return,
            () = shared.closing.cancelled() => return,
            outcome = attempt => outcome,
        };
        match outcome {
            Ok(opened) => {
                match shared.roster.with_present(&peer, || peer.attach_dialled(&link)) {
                    Some(announce) => shared.announce(&peer, announce),
                    None => return,
                }
                tracing::debug!(peer = %peer.id, ?lane, address, "linked");
                backoff.reset();
                run(&shared, &peer, &link, opened).await;
            }
            Err(error) => {
                tracing::debug!(peer = %peer.id, ?lane, %error, "could not link");
                quark_core::reached!("grpc.dial.failed");
                if let DialError::Refused { reason, dead, .. } = error {
                    backoff.exhaust();
                    shared.refused(&peer, Refusal { reason, dead, misdirected: false });
                }
                let announce = peer.dial_failed(lane);
                shared.announce(&peer, announce);
            }
        }
        // A link that is dropped here must not be left half open by its writer.
        link.end(None);
        let pause = backoff.pause(shared.draw());
        tokio::select! {
            biased;
            () = peer.gone.cancelled() => return,
            () = shared.closing.cancelled() => return,
            () = peer.dial_now[lane as usize].notified() => backoff.reset(),
            () = sleep(pause) => {}
        }
    }
}

/// Reads a link until it ends, and says so.
async fn run(shared: &Shared, peer: &Arc<Peer>, link: &Arc<Link>, mut opened: Opened) {
    let end = link::read(link, peer.id, &shared.inbound, &mut opened.incoming).await;
    link.end(None);
    shared.link_ended(peer, link, end);
}

/// A link as the dialler holds it. Dropping it closes the connection.
struct Opened {
    welcome: Hello,
    incoming: Streaming<Batch>,
    _connection: Channel,
}

/// Connects, greets, and checks who answers.
async fn open(
    shared: &Shared,
    address: &str,
    greeting: &Greeting,
    outgoing: impl Stream<Item = Batch> + Send + 'static,
) -> Result<Opened, DialError> {
    let limits = &shared.limits;
    let unreachable = |reason: String| DialError::Unreachable { address: address.into(), reason };
    let endpoint = Endpoint::from_shared(format!("http://{address}"))
        .map_err(|_| DialError::Address { address: address.into() })?
        .connect_timeout(limits.connect_timeout)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(limits.keep_alive_interval)
        .keep_alive_timeout(limits.keep_alive_timeout)
        .keep_alive_while_idle(true)
        .initial_stream_window_size(limits.window_bytes)
        .initial_connection_window_size(limits.window_bytes);
    // The endpoint's own time-out does not cover name resolution.
    let connection = timeout(limits.connect_timeout + RESOLVE_TIMEOUT, shared.connect(&endpoint))
        .await
        .map_err(|_| unreachable("it does not answer".into()))?
        .map_err(|error| unreachable(causes(&error)))?;
    let mut client =
        LinksClient::new(connection.clone()).max_decoding_message_size(limits.batch_message_bytes_max());
    let mut request = Request::new(outgoing);
    greeting.write(request.metadata_mut());
    let stranger = |reason: String| DialError::Stranger { address: address.into(), reason };
    let response = timeout(limits.handshake_timeout, client.link(request))
        .await
        .map_err(|_| stranger("no answer to the handshake".into()))?
        .map_err(|status| match hello::read_refusal(status.metadata()) {
            Some(Refusal { reason, misdirected: true, .. }) => DialError::Misdirected {
                address: address.into(),
                expected: greeting.expected.unwrap_or(greeting.hello.silo),
                reason,
            },
            Some(Refusal { reason, dead, .. }) => {
                DialError::Refused { address: address.into(), reason, dead }
            }
            None => stranger(hello::shortened(&status.to_string())),
        })?;
    let welcome =
        hello::read_welcome(response.metadata()).map_err(|garbled| stranger(garbled.to_string()))?;
    if let Some(expected) = greeting.expected {
        check_expected(expected, &welcome).map_err(|refusal| DialError::Misdirected {
            address: address.into(),
            expected,
            reason: refusal.to_string(),
        })?;
    }
    Ok(Opened { welcome, incoming: response.into_inner(), _connection: connection })
}

/// Asks who answers at an address.
pub(crate) async fn identify(shared: &Shared, address: &str) -> Result<SiloId, DialError> {
    let nothing = futures_util::stream::empty();
    Ok(open(shared, address, &shared.greeting(None, None), nothing).await?.welcome.silo)
}

impl Shared {
    /// What has to be said after a link ended.
    pub(crate) fn link_ended(&self, peer: &Arc<Peer>, link: &Arc<Link>, end: End) {
        match &end {
            End::Here | End::Closed => {
                tracing::debug!(peer = %peer.id, lane = ?link.lane, ?end, "link ended")
            }
            End::Goodbye(refusal) => self.refused(peer, refusal.clone()),
            End::Broken(status) => {
                tracing::info!(peer = %peer.id, lane = ?link.lane, reason = status.message(), "link broke");
            }
        }
        let announce = peer.detach(link);
        self.announce(peer, announce);
    }
}

/// An error with what caused it: hyper's own text is only "transport error".
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

const RESOLVE_TIMEOUT: Duration = Duration::from_secs(2);
