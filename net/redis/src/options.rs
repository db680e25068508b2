//! What can be chosen when a store is opened.

use crate::secret::Secret;
use std::path::PathBuf;
use std::time::Duration;

/// What can be chosen when a store is opened. The default is right unless you know otherwise.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Options {
    /// The Quark cluster that uses these keys. New ones are marked with it; keys that are marked with another are
    /// refused, so that two clusters cannot share a membership table by accident. `None` asks nothing.
    pub cluster_id: Option<String>,
    /// What all keys begin with; several Quark clusters may share a server under different prefixes. `?prefix=` in the
    /// URL wins over it. 1 to 64 letters, digits, `-`, `_`, `.`, `/` or `:`.
    pub prefix: String,
    /// The user of the server's access list; the one in the URL wins. It needs `~<prefix>:*` and the commands `evalsha
    /// eval script|load hmget hset hdel hget zadd zrem zrangebylex info time client|kill client|info
    /// select hello ping wait`, on a cluster also `cluster|slots asking`.
    pub user: Option<String>,
    /// The password; the one in the URL wins.
    pub password: Option<Secret>,
    /// The password of the sentinels, if they want one.
    pub sentinel_password: Option<Secret>,
    /// A file of certificates in PEM that vouch for the server, used by `rediss` schemes; `None` for those of the
    /// operating system.
    pub ca_file: Option<PathBuf>,
    /// Connections to each server, at least 1. A partition always uses the same one, which keeps its commits in order.
    /// One is enough for a whole core of the server; a second keeps a large value from delaying everybody.
    pub connections: usize,
    /// Requests that are sent together, at most; 1 sends each by itself. They are what waits at that moment: nobody
    /// waits for company.
    pub pipeline_max: usize,
    /// How long a connection may take to be made, with everything that is asked before it is used.
    pub connect_timeout: Duration,
    /// How long an answer may take. After that the outcome of a commit is unknown, and the connection is replaced.
    pub request_timeout: Duration,
    /// How often an idle connection is looked at, and the server's role and history with it.
    pub health_interval: Duration,
    /// The longest pause between two attempts to connect. The first follows at once, the next ones double from 10 ms.
    pub backoff_max: Duration,
    /// How many requests may wait for an answer on each connection. More are refused as unavailable, so that an
    /// overloaded store is an answer and not a growing heap.
    pub queue_requests_max: usize,
    /// How many bytes those requests may hold together, on each connection.
    pub queue_bytes_max: usize,
    /// How many replicas must confirm a commit before it is acknowledged (`WAIT`). If fewer do within
    /// [`wait_timeout`](Self::wait_timeout), the commit stands on the primary, and its outcome is reported as unknown:
    /// a fail-over may lose it. 0 acknowledges what the primary alone has. It lowers the risk of losing acknowledged
    /// commits and does not abolish it: Redis may promote a replica that did not confirm.
    pub wait_replicas: u32,
    /// How long replicas may take to confirm.
    pub wait_timeout: Duration,
    /// The least `min-replicas-to-write` that the server must be configured with, or it is refused at opening. With it
    /// a primary that has lost its replicas refuses commits (as unavailable) instead of taking what a fail-over will
    /// lose. 0 asks nothing; otherwise the user needs the command `config|get`.
    pub min_replicas: u32,
    /// Of how many partitions this process remembers the newest version it was told, to notice a server that went back
    /// in time. About 100 bytes each.
    pub versions_remembered: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            cluster_id: None,
            prefix: "quark".into(),
            user: None,
            password: None,
            sentinel_password: None,
            ca_file: None,
            connections: 2,
            pipeline_max: 64,
            connect_timeout: Duration::from_secs(2),
            request_timeout: Duration::from_secs(2),
            health_interval: Duration::from_secs(1),
            backoff_max: Duration::from_secs(1),
            queue_requests_max: 16_384,
            queue_bytes_max: 128 << 20,
            wait_replicas: 0,
            wait_timeout: Duration::from_millis(500),
            min_replicas: 0,
            versions_remembered: 65_536,
        }
    }
}
