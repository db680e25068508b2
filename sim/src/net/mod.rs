//! The network: ports, links between them, and the weather on the paths that the links take.
//!
//! ```text
//! node ── port (one transport) ── link (to one peer) ──▶ path (node to node: cuts, clogs, weather) ──▶ port ── inbox
//! ```
//! A *path* is a fact of the network and outlives everything; a *link* is one transport's idea of a connection, with
//! an incarnation (`serial`) per re-connect; a *flight* is a frame between the two.

mod backlog;
mod by_peer;
mod dialling;
mod film;
mod flight;
mod link;
mod path;
mod port;

pub use dialling::Dialling;
pub use film::{FrameEvent, FrameLoss, FrameStep};
pub use port::SimTransport;

use crate::config::NetworkConfig;
use crate::pool::Pool;
use crate::world::PathLook;
use film::FrameWatch;
use flight::Flight;
use link::Link;
use path::Path;
use port::Port;
use quark_env::transport::Incoming;
use std::collections::BTreeMap;

/// The network's state.
pub(crate) struct Net {
    pub(crate) config: NetworkConfig,
    /// One per transport ever opened; closed ones keep nothing but their place.
    ports: Vec<Port>,
    links: Pool<Link>,
    flights: Pool<Flight>,
    paths: Vec<Path>,
    path_of: BTreeMap<(u32, u32), u32>,
    notices: Pool<(u32, Incoming)>,
    link_serial: u32,
    pub(crate) meters: NetMeters,
    /// Who is told of every step of every frame.
    pub(crate) watch: Option<FrameWatch>,
}

impl Net {
    pub(crate) fn new(config: &NetworkConfig) -> Self {
        Self {
            config: config.clone(),
            ports: Vec::new(),
            links: Pool::default(),
            flights: Pool::default(),
            paths: Vec::new(),
            path_of: BTreeMap::new(),
            notices: Pool::default(),
            link_serial: 0,
            meters: NetMeters::default(),
            watch: None,
        }
    }

    fn next_serial(&mut self) -> u32 {
        self.link_serial = self.link_serial.wrapping_add(1);
        self.link_serial
    }

    /// Frames that were accepted and are neither delivered nor dropped yet.
    pub(crate) fn in_flight(&self) -> u64 {
        let waiting: usize = self.links.iter().map(|(_, link)| link.waiting.len()).sum();
        (self.flights.len() + waiting) as u64
    }

    /// The path of each frame that [`Net::in_flight`] counts.
    pub(crate) fn paths_of_frames(&self) -> impl Iterator<Item = u32> {
        let waiting = self.links.iter().flat_map(|(_, link)| link.waiting.iter().map(|_| link.path));
        self.flights.iter().map(|(_, flight)| flight.path).chain(waiting)
    }

    /// Every path, by index; frames are not counted.
    pub(crate) fn paths_as_they_stand(&self) -> Vec<PathLook> {
        self.paths.iter().map(Path::look).collect()
    }
}

/// What became of the frames. `sent + duplicated = delivered + dropped() + in_flight`, always.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct NetMeters {
    /// Frames that a transport accepted.
    pub sent: u64,
    /// Copies that the network made.
    pub duplicated: u64,
    /// Frames put into an inbox.
    pub delivered: u64,
    /// Frames on their way.
    pub in_flight: u64,
    /// Dropped: the path lost them.
    pub lost: u64,
    /// Dropped: swallowed by a cut or a half-open link.
    pub swallowed: u64,
    /// Dropped: their link broke or was dropped before they left.
    pub unsent: u64,
    /// Dropped: nobody was there, or the receiver had forgotten the sender.
    pub undeliverable: u64,
    /// Frames delivered damaged.
    pub corrupted: u64,
    /// Frames that may have been overtaken.
    pub reordered: u64,
    /// Frames that had to wait behind a cut or a clog.
    pub stalled: u64,
    /// Frames that left slowly, or waited behind such.
    pub slowed: u64,
    /// Frames refused with `Full`.
    pub refused_full: u64,
    /// Links that came up.
    pub links_up: u64,
    /// Links that broke.
    pub links_down: u64,
    /// Ends that were not told so.
    pub hints_lost: u64,
}

impl NetMeters {
    /// All dropped frames.
    pub fn dropped(&self) -> u64 {
        self.lost + self.swallowed + self.unsent + self.undeliverable
    }
}
