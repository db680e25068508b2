//! One link: a stream of batches to and from one peer in one lane, from handshake to break.

use crate::inbound::Inbound;
use crate::peer::Peer;
use crate::proto::{Batch, Refusal};
use futures_util::Stream;
use futures_util::task::AtomicWaker;
use quark_core::SiloId;
use quark_core::wire::Lane;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use tokio_util::sync::CancellationToken;
use tonic::{Status, Streaming};

/// What reader and writer of a link share with those who may end it.
pub(crate) struct Link {
    pub(crate) lane: Lane,
    phase: Mutex<Phase>,
    writer: AtomicWaker,
    ended: CancellationToken,
}

/// How far a link is in its life.
enum Phase {
    Open,
    /// The writer ends the stream once nothing is queued.
    Finishing,
    /// The reader delivers nothing more. The writer sends this goodbye, if any, and ends the stream.
    Ended(Option<Refusal>),
}

impl Link {
    pub(crate) fn new(lane: Lane) -> Arc<Self> {
        Arc::new(Self {
            lane,
            phase: Mutex::new(Phase::Open),
            writer: AtomicWaker::new(),
            ended: CancellationToken::new(),
        })
    }

    /// Ends the link for good, telling the peer why if there is something to tell. Only the first end counts.
    ///
    /// Once this returns, the link's reader has delivered its last frame: a successor cannot be overtaken.
    pub(crate) fn end(&self, goodbye: Option<Refusal>) {
        {
            let mut phase = self.lock();
            if matches!(*phase, Phase::Ended(_)) {
                return;
            }
            *phase = Phase::Ended(goodbye);
        }
        self.ended.cancel();
        self.writer.wake();
    }

    /// Lets the writer hand over what is queued, and then end the stream.
    pub(crate) fn finish(&self) {
        {
            let mut phase = self.lock();
            if matches!(*phase, Phase::Open) {
                *phase = Phase::Finishing;
            }
        }
        self.writer.wake();
    }

    #[cfg(test)]
    pub(crate) fn has_ended(&self) -> bool {
        matches!(*self.lock(), Phase::Ended(_))
    }

    /// Makes the writer look at its queue.
    pub(crate) fn wake_writer(&self) {
        self.writer.wake();
    }

    fn lock(&self) -> MutexGuard<'_, Phase> {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The outgoing half: yields all that is queued as one batch whenever HTTP/2 has room for it.
///
/// There is no writer task: the connection's own task pulls, so that a flush costs one wake-up and no hop.
pub(crate) struct Writer {
    link: Arc<Link>,
    peer: Arc<Peer>,
    done: bool,
}

impl Writer {
    pub(crate) fn new(link: Arc<Link>, peer: Arc<Peer>) -> Self {
        Self { link, peer, done: false }
    }
}

impl Stream for Writer {
    type Item = Batch;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Batch>> {
        if self.done {
            return Poll::Ready(None);
        }
        // Registered before looking, so that whatever changes after the look wakes this task.
        self.link.writer.register(cx.waker());
        let finishing = match &mut *self.link.lock() {
            Phase::Open => false,
            Phase::Finishing => true,
            Phase::Ended(goodbye) => {
                // The poll after the goodbye finds it taken, and ends the stream.
                let goodbye = goodbye.take();
                return Poll::Ready(
                    goodbye.map(|goodbye| Batch { frames: Vec::new(), goodbye: Some(goodbye) }),
                );
            }
        };
        let frames = self.peer.next_batch(&self.link);
        if !frames.is_empty() {
            return Poll::Ready(Some(Batch { frames, goodbye: None }));
        }
        if finishing {
            self.done = true;
            return Poll::Ready(None);
        }
        Poll::Pending
    }
}

/// Why a link is no more.
#[derive(Debug)]
pub(crate) enum End {
    /// This side ended it.
    Here,
    /// The peer ended its stream in order.
    Closed,
    /// The peer ended it and said why.
    Goodbye(Refusal),
    /// The connection broke, or what came over it was no batch.
    Broken(Status),
}

/// The incoming half: moves batches to the inbound queue until the link ends.
pub(crate) async fn read(
    link: &Link,
    from: SiloId,
    inbound: &Inbound,
    batches: &mut Streaming<Batch>,
) -> End {
    let reading = async {
        loop {
            inbound.room(link.lane).await;
            match batches.message().await {
                Ok(Some(batch)) => {
                    if !deliver(link, from, inbound, batch.frames) {
                        return End::Here;
                    }
                    if let Some(goodbye) = batch.goodbye {
                        return End::Goodbye(goodbye);
                    }
                }
                Ok(None) => return End::Closed,
                Err(status) => return End::Broken(status),
            }
        }
    };
    link.ended.run_until_cancelled(reading).await.unwrap_or(End::Here)
}

/// Puts frames in, unless the link has ended. Under the lock that [`Link::end`] takes: see there.
fn deliver(link: &Link, from: SiloId, inbound: &Inbound, frames: Vec<bytes::Bytes>) -> bool {
    let phase = link.lock();
    if matches!(*phase, Phase::Ended(_)) {
        return false;
    }
    inbound.put(from, link.lane, frames);
    true
}

#[cfg(test)]
mod tests;
