//! Which server to ask, at this moment.

use crate::address::{Endpoint, Topology};
use crate::connection;
use crate::open_error::OpenError;
use crate::shared::Shared;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use redis::{FromRedisValue, Pipeline, Value};

/// Who serves which slots.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Map {
    pub(crate) nodes: Vec<Node>,
}

/// A primary.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Node {
    pub(crate) endpoint: Endpoint,
    /// Its slots, both ends included; none where there is no cluster and one server has everything.
    pub(crate) slots: Vec<(u16, u16)>,
}

impl Map {
    /// A node has said that this slot is another's now. Nothing, if the map does not know that other: then the map is older
    /// than the node, and is asked for again.
    pub(crate) fn correct(&mut self, slot: u16, owner: &Endpoint) {
        let Some(at) = self.nodes.iter().position(|node| node.endpoint == *owner) else { return };
        let has = |node: &Node| node.slots.iter().any(|(from, to)| (*from..=*to).contains(&slot));
        if has(&self.nodes[at]) {
            return;
        }
        quark_core::reached!("redis.map_behind");
        for node in &mut self.nodes {
            let without = |(from, to): &(u16, u16)| {
                let before = (slot > *from).then(|| (*from, (slot - 1).min(*to)));
                let after = (slot < *to).then(|| ((slot + 1).max(*from), *to));
                before.into_iter().chain(after)
            };
            if has(node) {
                node.slots = node.slots.iter().flat_map(without).collect();
            }
        }
        self.nodes[at].slots.push((slot, slot));
    }

    fn of_one(endpoint: Endpoint) -> Self {
        Self { nodes: vec![Node { endpoint, slots: Vec::new() }] }
    }
}

/// Asks the sentinels or the cluster; a server that stands alone is known.
pub(crate) async fn locate(shared: &Shared) -> Result<Map, OpenError> {
    match &shared.address.topology {
        Topology::One(endpoint) => Ok(Map::of_one(endpoint.clone())),
        Topology::Sentinel { sentinels, primary } => {
            let ask = |sentinel| ask_sentinel(shared, sentinel, primary);
            first(shared, sentinels.iter().map(ask).collect()).await
        }
        Topology::Cluster { seeds } => {
            // Those that were found may be all that is left of those that were named.
            let mut known: Vec<Endpoint> = shared.histories.lock().keys().cloned().collect();
            known.retain(|endpoint| !seeds.contains(endpoint));
            known.extend(seeds.iter().cloned());
            first(shared, known.iter().map(|node| ask_node(shared, node)).collect()).await
        }
    }
}

/// The first good answer: one that hangs must not keep the others from being heard.
async fn first<F: Future<Output = Result<Map, OpenError>>>(
    shared: &Shared,
    mut asked: FuturesUnordered<F>,
) -> Result<Map, OpenError> {
    let mut failure = None;
    let answer = async {
        while let Some(answer) = asked.next().await {
            match answer {
                Ok(map) => return Some(map),
                // What is said by who answers is worth more than that another does not.
                Err(error) if failure.is_none() || matches!(error, OpenError::UnknownPrimary { .. }) => {
                    failure = Some(error);
                }
                Err(_) => {}
            }
        }
        None
    };
    let waited = shared.options.connect_timeout;
    let answer = tokio::time::timeout(waited, answer).await;
    match answer {
        Ok(Some(map)) => Ok(map),
        _ => {
            let server = shared.address.shown();
            Err(failure.unwrap_or(OpenError::TimedOut { server, waited }))
        }
    }
}

async fn ask_sentinel(shared: &Shared, sentinel: &Endpoint, primary: &str) -> Result<Map, OpenError> {
    let unknown = |reason: &str| OpenError::UnknownPrimary {
        server: shared.address.shown(),
        primary: primary.into(),
        reason: reason.into(),
    };
    let (mut wire, _) = connection::dial(shared, sentinel, None, false).await?;
    let mut pipeline = Pipeline::new();
    pipeline.cmd("SENTINEL").arg("GET-MASTER-ADDR-BY-NAME").arg(primary);
    let answers =
        connection::ask(shared, sentinel, &mut wire, &pipeline).await.map_err(|error| match error {
            OpenError::Other { reason, .. } => unknown(&reason),
            error => error,
        })?;
    match Vec::<String>::from_redis_value(answers[0].clone()).as_deref() {
        Ok([host, port]) => {
            let endpoint = Endpoint::parse(&format!("{host}:{port}"));
            Ok(Map::of_one(endpoint.ok_or_else(|| unknown("its address cannot be understood"))?))
        }
        _ => Err(unknown("they have not heard of it")),
    }
}

async fn ask_node(shared: &Shared, node: &Endpoint) -> Result<Map, OpenError> {
    let user = shared.address.user.as_deref();
    let (mut wire, _) = connection::dial(shared, node, user, true).await?;
    let mut pipeline = Pipeline::new();
    pipeline.cmd("CLUSTER").arg("SLOTS");
    let server = || node.to_string();
    let answers = connection::ask(shared, node, &mut wire, &pipeline).await.map_err(|error| match error {
        OpenError::Other { reason, .. } if reason.contains("cluster support disabled") => {
            OpenError::Mode { server: server(), found: "standalone".into(), scheme: "redis://" }
        }
        error => error,
    })?;
    let map = parse_slots(&answers[0], node);
    let served: u32 =
        map.nodes.iter().flat_map(|node| &node.slots).map(|(from, to)| u32::from(to - from) + 1).sum();
    if served < 16384 {
        let reason = format!("{served} of 16384 are served");
        return Err(OpenError::ClusterIncomplete { server: server(), reason });
    }
    Ok(map)
}

/// `CLUSTER SLOTS`: from, to, the primary (host, port, id, ..), its replicas. An empty host is the one that was asked.
fn parse_slots(answer: &Value, asked: &Endpoint) -> Map {
    let mut nodes: Vec<Node> = Vec::new();
    let Value::Array(ranges) = answer else { return Map { nodes } };
    for range in ranges {
        let Value::Array(parts) = range else { continue };
        let [Value::Int(from), Value::Int(to), Value::Array(primary), ..] = &parts[..] else { continue };
        let [host, Value::Int(port), ..] = &primary[..] else { continue };
        let host = match (connection::text(host), asked) {
            (host, Endpoint::Tcp(asked, _)) if host.is_empty() => asked.clone(),
            (host, _) => host,
        };
        let endpoint = Endpoint::Tcp(host, *port as u16);
        let slots = (*from as u16, *to as u16);
        match nodes.iter_mut().find(|node| node.endpoint == endpoint) {
            Some(node) => node.slots.push(slots),
            None => nodes.push(Node { endpoint, slots: vec![slots] }),
        }
    }
    Map { nodes }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_that_has_moved_is_taken_from_whom_the_map_gives_it() {
        let node = |port, slots: &[(u16, u16)]| Node {
            endpoint: Endpoint::Tcp("a".into(), port),
            slots: slots.to_vec(),
        };
        let stale = Map { nodes: vec![node(1, &[(0, 99), (200, 200)]), node(2, &[(100, 199)])] };
        let corrected = |slot, port| {
            let mut map = stale.clone();
            map.correct(slot, &Endpoint::Tcp("a".into(), port));
            map.nodes
        };
        assert_eq!(corrected(0, 2), [node(1, &[(1, 99), (200, 200)]), node(2, &[(100, 199), (0, 0)])]);
        assert_eq!(corrected(50, 2)[0], node(1, &[(0, 49), (51, 99), (200, 200)]));
        assert_eq!(corrected(200, 2)[0], node(1, &[(0, 99)]));
        assert_eq!(corrected(150, 2), stale.nodes, "it has it already");
        assert_eq!(corrected(50, 3), stale.nodes, "nobody the map knows");
    }
}
