//! What Redis' errors mean for a caller.
//!
//! An error that Redis answers says that the command was not carried out; that is why they are told apart here by
//! their code, and why a code that we do not know counts as "outcome unknown": a script that fails half-way keeps what
//! it has written.

use redis::ServerError;

/// What becomes of a request that was answered with an error.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    /// It was not carried out, and is sent again once the obstacle is gone.
    Again(Obstacle),
    /// It was not carried out.
    Refused { reason: String, doubt: Doubt },
    /// What is stored under the key is not ours.
    WrongType,
    /// Nobody knows.
    Unknown { reason: String },
}

/// What has to be done before a request is sent again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Obstacle {
    /// The server has forgotten the scripts.
    NoScript,
    /// The slot belongs to another node now: the one it names, says the node that had it.
    Moved(String),
    /// The slot is on its way; this request goes to the node it names.
    Ask(String),
    /// One of the partition's keys has gone and the other has not.
    Split,
}

/// What the error casts doubt on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Doubt {
    Nothing,
    /// This may not be the server to talk to.
    Server,
    /// The map of the cluster may be out of date.
    Map,
}

pub(crate) fn judge(error: &ServerError) -> Verdict {
    let said = said(error);
    let refused = |remedy: &str, doubt| Verdict::Refused { reason: format!("{remedy} ({said})"), doubt };
    match error.code() {
        "NOSCRIPT" => Verdict::Again(Obstacle::NoScript),
        "MOVED" => Verdict::Again(Obstacle::Moved(node_named(error))),
        "ASK" => Verdict::Again(Obstacle::Ask(node_named(error))),
        "TRYAGAIN" => Verdict::Again(Obstacle::Split),
        "WRONGTYPE" => Verdict::WrongType,
        "LOADING" => refused("the server is still loading its data: wait until it has", Doubt::Nothing),
        "BUSY" => refused(
            "another program's script has run for too long: wait, or stop it with SCRIPT KILL",
            Doubt::Nothing,
        ),
        "OOM" => refused("the server is out of memory: raise its maxmemory or free some", Doubt::Nothing),
        "NOREPLICAS" => refused(
            "too few replicas are connected: bring them back, see min-replicas-to-write",
            Doubt::Nothing,
        ),
        "MISCONF" => {
            refused("the server cannot save its data: look at its log and at its disk", Doubt::Nothing)
        }
        "NOPERM" | "NOAUTH" => {
            refused("the user may not do this: grant what `Options::user` lists", Doubt::Server)
        }
        "READONLY" => {
            refused("the server has become a replica: its primary is being looked for", Doubt::Server)
        }
        "MASTERDOWN" => refused("the server is a replica that has lost its primary", Doubt::Server),
        "CLUSTERDOWN" => refused("the Redis Cluster is down: see `redis-cli cluster info`", Doubt::Map),
        _ => Verdict::Unknown { reason: format!("the server says: {said}") },
    }
}

/// The node in `MOVED 3999 127.0.0.1:6381`.
fn node_named(error: &ServerError) -> String {
    error.details().and_then(|details| details.split_whitespace().nth(1)).unwrap_or_default().into()
}

/// The server's own words.
pub(crate) fn said(error: &ServerError) -> String {
    format!("{} {}", error.code(), error.details().unwrap_or_default()).trim_end().into()
}
