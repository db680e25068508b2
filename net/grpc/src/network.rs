//! Where connections come from when they do not come from the operating system.
//!
//! A second opinion on the transport is worth most if it is the transport itself that runs, with tonic, hyper and HTTP/2
//! in it, over streams that somebody else breaks. So the three things that it asks of a machine beside its clock can be
//! given to it. In production nobody does, and nothing is paid for the choice: the system's sockets stay concrete types.

use crate::transport::Shared;
use futures_util::future::BoxFuture;
use hyper::Uri;
use hyper_util::rt::TokioIo;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tonic::codegen::Service;
use tonic::transport::{Channel, Endpoint};

/// A stream of bytes between two peers, in order, that may break.
pub trait Wire: AsyncRead + AsyncWrite + Unpin + Send + 'static {}
impl<W: AsyncRead + AsyncWrite + Unpin + Send + 'static> Wire for W {}

/// One machine's place in a network that is not the operating system's: a simulated one, say.
///
/// All of it is called from tasks of the tokio runtime in which the transport was made.
pub trait Network: Send + Sync + 'static {
    /// Connects to `host:port`. Errors: nobody is there, as the network knows it; the transport dials again.
    fn connect(&self, address: String) -> BoxFuture<'static, io::Result<Box<dyn Wire>>>;

    /// The next connection that somebody makes to this place. One caller waits at a time; never called for a client.
    fn accept(&self) -> BoxFuture<'_, io::Result<(Box<dyn Wire>, SocketAddr)>>;

    /// A number by chance, for the pauses between attempts to dial.
    fn draw(&self) -> u64;
}

/// What connections are accepted from.
pub(crate) trait Door: Send {
    type Wire: Wire;
    fn accept(&mut self) -> impl Future<Output = io::Result<(Self::Wire, SocketAddr)>> + Send;
}

impl Door for TcpListener {
    type Wire = TcpStream;

    async fn accept(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
        let (tcp, remote) = TcpListener::accept(self).await?;
        if let Err(error) = tcp.set_nodelay(true) {
            // What is lost already will say so again when it is read.
            tracing::debug!(%remote, %error, "connection lost before its handshake");
        }
        Ok((tcp, remote))
    }
}

impl Door for Arc<dyn Network> {
    type Wire = Box<dyn Wire>;

    async fn accept(&mut self) -> io::Result<(Box<dyn Wire>, SocketAddr)> {
        Network::accept(&**self).await
    }
}

impl Shared {
    /// Connects to the endpoint, which has an `http://host:port`.
    pub(crate) async fn connect(&self, endpoint: &Endpoint) -> Result<Channel, tonic::transport::Error> {
        match &self.network {
            None => endpoint.connect().await,
            Some(network) => endpoint.connect_with_connector(Dialler(network.clone())).await,
        }
    }

    /// A number by chance.
    pub(crate) fn draw(&self) -> u64 {
        match &self.network {
            None => getrandom::u64().unwrap_or_default(),
            Some(network) => network.draw(),
        }
    }
}

/// A network as tonic wants to see it.
struct Dialler(Arc<dyn Network>);

impl Service<Uri> for Dialler {
    type Response = TokioIo<Box<dyn Wire>>;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<Self::Response>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let address = uri.authority().map(|authority| authority.to_string()).unwrap_or_default();
        let connecting = self.0.connect(address);
        Box::pin(async move { Ok(TokioIo::new(connecting.await?)) })
    }
}
