//! The store in Redis 7, shared by the silos of a cluster: one server, sentinels or a Redis Cluster.
//!
//! A commit is one script, carried out by the server in one step, in one round trip; requests that wait at the same
//! moment travel together (see `lane.rs`). How the records lie in Redis is in `schema.rs`, what can be known of a server
//! that went back in time in [`history`].
//!
//! ```no_run
//! use quark_redis::{Options, RedisStore};
//! # fn main() -> Result<(), quark_redis::OpenError> {
//! let store = RedisStore::open("redis://localhost:6379/0?prefix=shop", Options::default())?;
//! # Ok(()) }
//! ```
//!
//! *Durability is the server's.* What an acknowledged commit survives is decided by its configuration: `appendonly yes`
//! with `appendfsync always` for a power cut, replicas with [`Options::wait_replicas`] and
//! [`Options::min_replicas`] for the loss of a machine. Redis replicates asynchronously: a fail-over may lose
//! acknowledged commits, and a primary that is cut off takes writes until it notices. What was lost is noticed.
//!
//! *Linearizable* are reads and commits as long as one server is primary. While two believe they are, a read may be
//! answered by the older one.
//!
//! Every operation is queued when it is called, not when its future is first polled: a commit whose future is dropped
//! still happens. The futures need no particular executor: the store has a thread of its own.
#![deny(missing_docs)]

mod address;
mod connection;
mod fault;
pub mod history;
mod lane;
mod network;
mod open_error;
mod options;
mod queue;
mod request;
mod schema;
mod secret;
mod seen;
mod shared;
mod status;
mod topology;

pub use address::UrlError;
pub use network::{Network, Wire};
pub use open_error::OpenError;
pub use options::Options;
pub use secret::Secret;
pub use status::{ConnectionState, Health};

use address::{Address, check_prefix};
use futures_util::future::try_join_all;
use lane::Lane;
use quark_env::store::{
    Batch, Committed, Expect, Partition, Record, RecordKey, ScanRange, StoreError, check_limits,
};
use quark_env::{BoxFuture, Store};
use queue::{Queue, Refusal};
use request::{Request, Scripts};
use shared::Shared;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use tokio::sync::oneshot;

/// A [`Store`] in Redis. Clones share its connections.
///
/// Dropping the last clone works off what is queued and ends its thread; it waits for that, at most for
/// [`Options::request_timeout`] and what a reconnection takes.
#[derive(Clone)]
pub struct RedisStore {
    inner: Arc<Inner>,
}

struct Inner {
    shared: Arc<Shared>,
    queues: Vec<Arc<Queue>>,
    thread: Option<JoinHandle<()>>,
}

impl RedisStore {
    /// Connects to the server or servers of a URL. The forms of a URL are
    /// `redis://[user[:password]@]host[:port][/db][?prefix=name]` (`rediss://` with TLS), `redis+unix:///path`,
    /// `redis+sentinel://host[:port],..../name-of-the-primary` and `redis-cluster://host[:port],...`. All take the
    /// parameters `prefix`, `wait_replicas` and `min_replicas`, those with TLS also `ca`, those with sentinels also
    /// `sentinel_password`; each wins over the field of [`Options`] that it is named after.
    ///
    /// Blocks until all connections are up, at most for a few times [`Options::connect_timeout`].
    ///
    /// Errors: each names what is wrong and what to do about it. No record was changed.
    ///
    /// Panics: if the options ask for no connection.
    pub fn open(url: &str, options: Options) -> Result<Self, OpenError> {
        assert!(options.connections > 0, "a store needs a connection");
        let shared = Arc::new(prepare(url, options)?);
        let (queues, lanes) = lanes(&shared);
        let (tell, told) = mpsc::channel();
        let of_thread = shared.clone();
        let thread =
            thread::Builder::new().name("quark-redis".into()).spawn(move || drive(of_thread, lanes, &tell));
        let failed = |reason: String| OpenError::Other { server: shared.address.shown(), reason };
        let thread = thread.map_err(|error| failed(error.to_string()))?;
        told.recv().unwrap_or_else(|_| Err(failed("its thread panicked".into())))?;
        Ok(Self { inner: Arc::new(Inner { shared, queues, thread: Some(thread) }) })
    }

    /// As [`RedisStore::open`], over a network that is not the operating system's, and with tasks on the tokio runtime that
    /// polls this future instead of a thread: they end when the last clone of the store is dropped and what was queued
    /// has been answered. TLS and Unix sockets need the operating system, and are refused.
    ///
    /// Panics: if the options ask for no connection; outside of a tokio runtime, or in one without time.
    pub async fn open_over(
        url: &str,
        options: Options,
        network: Arc<dyn Network>,
    ) -> Result<Self, OpenError> {
        assert!(options.connections > 0, "a store needs a connection");
        let mut shared = prepare(url, options)?;
        shared.network = Some(network);
        let shared = Arc::new(shared);
        let (queues, mut lanes) = lanes(&shared);
        open_lanes(&shared, &mut lanes).await?;
        for lane in lanes {
            tokio::spawn(lane.run());
        }
        Ok(Self { inner: Arc::new(Inner { shared, queues, thread: None }) })
    }

    /// How the connections are.
    pub fn health(&self) -> Health {
        let shared = &self.inner.shared;
        shared.status.health(shared.era())
    }

    fn queue(&self, partition: &Partition) -> &Queue {
        let hash = crc32c::crc32c(partition.0.as_bytes()) as usize;
        &self.inner.queues[hash % self.inner.queues.len()]
    }

    fn scripts(&self) -> &Scripts {
        self.inner.shared.scripts.get().expect("known since the first connection")
    }

    fn ask<T: Send + 'static>(
        &self,
        partition: &Partition,
        bytes: usize,
        request: Request,
        answer: oneshot::Receiver<Result<T, StoreError>>,
        silence: fn(String) -> StoreError,
    ) -> BoxFuture<'static, Result<T, StoreError>> {
        let queued = self.queue(partition).push(request, bytes);
        Box::pin(async move {
            queued.map_err(unavailable)?;
            answer.await.unwrap_or_else(|_| Err(silence("the thread that talks to Redis has ended".into())))
        })
    }
}

impl RedisStore {
    /// The deliberate bug m19: what a batch expects is looked at, and then written without another look.
    fn look_then_write(&self, mut batch: Batch) -> BoxFuture<'static, Result<Committed, StoreError>> {
        let this = self.clone();
        Box::pin(async move {
            for check in std::mem::take(&mut batch.checks) {
                let key = RecordKey { partition: batch.partition.clone(), row: check.row.clone() };
                let found = this.read(&key).await?.map(|record| record.version);
                let holds = match check.expect {
                    Expect::Version(version) => found == Some(version),
                    Expect::Absent => found.is_none(),
                };
                if !holds {
                    let (partition, row, expected) = (key.partition, key.row, check.expect);
                    return Err(StoreError::Conflict { partition, row, expected, found });
                }
            }
            this.commit(batch).await
        })
    }
}

/// The lanes of a store, and the queue that leads to each.
fn lanes(shared: &Arc<Shared>) -> (Vec<Arc<Queue>>, Vec<Lane>) {
    let options = &shared.options;
    let queue = || Arc::new(Queue::new(options.queue_requests_max, options.queue_bytes_max));
    let queues: Vec<_> = (0..options.connections).map(|_| queue()).collect();
    let lane = |(index, queue): (usize, &Arc<Queue>)| Lane::new(index, shared.clone(), queue.clone());
    let lanes = queues.iter().enumerate().map(lane).collect();
    (queues, lanes)
}

/// Connects all lanes, or says what is wrong.
async fn open_lanes(shared: &Shared, lanes: &mut [Lane]) -> Result<(), OpenError> {
    let map = topology::locate(shared).await?;
    // The first alone: it marks a new store, and if it fails one error is enough.
    let (first, others) = lanes.split_first_mut().expect("a store has a lane");
    first.open(&map).await?;
    try_join_all(others.iter_mut().map(|lane| lane.open(&map))).await?;
    Ok(())
}

/// Everything that can be wrong before anything is sent.
fn prepare(url: &str, mut options: Options) -> Result<Shared, OpenError> {
    let mut address = Address::parse(url)?;
    options.ca_file = address.ca_file.take().or(options.ca_file);
    options.sentinel_password = address.sentinel_password.take().or(options.sentinel_password);
    options.wait_replicas = address.wait_replicas.unwrap_or(options.wait_replicas);
    options.min_replicas = address.min_replicas.unwrap_or(options.min_replicas);
    address.user = address.user.or_else(|| options.user.clone());
    address.password = address.password.or_else(|| options.password.clone());
    let prefix = match &address.prefix {
        Some(prefix) => prefix.clone(),
        None => check_prefix(&options.prefix)?,
    };
    let mut ca = None;
    if let Some(path) = &options.ca_file {
        let refuse = |reason: String| OpenError::CaFile { path: path.clone(), reason };
        let pem = std::fs::read(path).map_err(|error| refuse(error.to_string()))?;
        if !pem.windows(BEGIN.len()).any(|window| window == BEGIN) {
            return Err(refuse("there is no certificate in it".into()));
        }
        ca = Some(pem);
    }
    if address.tls {
        // Another part of the program may have chosen before us, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
    Ok(Shared::new(address, options, prefix, ca))
}

const BEGIN: &[u8] = b"-----BEGIN CERTIFICATE-----";

/// The store's thread. One, since one is enough for all connections: it only moves bytes.
fn drive(shared: Arc<Shared>, mut lanes: Vec<Lane>, tell: &mpsc::Sender<Result<(), OpenError>>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            let (server, reason) = (shared.address.shown(), error.to_string());
            let _ = tell.send(Err(OpenError::Other { server, reason }));
            return;
        }
    };
    runtime.block_on(async {
        let opened = open_lanes(&shared, &mut lanes).await;
        let is_open = opened.is_ok();
        let _ = tell.send(opened);
        if is_open {
            let running: Vec<_> = lanes.into_iter().map(|lane| tokio::spawn(lane.run())).collect();
            for lane in running {
                let _ = lane.await; // a panic has been reported where it happened
            }
        }
    });
}

impl Store for RedisStore {
    fn read(&self, key: &RecordKey) -> BoxFuture<'static, Result<Option<Record>, StoreError>> {
        let (reply, answer) = oneshot::channel();
        let shared = &self.inner.shared;
        let request = Request::read(&shared.prefix, key.clone(), shared.seen.get(&key.partition), reply);
        let bytes = key.partition.0.len() + key.row.len();
        self.ask(&key.partition, bytes, request, answer, StoreError::Unavailable)
    }

    fn commit(&self, batch: Batch) -> BoxFuture<'static, Result<Committed, StoreError>> {
        if let Err(too_large) = check_limits(&batch) {
            return Box::pin(async { Err(too_large) });
        }
        if quark_core::mutant!("m19") && !batch.checks.is_empty() {
            return self.look_then_write(batch);
        }
        let (reply, answer) = oneshot::channel();
        let shared = &self.inner.shared;
        let (partition, bytes) = (batch.partition.clone(), batch.bytes_held());
        let mark = shared.seen.get(&partition);
        let request = Request::commit(self.scripts(), &shared.prefix, batch, mark, shared.floor(), reply);
        self.ask(&partition, bytes, request, answer, StoreError::Indeterminate)
    }

    fn scan(&self, range: ScanRange, limit: usize) -> BoxFuture<'static, Result<Vec<Record>, StoreError>> {
        let (reply, answer) = oneshot::channel();
        let shared = &self.inner.shared;
        let (partition, bytes) = (range.partition.clone(), range.from.len() + range.to.len());
        let mark = shared.seen.get(&partition);
        let request = Request::scan(self.scripts(), &shared.prefix, range, limit, mark, reply);
        self.ask(&partition, bytes, request, answer, StoreError::Unavailable)
    }

    /// The era: see the module `history`.
    fn history(&self) -> u64 {
        self.inner.shared.era()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.queues.iter().for_each(|queue| queue.finish());
        // A reply's waker may drop the last handle of a store, on the store's own thread: it cannot wait for itself,
        // and ends when it returns to its queues.
        if let Some(thread) = self.thread.take()
            && thread.thread().id() != thread::current().id()
        {
            let _ = thread.join(); // a panic has been reported where it happened
        }
    }
}

impl std::fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shared = &self.inner.shared;
        write!(f, "RedisStore({}, prefix {})", shared.address.shown(), shared.prefix)
    }
}

fn unavailable(refusal: Refusal) -> StoreError {
    quark_core::reached!("redis.queue.refused");
    StoreError::Unavailable(refusal.to_string())
}
