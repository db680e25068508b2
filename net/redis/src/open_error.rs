//! Why there is no store at an address.

use crate::address::UrlError;
use std::path::PathBuf;
use std::time::Duration;

/// Why a store could not be opened. No record was changed. `server` is the address without user and password.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum OpenError {
    /// The URL is wrong.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// The file of certificates cannot be used.
    #[error(
        "the certificates in {path:?} cannot be used ({reason}): give a PEM file of the authorities to trust"
    )]
    CaFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// No such host.
    #[error("the host of {server} is unknown ({reason}): correct the name in the URL, or the name service")]
    UnknownHost {
        /// Who was asked.
        server: String,
        /// What the operating system says.
        reason: String,
    },
    /// Nobody takes the connection.
    #[error("nobody listens at {server} ({reason}): start the server, or correct host and port")]
    Refused {
        /// Who was asked.
        server: String,
        /// What the operating system says.
        reason: String,
    },
    /// Nobody answers.
    #[error(
        "{server} did not answer within {waited:?}: see whether it hangs or a firewall is in between, or wait longer"
    )]
    TimedOut {
        /// Who was asked.
        server: String,
        /// The time-out.
        waited: Duration,
    },
    /// TLS failed.
    #[error(
        "no TLS with {server} ({reason}): check its certificate and host name, the authorities to trust (`?ca=` in the URL, or `Options::ca_file`), and that the port is its TLS port"
    )]
    Tls {
        /// Who was asked.
        server: String,
        /// What went wrong.
        reason: String,
    },
    /// User or password is wrong.
    #[error("{server} does not accept the user or the password: correct them in the URL or in the options")]
    Authentication {
        /// Who was asked.
        server: String,
    },
    /// The user may not do what a store has to do.
    #[error(
        "{server} does not permit what a store needs ({reason}): grant the user what `Options::user` lists"
    )]
    NotPermitted {
        /// Who was asked.
        server: String,
        /// What the server says.
        reason: String,
    },
    /// Something else listens there.
    #[error(
        "{server} is no Redis server ({reason}): correct host and port, or use rediss:// if it wants TLS"
    )]
    NotRedis {
        /// Who was asked.
        server: String,
        /// What came instead.
        reason: String,
    },
    /// Somebody listens there, and hung up before a word was said.
    #[error(
        "{server} closed the connection before it answered ({reason}): if it is a Redis server it may be starting or \
         stopping, try again; if not, correct host and port, or use rediss:// if it wants TLS"
    )]
    Closed {
        /// Who was asked.
        server: String,
        /// What the system says.
        reason: String,
    },
    /// The server is too old.
    #[error(
        "{server} has version {found}, and {OLDEST_MAJOR}.0 is the oldest that is supported: upgrade the server"
    )]
    OldServer {
        /// Who was asked.
        server: String,
        /// Its version.
        found: String,
    },
    /// The server is a replica.
    #[error(
        "{server} is a read-only replica of {primary}: name the primary, or let redis+sentinel:// find it"
    )]
    Replica {
        /// Who was asked.
        server: String,
        /// Its primary, as it says.
        primary: String,
    },
    /// The server deletes keys when its memory is full.
    #[error(
        "{server} evicts keys when its memory is full (maxmemory-policy {policy}), and records would be lost: set maxmemory-policy to noeviction"
    )]
    Evicts {
        /// Who was asked.
        server: String,
        /// Its policy.
        policy: String,
    },
    /// The server accepts writes that too few replicas have.
    #[error(
        "{server} has min-replicas-to-write {found}, and {wanted} is asked for: configure it, or lower `min_replicas` in the URL or `Options`"
    )]
    FewReplicas {
        /// Who was asked.
        server: String,
        /// What it has.
        found: u32,
        /// What the options ask for.
        wanted: u32,
    },
    /// The server is arranged in another way than the URL says.
    #[error("{server} runs in {found} mode: use a URL that begins with {scheme}")]
    Mode {
        /// Who was asked.
        server: String,
        /// Its mode.
        found: String,
        /// The right scheme.
        scheme: &'static str,
    },
    /// The sentinels do not know the primary.
    #[error(
        "the sentinels of {server} know no primary named `{primary}` ({reason}): correct the name in the URL"
    )]
    UnknownPrimary {
        /// Who was asked.
        server: String,
        /// The name asked for.
        primary: String,
        /// What they say.
        reason: String,
    },
    /// The Redis Cluster has slots that nobody serves.
    #[error("{server} leaves slots without a node ({reason}): see `redis-cli --cluster check`")]
    ClusterIncomplete {
        /// Who was asked.
        server: String,
        /// What is missing.
        reason: String,
    },
    /// Written by a newer version of Quark.
    #[error(
        "the keys `{prefix}:*` on {server} have format {found}, this program knows formats up to {supported}: upgrade this program, or choose another prefix"
    )]
    NewerFormat {
        /// Who was asked.
        server: String,
        /// The prefix.
        prefix: String,
        /// The format found.
        found: String,
        /// The newest that this program knows.
        supported: u32,
    },
    /// The keys belong to another Quark cluster.
    #[error(
        "the keys `{prefix}:*` on {server} belong to cluster `{found}`, not to `{given}`: give this cluster a prefix of its own, or correct its cluster id"
    )]
    OtherCluster {
        /// Who was asked.
        server: String,
        /// The prefix.
        prefix: String,
        /// The cluster that they are marked with.
        found: String,
        /// The cluster id in the options.
        given: String,
    },
    /// Another program uses these keys.
    #[error("another program uses keys `{prefix}:*` on {server} ({reason}): choose another prefix")]
    Foreign {
        /// Who was asked.
        server: String,
        /// The prefix.
        prefix: String,
        /// What the server says.
        reason: String,
    },
    /// Anything else.
    #[error("{server} cannot be used: {reason}")]
    Other {
        /// Who was asked.
        server: String,
        /// What went wrong.
        reason: String,
    },
}

/// The oldest major version of the server.
pub(crate) const OLDEST_MAJOR: u32 = 7;
