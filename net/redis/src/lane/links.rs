//! The connections of a lane: made, looked after, and made again.

use super::{Checked, Event, Lane, Replaced};
use crate::address::{Endpoint, Topology};
use crate::connection::{self, Connection};
use crate::request::Request;
use crate::schema;
use crate::status::LinkState;
use crate::topology::Map;
use redis::{Pipeline, Value};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// A lane's connection to one server, whether it is up or not.
pub(super) struct Link {
    pub(super) endpoint: Endpoint,
    /// A slot that the server has, on a cluster.
    pub(super) slot: Option<u16>,
    pub(super) state: State,
    /// Counts its connections, so that news of an old one is not taken for news of this one.
    pub(super) generation: u64,
    pub(super) waiting: VecDeque<Request>,
    pub(super) flights: usize,
    /// Nothing more is sent; the connection is replaced once its answers are in.
    pub(super) condemned: bool,
    /// Whether the map still names the server.
    mapped: bool,
    replaces: Replaced,
    failures: u32,
}

pub(super) enum State {
    /// To be connected, as soon as it is known where to.
    Idle,
    Connecting,
    Up(Box<Connection>),
    /// The last attempt failed, for this reason; the next comes after a pause.
    Down(String),
}

impl Link {
    pub(super) fn is_up(&self) -> bool {
        matches!(self.state, State::Up(_))
    }

    /// Lets go of the connection, if there is one, and of all that is in flight on it.
    fn release(&mut self) {
        if let State::Up(connection) = &self.state {
            connection.broken.send_replace(true);
        }
        self.state = State::Idle;
    }
}

impl Lane {
    /// The link to a server, made up if there is none.
    pub(super) fn link_to(&mut self, endpoint: &Endpoint, slot: Option<u16>) -> usize {
        if let Some(found) = self.links.iter().position(|link| link.endpoint == *endpoint) {
            return found;
        }
        self.links.push(Link {
            endpoint: endpoint.clone(),
            slot,
            state: State::Idle,
            generation: 0,
            waiting: VecDeque::new(),
            flights: 0,
            condemned: false,
            mapped: slot.is_some(),
            replaces: None,
            failures: 0,
        });
        let link = self.links.len() - 1;
        self.connect(link);
        link
    }

    /// Follows a new map. Nothing is in flight.
    pub(super) fn apply(&mut self, map: &Map) {
        self.located = Instant::now();
        self.links.iter_mut().for_each(|link| link.mapped = false);
        let is_cluster = self.shared.is_cluster();
        let mut routes = vec![None; if is_cluster { 16384 } else { 1 }];
        for node in &map.nodes {
            let slot = node.slots.first().map(|(from, _)| *from);
            let link = self.link_to(&node.endpoint, slot);
            self.links[link].mapped = true;
            self.links[link].slot = slot;
            if !is_cluster {
                routes[0] = Some(link);
            }
            for (from, to) in &node.slots {
                routes[usize::from(*from)..=usize::from(*to)].fill(Some(link));
            }
        }
        self.routes = routes;
        for at in 0..self.links.len() {
            if !self.links[at].mapped {
                self.links[at].release();
                self.shared.status.forget(self.index, &self.links[at].endpoint);
            } else if matches!(self.links[at].state, State::Idle) {
                self.connect(at);
            }
        }
    }

    pub(super) fn is_dynamic(&self) -> bool {
        !matches!(self.shared.address.topology, Topology::One(_))
    }

    fn connect(&mut self, at: usize) {
        let link = &mut self.links[at];
        link.state = State::Connecting;
        link.condemned = false;
        self.shared.status.set(self.index, &link.endpoint, LinkState::Connecting);
        let (shared, endpoint, slot) = (self.shared.clone(), link.endpoint.clone(), link.slot);
        let replaces = link.replaces.clone();
        self.events.push(Box::pin(async move {
            let result = connection::connect(&shared, &endpoint, slot, replaces).await;
            Event::Connected { link: at, result: Box::new(result) }
        }));
    }

    pub(super) fn up(&mut self, at: usize, connection: Connection) {
        let link = &mut self.links[at];
        if link.generation > 0 {
            quark_core::reached!("redis.reconnected");
            self.shared.status.reconnected();
        }
        self.shared.status.set(self.index, &link.endpoint, LinkState::Up);
        link.generation += 1;
        link.failures = 0;
        let (generation, mut broken) = (link.generation, connection.broken.subscribe());
        link.replaces = Some(connection.identity.clone());
        link.state = State::Up(Box::new(connection));
        self.events.push(Box::pin(async move {
            let _ = broken.wait_for(|broken| *broken).await;
            Event::Broken { link: at, generation }
        }));
        self.check_later(at);
    }

    /// An attempt to connect failed.
    pub(super) fn down(&mut self, at: usize, reason: String) {
        self.shared.status.failed(reason.clone());
        let link = &mut self.links[at];
        if !link.mapped && self.is_dynamic() && !self.routes.contains(&Some(at)) {
            let link = &mut self.links[at];
            link.state = State::Idle;
            link.waiting.drain(..).for_each(|request| request.refuse(&reason));
            return;
        }
        let link = &mut self.links[at];
        self.shared.status.set(self.index, &link.endpoint, LinkState::Down);
        link.waiting.drain(..).for_each(|request| request.refuse(&reason));
        link.state = State::Down(reason);
        link.failures += 1;
        let pause = self.pause(at);
        self.events.push(Box::pin(async move {
            tokio::time::sleep(pause).await;
            Event::PauseOver { link: at }
        }));
    }

    /// Doubles with every failure, up to the limit; half of it is chance, so that clients do not come back in step.
    fn pause(&mut self, at: usize) -> Duration {
        self.jitter ^= self.jitter << 13;
        self.jitter ^= self.jitter >> 7;
        self.jitter ^= self.jitter << 17;
        let doubled = PAUSE_MIN * 2_u32.pow(self.links[at].failures.clamp(1, 16) - 1);
        let whole = doubled.min(self.shared.options.backoff_max);
        whole / 2 + whole.mul_f64((self.jitter % 1000) as f64 / 2000.0)
    }

    /// Connects again, after asking where to.
    pub(super) fn revive(&mut self, at: usize) {
        self.links[at].release();
        if self.is_dynamic() {
            self.look_around_now();
        } else {
            self.connect(at);
        }
    }

    /// A connection is gone.
    pub(super) fn broke(&mut self, at: usize, generation: u64, reason: String) {
        let link = &self.links[at];
        if link.generation != generation || !link.is_up() {
            return;
        }
        self.shared.status.failed(reason);
        self.shared.status.set(self.index, &link.endpoint, LinkState::Connecting);
        self.revive(at);
    }

    /// Replaces a connection once its answers are in: its server may not be the one to talk to.
    pub(super) fn condemn(&mut self, at: usize) {
        self.links[at].condemned = true;
    }

    /// Looks at the server after a while: whether it lives, is primary, and has the history that it had.
    fn check_later(&mut self, at: usize) {
        let link = &self.links[at];
        let State::Up(connection) = &link.state else { return };
        let (generation, mut wire) = (link.generation, connection.wire.clone());
        let mut pipeline = Pipeline::new();
        pipeline.cmd("INFO").arg("replication");
        pipeline.cmd("HGET").arg(schema::mark(&self.shared.prefix, link.slot)).arg("era");
        let (interval, limit) = (self.shared.options.health_interval, self.shared.options.request_timeout);
        let mut broken = connection.broken.subscribe();
        self.events.push(Box::pin(async move {
            tokio::select! {
                () = tokio::time::sleep(interval) => {}
                _ = broken.wait_for(|broken| *broken) => {}
            }
            let looked = tokio::time::timeout(limit, wire.send_packed_commands(&pipeline, 0, 2)).await;
            let result = match looked {
                Err(_) => Err(format!("the server did not answer within {limit:?}")),
                Ok(Err(error)) => Err(error.to_string()),
                Ok(Ok(answers)) => Ok(look(&answers)),
            };
            Event::Checked { link: at, generation, result }
        }));
    }

    pub(super) fn checked(&mut self, at: usize, generation: u64, result: Result<Checked, String>) {
        let link = &self.links[at];
        if link.generation != generation || !link.is_up() {
            return;
        }
        match result {
            Err(reason) => self.broke(at, generation, reason),
            Ok(found) => {
                self.shared.advance_era(found.era);
                let State::Up(connection) = &self.links[at].state else { return };
                if !found.is_primary || found.history != connection.history {
                    self.condemn(at);
                }
                self.check_later(at);
            }
        }
    }
}

fn look(answers: &[Value]) -> Checked {
    let info = connection::fields(&connection::text(&answers[0]), '\n', ':');
    Checked {
        is_primary: info.get("role").is_some_and(|role| role == "master"),
        history: info.get("master_replid").cloned().unwrap_or_default(),
        era: connection::text(&answers[1]).parse().unwrap_or(0),
    }
}

const PAUSE_MIN: Duration = Duration::from_millis(10);
