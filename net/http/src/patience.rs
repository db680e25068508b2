//! A socket that does not wait for ever for somebody who asks and does not listen.

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

/// A connection whose client has only so long to take a response.
///
/// The time runs from the first write that has to wait until everything is written: progress does not reset it, or
/// one byte a minute would do.
pub(crate) struct Impatient {
    tcp: TcpStream,
    patience: Duration,
    running_out: Option<Pin<Box<Sleep>>>,
}

impl Impatient {
    pub(crate) fn new(tcp: TcpStream, patience: Duration) -> Self {
        Self { tcp, patience, running_out: None }
    }

    /// Lets a write that has to wait wait until patience has run out.
    fn bounded(&mut self, cx: &mut Context<'_>, outcome: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if outcome.is_ready() {
            return outcome;
        }
        let running_out = self.running_out.get_or_insert_with(|| Box::pin(sleep(self.patience)));
        match running_out.as_mut().poll(cx) {
            Poll::Ready(()) => {
                let waited = format!("the client has not taken its response within {:?}", self.patience);
                Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, waited)))
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncWrite for Impatient {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.tcp).poll_write(cx, bytes);
        self.bounded(cx, outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.tcp).poll_write_vectored(cx, parts);
        self.bounded(cx, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }

    /// Called by hyper when it has nothing left to write.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.running_out = None;
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}

impl AsyncRead for Impatient {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_read(cx, into)
    }
}
