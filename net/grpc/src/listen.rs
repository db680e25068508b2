//! Accepting links, and cutting off whoever wastes a connection.

use crate::hello::{self, Greeting};
use crate::link::{self, Link, Writer};
use crate::network::{Door, Wire};
use crate::peer::Peer;
use crate::proto::links_server::{Links, LinksServer};
use crate::proto::{Batch, Refusal};
use crate::roster::Absent;
use crate::seats::{Claim, Seat, Seats};
use crate::transport::Shared;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use hyper::server::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use quark_core::handshake::{agree, check_expected};
use quark_core::wire::Lane;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

/// Accepts connections until the transport closes.
pub(crate) async fn accept(shared: Arc<Shared>, mut door: impl Door) {
    let seats = Seats::new(shared.limits.connections_max, shared.limits.strangers_max);
    loop {
        let accepted = tokio::select! {
            biased;
            () = shared.closing.cancelled() => return,
            accepted = door.accept() => accepted,
        };
        match accepted {
            Ok((wire, remote)) => match seats.take() {
                Some(seat) => shared.spawn(serve(shared.clone(), wire, remote, seat)),
                None => {
                    quark_core::reached!("grpc.connection.refused");
                    tracing::warn!(%remote, max = shared.limits.connections_max, "connection refused: too many");
                }
            },
            Err(error) => {
                // Out of file descriptors, mostly. Accepting again at once would only burn the processor.
                tracing::warn!(%error, "cannot accept a connection");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Serves one connection while it has its seat.
async fn serve(shared: Arc<Shared>, wire: impl Wire, remote: SocketAddr, seat: Seat) {
    tokio::select! {
        biased;
        () = talk(shared, wire, remote, seat.claim.clone()) => {}
        () = seat.taken_away.cancelled() => {
            quark_core::reached!("grpc.stranger.displaced");
            tracing::warn!(%remote, "connection closed: no handshake yet, and others came");
        }
    }
}

/// Serves one connection, which carries one link.
async fn talk(shared: Arc<Shared>, wire: impl Wire, remote: SocketAddr, claim: Claim) {
    let limits = &shared.limits;
    let state = Arc::new(Connection {
        remote,
        claim,
        greeted: AtomicBool::new(false),
        linked: CancellationToken::new(),
        ended: CancellationToken::new(),
    });
    let gate = LinksServer::new(Gate { shared: shared.clone(), connection: state.clone() })
        .max_decoding_message_size(limits.batch_message_bytes_max());
    let mut connection = pin!(
        http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .keep_alive_interval(limits.keep_alive_interval)
            .keep_alive_timeout(limits.keep_alive_timeout)
            .initial_stream_window_size(limits.window_bytes)
            .initial_connection_window_size(limits.window_bytes)
            .max_concurrent_streams(STREAMS_MAX)
            .max_header_list_size(HEADER_BYTES_MAX)
            .serve_connection(TokioIo::new(wire), TowerToHyperService::new(gate))
    );
    let finished = |outcome: Result<(), hyper::Error>| {
        if let Err(error) = outcome {
            tracing::debug!(%remote, %error, "connection broke");
        }
    };
    tokio::select! {
        biased;
        outcome = connection.as_mut() => {
            if let (Err(error), false) = (&outcome, state.linked.is_cancelled()) {
                quark_core::reached!("grpc.stranger.refused");
                tracing::warn!(%remote, %error, "connection closed: its first bytes are no handshake");
                return;
            }
            return finished(outcome);
        }
        linked = timeout(limits.handshake_timeout, state.linked.cancelled()) => if linked.is_err() {
            quark_core::reached!("grpc.stranger.slow");
            tracing::warn!(%remote, timeout = ?limits.handshake_timeout, "connection closed: no handshake in time");
            return;
        },
        // Nobody is greeted any more.
        () = shared.closing.cancelled() => return,
    }
    tokio::select! {
        biased;
        outcome = connection.as_mut() => return finished(outcome),
        () = state.ended.cancelled() => {}
    }
    // The link is over. Let its last batch and its trailers out, and then hang up.
    connection.as_mut().graceful_shutdown();
    if let Ok(outcome) = timeout(HANG_UP_TIMEOUT, connection).await {
        finished(outcome);
    }
}

/// What a connection's watchdog has to know.
struct Connection {
    remote: SocketAddr,
    claim: Claim,
    /// A handshake has been tried: a connection gets one.
    greeted: AtomicBool,
    /// The handshake is over, one way or the other.
    linked: CancellationToken,
    /// Nothing more will be said.
    ended: CancellationToken,
}

/// The gRPC service of one connection.
struct Gate {
    shared: Arc<Shared>,
    connection: Arc<Connection>,
}

#[tonic::async_trait]
impl Links for Gate {
    type LinkStream = BoxStream<'static, Result<Batch, Status>>;

    async fn link(&self, request: Request<Streaming<Batch>>) -> Result<Response<Self::LinkStream>, Status> {
        if self.connection.greeted.swap(true, Ordering::AcqRel) {
            return Err(Status::already_exists("a connection carries one link"));
        }
        let outcome = self.greet(request);
        self.connection.linked.cancel();
        if outcome.is_err() {
            self.connection.ended.cancel();
        }
        outcome
    }
}

impl Gate {
    fn greet(
        &self,
        request: Request<Streaming<Batch>>,
    ) -> Result<Response<BoxStream<'static, Result<Batch, Status>>>, Status> {
        let (shared, remote) = (&self.shared, self.connection.remote);
        let greeting = Greeting::read(request.metadata()).map_err(|garbled| {
            quark_core::reached!("grpc.handshake.garbled");
            tracing::warn!(%remote, %garbled, "handshake refused");
            Status::invalid_argument(garbled.to_string())
        })?;
        judge(shared, &greeting).map_err(|refusal| self.refuse(&greeting, &refusal))?;

        let outgoing = match greeting.lane {
            None => {
                self.connection.ended.cancel();
                futures_util::stream::empty().boxed()
            }
            Some(lane) => {
                if !self.connection.claim.link() {
                    return Err(Status::unavailable("another connection has taken the place of this one"));
                }
                let (link, peer) =
                    self.attach(&greeting, lane).map_err(|refusal| self.refuse(&greeting, &refusal))?;
                let writer = Writer::new(link.clone(), peer.clone()).map(Ok).boxed();
                tracing::debug!(peer = %peer.id, ?lane, %remote, "linked by the peer");
                let connection = self.connection.clone();
                shared.spawn(run(shared.clone(), peer, link, request.into_inner(), connection));
                writer
            }
        };
        let mut response = Response::new(outgoing);
        hello::write_welcome(&shared.hello, response.metadata_mut());
        Ok(response)
    }

    /// Makes this the peer's accepted link of its lane.
    fn attach(&self, greeting: &Greeting, lane: Lane) -> Result<(Arc<Link>, Arc<Peer>), Refusal> {
        let link = Link::new(lane);
        let address = self.reachable_address(&greeting.address);
        let attached = self.shared.roster.with(greeting.hello.silo, |peer| {
            let (announce, start) = peer.attach_accepted(&link, address);
            // Announced before the new link is read, so that no frame of it comes before the loss of the old one.
            self.shared.announce(peer, announce);
            (peer.clone(), start)
        });
        match attached {
            Ok((peer, start)) => {
                if start {
                    self.shared.start_dialling(&peer);
                }
                Ok((link, peer))
            }
            Err(Absent::Dead(reason)) => Err(Refusal { reason, dead: true, misdirected: false }),
            Err(Absent::Closed) => Err(misdirected(format!("{} is shutting down", self.shared.hello.silo))),
        }
    }

    /// The address that a peer announced, completed by where it calls from if it listens on all interfaces.
    fn reachable_address(&self, announced: &str) -> Option<String> {
        match announced.strip_prefix(':') {
            Some(port) => {
                let port = port.parse().ok()?;
                Some(SocketAddr::new(self.connection.remote.ip(), port).to_string())
            }
            None => (!announced.is_empty()).then(|| announced.to_owned()),
        }
    }

    fn refuse(&self, greeting: &Greeting, refusal: &Refusal) -> Status {
        quark_core::reached!("grpc.handshake.refused");
        let (peer, remote) = (greeting.hello.silo, self.connection.remote);
        if refusal.misdirected {
            tracing::debug!(%peer, %remote, reason = refusal.reason, "handshake refused");
        } else {
            tracing::warn!(%peer, %remote, reason = refusal.reason, "handshake refused");
        }
        let mut status = Status::permission_denied(hello::shortened(&refusal.reason));
        hello::write_refusal(refusal, status.metadata_mut());
        status
    }
}

/// Whether this dialler may link to this silo.
fn judge(shared: &Shared, greeting: &Greeting) -> Result<(), Refusal> {
    let (ours, theirs) = (&shared.hello, &greeting.hello);
    if let Some(expected) = greeting.expected {
        check_expected(expected, ours).map_err(|refusal| misdirected(refusal.to_string()))?;
    }
    if let Err(refusal) = agree(ours, theirs) {
        return Err(Refusal { reason: refusal.to_string(), dead: false, misdirected: false });
    }
    if theirs.silo == ours.silo {
        return Err(misdirected(format!("{} is this silo itself, or takes its name", theirs.silo)));
    }
    match shared.roster.dead(theirs.silo) {
        Some(reason) => Err(Refusal { reason, dead: true, misdirected: false }),
        None => Ok(()),
    }
}

fn misdirected(reason: String) -> Refusal {
    Refusal { reason, dead: false, misdirected: true }
}

/// Reads a link until it ends, says so, and lets go of a peer that nobody else needs.
async fn run(
    shared: Arc<Shared>,
    peer: Arc<Peer>,
    link: Arc<Link>,
    mut incoming: Streaming<Batch>,
    connection: Arc<Connection>,
) {
    let end = link::read(&link, peer.id, &shared.inbound, &mut incoming).await;
    link.end(None);
    shared.link_ended(&peer, &link, end);
    shared.roster.remove_if_unneeded(&peer);
    connection.ended.cancel();
}

/// A peer opens one stream; a second one is refused with a reason instead of being left waiting.
const STREAMS_MAX: u32 = 2;
const HEADER_BYTES_MAX: u32 = 16 << 10;
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
const HANG_UP_TIMEOUT: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests;
