//! Everything that has arrived and was not taken yet.

use bytes::Bytes;
use quark_core::SiloId;
use quark_core::wire::Lane;
use quark_env::transport::Incoming;
use std::collections::VecDeque;
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use tokio::sync::Notify;

/// Two bounded queues, control first. Readers put in whole batches and wait while their lane is full, which stops
/// them from reading their link, which stops the peer. One consumer takes.
pub(crate) struct Inbound {
    state: Mutex<State>,
    room: [Notify; 2],
    frames_max: usize,
    bytes_max: usize,
}

#[derive(Default)]
struct State {
    lanes: [Queue; 2],
    consumer: Option<Waker>,
    closed: bool,
}

#[derive(Default)]
struct Queue {
    items: VecDeque<Item>,
    frames: usize,
    bytes: usize,
    /// A reader waits for room.
    awaited: bool,
}

enum Item {
    Frames { from: SiloId, lane: Lane, frames: std::vec::IntoIter<Bytes> },
    Event(Incoming),
}

impl Inbound {
    pub(crate) fn new(frames_max: usize, bytes_max: usize) -> Self {
        Self { state: Mutex::default(), room: [Notify::new(), Notify::new()], frames_max, bytes_max }
    }

    /// Waits until this lane may take another batch. At once when closed: what is put in then is dropped.
    pub(crate) async fn room(&self, lane: Lane) {
        loop {
            let mut freed = pin!(self.room[lane as usize].notified());
            freed.as_mut().enable();
            {
                let mut state = self.lock();
                let closed = state.closed;
                let queue = &mut state.lanes[lane as usize];
                if closed || (queue.frames < self.frames_max && queue.bytes < self.bytes_max) {
                    return;
                }
                queue.awaited = true;
            }
            quark_core::reached!("grpc.inbound.full");
            freed.await;
        }
    }

    /// Appends a batch of frames.
    pub(crate) fn put(&self, from: SiloId, lane: Lane, frames: Vec<Bytes>) {
        if frames.is_empty() {
            return;
        }
        let bytes: usize = frames.iter().map(Bytes::len).sum();
        self.append(lane, frames.len(), bytes, Item::Frames { from, lane, frames: frames.into_iter() });
    }

    /// Appends an event to a lane. Events are few (one per link and state change) and never wait.
    pub(crate) fn put_event(&self, lane: Lane, event: Incoming) {
        self.append(lane, 0, 0, Item::Event(event));
    }

    fn append(&self, lane: Lane, frames: usize, bytes: usize, item: Item) {
        let consumer = {
            let mut state = self.lock();
            if state.closed {
                return;
            }
            let queue = &mut state.lanes[lane as usize];
            queue.frames += frames;
            queue.bytes += bytes;
            queue.items.push_back(item);
            state.consumer.take()
        };
        if let Some(consumer) = consumer {
            consumer.wake();
        }
    }

    /// See [`quark_env::Transport::poll_recv`].
    pub(crate) fn poll_take(&self, cx: &mut Context<'_>, out: &mut Vec<Incoming>, max: usize) -> Poll<usize> {
        assert!(max > 0, "asked to receive at most nothing");
        let mut taken = 0;
        let mut freed = [false; 2];
        let closed = {
            let mut state = self.lock();
            for lane in [Lane::Control, Lane::User] {
                let queue = &mut state.lanes[lane as usize];
                taken += queue.take(out, max - taken);
                if queue.awaited && queue.frames <= self.frames_max / 2 && queue.bytes <= self.bytes_max / 2 {
                    queue.awaited = false;
                    freed[lane as usize] = true;
                }
            }
            if taken == 0 && !state.closed {
                match &mut state.consumer {
                    Some(waker) => waker.clone_from(cx.waker()),
                    none => *none = Some(cx.waker().clone()),
                }
            }
            state.closed
        };
        for (lane, freed) in freed.into_iter().enumerate() {
            if freed {
                self.room[lane].notify_waiters();
            }
        }
        if taken > 0 || closed { Poll::Ready(taken) } else { Poll::Pending }
    }

    /// Takes nothing more in. What is in can still be taken; after that the consumer is told that this is the end.
    pub(crate) fn close(&self) {
        let consumer = {
            let mut state = self.lock();
            state.closed = true;
            state.consumer.take()
        };
        for room in &self.room {
            room.notify_waiters();
        }
        if let Some(consumer) = consumer {
            consumer.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn take(&mut self, out: &mut Vec<Incoming>, max: usize) -> usize {
        let before = out.len();
        while out.len() - before < max {
            match self.items.front_mut() {
                None => break,
                Some(Item::Frames { from, lane, frames }) => {
                    let (from, lane) = (*from, *lane);
                    let room = max - (out.len() - before);
                    for bytes in frames.by_ref().take(room) {
                        self.frames -= 1;
                        self.bytes -= bytes.len();
                        out.push(Incoming::Frame { from, lane, bytes });
                    }
                    if frames.as_slice().is_empty() {
                        self.items.pop_front();
                    }
                }
                Some(Item::Event(_)) => {
                    if let Some(Item::Event(event)) = self.items.pop_front() {
                        out.push(event);
                    }
                }
            }
        }
        out.len() - before
    }
}

#[cfg(test)]
mod tests;
