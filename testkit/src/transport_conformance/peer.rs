//! A transport and what has come out of it.

use super::{Observation, Role, Stage};
use bytes::Bytes;
use futures_util::future::{Either, select};
use quark_core::wire::Lane;
use quark_core::{Generation, SiloId, SiloName};
use quark_env::Transport;
use quark_env::transport::{Incoming, SendError};
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

/// An incarnation's name.
///
/// Panics: if the name is not well formed.
pub fn silo(name: &str, generation: u64) -> SiloId {
    SiloId::new(SiloName::new(name).expect("a well formed name"), Generation(generation))
}

/// One end.
pub struct Peer {
    /// The stage that it is on.
    pub stage: Arc<dyn Stage>,
    /// Its transport.
    pub transport: Arc<dyn Transport>,
    received: VecDeque<Incoming>,
}

impl Peer {
    /// Starts a process with a transport.
    pub async fn open(stage: &Arc<dyn Stage>, who: SiloId, role: Role) -> Self {
        let transport = stage.open(who, role).await;
        Self { stage: stage.clone(), transport, received: VecDeque::new() }
    }

    /// Two silos that have learnt of one another, linked both ways.
    pub async fn pair(stage: &Arc<dyn Stage>) -> (Self, Self) {
        let mut a = Self::open(stage, silo("a", 1), Role::Silo).await;
        let mut b = Self::open(stage, silo("b", 1), Role::Silo).await;
        a.learn(b.id()).await;
        b.learn(a.id()).await;
        a.meet(&mut b).await;
        (a, b)
    }

    /// Who it is.
    pub fn id(&self) -> SiloId {
        self.transport.local()
    }

    fn name(&self) -> String {
        self.id().name.as_str().to_owned()
    }

    /// Learns where another is.
    pub async fn learn(&self, other: SiloId) {
        let address = self.stage.address(&self.name(), other.name.as_str()).await;
        self.transport.learn(other, &address);
    }

    /// Sends a frame.
    ///
    /// Panics: if it is not accepted.
    pub fn send(&self, to: SiloId, lane: Lane, frame: impl Into<Bytes>) {
        self.transport.try_send(to, lane, frame.into()).expect("there is room");
    }

    /// The next thing that arrives.
    ///
    /// Panics: if nothing does for a time that is long everywhere.
    pub async fn next(&mut self) -> Incoming {
        let who = self.id();
        let Some(next) = self.next_within(LONG).await else { panic!("{who}: nothing arrives for {LONG:?}") };
        next
    }

    /// The next thing that arrives, if one does in that time.
    pub async fn next_within(&mut self, time: Duration) -> Option<Incoming> {
        if self.received.is_empty() {
            let mut out = Vec::new();
            let arrival = poll_fn(|cx| self.transport.poll_recv(cx, &mut out, 256));
            within(&*self.stage, time, arrival).await?;
            self.received.extend(out);
        }
        Some(self.received.pop_front().expect("the transport is open"))
    }

    /// The next frame, and its lane.
    ///
    /// Panics: if something else comes first.
    pub async fn frame(&mut self) -> (SiloId, Lane, Bytes) {
        match self.next().await {
            Incoming::Frame { from, lane, bytes } => (from, lane, bytes),
            other => panic!("{}: expected a frame, got {other:?}", self.id()),
        }
    }

    /// Waits to be told that the link with a peer broke, and for how long; frames from it before that do not count.
    pub async fn lost(&mut self, other: SiloId) -> Duration {
        let began = self.stage.elapsed();
        loop {
            match self.next().await {
                Incoming::LinkDown { peer } if peer == other => return self.stage.elapsed() - began,
                Incoming::Frame { from, .. } if from == other => {}
                unexpected => panic!("{}: {unexpected:?}", self.id()),
            }
        }
    }

    /// Exchanges frames in both lanes, both ways.
    pub async fn meet(&mut self, other: &mut Peer) {
        for lane in [Lane::Control, Lane::User] {
            self.send(other.id(), lane, "hello");
            assert_eq!(other.frame().await, (self.id(), lane, "hello".into()));
            other.send(self.id(), lane, "welcome");
            assert_eq!(self.frame().await, (other.id(), lane, "welcome".into()));
        }
    }

    /// Says something until it is answered, as who has lost a link does: what was under way with it is gone.
    pub async fn reach(&mut self, other: &mut Peer, word: &str) {
        let began = self.stage.elapsed();
        loop {
            match self.transport.try_send(other.id(), Lane::User, Bytes::copy_from_slice(word.as_bytes())) {
                Ok(()) | Err(SendError::Full | SendError::NotConnected) => {}
                Err(error) => panic!("{error}"),
            }
            while let Some(heard) = other.next_within(MOMENT).await {
                if matches!(&heard, Incoming::Frame { bytes, .. } if bytes == word) {
                    return;
                }
            }
            while self.next_within(Duration::ZERO).await.is_some() {}
            assert!(self.stage.elapsed() - began < LONG, "{} is out of reach for {LONG:?}", other.id());
        }
    }
}

/// What a future comes to, if it does within this time.
pub(super) async fn within<T>(stage: &dyn Stage, time: Duration, work: impl Future<Output = T>) -> Option<T> {
    match select(pin!(work), stage.sleep(time)).await {
        Either::Left((done, _)) => Some(done),
        Either::Right(_) => None,
    }
}

/// How soon something was noticed that takes a second of silence to be noticed by it.
pub(super) fn noticed(after: Duration) -> Observation {
    if after < Duration::from_millis(700) { Observation::AtOnce } else { Observation::AfterSilence }
}

/// A frame with a number in it.
pub(super) fn numbered(number: u64) -> Bytes {
    Bytes::copy_from_slice(&number.to_le_bytes())
}

/// The number in a frame.
pub(super) fn number(frame: &Bytes) -> u64 {
    u64::from_le_bytes(frame[..8].try_into().expect("eight bytes"))
}

/// Nothing that is waited for takes so long, on any engine.
const LONG: Duration = Duration::from_secs(20);
/// A frame that can pass has passed.
const MOMENT: Duration = Duration::from_millis(100);
