//! The store of the stage: a file that the processes share, or a Redis server that things happen to, perhaps with a replica.
//!
//! Silos reach the server through doors of their own ([`super::network`]), so that it can be cut off, lose answers, and give
//! its place to another, whose address nobody has to be told: a virtual address, as fail-overs without sentinels have it.

use super::network::Network;
use crate::server::{Server, ask};
use parking_lot::Mutex;
use quark_core::{Version, WriteId};
use quark_env::store::{Record, RecordKey};
use quark_testkit::stage::Dark;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Where the cluster keeps everything. Cheap to clone.
#[derive(Clone)]
pub enum Keeper {
    /// A file in the stage's folder.
    File,
    /// A server.
    Redis(Arc<Redis>),
}

/// A Redis server behind doors.
pub struct Redis {
    network: Network,
    /// Who has doors.
    callers: Mutex<BTreeSet<String>>,
    servers: Mutex<Servers>,
}

struct Servers {
    /// Who serves, or will when the store is lit.
    primary: Server,
    replica: Option<Server>,
    dark: Option<Dark>,
}

/// The versions of all partitions.
pub type Counters = BTreeMap<String, Version>;

/// Names in the network: what silos dial, and the two ends of the replication.
const STORE: &str = "the store";
const PRIMARY: &str = "the primary";
const REPLICA: &str = "the replica";
/// What is acknowledged was handed to the system, which outlives a server that is killed. Nobody waits for the disk of a busy
/// machine: that took a server longer than its clients wait, which is another story.
const ON_DISK: [&str; 4] = ["--appendonly", "yes", "--appendfsync", "no"];

impl Keeper {
    /// A server that has on its disk what it acknowledges.
    pub fn redis() -> Self {
        Self::behind(Network::default(), Server::start(&ON_DISK), None)
    }

    /// The same with a replica.
    pub async fn replicated() -> Self {
        let (network, primary) = (Network::default(), Server::start(&ON_DISK));
        network.aim(PRIMARY, &address(&primary));
        let door = network.door(PRIMARY, Some(REPLICA)).await.expect("a free port");
        let replica = Server::start(&["--replicaof", "127.0.0.1", &door.port().to_string()]);
        let replica = blocking(move || {
            replica.wait_in_step();
            replica
        });
        Self::behind(network, primary, Some(replica.await))
    }

    fn behind(network: Network, primary: Server, replica: Option<Server>) -> Self {
        network.aim(STORE, &address(&primary));
        let servers = Mutex::new(Servers { primary, replica, dark: None });
        Self::Redis(Arc::new(Redis { network, callers: Mutex::default(), servers }))
    }

    /// What `QUARK_STORE` says to a silo of this name.
    pub async fn text_for(&self, silo: &str) -> String {
        match self {
            Self::File => "sqlite".into(),
            Self::Redis(redis) => redis.url_for(silo).await,
        }
    }

    /// Panics: if it is a file.
    pub fn server(&self) -> &Arc<Redis> {
        match self {
            Self::File => panic!("nobody is cut off from a file: tell this story on Redis"),
            Self::Redis(redis) => redis,
        }
    }
}

impl Redis {
    /// A URL for one caller, who can be cut off from it.
    pub async fn url_for(&self, caller: &str) -> String {
        let door = self.network.door(STORE, Some(caller)).await.expect("a free port");
        self.callers.lock().insert(caller.into());
        format!("redis://{door}")
    }

    /// Cuts a caller off, both ways.
    pub fn cut(&self, caller: &str) {
        self.network.cut_way(caller, STORE);
        self.network.cut_way(STORE, caller);
    }

    /// Undoes that.
    pub fn mend(&self, caller: &str) {
        self.network.mend_way(caller, STORE);
        self.network.mend_way(STORE, caller);
    }

    /// Drops the connection instead of this share of the server's answers, in millionths.
    pub fn lose_answers(&self, ppm: u32) {
        self.network.lose(STORE, ppm);
    }

    /// The server hangs, or ends.
    pub fn darken(&self, how: Dark) {
        let mut servers = self.servers.lock();
        match how {
            Dark::Hangs => servers.primary.freeze(),
            Dark::Ends => servers.primary.kill(),
        }
        servers.dark = Some(how);
    }

    /// It goes on, is started again, or its replica takes calls.
    pub async fn light(self: Arc<Self>) {
        let redis = self.clone();
        let address = blocking(move || {
            let mut servers = redis.servers.lock();
            match servers.dark.take() {
                Some(Dark::Hangs) => servers.primary.thaw(),
                Some(Dark::Ends) => servers.primary.restart(),
                None => {}
            }
            address(&servers.primary)
        });
        self.network.aim(STORE, &address.await);
        self.network.heal();
    }

    /// The replica hears of no more commits.
    pub fn cut_replica(&self) {
        self.network.partition(&[&[PRIMARY], &[REPLICA]]);
    }

    /// The primary is cut off from everybody and killed, and the replica is made a primary, whom nobody reaches before
    /// [`Self::light`]. Returns what each of them had.
    pub async fn fail_over(self: Arc<Self>) -> (Counters, Counters) {
        let callers = self.callers.lock().clone();
        callers.iter().for_each(|caller| self.cut(caller));
        blocking(move || {
            let mut servers = self.servers.lock();
            let had = counters(&servers.primary);
            servers.primary.kill();
            let replica = servers.replica.take().expect("a server with a replica");
            replica.ask(&["REPLICAOF", "NO", "ONE"]);
            let has = counters(&replica);
            servers.primary = replica;
            (had, has)
        })
        .await
    }

    /// A record as it lies there; `net/redis/src/schema.rs` says how.
    pub async fn peek(self: Arc<Self>, key: RecordKey) -> Option<Record> {
        blocking(move || {
            let url = self.servers.lock().primary.url();
            let (hash, field) = (format!("quark:p{{.{}}}", key.partition.0), format!("r{}", key.row));
            let stored = ask(&url, &["HGET", &hash, &field]);
            let stored: Option<Vec<u8>> = redis::from_redis_value(stored).expect("bytes, or nothing");
            let stored = stored?;
            let version = u64::from_be_bytes(stored[..8].try_into().expect("eight bytes"));
            let write_id = u128::from_be_bytes(stored[8..24].try_into().expect("sixteen bytes"));
            let value = stored[28..].to_vec().into();
            Some(Record { key, version: Version(version), write_id: WriteId(write_id), value })
        })
        .await
    }

    /// Whether the cluster has stored anything there: a story that was told on another store proves nothing about this one.
    pub async fn is_used(self: Arc<Self>) -> bool {
        blocking(move || !counters(&self.servers.lock().primary).is_empty()).await
    }
}

fn address(server: &Server) -> String {
    format!("127.0.0.1:{}", server.port)
}

/// The counter of each partition that a server has.
fn counters(server: &Server) -> Counters {
    let keys: Vec<String> = redis::from_redis_value(server.ask(&["KEYS", "quark:p{.*}"])).expect("names");
    let version = |key: String| {
        let counter: Vec<u8> = redis::from_redis_value(server.ask(&["HGET", &key, "v"])).expect("a counter");
        let version = u64::from_be_bytes(counter.try_into().expect("eight bytes"));
        let partition = key.strip_prefix("quark:p{.").and_then(|key| key.strip_suffix('}'));
        (partition.expect("as asked for").to_owned(), Version(version))
    };
    keys.into_iter().map(version).collect()
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.expect("it does not panic")
}
