//! A lane: a queue of requests, and the task that carries them to the servers in order.
//!
//! ```text
//! callers ─► queue ─► waiting (per server) ─► flights (pipelines of up to 64, a few at a time) ─► answers
//!                        ▲                                                                         │
//!                        └──────────── again: moved slot, forgotten script, in order ◄─────────────┘
//! ```
//! A partition always takes the same lane, and a lane has one connection to each server. So two requests for one
//! partition are carried out in the order in which they were called, and a read sees the commits called before it. When
//! something has to be sent again, the lane stops, waits until nothing is in flight, removes the obstacle, and goes on
//! in the old order. (If a script is forgotten and another client loads it in the microseconds in which one pipeline is
//! carried out, its later part overtakes its earlier part. We let that be.)
//!
//! What waits while a few flights are on their way becomes the next flight: batches grow with the load, and nobody
//! waits for company.

mod flight;
mod links;
mod recovery;

use crate::connection::{Connection, Identity};
use crate::open_error::OpenError;
use crate::queue::{AbandonOnExit, Queue};
use crate::request::Request;
use crate::shared::Shared;
use crate::topology::Map;
use flight::Landed;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use links::Link;
use recovery::Remedy;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

pub(crate) struct Lane {
    pub(crate) index: usize,
    shared: Arc<Shared>,
    queue: Arc<Queue>,
    links: Vec<Link>,
    /// The link of each slot; one entry if one server has them all. `None` where the map has nobody.
    routes: Vec<Option<usize>>,
    events: FuturesUnordered<BoxFuture<'static, Event>>,
    flights: usize,
    /// What has to be sent again, by number.
    again: BTreeMap<u64, Request>,
    /// Set while the lane stands still.
    remedy: Option<Remedy>,
    /// The state of a generator for the jitter of pauses: nothing depends on its quality.
    jitter: u64,
    located: Instant,
}

/// What a lane waits for, besides requests.
pub(crate) enum Event {
    Connected { link: usize, result: Box<Result<Connection, OpenError>> },
    PauseOver { link: usize },
    Landed(Landed),
    Broken { link: usize, generation: u64 },
    Checked { link: usize, generation: u64, result: Result<Checked, String> },
    Remedied(Option<Result<Map, OpenError>>),
}

/// What a look at a server found.
pub(crate) struct Checked {
    pub(crate) is_primary: bool,
    pub(crate) history: String,
    pub(crate) era: u64,
}

impl Lane {
    pub(crate) fn new(index: usize, shared: Arc<Shared>, queue: Arc<Queue>) -> Self {
        Self {
            index,
            shared,
            queue,
            links: Vec::new(),
            routes: Vec::new(),
            events: FuturesUnordered::new(),
            flights: 0,
            again: BTreeMap::new(),
            remedy: None,
            jitter: 0x9E37_79B9_7F4A_7C15 ^ index as u64,
            located: Instant::now(),
        }
    }

    /// Makes the connections of a new store: all of them, or the first error.
    pub(crate) async fn open(&mut self, map: &Map) -> Result<(), OpenError> {
        self.apply(map);
        while self.links.iter().any(|link| !link.is_up()) {
            let Some(event) = self.events.next().await else { break };
            if let Event::Connected { link, result } = event {
                self.up(link, (*result)?);
            }
        }
        Ok(())
    }

    /// Works the queue off until it is finished.
    pub(crate) async fn run(mut self) {
        let queue = self.queue.clone();
        let _abandon = AbandonOnExit(queue.clone());
        let (mut taken, mut open) = (VecDeque::new(), true);
        while open || !self.is_idle() {
            tokio::select! {
                biased;
                Some(event) = self.events.next(), if !self.events.is_empty() => self.on(event).await,
                more = queue.take(&mut taken), if open => open = more,
            }
            for request in taken.drain(..) {
                self.route(request);
            }
            self.pump().await;
        }
    }

    fn is_idle(&self) -> bool {
        self.flights == 0 && self.again.is_empty() && self.links.iter().all(|link| link.waiting.is_empty())
    }

    async fn on(&mut self, event: Event) {
        match event {
            Event::Connected { link, result } => match *result {
                Ok(connection) => self.up(link, connection),
                Err(error) => self.down(link, error.to_string()),
            },
            Event::PauseOver { link } => self.revive(link),
            Event::Landed(landed) => self.land(landed),
            Event::Broken { link, generation } => {
                self.broke(link, generation, "the server closed the connection".into());
            }
            Event::Checked { link, generation, result } => self.checked(link, generation, result),
            Event::Remedied(map) => self.remedied(map),
        }
    }

    /// Puts a request where it waits for its server.
    fn route(&mut self, request: Request) {
        let link = match &request.ask {
            Some(endpoint) => Some(self.link_to(&endpoint.clone(), None)),
            None => self.routes.get(usize::from(request.slot) % self.routes.len().max(1)).copied().flatten(),
        };
        match link {
            Some(link) => self.links[link].waiting.push_back(request),
            None => {
                request.refuse(
                    "no node of the cluster serves the partition's slot: see `redis-cli --cluster check`",
                );
                self.look_around();
            }
        }
    }
}

/// How a connection that is gone was known to its server.
pub(crate) type Replaced = Option<Identity>;
