//! The transport as the silo holds it.

use crate::config::{BindError, Config, Limits};
use crate::dial::{self, DialError};
use crate::hello::Greeting;
use crate::inbound::Inbound;
use crate::listen;
use crate::network::Network;
use crate::peer::{Announce, Peer};
use crate::proto::Refusal;
use crate::roster::Roster;
use bytes::Bytes;
use quark_core::SiloId;
use quark_core::handshake::Hello;
use quark_core::wire::Lane;
use quark_env::Transport;
use quark_env::transport::{Incoming, SendError};
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Carries frames over gRPC. See the crate's documentation for how.
///
/// Its tasks run on the tokio runtime in which it was made. Dropping it closes every connection at once;
/// [`GrpcTransport::shutdown`] does so in order.
pub struct GrpcTransport {
    shared: Arc<Shared>,
    listens_on: Option<SocketAddr>,
}

/// What all tasks of a transport share.
pub(crate) struct Shared {
    pub(crate) hello: Hello,
    /// Where this silo says that it listens; empty for a client.
    address: String,
    pub(crate) limits: Limits,
    pub(crate) roster: Roster,
    pub(crate) inbound: Inbound,
    /// `None` for the operating system's.
    pub(crate) network: Option<Arc<dyn Network>>,
    /// Nothing new is begun.
    pub(crate) closing: CancellationToken,
    /// Everything stops.
    closed: CancellationToken,
    runtime: Handle,
    tasks: TaskTracker,
}

impl GrpcTransport {
    /// Starts a silo's transport: listens, and from now on accepts links.
    ///
    /// Panics: outside of a tokio runtime, or in one without I/O and time.
    pub fn bind(config: Config) -> Result<Arc<Self>, BindError> {
        let listener = std::net::TcpListener::bind(config.listen)
            .map_err(|source| BindError::new(config.listen, source))?;
        Self::listen_on(listener, config)
    }

    /// As [`GrpcTransport::bind`], on a socket that listens already; `config.listen` is ignored.
    ///
    /// For a silo whose port the system chooses: the table wants its address before it gives it the generation that
    /// `config.hello` has to name.
    ///
    /// Panics: outside of a tokio runtime, or in one without I/O and time.
    pub fn listen_on(listener: std::net::TcpListener, config: Config) -> Result<Arc<Self>, BindError> {
        let Config { listen, advertise, hello, limits } = config;
        let bind_error = |source| BindError::new(listen, source);
        listener.set_nonblocking(true).map_err(bind_error)?;
        let listener = TcpListener::from_std(listener).map_err(bind_error)?;
        let listens_on = listener.local_addr().map_err(bind_error)?;
        let address = advertise.unwrap_or_else(|| match listens_on.ip().is_unspecified() {
            true => format!(":{}", listens_on.port()),
            false => listens_on.to_string(),
        });
        let transport = Self::start(hello, address, limits, Some(listens_on), None);
        transport.shared.spawn(listen::accept(transport.shared.clone(), listener));
        Ok(transport)
    }

    /// As [`GrpcTransport::bind`], over a network that is not the operating system's, in which this place has the
    /// address `config.advertise`, or else `config.listen`.
    ///
    /// Panics: outside of a tokio runtime, or in one without time.
    pub fn over(config: Config, network: Arc<dyn Network>) -> Arc<Self> {
        let Config { listen, advertise, hello, limits } = config;
        let address = advertise.unwrap_or_else(|| listen.to_string());
        let transport = Self::start(hello, address, limits, Some(listen), Some(network.clone()));
        transport.shared.spawn(listen::accept(transport.shared.clone(), network));
        transport
    }

    /// As [`GrpcTransport::client_with`], over a network that is not the operating system's.
    ///
    /// Panics: outside of a tokio runtime, or in one without time.
    pub fn client_over(hello: Hello, limits: Limits, network: Arc<dyn Network>) -> Arc<Self> {
        Self::start(hello, String::new(), limits, None, Some(network))
    }

    /// Starts a client's transport: it links to silos and listens nowhere; silos answer on its links.
    ///
    /// Panics: outside of a tokio runtime, or in one without I/O and time.
    pub fn client(hello: Hello) -> Arc<Self> {
        Self::client_with(hello, Limits::default())
    }

    /// As [`GrpcTransport::client`], with limits of one's own.
    pub fn client_with(hello: Hello, limits: Limits) -> Arc<Self> {
        Self::start(hello, String::new(), limits, None, None)
    }

    fn start(
        hello: Hello,
        address: String,
        limits: Limits,
        listens_on: Option<SocketAddr>,
        network: Option<Arc<dyn Network>>,
    ) -> Arc<Self> {
        let shared = Arc::new(Shared {
            hello,
            address,
            roster: Roster::default(),
            inbound: Inbound::new(limits.inbound_frames_max, limits.inbound_bytes_max),
            limits,
            network,
            closing: CancellationToken::new(),
            closed: CancellationToken::new(),
            runtime: Handle::current(),
            tasks: TaskTracker::new(),
        });
        Arc::new(Self { shared, listens_on })
    }

    /// Where it listens, with the port that the system chose; `None` for a client.
    pub fn listen_addr(&self) -> Option<SocketAddr> {
        self.listens_on
    }

    /// Asks who answers at an address, without linking to it. For a client that knows addresses of gateways but not
    /// their names and generations: [`learn`](Transport::learn) wants both.
    pub async fn identify(&self, address: &str) -> Result<SiloId, DialError> {
        dial::identify(&self.shared, address).await
    }

    /// Stops in order: accepts no frames and links from now on, hands over what is queued (for at most
    /// [`Limits::flush_timeout`]), then closes every connection. The consumer receives what has arrived, and then that
    /// this is the end. May be called more than once.
    pub async fn shutdown(&self) {
        let shared = &self.shared;
        shared.closing.cancel();
        shared.inbound.close();
        shared.roster.finish();
        shared.tasks.close();
        if timeout(shared.limits.flush_timeout, shared.tasks.wait()).await.is_err() {
            tracing::warn!(timeout = ?shared.limits.flush_timeout, "shut down before all frames were handed over");
        }
        shared.close();
        // They are being cancelled: this waits for their sockets to be closed.
        shared.tasks.wait().await;
    }
}

impl Transport for GrpcTransport {
    fn local(&self) -> SiloId {
        self.shared.hello.silo
    }

    fn learn(&self, peer: SiloId, address: &str) {
        let shared = &self.shared;
        if peer == shared.hello.silo {
            return;
        }
        match shared.roster.with(peer, |peer| peer.learn(address).then(|| peer.clone())) {
            Ok(Some(peer)) => shared.start_dialling(&peer),
            Ok(None) => {}
            Err(absent) => tracing::debug!(%peer, address, ?absent, "not learnt"),
        }
    }

    fn forget(&self, peer: SiloId, reason: &str) {
        self.shared.roster.forget(peer, reason);
    }

    fn try_send(&self, to: SiloId, lane: Lane, frame: Bytes) -> Result<(), SendError> {
        let shared = &self.shared;
        let bytes_max = shared.limits.frame_bytes_max;
        if frame.len() > bytes_max {
            return Err(SendError::TooLarge { bytes: frame.len(), bytes_max });
        }
        shared.roster.with_known(to, |peer| peer.try_send(lane, frame, &shared.limits))
    }

    fn poll_recv(&self, cx: &mut Context<'_>, out: &mut Vec<Incoming>, max: usize) -> Poll<usize> {
        self.shared.inbound.poll_take(cx, out, max)
    }
}

impl Drop for GrpcTransport {
    fn drop(&mut self) {
        self.shared.close();
    }
}

impl Shared {
    /// Runs a task until it ends or the transport closes.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let closed = self.closed.clone();
        self.tasks.spawn_on(
            async move {
                closed.run_until_cancelled(task).await;
            },
            &self.runtime,
        );
    }

    /// Starts the tasks that keep a peer linked, one per lane.
    pub(crate) fn start_dialling(self: &Arc<Self>, peer: &Arc<Peer>) {
        for lane in [Lane::Control, Lane::User] {
            self.spawn(dial::keep_linked(self.clone(), peer.clone(), lane));
        }
    }

    /// What this end says when it dials.
    pub(crate) fn greeting(&self, lane: Option<Lane>, expected: Option<SiloId>) -> Greeting {
        Greeting { hello: self.hello.clone(), lane, expected, address: self.address.clone() }
    }

    /// Tells the consumer what a change of a peer's links amounts to.
    pub(crate) fn announce(&self, peer: &Peer, announce: Announce) {
        if announce == Announce::LinkDown {
            // After the user frames that came over the link: replies among them have arrived.
            self.inbound.put_event(Lane::User, Incoming::LinkDown { peer: peer.id });
        }
    }

    /// Tells the consumer that a peer refused this end, unless it has been told.
    pub(crate) fn refused(&self, peer: &Peer, refusal: Refusal) {
        if peer.refused(&refusal) {
            tracing::warn!(peer = %peer.id, reason = refusal.reason, dead = refusal.dead, "refused by the peer");
            let Refusal { reason, dead, .. } = refusal;
            self.inbound.put_event(Lane::Control, Incoming::Refused { peer: peer.id, reason, dead });
        }
    }

    fn close(&self) {
        self.closing.cancel();
        self.roster.close();
        self.inbound.close();
        self.closed.cancel();
    }
}
