//! One host of turmoil, as a silo wants to see a machine.

use crate::lab::{EPOCH, Lab};
use parking_lot::Mutex;
use quark_core::{Instant, WallTime, hash};
use quark_env::{BoxFuture, Clock, Entropy, Env, Sleep, Store, Transport};
use quark_tokio::TokioSpawner;
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use turmoil::net::{TcpListener, TcpStream};

/// The world of a process on this host. To be called by the host.
pub fn env(lab: &Lab, name: &str, transport: Arc<dyn Transport>, store: Arc<dyn Store>) -> Env {
    Env {
        clock: Arc::new(HostClock::new()),
        spawner: Arc::new(TokioSpawner::new(Handle::current())),
        entropy: Arc::new(HostEntropy::new(lab.seed(), name)),
        transport,
        store,
    }
}

/// A host's clocks: turmoil's paused ones. They show true time; the monotonic one starts with the process.
pub struct HostClock {
    runtime: Handle,
    base: tokio::time::Instant,
    began: Duration,
}

impl HostClock {
    /// The clocks of the host that calls this.
    ///
    /// Panics: on no host.
    #[expect(clippy::new_without_default, reason = "it reads the world")]
    pub fn new() -> Self {
        let began = turmoil::sim_elapsed().expect("a host calls");
        Self { runtime: Handle::current(), base: tokio::time::Instant::now(), began }
    }

    fn since_base(&self) -> Duration {
        // Each host has a paused clock of its own, and the caller may be on another.
        let _entered = self.runtime.enter();
        self.base.elapsed()
    }
}

impl Clock for HostClock {
    fn now(&self) -> Instant {
        Instant::ZERO.after(ORIGIN + self.since_base())
    }

    fn wall(&self) -> WallTime {
        let since_epoch = EPOCH + self.began + self.since_base();
        WallTime(i64::try_from(since_epoch.as_nanos()).expect("before the year 2262"))
    }

    fn sleep_until(&self, at: Instant) -> Sleep {
        let after = Duration::from_nanos(at.0).saturating_sub(ORIGIN);
        match self.base.checked_add(after) {
            Some(deadline) if at != Instant::NEVER => {
                let _entered = self.runtime.enter();
                Box::pin(tokio::time::sleep_until(deadline))
            }
            _ => Box::pin(std::future::pending()),
        }
    }
}

/// A host's chance: streams that are functions of the seed, the host and the moment of its birth.
pub struct HostEntropy {
    seed: u64,
    streams: Mutex<BTreeMap<&'static str, ChaCha8Rng>>,
}

impl HostEntropy {
    /// The streams of a process that begins now.
    pub fn new(seed: u64, name: &str) -> Self {
        let born_ms = turmoil::sim_elapsed().unwrap_or_default().as_millis() as u64;
        let seed = hash::point_in(seed, name.as_bytes()) ^ born_ms;
        Self { seed, streams: Mutex::default() }
    }
}

impl Entropy for HostEntropy {
    fn fill(&self, stream: &'static str, out: &mut [u8]) {
        let mut streams = self.streams.lock();
        let seed = hash::point_in(self.seed, stream.as_bytes());
        streams.entry(stream).or_insert_with(|| ChaCha8Rng::seed_from_u64(seed)).fill_bytes(out);
    }
}

/// A host's place in the network, for the transport and for the store's client.
pub struct Place {
    /// Connections that were made to it; `None` where nobody listens.
    accepted: Option<tokio::sync::Mutex<mpsc::Receiver<(TcpStream, SocketAddr)>>>,
    chance: Mutex<ChaCha8Rng>,
}

impl Place {
    /// A place that listens at [`PORT`]. To be called by the host.
    pub async fn listening(lab: &Lab, name: &str) -> io::Result<Arc<Self>> {
        let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, PORT)).await?;
        // A task of the host has the listener and takes it along when the host crashes. The place itself may outlive that
        // in another host's hands, where turmoil could not close it.
        let (hand_over, accepted) = mpsc::channel(1);
        tokio::spawn(async move {
            while let Ok(permit) = hand_over.reserve().await {
                let Ok(connection) = listener.accept().await else { return };
                permit.send(connection);
            }
        });
        Ok(Self::with(Some(accepted), lab, name))
    }

    /// A place that only dials. To be called by the host.
    pub fn dialling(lab: &Lab, name: &str) -> Arc<Self> {
        Self::with(None, lab, name)
    }

    fn with(accepted: Option<mpsc::Receiver<(TcpStream, SocketAddr)>>, lab: &Lab, name: &str) -> Arc<Self> {
        let born_ms = lab.elapsed().as_millis() as u64;
        let seed = hash::point_in(lab.seed() ^ born_ms, name.as_bytes());
        let accepted = accepted.map(tokio::sync::Mutex::new);
        Arc::new(Self { accepted, chance: Mutex::new(ChaCha8Rng::seed_from_u64(seed)) })
    }

    /// Where a host listens.
    pub fn address(name: &str) -> String {
        format!("{name}:{PORT}")
    }
}

impl quark_grpc::Network for Place {
    fn connect(&self, address: String) -> BoxFuture<'static, io::Result<Box<dyn quark_grpc::Wire>>> {
        Box::pin(async move {
            let stream = TcpStream::connect(address).await?;
            Ok(Box::new(stream) as Box<dyn quark_grpc::Wire>)
        })
    }

    fn accept(&self) -> BoxFuture<'_, io::Result<(Box<dyn quark_grpc::Wire>, SocketAddr)>> {
        Box::pin(async move {
            let accepted = self.accepted.as_ref().ok_or(io::ErrorKind::NotConnected)?;
            let connection = accepted.lock().await.recv().await;
            let (stream, remote) = connection.ok_or(io::ErrorKind::NotConnected)?;
            Ok((Box::new(stream) as Box<dyn quark_grpc::Wire>, remote))
        })
    }

    fn draw(&self) -> u64 {
        self.chance.lock().next_u64()
    }
}

impl quark_redis::Network for Place {
    fn connect(&self, host: String, port: u16) -> BoxFuture<'static, io::Result<Box<dyn quark_redis::Wire>>> {
        Box::pin(async move {
            let stream = TcpStream::connect((host.as_str(), port)).await?;
            Ok(Box::new(stream) as Box<dyn quark_redis::Wire>)
        })
    }
}

/// Where monotonic clocks start: not at zero, which nobody shall take for granted.
const ORIGIN: Duration = Duration::from_secs(1000);
/// Where silos listen, on each host.
pub const PORT: u16 = 11_111;
