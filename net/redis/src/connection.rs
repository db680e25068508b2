//! One connection, from dialling to the moment at which requests may use it.
//!
//! *Late requests.* A connection is given up when an answer does not come in time; but what was written to it may still
//! lie in a buffer of a server that hangs, and be carried out when it wakes: after a reader was told that the commit had
//! not happened. So a new connection begins by killing the one that it replaces. From then on, whatever the old one had
//! to say has been carried out or never will be, and a read through the new one settles the question.

use crate::address::Endpoint;
use crate::fault;
use crate::open_error::{OLDEST_MAJOR, OpenError};
use crate::request::Scripts;
use crate::schema::{self, FORMAT};
use crate::shared::Shared;
use redis::aio::{MultiplexedConnection, SendError};
use redis::io::tcp::TcpSettings;
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ErrorKind, FromRedisValue, IntoConnectionInfo, Pipeline,
    ProtocolVersion, PushInfo, PushKind, RedisConnectionInfo, RedisError, TlsCertificates, Value,
};
use std::collections::HashMap;
use tokio::sync::watch;

/// A connection that is ready for use.
pub(crate) struct Connection {
    pub(crate) wire: MultiplexedConnection,
    /// Turns true when the connection is gone.
    pub(crate) broken: watch::Sender<bool>,
    pub(crate) identity: Identity,
    /// The server's replication id: changes when its history may have.
    pub(crate) history: String,
}

/// How the server knows a connection: enough to kill it, and no other.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Identity {
    /// Which incarnation of the server: another one counts its connections anew.
    run: String,
    id: String,
    addr: String,
}

/// Dials, and knows the server and itself before it returns. `slot` is one that the node serves, on a cluster.
pub(crate) async fn connect(
    shared: &Shared,
    endpoint: &Endpoint,
    slot: Option<u16>,
    replaces: Option<Identity>,
) -> Result<Connection, OpenError> {
    let all = async {
        let (mut wire, broken) = dial(shared, endpoint, shared.address.user.as_deref(), true).await?;
        let (identity, history) = recognise(shared, endpoint, &mut wire, replaces).await?;
        if slot.is_some() || !shared.is_cluster() {
            greet(shared, endpoint, &mut wire, slot, &history).await?;
        }
        Ok(Connection { wire, broken, identity, history })
    };
    let waited = shared.options.connect_timeout;
    match tokio::time::timeout(waited, all).await {
        Ok(result) => result,
        Err(_) => Err(OpenError::TimedOut { server: endpoint.to_string(), waited }),
    }
}

/// Makes a connection and nothing more. `data`: to a server that holds data, not to a sentinel.
pub(crate) async fn dial(
    shared: &Shared,
    endpoint: &Endpoint,
    user: Option<&str>,
    data: bool,
) -> Result<(MultiplexedConnection, watch::Sender<bool>), OpenError> {
    let explain = |error: RedisError| explain(shared, endpoint, &error);
    let address = &shared.address;
    let mut login =
        RedisConnectionInfo::default().set_protocol(ProtocolVersion::RESP3).set_skip_set_lib_name();
    let password = if data { address.password.as_ref() } else { shared.options.sentinel_password.as_ref() };
    if let Some(password) = password {
        login = login.set_password(&password.0);
        if let (true, Some(user)) = (data, user) {
            login = login.set_username(user);
        }
    }
    if data {
        login = login.set_db(address.db);
    }
    let place = match endpoint.clone() {
        Endpoint::Unix(path) => ConnectionAddr::Unix(path),
        Endpoint::Tcp(host, port) if address.tls => {
            ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None }
        }
        Endpoint::Tcp(host, port) => ConnectionAddr::Tcp(host, port),
    };
    if let Some(network) = &shared.network {
        let broken = watch::Sender::new(false);
        let config = asynchronous(shared, &broken);
        let (host, port) = match place {
            ConnectionAddr::Tcp(host, port) => (host, port),
            _ => {
                let reason = "TLS and Unix sockets need the operating system's network".into();
                return Err(OpenError::Other { server: endpoint.to_string(), reason });
            }
        };
        let waited = shared.options.connect_timeout;
        let stream = tokio::time::timeout(waited, network.connect(host, port)).await;
        let timed_out = |_| OpenError::TimedOut { server: endpoint.to_string(), waited };
        let stream = stream.map_err(timed_out)?.map_err(|error| explain(RedisError::from(error)))?;
        let made = MultiplexedConnection::new_with_config(&login, stream, config).await;
        let (wire, driver) = made.map_err(explain)?;
        tokio::spawn(driver);
        return Ok((wire, broken));
    }
    // Without it the kernel holds small packets back for an answer to the one before.
    let info = place.into_connection_info().map_err(explain)?;
    let info = info.set_redis_settings(login).set_tcp_settings(TcpSettings::default().set_nodelay(true));
    let client = match (address.tls, &shared.ca) {
        (true, ca) => {
            Client::build_with_tls(info, TlsCertificates { client_tls: None, root_cert: ca.clone() })
        }
        (false, _) => Client::open(info),
    };
    let broken = watch::Sender::new(false);
    let config = asynchronous(shared, &broken);
    let client = client.map_err(explain)?;
    let wire = client.get_multiplexed_async_connection_with_config(&config).await.map_err(explain)?;
    Ok((wire, broken))
}

/// How the client is to talk on a connection; it makes `broken` true when the connection is gone.
fn asynchronous(shared: &Shared, broken: &watch::Sender<bool>) -> AsyncConnectionConfig {
    let tell = broken.clone();
    AsyncConnectionConfig::new()
        .set_connection_timeout(Some(shared.options.connect_timeout))
        .set_response_timeout(None) // each flight has its own, which also ends the connection
        .set_pipeline_buffer_size(64)
        .set_push_sender(move |push: PushInfo| -> Result<(), SendError> {
            if push.kind == PushKind::Disconnection {
                tell.send_replace(true);
            }
            Ok(())
        })
}

/// Looks at the server, loads the scripts, and ends the connection that this one replaces.
async fn recognise(
    shared: &Shared,
    endpoint: &Endpoint,
    wire: &mut MultiplexedConnection,
    replaces: Option<Identity>,
) -> Result<(Identity, String), OpenError> {
    let mut pipeline = Pipeline::new();
    pipeline.cmd("INFO").cmd("CLIENT").arg("INFO");
    let answers = ask(shared, endpoint, wire, &pipeline).await?;
    let info = fields(&text(&answers[0]), '\n', ':');
    check(shared, endpoint, &info)?;
    let client = fields(&text(&answers[1]), ' ', '=');
    let of = |map: &HashMap<String, String>, name: &str| map.get(name).cloned().unwrap_or_default();
    let identity = Identity { run: of(&info, "run_id"), id: of(&client, "id"), addr: of(&client, "addr") };

    let mut pipeline = load_scripts();
    if shared.options.min_replicas > 0 {
        pipeline.cmd("CONFIG").arg("GET").arg("min-replicas-to-write");
    }
    if let Some(Identity { run, id, addr }) = replaces.filter(|replaced| replaced.run == identity.run) {
        assert!(!run.is_empty() && id != identity.id, "a connection does not replace itself");
        pipeline.cmd("CLIENT").arg("KILL").arg("ID").arg(id).arg("ADDR").arg(addr);
    }
    let answers = ask(shared, endpoint, wire, &pipeline).await?;
    let scripts = Scripts { commit: text(&answers[0]), scan: text(&answers[1]) };
    let known = shared.scripts.get_or_init(|| scripts.clone());
    assert_eq!(*known, scripts, "the hash of a script is the same everywhere");
    if shared.options.min_replicas > 0 {
        let answer = &answers[2];
        let found = HashMap::<String, String>::from_redis_value(answer.clone());
        let found = found.ok().and_then(|map| map.into_values().next()?.parse::<u32>().ok()).unwrap_or(0);
        let (server, wanted) = (endpoint.to_string(), shared.options.min_replicas);
        if found < wanted {
            return Err(OpenError::FewReplicas { server, found, wanted });
        }
    }
    Ok((identity, of(&info, "master_replid")))
}

/// Whether this is a server on which records may be kept.
fn check(shared: &Shared, endpoint: &Endpoint, info: &HashMap<String, String>) -> Result<(), OpenError> {
    let server = endpoint.to_string();
    let of = |name: &str| info.get(name).cloned().unwrap_or_default();
    let version = of("redis_version");
    let major = version.split('.').next().and_then(|major| major.parse::<u32>().ok());
    match major {
        None => return Err(OpenError::NotRedis { server, reason: "it has no version".into() }),
        Some(major) if major < OLDEST_MAJOR => return Err(OpenError::OldServer { server, found: version }),
        Some(_) => {}
    }
    let scheme = match (of("redis_mode").as_str(), shared.is_cluster()) {
        ("sentinel", _) => Some("redis+sentinel://"),
        ("cluster", false) => Some("redis-cluster://"),
        ("standalone", true) => Some("redis://"),
        _ => None,
    };
    if let Some(scheme) = scheme {
        return Err(OpenError::Mode { server, found: of("redis_mode"), scheme });
    }
    if of("role") != "master" {
        let primary = format!("{}:{}", of("master_host"), of("master_port"));
        return Err(OpenError::Replica { server, primary });
    }
    // The `volatile` policies touch only keys that expire, and ours do not.
    let policy = of("maxmemory_policy");
    if policy.starts_with("allkeys") {
        return Err(OpenError::Evicts { server, policy });
    }
    Ok(())
}

/// Finds or leaves the store's mark, and learns whether the server's history is still the one we knew.
async fn greet(
    shared: &Shared,
    endpoint: &Endpoint,
    wire: &mut MultiplexedConnection,
    slot: Option<u16>,
    history: &str,
) -> Result<(), OpenError> {
    let options = &shared.options;
    let broken = shared.histories.lock().get(endpoint).is_some_and(|known| known != history);
    let mut pipeline = Pipeline::new();
    pipeline.cmd("EVAL").arg(GREET).arg(1).arg(schema::mark(&shared.prefix, slot)).arg(FORMAT);
    pipeline.arg(options.cluster_id.as_deref().unwrap_or("")).arg(history).arg(u8::from(broken));
    let answers = ask(shared, endpoint, wire, &pipeline).await?;
    let words = Vec::<String>::from_redis_value(answers[0].clone()).unwrap_or_default();
    let (server, prefix) = (endpoint.to_string(), shared.prefix.clone());
    match &words[..] {
        [word, era] if word == "era" => {
            shared.advance_era(era.parse().unwrap_or(0));
            shared.histories.lock().insert(endpoint.clone(), history.into());
            Ok(())
        }
        [word, found] if word == "format" => {
            Err(OpenError::NewerFormat { server, prefix, found: found.clone(), supported: FORMAT })
        }
        [word, found] if word == "cluster" => {
            let given = options.cluster_id.clone().unwrap_or_default();
            Err(OpenError::OtherCluster { server, prefix, found: found.clone(), given })
        }
        _ => Err(OpenError::NotRedis { server, reason: format!("it answered a script with {answers:?}") }),
    }
}

/// The commands that make the scripts known to a server.
pub(crate) fn load_scripts() -> Pipeline {
    let mut pipeline = Pipeline::new();
    pipeline.cmd("SCRIPT").arg("LOAD").arg(COMMIT).cmd("SCRIPT").arg("LOAD").arg(SCAN);
    pipeline
}

/// Asks in one round trip; the first error is the answer to all.
pub(crate) async fn ask(
    shared: &Shared,
    endpoint: &Endpoint,
    wire: &mut MultiplexedConnection,
    pipeline: &Pipeline,
) -> Result<Vec<Value>, OpenError> {
    let answers = wire.send_packed_commands(pipeline, 0, pipeline.len()).await;
    let answers = answers.map_err(|error| explain(shared, endpoint, &error))?;
    match answers.iter().find_map(|answer| match answer {
        Value::ServerError(error) => Some(error),
        _ => None,
    }) {
        Some(error) => Err(refused(shared, endpoint, error.code(), fault::said(error))),
        None => Ok(answers),
    }
}

/// Finds the words for a connection that did not come about.
fn explain(shared: &Shared, endpoint: &Endpoint, error: &RedisError) -> OpenError {
    let server = endpoint.to_string();
    // In one line: those of the parser come in several.
    let reason = error.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
    if error.kind() == ErrorKind::AuthenticationFailed {
        return OpenError::Authentication { server };
    }
    if let Some(code) = error.code() {
        return refused(shared, endpoint, code, reason);
    }
    match error.kind() {
        ErrorKind::RESP3NotSupported => OpenError::OldServer { server, found: "5 or less".into() },
        ErrorKind::Io if error.is_timeout() => {
            OpenError::TimedOut { server, waited: shared.options.connect_timeout }
        }
        ErrorKind::Io if reason.contains("lookup address") || reason.contains("No address") => {
            OpenError::UnknownHost { server, reason }
        }
        ErrorKind::Io if error.is_connection_refusal() => OpenError::Refused { server, reason },
        _ if shared.address.tls => OpenError::Tls { server, reason },
        ErrorKind::Parse => OpenError::NotRedis { server, reason },
        ErrorKind::Io if error.is_connection_dropped() => OpenError::Closed { server, reason },
        _ => OpenError::Other { server, reason },
    }
}

/// Finds the words for what the server says instead of an answer.
fn refused(shared: &Shared, endpoint: &Endpoint, code: &str, reason: String) -> OpenError {
    let server = endpoint.to_string();
    match code {
        "WRONGPASS" | "NOAUTH" => OpenError::Authentication { server },
        "NOPERM" => OpenError::NotPermitted { server, reason },
        "WRONGTYPE" => OpenError::Foreign { server, prefix: shared.prefix.clone(), reason },
        "NOPROTO" => OpenError::OldServer { server, found: "5 or less".into() },
        _ if reason.contains("unknown command `HELLO`") || reason.contains("unknown command 'HELLO'") => {
            OpenError::OldServer { server, found: "5 or less".into() }
        }
        _ => OpenError::Other { server, reason },
    }
}

/// A text of `name<sign>value` parts.
pub(crate) fn fields(text: &str, between: char, sign: char) -> HashMap<String, String> {
    let parts = text.split(between).filter_map(|part| part.trim().split_once(sign));
    parts.map(|(name, value)| (name.into(), value.into())).collect()
}

pub(crate) fn text(value: &Value) -> String {
    String::from_redis_value(value.clone()).unwrap_or_default()
}

const COMMIT: &str = include_str!("scripts/commit.lua");
const SCAN: &str = include_str!("scripts/scan.lua");
const GREET: &str = include_str!("scripts/greet.lua");
