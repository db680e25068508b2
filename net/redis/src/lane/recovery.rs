//! What a lane does before it sends something again: it stands still, removes the obstacle, and goes on in order.

use super::links::State;
use super::{Event, Lane};
use crate::address::Endpoint;
use crate::fault::Obstacle;
use crate::open_error::OpenError;
use crate::request::Request;
use crate::topology::{self, Map};
use redis::aio::MultiplexedConnection;
use std::collections::BTreeMap;
use std::time::Duration;

/// What is to be done while the lane stands still.
#[derive(Default)]
pub(super) struct Remedy {
    /// Links whose server has forgotten the scripts.
    load: Vec<usize>,
    /// Ask where the servers are.
    locate: bool,
    /// Where slots have moved, say the nodes that had them: whoever is asked for the map may not have heard of it yet.
    moved: BTreeMap<u16, Endpoint>,
    /// Let a slot move on, or the news of it.
    wait: bool,
    /// It is being done.
    begun: bool,
}

impl Lane {
    /// Stands still for a request that met this obstacle, for the so-manieth time.
    pub(super) fn stop_for(&mut self, link: usize, obstacle: &Obstacle, slot: u16, tries: u8) {
        let remedy = self.remedy.get_or_insert_default();
        // What is met again and again takes time to go away.
        remedy.wait |= tries > TRIES_AT_ONCE;
        match obstacle {
            Obstacle::NoScript => remedy.load.push(link),
            Obstacle::Moved(node) => {
                remedy.locate = true;
                remedy.moved.extend(Endpoint::parse(node).map(|node| (slot, node)));
            }
            Obstacle::Ask(_) => {}
            Obstacle::Split => remedy.wait = true,
        }
    }

    /// Asks anew where the servers are, unless that was done a moment ago.
    pub(super) fn look_around(&mut self) {
        if self.is_dynamic() && self.located.elapsed() > LOCATE_PAUSE {
            self.look_around_now();
        }
    }

    pub(super) fn look_around_now(&mut self) {
        self.remedy.get_or_insert_default().locate = true;
    }

    /// Begins with the remedy once nothing is in flight.
    pub(super) fn recover(&mut self) {
        let Some(remedy) = &mut self.remedy else { return };
        if remedy.begun || self.flights > 0 {
            return;
        }
        remedy.begun = true;
        let (locate, wait) = (remedy.locate, remedy.wait);
        let forgetful = remedy.load.iter().filter_map(|link| match &self.links[*link].state {
            State::Up(connection) => Some(connection.wire.clone()),
            _ => None, // a new connection loads them by itself
        });
        let forgetful: Vec<_> = forgetful.collect();
        let shared = self.shared.clone();
        self.events.push(Box::pin(async move {
            for wire in forgetful {
                load(wire, shared.options.request_timeout).await;
            }
            if wait {
                tokio::time::sleep(SLOT_PAUSE).await;
            }
            Event::Remedied(if locate { Some(topology::locate(&shared).await) } else { None })
        }));
    }

    /// Goes on: everything that waits, and what has to be sent again, in the old order.
    pub(super) fn remedied(&mut self, map: Option<Result<Map, OpenError>>) {
        let remedy = self.remedy.take().unwrap_or_default();
        let mut all: BTreeMap<u64, Request> = std::mem::take(&mut self.again);
        for link in &mut self.links {
            all.extend(link.waiting.drain(..).map(|request| (request.number, request)));
        }
        // An obstacle met meanwhile needs a round of its own.
        if remedy.locate && map.is_none() {
            self.look_around_now();
        }
        match map {
            Some(Ok(mut map)) => {
                remedy.moved.iter().for_each(|(slot, node)| map.correct(*slot, node));
                self.apply(&map);
            }
            Some(Err(error)) => {
                let reason = error.to_string();
                for at in 0..self.links.len() {
                    if matches!(self.links[at].state, State::Idle) && self.routes.contains(&Some(at)) {
                        self.down(at, reason.clone());
                    }
                }
            }
            None => {}
        }
        all.into_values().for_each(|request| self.route(request));
    }
}

/// Gives a server our scripts back. If that fails, the request that needs them fails again, and says so.
async fn load(mut wire: MultiplexedConnection, limit: Duration) {
    let pipeline = crate::connection::load_scripts();
    let _ = tokio::time::timeout(limit, wire.send_packed_commands(&pipeline, 0, pipeline.len())).await;
}

/// How often a request is sent again without a pause.
const TRIES_AT_ONCE: u8 = 3;
/// How long a slot on its way is given before its requests are sent again.
const SLOT_PAUSE: Duration = Duration::from_millis(20);
/// How often, at most, doubts about the map make a lane ask for it.
const LOCATE_PAUSE: Duration = Duration::from_millis(100);
