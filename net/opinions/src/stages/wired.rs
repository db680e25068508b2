//! A stage of places between which there are wires: what the places are is all that differs.

use super::wires::Wires;
use futures_util::future::BoxFuture;
use quark_core::SiloId;
use quark_env::Transport;
use quark_testkit::transport_conformance::{Role, Stage};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What runs at the ends of the wires.
pub(super) trait Places: Send + Sync + 'static {
    /// Starts a transport, and says where it listens.
    fn open(&self, wires: &Wires, who: SiloId, role: Role) -> Arc<dyn Transport>;

    /// Ends it, without a word.
    fn crash(&self, name: &str);
}

pub(super) struct Wired<P> {
    pub(super) places: P,
    wires: Wires,
    began: Instant,
}

impl<P> Wired<P> {
    pub(super) fn new(places: P) -> Arc<Self> {
        Arc::new(Self { places, wires: Wires::new(), began: Instant::now() })
    }
}

impl<P: Places> Stage for Wired<P> {
    fn open(&self, who: SiloId, role: Role) -> BoxFuture<'static, Arc<dyn Transport>> {
        let transport = self.places.open(&self.wires, who, role);
        Box::pin(async move { transport })
    }

    fn address(&self, from: &str, to: &str) -> BoxFuture<'static, String> {
        let address = self.wires.between(from, to);
        Box::pin(async move { address.to_string() })
    }

    fn crash(&self, name: &str) -> BoxFuture<'static, ()> {
        self.places.crash(name);
        Box::pin(async {})
    }

    fn cut(&self, from: &str, to: &str) {
        self.wires.pinch(from, to);
    }

    fn mend(&self, one: &str, other: &str) {
        self.wires.open(one, other);
        self.wires.open(other, one);
    }

    fn hold(&self, one: &str, other: &str) {
        self.wires.pinch(one, other);
        self.wires.pinch(other, one);
    }

    fn release(&self, one: &str, other: &str) {
        self.mend(one, other);
    }

    fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()> {
        Box::pin(async move { tokio::time::sleep(time).await })
    }
}
