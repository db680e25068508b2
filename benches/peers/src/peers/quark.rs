//! Quark: a whole silo with membership, leases, deadlines and call chains, and nobody else in its cluster.
//!
//! The transport goes nowhere, for there is nobody to send to. The store is in memory, so that the disk has no say: of a
//! volatile actor it sees nothing anyway, only the silo's lease. Calls go through the typed references that users have:
//! arguments and results are encoded, each call has a deadline and a chain.

use crate::peer::Peer;
use bytes::Bytes;
use quark::Silo;
use quark_core::wire::Lane;
use quark_core::{SiloId, SiloName};
use quark_env::transport::{Incoming, SendError};
use quark_env::{Clock, Entropy, Store, Transport};
use quark_tokio::{OsEntropy, TokioClock};
use std::sync::Arc;
use std::task::{Context, Poll};
use store::MemoryStore;
use tokio::runtime::Handle;

mod store;

/// The actor.
#[derive(Default)]
pub struct Counter {
    sum: u64,
}

#[quark::actor(kind = "counter")]
impl Counter {
    fn add(&mut self, add: u64) -> u64 {
        self.sum += add;
        self.sum
    }

    async fn add_async(&mut self, add: u64) -> u64 {
        self.sum += add;
        self.sum
    }
}

/// A silo.
pub struct Quark {
    silo: Silo,
    client: quark::Client,
}

impl Peer for Quark {
    const NAME: &'static str = "quark";
    type Actor = CounterRef;

    async fn start() -> Self {
        let builder = Silo::builder("peers").actor::<Counter>();
        let clock: Arc<dyn Clock> = Arc::new(TokioClock::new(Handle::current()));
        let entropy: Arc<dyn Entropy> = Arc::new(OsEntropy);
        let store: Arc<dyn Store> = Arc::new(MemoryStore::default());
        let newcomer = builder.newcomer(SiloName::new("alone").expect("a valid name"), ADDRESS);
        let config = builder.membership_config();
        let id = quark::membership::join_identity(&clock, &entropy, &store, config, &newcomer)
            .await
            .expect("an empty cluster can be joined");
        let env = quark_tokio::world(&Handle::current(), Arc::new(Nowhere(id)), store);
        let silo = builder.start(env, ADDRESS).await.expect("a silo starts");
        let client = silo.client();
        Self { silo, client }
    }

    async fn actor(&self, number: usize) -> CounterRef {
        self.client.actor::<Counter>(&number.to_string())
    }

    async fn ask(actor: &CounterRef, add: u64) -> u64 {
        actor.add(add).await.expect("the call succeeds")
    }

    async fn ask_async(actor: &CounterRef, add: u64) -> u64 {
        actor.add_async(add).await.expect("the call succeeds")
    }

    async fn tell(actor: &CounterRef, add: u64) {
        actor.add(add).tell().expect("the call is sent");
    }

    async fn stop(self) {
        self.silo.stop().await;
    }
}

const ADDRESS: &str = "127.0.0.1:0";

/// Links to nobody.
struct Nowhere(SiloId);

impl Transport for Nowhere {
    fn local(&self) -> SiloId {
        self.0
    }

    fn learn(&self, _peer: SiloId, _address: &str) {}

    fn forget(&self, _peer: SiloId, _reason: &str) {}

    fn try_send(&self, _to: SiloId, _lane: Lane, _frame: Bytes) -> Result<(), SendError> {
        Err(SendError::NotConnected)
    }

    fn poll_recv(&self, _cx: &mut Context<'_>, _out: &mut Vec<Incoming>, _max: usize) -> Poll<usize> {
        Poll::Pending
    }
}
