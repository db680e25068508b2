//! A transport as its owner sees it: peers, and an inbox.

use super::by_peer::ByPeer;
use super::film::FrameStep;
use super::link::LinkState;
use crate::choice::Purpose;
use crate::host::{Host, Identity};
use crate::node::NodeId;
use crate::queue::Event;
use crate::state::{Shared, State};
use crate::trace::TraceKind;
use bytes::Bytes;
use quark_core::handshake::{self, Refusal};
use quark_core::wire::Lane;
use quark_core::{Generation, SiloId, SiloName};
use quark_env::Transport;
use quark_env::transport::{Incoming, SendError};
use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// One transport of one node incarnation.
pub(crate) struct Port {
    pub(crate) node: u32,
    incarnation: u32,
    identity: Identity,
    pub(crate) is_open: bool,
    pub(crate) peers: ByPeer<SiloId, u32>,
    /// Names whose generations up to this one are refused.
    forgotten: ByPeer<SiloName, Generation>,
    control: VecDeque<Arrival>,
    user: VecDeque<Arrival>,
    waker: Option<Waker>,
}

/// A frame in an inbox.
pub(crate) struct Arrived {
    pub(crate) from: SiloId,
    pub(crate) bytes: Bytes,
    pub(crate) frame: u64,
    pub(crate) link: u32,
    pub(crate) serial: u32,
    pub(crate) is_copy: bool,
}

/// What waits in an inbox. A broken link keeps its place among the user frames; a refusal is urgent.
enum Arrival {
    Frame(Arrived),
    Notice(Incoming),
}

impl Port {
    #[inline]
    pub(crate) fn local(&self) -> SiloId {
        self.identity.silo
    }

    #[inline]
    pub(crate) fn refuses(&self, peer: SiloId) -> bool {
        !self.forgotten.is_empty()
            && self.forgotten.get(&peer.name).is_some_and(|generation| peer.generation <= *generation)
    }

    /// Puts a frame into the inbox; returns whom to wake.
    #[inline]
    pub(crate) fn take_frame(&mut self, lane: Lane, frame: Arrived) -> Option<Waker> {
        match lane {
            Lane::Control => self.control.push_back(Arrival::Frame(frame)),
            Lane::User => self.user.push_back(Arrival::Frame(frame)),
        }
        self.waker.take()
    }
}

impl State {
    /// Why one port would refuse another's dial, and whether because it is dead.
    pub(crate) fn refusal(&self, dialler: u32, acceptor: u32) -> Option<(String, bool)> {
        let (acceptor, dialler) = (&self.net.ports[acceptor as usize], &self.net.ports[dialler as usize]);
        let theirs = dialler.identity.hello();
        if let Err(refusal) = handshake::agree(&acceptor.identity.hello(), &theirs) {
            return Some((refusal.to_string(), false));
        }
        let known =
            acceptor.forgotten.get(&theirs.silo.name).copied().filter(|_| acceptor.refuses(theirs.silo))?;
        Some((Refusal::Dead { silo: theirs.silo, known }.to_string(), true))
    }

    /// A notice goes into a port's inbox.
    pub(crate) fn tell(&mut self, port: u32, notice: Incoming) {
        let port = &mut self.net.ports[port as usize];
        if port.is_open {
            let lane =
                if matches!(notice, Incoming::Refused { .. }) { &mut port.control } else { &mut port.user };
            lane.push_back(Arrival::Notice(notice));
            self.wakes.extend(port.waker.take());
        }
    }

    /// A notice from a peer arrives, by now.
    pub(crate) fn notice_arrives(&mut self, at: u32) {
        let (port, notice) = self.net.notices.remove(at).expect("a notice arrives once");
        let serial = self.net.next_serial();
        if let Incoming::Refused { peer, .. } = &notice
            && let Some(link) = self.net.ports[port as usize].peers.get(peer).copied()
            && let Some(link) = self.net.links.get_mut(link)
        {
            self.net.paths[link.path as usize].link_ends(&link.lanes);
            let unsent = link.drop_waiting(serial, LinkState::Refused);
            self.net.drop_unsent(self.now, &unsent);
        }
        self.tell(port, notice);
    }

    /// Closes a port: its links are gone, its inbox too, and its peers notice sooner or later.
    pub(crate) fn close_port(&mut self, at: u32, is_orderly: bool) {
        let port = &mut self.net.ports[at as usize];
        if !std::mem::replace(&mut port.is_open, false) {
            return;
        }
        let node = port.node;
        let links: Vec<u32> = port.peers.values().copied().collect();
        port.control = VecDeque::new();
        port.user = VecDeque::new();
        self.wakes.extend(port.waker.take());
        for link in links {
            self.remove_link(link);
        }
        if self.nodes[node as usize].port == Some(at) {
            self.nodes[node as usize].port = None;
        }
        self.orphan_links_to(at, is_orderly);
    }

    /// A peer's link towards this port. Whoever has a link has an open port on its node; only for a peer of which it is
    /// not known where it is, all links have to be looked through.
    fn link_of(&self, peer: SiloId, at: Option<u32>, port: u32) -> Option<u32> {
        let ours = &self.net.ports[port as usize];
        let leads_here =
            |link: &u32| self.net.links.get(*link).is_some_and(|link| link.to_port == Some(port));
        if let Some(node) = at {
            let theirs = &self.net.ports[self.nodes[node as usize].port? as usize];
            let link = theirs.peers.get(&ours.local()).filter(|_| theirs.local() == peer);
            return link.copied().filter(leads_here);
        }
        let is_theirs = |link: &u32| {
            let link = self.net.links.get(*link).expect("listed links exist");
            self.net.ports[link.from_port as usize].local() == peer
        };
        let inbound = &self.nodes[ours.node as usize].inbound;
        inbound.iter().copied().find(|link| leads_here(link) && is_theirs(link))
    }

    /// The node that an address names: everything before the last colon is a node's name.
    fn node_at(&self, address: &str) -> Option<u32> {
        let name = address.rsplit_once(':').map_or(address, |(name, _)| name);
        self.node_of.get(name).copied()
    }
}

/// The simulated [`Transport`] of one node incarnation. Closed when dropped.
pub struct SimTransport(pub(crate) Arc<SimTransportInner>);

/// What [`SimTransport`] is made of.
pub(crate) struct SimTransportInner {
    shared: Arc<Shared>,
    port: u32,
    local: SiloId,
}

impl SimTransport {
    pub(crate) fn open(host: &Host, identity: Identity) -> Self {
        let local = identity.silo;
        let port = host.shared.act(|state| {
            let is_open = state.is_current(host.node, host.incarnation);
            let port = state.net.ports.len() as u32;
            state.net.ports.push(Port {
                node: host.node,
                incarnation: host.incarnation,
                identity,
                is_open,
                peers: ByPeer::default(),
                forgotten: ByPeer::default(),
                control: VecDeque::new(),
                user: VecDeque::new(),
                waker: None,
            });
            if is_open {
                if let Some(old) = state.nodes[host.node as usize].port.replace(port) {
                    state.close_port(old, true);
                }
                state.greet_port(host.node);
            }
            port
        });
        Self(Arc::new(SimTransportInner { shared: host.shared.clone(), port, local }))
    }
}

impl Drop for SimTransportInner {
    fn drop(&mut self) {
        self.shared.act(|state| {
            if self.is_live(state) {
                state.close_port(self.port, true);
            }
        });
    }
}

impl SimTransportInner {
    /// Whether this transport may still act.
    fn is_live(&self, state: &State) -> bool {
        let port = &state.net.ports[self.port as usize];
        port.is_open && state.is_current(port.node, port.incarnation)
    }
}

impl Transport for SimTransport {
    fn local(&self) -> SiloId {
        self.0.local
    }

    fn learn(&self, peer: SiloId, address: &str) {
        let inner = &*self.0;
        let mut state = inner.shared.lock();
        if !inner.is_live(&state) || state.net.ports[inner.port as usize].refuses(peer) {
            return;
        }
        let to_node = state.node_at(address);
        if let Some(at) = state.net.ports[inner.port as usize].peers.get(&peer).copied() {
            let link = state.net.links.get_mut(at).expect("peers name live links");
            if link.to_node == to_node {
                link.is_learnt = true;
                if link.state == LinkState::Refused {
                    state.start_dial(at, 0);
                }
                return;
            }
            state.remove_link(at);
        }
        let link = state.add_link(inner.port, peer, to_node, true);
        state.start_dial(link, 0);
    }

    fn forget(&self, peer: SiloId, reason: &str) {
        let inner = &*self.0;
        let mut state = inner.shared.lock();
        if !inner.is_live(&state) {
            return;
        }
        let port = &mut state.net.ports[inner.port as usize];
        let (node, local) = (port.node, port.local());
        let forgotten = port.forgotten.entry(peer.name).or_insert(peer.generation);
        *forgotten = (*forgotten).max(peer.generation);
        let ours = port.peers.get(&peer).copied();
        let to_node = ours.and_then(|link| state.net.links.get(link)).and_then(|link| link.to_node);
        if let Some(link) = ours {
            state.remove_link(link);
        }
        // Tell it why, if there is a connection to tell it by.
        let Some(theirs) = state.link_of(peer, to_node, inner.port) else { return };
        let link = state.net.links.get(theirs).expect("just found");
        let (their_port, their_node) = (link.from_port, link.from_node);
        if !state.is_blocked_between(node, their_node) {
            let path = state.path(node, their_node);
            state.net.paths[path as usize].dials += 1;
            let wait = state.latency(path, Purpose::Reset, state.net.paths[path as usize].dials);
            let refused = Incoming::Refused { peer: local, reason: reason.to_owned(), dead: true };
            let notice = state.net.notices.insert((their_port, refused));
            let due = state.now + wait;
            state.queue.push(due, Event::Notice { notice });
        }
        state.record(TraceKind::Link, node, 4);
    }

    fn try_send(&self, to: SiloId, lane: Lane, frame: Bytes) -> Result<(), SendError> {
        let inner = &*self.0;
        let mut guard = inner.shared.lock();
        let state = &mut *guard;
        if !inner.is_live(state) {
            return Err(SendError::Closed);
        }
        let bytes_max = state.net.config.frame_bytes_max;
        if frame.len() > bytes_max {
            return Err(SendError::TooLarge { bytes: frame.len(), bytes_max });
        }
        let port = &state.net.ports[inner.port as usize];
        let node = port.node;
        let Some(at) = port.peers.get(&to).copied() else { return Err(SendError::NotConnected) };
        let link = state.net.links.get_mut(at).expect("peers name live links");
        if link.state == LinkState::Refused {
            return Err(SendError::NotConnected);
        }
        let used = &mut link.lanes[lane as usize];
        if used.frames as usize >= state.net.config.lane_frames_max
            || used.bytes as usize + frame.len() > state.net.config.lane_bytes_max.max(bytes_max)
        {
            quark_core::reached!("sim.net.full");
            state.net.meters.refused_full += 1;
            return Err(SendError::Full);
        }
        used.frames += 1;
        used.bytes += frame.len() as u32;
        state.net.meters.sent += 1;
        let number = state.net.meters.sent;
        let (is_up, to_node) = (link.state == LinkState::Up, link.to_node.map(NodeId));
        let sent =
            FrameStep::Sent { from_node: NodeId(node), from: inner.local, to, to_node, lane, bytes: &frame };
        state.net.film(state.now, number, false, sent);
        if !is_up {
            let link = state.net.links.get_mut(at).expect("peers name live links");
            link.waiting.push((lane, frame, number));
            state.redial(at);
        } else {
            state.dispatch(at, lane, frame, number);
        }
        state.record(TraceKind::Send, node, u64::from(at));
        Ok(())
    }

    fn poll_recv(&self, cx: &mut Context<'_>, out: &mut Vec<Incoming>, max: usize) -> Poll<usize> {
        let inner = &*self.0;
        let mut guard = inner.shared.lock();
        let state = &mut *guard;
        if !inner.is_live(state) {
            return Poll::Ready(0);
        }
        let mut taken = 0;
        while taken < max {
            let port = &mut state.net.ports[inner.port as usize];
            let (lane, arrival) = match port.control.pop_front() {
                Some(arrival) => (Lane::Control, arrival),
                None => match port.user.pop_front() {
                    Some(arrival) => (Lane::User, arrival),
                    None => break,
                },
            };
            taken += 1;
            let frame = match arrival {
                Arrival::Frame(frame) => frame,
                Arrival::Notice(notice) => {
                    out.push(notice);
                    continue;
                }
            };
            state.net.film(state.now, frame.frame, frame.is_copy, FrameStep::Taken);
            if !frame.is_copy {
                state.unload(frame.link, frame.serial, lane, frame.bytes.len());
            }
            out.push(Incoming::Frame { from: frame.from, lane, bytes: frame.bytes });
        }
        if taken > 0 {
            return Poll::Ready(taken);
        }
        let waker = &mut state.net.ports[inner.port as usize].waker;
        let old = match waker {
            Some(same) if same.will_wake(cx.waker()) => None,
            _ => waker.replace(cx.waker().clone()),
        };
        drop(guard);
        drop(old);
        Poll::Pending
    }
}
