//! One transport's connection to one peer: dialled, up, broken, dialled again.

use super::dialling::Dialled;
use crate::choice::Purpose;
use crate::queue::Event;
use crate::spread::{ns, scale};
use crate::state::State;
use crate::trace::TraceKind;
use bytes::Bytes;
use quark_core::SiloId;
use quark_core::wire::Lane;
use quark_env::transport::Incoming;

/// Where a link is in its life.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum LinkState {
    /// A dial is under way.
    Dialing,
    /// Frames flow.
    Up,
    /// Broken, or nobody answered. Frames wait for the next dial.
    Down,
    /// The peer does not want us. Frames are not taken.
    Refused,
}

/// A directed link. Frames towards us come by the peer's own link.
pub(crate) struct Link {
    pub(crate) from_port: u32,
    pub(crate) from_node: u32,
    pub(crate) to: SiloId,
    /// `None` if the address names no node.
    pub(crate) to_node: Option<u32>,
    /// The peer's port while the link is up.
    pub(crate) to_port: Option<u32>,
    pub(crate) path: u32,
    /// The link's incarnation: a new one after every break.
    pub(crate) serial: u32,
    pub(crate) state: LinkState,
    /// Whether our side dials it. Else the peer did, and it lives as long as the peer's link to us.
    pub(crate) is_learnt: bool,
    pub(crate) is_half_open: bool,
    pub(crate) lanes: [LaneUse; 2],
    /// With their numbers.
    pub(crate) waiting: Vec<(Lane, Bytes, u64)>,
    pub(crate) down_since: u64,
    /// Whether the dial under way has found its path blocked once and waits for its timeout.
    is_dial_stuck: bool,
}

impl Link {
    /// This incarnation of the link ends: what waits for it is dropped. Returns the numbers of those frames.
    ///
    /// A new serial, because other frames of this incarnation may still be under way: they no longer count.
    pub(crate) fn drop_waiting(&mut self, serial: u32, state: LinkState) -> Vec<u64> {
        let unsent = self.waiting.drain(..).map(|(_, _, frame)| frame).collect();
        self.lanes = Default::default();
        self.serial = serial;
        self.to_port = None;
        self.is_half_open = false;
        self.state = state;
        unsent
    }
}

/// What a lane of a link holds.
#[derive(Clone, Copy, Default)]
pub(crate) struct LaneUse {
    /// Accepted and not yet taken by the receiver.
    pub(crate) frames: u32,
    pub(crate) bytes: u32,
    /// When the last frame arrives: the next one does not arrive earlier.
    pub(crate) last_arrival: u64,
}

impl State {
    /// Adds a link of a port; it is not dialled yet.
    pub(crate) fn add_link(&mut self, port: u32, to: SiloId, to_node: Option<u32>, is_learnt: bool) -> u32 {
        let from_node = self.net.ports[port as usize].node;
        let path = self.path(from_node, to_node.unwrap_or(from_node));
        let serial = self.net.next_serial();
        let link = self.net.links.insert(Link {
            from_port: port,
            from_node,
            to,
            to_node,
            to_port: None,
            path,
            serial,
            state: LinkState::Down,
            is_learnt,
            is_half_open: false,
            lanes: Default::default(),
            waiting: Vec::new(),
            down_since: self.now,
            is_dial_stuck: false,
        });
        self.net.ports[port as usize].peers.insert(to, link);
        if let Some(node) = to_node {
            self.nodes[node as usize].inbound.insert(link);
        }
        link
    }

    /// Removes a link; its waiting frames are dropped.
    pub(crate) fn remove_link(&mut self, at: u32) {
        let Some(link) = self.net.links.remove(at) else { return };
        self.net.paths[link.path as usize].link_ends(&link.lanes);
        let unsent: Vec<u64> = link.waiting.iter().map(|(_, _, frame)| *frame).collect();
        self.net.drop_unsent(self.now, &unsent);
        if let Some(node) = link.to_node {
            self.nodes[node as usize].inbound.remove(&at);
        }
        let peers = &mut self.net.ports[link.from_port as usize].peers;
        if peers.get(&link.to) == Some(&at) {
            peers.swap_remove(&link.to);
        }
    }

    /// Dials after one round trip.
    pub(crate) fn start_dial(&mut self, at: u32, after_ns: u64) {
        let link = self.net.links.get_mut(at).expect("the caller holds a live link");
        link.state = LinkState::Dialing;
        link.is_dial_stuck = false;
        let (path, serial) = (link.path, link.serial);
        self.net.paths[path as usize].dials += 1;
        let counter = self.net.paths[path as usize].dials;
        let round_trip = 2 * self.latency(path, Purpose::Redial, counter) + self.slow_accept(path);
        self.queue.push(self.now + after_ns + round_trip, Event::Dial { link: at, serial });
    }

    /// Something changed that may let a broken link come up, or somebody wants to send on it: dial it when its back-off
    /// says so.
    ///
    /// A dialler that retries for ever would keep an idle world busy; dialling when it can succeed or fail visibly,
    /// after the wait that an unlucky dialler would still have had, looks the same from inside.
    pub(crate) fn redial(&mut self, at: u32) {
        let Some(link) = self.net.links.get(at) else { return };
        if link.state != LinkState::Down || !link.is_learnt || link.to_node.is_none() {
            return;
        }
        let patience =
            (self.now - link.down_since).clamp(50_000_000, ns(self.net.config.redial_max).max(50_000_000));
        let path = &mut self.net.paths[link.path as usize];
        path.dials += 1;
        let word = self.choices.word(self.now, Purpose::Redial, path.entity(), path.dials);
        self.start_dial(at, scale(patience, word));
    }

    /// A dial reaches the peer, or what is left of it.
    pub(crate) fn dial(&mut self, at: u32, serial: u32) {
        let Some(link) = self.net.links.get(at) else { return };
        if link.serial != serial || link.state != LinkState::Dialing {
            return;
        }
        let (from_node, from_port, to) = (link.from_node, link.from_port, link.to);
        let Some(to_node) = link.to_node else { return self.give_up_dial(at) };
        let (path, again) = (link.path, link.is_dial_stuck);
        let is_cut = self.is_cut_between(from_node, to_node);
        let dialled = if is_cut || self.is_blocked_between(from_node, to_node) {
            self.effects.links_cut += u64::from(is_cut && !again);
            Dialled::Silence
        } else {
            self.dialled(path, to_node, again)
        };
        let to_node = match dialled {
            Dialled::Node(node) => node,
            Dialled::Refusal => return self.give_up_dial(at),
            Dialled::Silence => return self.dial_again(at, serial),
        };
        let node = &self.nodes[to_node as usize];
        let Some(to_port) = node.port.filter(|_| node.is_up) else { return self.give_up_dial(at) };
        if let Some((reason, dead)) = self.refusal(from_port, to_port) {
            quark_core::reached!("sim.net.refused");
            let serial = self.net.next_serial();
            let link = self.net.links.get_mut(at).expect("checked above");
            let unsent = link.drop_waiting(serial, LinkState::Refused);
            self.net.drop_unsent(self.now, &unsent);
            self.record(TraceKind::Link, from_node, 3);
            return self.tell(from_port, Incoming::Refused { peer: to, reason, dead });
        }
        if self.net.ports[to_port as usize].local() != to {
            return self.give_up_dial(at);
        }
        self.link_up(at, to_port);
        // The peer can answer by the same connection, also if it never learnt of us.
        let local = self.net.ports[from_port as usize].local();
        let back = self.net.ports[to_port as usize].peers.get(&local).copied();
        let back = match back {
            Some(back) if self.net.links.get(back).is_some_and(|link| link.is_learnt) => return,
            Some(back) => back,
            None => self.add_link(to_port, local, Some(from_node), false),
        };
        self.link_up(back, from_port);
    }

    /// Nobody answers: the dialler waits for its timeout, and then gives up.
    fn dial_again(&mut self, at: u32, serial: u32) {
        let link = self.net.links.get_mut(at).expect("the caller holds a live link");
        if std::mem::replace(&mut link.is_dial_stuck, true) {
            return self.give_up_dial(at);
        }
        let due = self.now + ns(self.net.config.connect_timeout);
        self.queue.push(due, Event::Dial { link: at, serial });
    }

    /// Nobody answered, or somebody else did. What waited for the link is lost, and said to be.
    fn give_up_dial(&mut self, at: u32) {
        let serial = self.net.next_serial();
        let link = self.net.links.get_mut(at).expect("checked by the caller");
        let (port, to) = (link.from_port, link.to);
        let unsent = link.drop_waiting(serial, LinkState::Down);
        self.net.drop_unsent(self.now, &unsent);
        if !unsent.is_empty() {
            self.hint_down(at, port, to);
        }
    }

    fn link_up(&mut self, at: u32, to_port: u32) {
        let link = self.net.links.get_mut(at).expect("the caller holds a live link");
        link.state = LinkState::Up;
        link.to_port = Some(to_port);
        link.is_half_open = false;
        let node = link.from_node;
        let waiting = std::mem::take(&mut link.waiting);
        self.net.meters.links_up += 1;
        self.record(TraceKind::Link, node, 1);
        for (lane, bytes, frame) in waiting {
            self.dispatch(at, lane, bytes, frame);
        }
    }

    /// A keep-alive or a reset: the link breaks if it cannot live.
    pub(crate) fn check_link(&mut self, at: u32, serial: u32) {
        let Some(link) = self.net.links.get(at) else { return };
        if link.serial != serial || link.state != LinkState::Up {
            return;
        }
        let is_half_open = link.is_half_open;
        let is_peer_gone = link.to_port.is_none_or(|port| !self.net.ports[port as usize].is_open);
        let (from, to) = (link.from_node, link.to_node.expect("a link that is up leads to a node"));
        if is_half_open || is_peer_gone || self.is_cut_between(from, to) {
            if is_half_open {
                quark_core::reached!("sim.net.half_open_broken");
                self.effects.vanished += 1;
            } else if !is_peer_gone {
                self.effects.links_cut += 1;
            }
            self.break_link(self.dialled_by_peer(at).unwrap_or(at));
        }
    }

    /// The peer's link whose connection this one answers by, if it is not one of our own dialling. They break as one:
    /// else the dialler would go on with a connection that nobody can answer by.
    fn dialled_by_peer(&self, at: u32) -> Option<u32> {
        let link = self.net.links.get(at).filter(|link| !link.is_learnt)?;
        let local = self.net.ports[link.from_port as usize].local();
        let peers = &self.net.ports[link.to_port? as usize].peers;
        let theirs = peers.get(&local).copied()?;
        let is_same = |theirs: &Link| theirs.state == LinkState::Up && theirs.to_port == Some(link.from_port);
        self.net.links.get(theirs).is_some_and(is_same).then_some(theirs)
    }

    /// The link is broken: both ends are told (unless the hint is lost), and a learnt one is dialled again.
    pub(crate) fn break_link(&mut self, at: u32) {
        quark_core::reached!("sim.net.link_broken");
        let serial = self.net.next_serial();
        let now = self.now;
        let link = self.net.links.get_mut(at).expect("the caller holds a live link");
        let (from_port, from_node, to, to_port) = (link.from_port, link.from_node, link.to, link.to_port);
        let to_node = link.to_node;
        self.net.paths[link.path as usize].link_ends(&link.lanes);
        let unsent = link.drop_waiting(serial, LinkState::Down);
        link.down_since = now;
        let is_learnt = link.is_learnt;
        self.net.drop_unsent(now, &unsent);
        self.net.meters.links_down += 1;
        self.record(TraceKind::Link, from_node, 2);
        self.hint_down(at, from_port, to);
        let local = self.net.ports[from_port as usize].local();
        if let Some(to_port) = to_port.filter(|port| self.net.ports[*port as usize].is_open) {
            let back = self.net.ports[to_port as usize].peers.get(&local).copied();
            if let Some(back) = back.filter(|at| self.net.links.get(*at).is_some_and(|link| !link.is_learnt))
            {
                self.hint_down(back, to_port, local);
                self.remove_link(back);
            }
        }
        if !is_learnt {
            self.remove_link(at);
        } else if let Some(to_node) = to_node {
            let can_succeed =
                self.nodes[to_node as usize].port.is_some() && !self.is_blocked_between(from_node, to_node);
            if can_succeed {
                self.redial(at);
            }
        }
    }

    fn hint_down(&mut self, link: u32, port: u32, peer: SiloId) {
        let path = self.net.links.get(link).expect("the caller holds a live link").path;
        let path = &mut self.net.paths[path as usize];
        path.dials += 1;
        let id = (Purpose::HintLost, path.entity(), path.dials);
        let event = (self.now, self.trace.events);
        if self.choices.chance(event, id, self.net.config.hint_lost_ppm) {
            quark_core::reached!("sim.net.hint_lost");
            self.net.meters.hints_lost += 1;
        } else {
            self.tell(port, Incoming::LinkDown { peer });
        }
    }

    /// A port is gone: whoever has a link to it will notice, sooner (an orderly end, or a reset) or later.
    pub(crate) fn orphan_links_to(&mut self, port: u32, is_orderly: bool) {
        let node = self.net.ports[port as usize].node;
        let orphans: Vec<u32> = self.nodes[node as usize].inbound.iter().copied().collect();
        for at in orphans {
            let Some(link) = self.net.links.get(at).filter(|link| link.to_port == Some(port)) else {
                continue;
            };
            let (path, serial) = (link.path, link.serial);
            self.net.paths[path as usize].dials += 1;
            let counter = self.net.paths[path as usize].dials;
            let id = (Purpose::Reset, self.net.paths[path as usize].entity(), counter);
            let is_soon = is_orderly || self.choices.chance(self.at(), id, self.net.config.reset_ppm);
            let wait = if is_soon { self.latency(path, Purpose::Reset, counter) } else { self.keepalive(at) };
            self.queue.push(self.now + wait, Event::LinkCheck { link: at, serial });
        }
    }

    /// A port opened on a node: links to its predecessor are reset, broken ones are dialled again.
    pub(crate) fn greet_port(&mut self, node: u32) {
        let inbound: Vec<u32> = self.nodes[node as usize].inbound.iter().copied().collect();
        for at in inbound {
            let Some(link) = self.net.links.get(at) else { continue };
            match link.state {
                LinkState::Up => {
                    let (path, serial) = (link.path, link.serial);
                    self.net.paths[path as usize].dials += 1;
                    let wait = self.latency(path, Purpose::Reset, self.net.paths[path as usize].dials);
                    self.queue.push(self.now + wait, Event::LinkCheck { link: at, serial });
                }
                LinkState::Down => self.redial(at),
                LinkState::Dialing | LinkState::Refused => {}
            }
        }
    }

    /// One side of the links from one node to another has lost its state: frames vanish, and nobody knows yet.
    pub(crate) fn half_open(&mut self, from: u32, to: u32) {
        for at in self.links_between(from, to) {
            let link = self.net.links.get_mut(at).expect("listed links exist");
            if link.from_node == from && link.state == LinkState::Up {
                link.is_half_open = true;
                let serial = link.serial;
                let due = self.now + self.keepalive(at);
                self.queue.push(due, Event::LinkCheck { link: at, serial });
            }
        }
        self.record(TraceKind::Fault, from, u64::from(to) << 8 | 5);
    }

    /// Every link from one node to another that is up is reset. Returns how many.
    pub(crate) fn reset_links(&mut self, from: u32, to: u32) -> u64 {
        let mut count = 0;
        for at in self.links_between(from, to) {
            // maybe: it went down with one before it.
            let is_up = |link: &&Link| link.from_node == from && link.state == LinkState::Up;
            if self.net.links.get(at).filter(is_up).is_some() {
                self.break_link(self.dialled_by_peer(at).unwrap_or(at));
                count += 1;
            }
        }
        self.effects.links_reset += count;
        self.record(TraceKind::Fault, from, u64::from(to) << 8 | 8);
        count
    }
}
