//! From a URL to whom to connect to.
//!
//! ```text
//! redis://[user[:password]@]host[:6379][/db][?prefix=name]        one server; `rediss://` with TLS
//! redis+unix:///path/of/socket[?db=0&prefix=name]                 one server, through a Unix socket
//! redis+sentinel://host[:26379],host.../name-of-the-primary[/db]  whichever server the sentinels call primary
//! redis-cluster://host[:6379],host...                             a Redis Cluster, found through any of these nodes
//! ```
//! `rediss+sentinel` and `rediss-cluster` are the last two with TLS. Parameters of all of them:
//!
//! ```text
//! prefix=name              what all keys begin with
//! ca=/path/of/ca.pem       who vouches for the servers, with TLS
//! sentinel_password=..     what the sentinels want, with sentinels
//! wait_replicas=1          how many replicas confirm a commit before it is acknowledged
//! min_replicas=1           the least `min-replicas-to-write` that the server must have
//! ```
//! What has a meaning in URLs is written in percent
//! notation: `p%40ss`. Not the `url` crate: it knows no lists of hosts.

mod parameters;

use crate::secret::Secret;
use std::fmt;
use std::path::PathBuf;

/// A place that takes connections.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) enum Endpoint {
    Tcp(String, u16),
    Unix(PathBuf),
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Endpoint::Tcp(host, port) if host.contains(':') => write!(f, "[{host}]:{port}"),
            Endpoint::Tcp(host, port) => write!(f, "{host}:{port}"),
            Endpoint::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

impl Endpoint {
    /// As Redis writes them: `host:port`, where the host may contain colons.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (host, port) = text.rsplit_once(':')?;
        Some(Self::Tcp(host.trim_matches(['[', ']']).into(), port.parse().ok()?))
    }
}

/// How the servers are arranged.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Topology {
    One(Endpoint),
    Sentinel { sentinels: Vec<Endpoint>, primary: String },
    Cluster { seeds: Vec<Endpoint> },
}

/// What a URL says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Address {
    pub(crate) topology: Topology,
    pub(crate) tls: bool,
    pub(crate) user: Option<String>,
    pub(crate) password: Option<Secret>,
    pub(crate) db: i64,
    pub(crate) prefix: Option<String>,
    pub(crate) ca_file: Option<PathBuf>,
    pub(crate) sentinel_password: Option<Secret>,
    pub(crate) wait_replicas: Option<u32>,
    pub(crate) min_replicas: Option<u32>,
}

/// Why a text is no URL of a store. Passwords are not repeated.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum UrlError {
    /// It does not begin with a scheme that we know.
    #[error(
        "a Redis URL begins with redis://, rediss://, redis+unix://, redis+sentinel://, rediss+sentinel://, redis-cluster:// or rediss-cluster://, not with `{found}`: write for example redis://localhost:6379"
    )]
    Scheme {
        /// What stands before `://`; empty if there is no `://`.
        found: String,
    },
    /// A host is missing.
    #[error("a host is missing in the URL: write for example {example}")]
    NoHost {
        /// A URL of the same kind.
        example: &'static str,
    },
    /// A port is no number from 1 to 65535.
    #[error("`{found}` is no port: give a number from 1 to 65535")]
    Port {
        /// What stands in its place.
        found: String,
    },
    /// The database is no number.
    #[error("`{found}` is no number of a database: give for example /0, the default")]
    Database {
        /// What stands in its place.
        found: String,
    },
    /// A Redis Cluster has only database 0.
    #[error(
        "a Redis Cluster has no database {found}: leave it out, and keep Quark clusters apart by ?prefix="
    )]
    DatabaseOfCluster {
        /// The database asked for.
        found: i64,
    },
    /// A `%` without two hexadecimal digits, or bytes that are no UTF-8.
    #[error("the {part} in the URL is not in percent notation: write % as %25, @ as %40, / as %2F")]
    Escape {
        /// Where: `password`, `user`, ...
        part: &'static str,
    },
    /// The name of the primary is missing.
    #[error(
        "the sentinels need to know whom you ask for: write redis+sentinel://host:26379/name-of-the-primary"
    )]
    NoPrimaryName,
    /// A parameter that means nothing.
    #[error(
        "`{found}` is no parameter of a Redis URL: there are `prefix`, `wait_replicas` and `min_replicas`, `ca` with rediss://, `sentinel_password` with redis+sentinel://, and `db` with redis+unix://"
    )]
    Parameter {
        /// Its name.
        found: String,
    },
    /// A parameter that means nothing with this scheme.
    #[error("`{name}` means nothing in this URL: remove it, or begin the URL with {scheme}")]
    Misplaced {
        /// Its name.
        name: &'static str,
        /// The schemes with which it has a meaning.
        scheme: &'static str,
    },
    /// No number of replicas.
    #[error("`{found}` is no number of replicas for `{parameter}`: give it 0 to 99; 0 asks for none")]
    Replicas {
        /// Which parameter.
        parameter: &'static str,
        /// What was given.
        found: String,
    },
    /// A prefix that would break the layout of the keys.
    #[error("`{found}` is no prefix: 1 to 64 letters, digits, `-`, `_`, `.`, `/` or `:`")]
    Prefix {
        /// What was given.
        found: String,
    },
    /// More than there should be.
    #[error("`{found}` at the end of the URL means nothing: remove it")]
    Path {
        /// What was found.
        found: String,
    },
}

impl Address {
    pub(crate) fn parse(url: &str) -> Result<Self, UrlError> {
        let (scheme, rest) =
            url.split_once("://").ok_or_else(|| UrlError::Scheme { found: String::new() })?;
        // The last `@`, and before the `?` is looked for: neither hosts nor parameters have one, and a password that was
        // not escaped should not become a host, a port or a parameter, which errors repeat.
        let (user, rest) = match rest.rsplit_once('@') {
            Some((user, rest)) => (Some(user), rest),
            None => (None, rest),
        };
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (tls, kind) = match scheme {
            "redis" | "rediss" => (scheme == "rediss", Kind::One),
            "redis+unix" => (false, Kind::Unix),
            "redis+sentinel" | "rediss+sentinel" => (scheme.starts_with("rediss"), Kind::Sentinel),
            "redis-cluster" | "rediss-cluster" => (scheme.starts_with("rediss"), Kind::Cluster),
            other => return Err(UrlError::Scheme { found: other.into() }),
        };
        let (topology, path) = kind.topology(rest)?;
        let mut address = Self::of(topology, tls);
        if let Some(user) = user {
            let (name, password) = user.split_once(':').unwrap_or((user, ""));
            address.user = (!name.is_empty()).then(|| unescape(name, "user")).transpose()?;
            let password = (!password.is_empty()).then(|| unescape(password, "password")).transpose()?;
            address.password = password.map(Secret);
        }
        if !path.is_empty() {
            address.db = database(path)?;
        }
        parameters::apply(query, kind, &mut address)?;
        if kind == Kind::Cluster && address.db != 0 {
            return Err(UrlError::DatabaseOfCluster { found: address.db });
        }
        Ok(address)
    }

    /// Nothing but where.
    fn of(topology: Topology, tls: bool) -> Self {
        Self {
            topology,
            tls,
            user: None,
            password: None,
            db: 0,
            prefix: None,
            ca_file: None,
            sentinel_password: None,
            wait_replicas: None,
            min_replicas: None,
        }
    }

    /// The servers, as they can be shown to anybody.
    pub(crate) fn shown(&self) -> String {
        let list = |of: &[Endpoint]| of.iter().map(Endpoint::to_string).collect::<Vec<_>>().join(",");
        match &self.topology {
            Topology::One(endpoint) => endpoint.to_string(),
            Topology::Sentinel { sentinels, primary } => format!("`{primary}` of {}", list(sentinels)),
            Topology::Cluster { seeds } => format!("cluster {}", list(seeds)),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    One,
    Unix,
    Sentinel,
    Cluster,
}

impl Kind {
    /// The servers in what stands after the user, and what is left of it: the database.
    fn topology(self, rest: &str) -> Result<(Topology, &str), UrlError> {
        if self == Kind::Unix {
            if !rest.starts_with('/') {
                return Err(UrlError::NoHost { example: "redis+unix:///run/redis/redis.sock" });
            }
            return Ok((Topology::One(Endpoint::Unix(unescape(rest, "path")?.into())), ""));
        }
        let (hosts, path) = rest.split_once('/').unwrap_or((rest, ""));
        match self {
            Kind::Sentinel => {
                let sentinels =
                    endpoints(hosts, 26379, "redis+sentinel://localhost:26379/name-of-the-primary")?;
                let (primary, path) = path.split_once('/').unwrap_or((path, ""));
                if primary.is_empty() {
                    return Err(UrlError::NoPrimaryName);
                }
                Ok((Topology::Sentinel { sentinels, primary: unescape(primary, "name")? }, path))
            }
            Kind::Cluster => Ok((
                Topology::Cluster { seeds: endpoints(hosts, 6379, "redis-cluster://localhost:6379")? },
                path,
            )),
            Kind::One | Kind::Unix => {
                let mut list = endpoints(hosts, 6379, "redis://localhost:6379")?;
                let one = list.swap_remove(0);
                if !list.is_empty() {
                    return Err(UrlError::Path { found: hosts.into() });
                }
                Ok((Topology::One(one), path))
            }
        }
    }
}

fn endpoints(list: &str, default_port: u16, example: &'static str) -> Result<Vec<Endpoint>, UrlError> {
    list.split(',').map(|text| endpoint(text, default_port, example)).collect()
}

fn endpoint(text: &str, default_port: u16, example: &'static str) -> Result<Endpoint, UrlError> {
    // A host in brackets is an IPv6 address, whose colons are its own.
    let (host, port) = match text.strip_prefix('[').and_then(|inside| inside.split_once(']')) {
        Some((host, rest)) => (host, rest.strip_prefix(':')),
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    if host.is_empty() {
        return Err(UrlError::NoHost { example });
    }
    let port = match port {
        None => default_port,
        Some(port) => match port.parse() {
            Ok(number) if number != 0 => number,
            _ => return Err(UrlError::Port { found: port.into() }),
        },
    };
    Ok(Endpoint::Tcp(host.into(), port))
}

fn database(text: &str) -> Result<i64, UrlError> {
    match text.parse::<u16>() {
        Ok(db) => Ok(db.into()),
        Err(_) => Err(UrlError::Database { found: text.into() }),
    }
}

/// A prefix must neither contain braces, which choose the slot, nor anything that needs quoting at a shell.
pub(crate) fn check_prefix(prefix: &str) -> Result<String, UrlError> {
    let good = |c: char| c.is_ascii_alphanumeric() || "-_./:".contains(c);
    if prefix.is_empty() || prefix.len() > 64 || !prefix.chars().all(good) {
        return Err(UrlError::Prefix { found: prefix.into() });
    }
    Ok(prefix.into())
}

fn unescape(text: &str, part: &'static str) -> Result<String, UrlError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let digits = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(byte.ok_or(UrlError::Escape { part })?);
        rest = &after[2..];
    }
    String::from_utf8(bytes).map_err(|_| UrlError::Escape { part })
}

#[cfg(test)]
mod tests;
