//! How the connections are.

use crate::address::Endpoint;
use parking_lot::Mutex;
use std::collections::BTreeMap;

/// How a store's connections are, all in all.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ConnectionState {
    /// None was up yet, or none is and all are being made.
    Connecting,
    /// All are up.
    Up,
    /// Some are up.
    Degraded,
    /// None is up, and the last attempt failed. The store keeps trying.
    Down,
}

/// How a store's connections are, in numbers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Health {
    /// All in all.
    pub state: ConnectionState,
    /// How many connections there are to be.
    pub connections: usize,
    /// How many of them are up.
    pub connections_up: usize,
    /// How often a connection was made anew since the store was opened.
    pub reconnects: u64,
    /// What last went wrong with a connection, also if it has been mended since.
    pub last_error: Option<String>,
    /// When a server's history last broke, by its own clock in seconds since 1970: a fail-over, or a restart, after
    /// which commits may be missing. 0: never. See the documentation of [`history`](crate::history).
    pub history_broken_at: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum LinkState {
    Connecting,
    Up,
    Down,
}

#[derive(Default)]
pub(crate) struct Status {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    links: BTreeMap<(usize, Endpoint), LinkState>,
    reconnects: u64,
    last_error: Option<String>,
}

impl Status {
    pub(crate) fn set(&self, lane: usize, endpoint: &Endpoint, state: LinkState) {
        self.inner.lock().links.insert((lane, endpoint.clone()), state);
    }

    pub(crate) fn forget(&self, lane: usize, endpoint: &Endpoint) {
        self.inner.lock().links.remove(&(lane, endpoint.clone()));
    }

    pub(crate) fn reconnected(&self) {
        self.inner.lock().reconnects += 1;
    }

    pub(crate) fn failed(&self, error: String) {
        self.inner.lock().last_error = Some(error);
    }

    pub(crate) fn health(&self, history_broken_at: u64) -> Health {
        let inner = self.inner.lock();
        let count = |state| inner.links.values().filter(|s| **s == state).count();
        let (connections, up) = (inner.links.len(), count(LinkState::Up));
        let state = match up {
            0 if count(LinkState::Down) > 0 => ConnectionState::Down,
            0 => ConnectionState::Connecting,
            _ if up == connections => ConnectionState::Up,
            _ => ConnectionState::Degraded,
        };
        Health {
            state,
            connections,
            connections_up: up,
            reconnects: inner.reconnects,
            last_error: inner.last_error.clone(),
            history_broken_at,
        }
    }
}
