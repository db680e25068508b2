//! Where connections come from when they do not come from the operating system.
//!
//! A second opinion on the store is worth most if its real client runs, RESP and all, over streams that somebody else
//! breaks. In production nobody gives another network, and the client connects by itself.

use futures_util::future::BoxFuture;
use std::io;
use tokio::io::{AsyncRead, AsyncWrite};

/// A stream of bytes to a server, in order, that may break.
pub trait Wire: AsyncRead + AsyncWrite + Unpin + Send + 'static {}
impl<W: AsyncRead + AsyncWrite + Unpin + Send + 'static> Wire for W {}

/// A network that is not the operating system's: a simulated one, say.
///
/// It is called from tasks of the tokio runtime in which the store was opened.
pub trait Network: Send + Sync + 'static {
    /// Connects to a server. Errors: as the network has them; they are shown to people, and the store connects again.
    fn connect(&self, host: String, port: u16) -> BoxFuture<'static, io::Result<Box<dyn Wire>>>;
}
