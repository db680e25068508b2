//! A frame on its way.

use super::film::{FrameLoss, FrameStep};
use super::link::LinkState;
use super::port::Arrived;
use crate::choice::Purpose;
use crate::node::NodeId;
use crate::queue::Event;
use crate::spread::{ns, scale};
use crate::state::State;
use crate::trace::TraceKind;
use bytes::Bytes;
use quark_core::SiloId;
use quark_core::wire::Lane;

/// A frame between two ports.
pub(crate) struct Flight {
    link: u32,
    serial: u32,
    from: SiloId,
    from_port: u32,
    to_port: u32,
    pub(super) path: u32,
    /// Its number on the path: what its fate is keyed by.
    number: u64,
    /// Its number in the world: what it is called by.
    frame: u64,
    pub(super) lane: Lane,
    pub(super) bytes: Bytes,
    /// A copy that the network made does not count against the sender's buffer.
    is_copy: bool,
}

impl State {
    /// Sends a frame off on a link that is up, or swallows it.
    pub(crate) fn dispatch(&mut self, at: u32, lane: Lane, bytes: Bytes, frame: u64) {
        let link = self.net.links.get(at).expect("the caller holds a live link");
        debug_assert_eq!(link.state, LinkState::Up);
        let path_at = link.path;
        let path = &mut self.net.paths[path_at as usize];
        path.frames += 1;
        let flight = Flight {
            link: at,
            serial: link.serial,
            from: self.net.ports[link.from_port as usize].local(),
            from_port: link.from_port,
            to_port: link.to_port.expect("a link that is up has a port at its end"),
            path: path_at,
            number: path.frames,
            frame,
            lane,
            bytes,
            is_copy: false,
        };
        let is_half_open = link.is_half_open;
        let flight = self.net.flights.insert(flight);
        if is_half_open {
            self.net.meters.swallowed += 1;
            self.effects.vanished += 1;
            self.end_flight(flight, FrameLoss::Swallowed);
        } else if let Some(flight) = self.admit(flight) {
            self.launch(flight);
        }
    }

    /// Whether the path lets a frame through: else it is swallowed, or held until the path clears.
    pub(crate) fn admit(&mut self, at: u32) -> Option<u32> {
        let flight = self.net.flights.get(at).expect("the caller holds a live flight");
        let (frame, is_copy) = (flight.frame, flight.is_copy);
        let path = &mut self.net.paths[flight.path as usize];
        if path.swallows() {
            self.net.meters.swallowed += 1;
            self.effects.frames_cut += 1;
            self.end_flight(at, FrameLoss::Swallowed);
            return None;
        }
        if path.is_blocked() {
            self.net.meters.stalled += 1;
            match path.is_cut() {
                true => self.effects.frames_cut += 1,
                false => self.effects.frames_clogged += 1,
            }
            path.hold(at);
            self.net.film(self.now, frame, is_copy, FrameStep::Held);
            return None;
        }
        Some(at)
    }

    /// A frame leaves now, or when its turn has come if the path is slow.
    pub(crate) fn launch(&mut self, at: u32) {
        let flight = self.net.flights.get(at).expect("the caller holds a live flight");
        let (path, lane) = (flight.path, flight.lane);
        if self.conditions(path).bytes_per_second != 0 || self.net.paths[path as usize].is_backed_up(lane) {
            self.queue_up(at);
        } else {
            self.fly(at);
        }
    }

    /// Decides a frame's fate and when it arrives.
    pub(crate) fn fly(&mut self, at: u32) {
        let flight = self.net.flights.get(at).expect("the caller holds a live flight");
        let conditions = self.conditions(flight.path);
        let (reorder_ppm, reorder_by) = (conditions.reorder_ppm, conditions.reorder_by);
        if conditions.is_rough() && !self.weather(at) {
            return;
        }
        let flight = self.net.flights.get(at).expect("it survived the weather");
        let (path, number) = (flight.path, flight.number);
        if self.net.paths[path as usize].delays(&self.net.config.conditions.latency) {
            self.effects.frames_delayed += 1;
        }
        let mut arrival = self.now + self.latency(path, Purpose::Latency, number);
        let entity = self.net.paths[path as usize].entity();
        let event = self.at();
        if self.choices.chance(event, (Purpose::Reorder, entity, number), reorder_ppm) {
            self.net.meters.reordered += 1;
            let word = self.choices.word(self.now, Purpose::Reorder, entity, !number);
            arrival += scale(ns(reorder_by), word);
        } else {
            let link = self.net.links.get_mut(flight.link).filter(|link| link.serial == flight.serial);
            let last_arrival = match link {
                Some(link) => &mut link.lanes[flight.lane as usize].last_arrival,
                None => self.net.paths[path as usize].last_of_ended(flight.lane),
            };
            arrival = arrival.max(*last_arrival);
            *last_arrival = arrival;
        }
        self.queue.push(arrival, Event::Deliver { flight: at });
    }

    /// Loses, damages or doubles a frame. Returns whether it still exists.
    fn weather(&mut self, at: u32) -> bool {
        let flight = self.net.flights.get(at).expect("the caller holds a live flight");
        let conditions = *self.conditions(flight.path);
        let (entity, number) = (self.net.paths[flight.path as usize].entity(), flight.number);
        let event = self.at();
        let node = self.net.paths[flight.path as usize].from;
        if self.choices.chance(event, (Purpose::Loss, entity, number), conditions.loss_ppm) {
            quark_core::reached!("sim.net.lost");
            self.net.meters.lost += 1;
            self.record(TraceKind::Drop, node, 1);
            self.end_flight(at, FrameLoss::Lost);
            return false;
        }
        if self.choices.chance(event, (Purpose::Corrupt, entity, number), conditions.corrupt_ppm) {
            quark_core::reached!("sim.net.corrupted");
            let word = self.choices.word(self.now, Purpose::Damage, entity, number);
            let flight = self.net.flights.get_mut(at).expect("it was not lost");
            flight.bytes = damaged(&flight.bytes, word);
            let (frame, is_copy) = (flight.frame, flight.is_copy);
            self.net.meters.corrupted += 1;
            self.net.film(self.now, frame, is_copy, FrameStep::Damaged);
        }
        if self.choices.chance(event, (Purpose::Duplicate, entity, number), conditions.duplicate_ppm) {
            quark_core::reached!("sim.net.duplicated");
            self.net.meters.duplicated += 1;
            let flight = self.net.flights.get(at).expect("it was not lost");
            let copy = Flight { bytes: flight.bytes.clone(), is_copy: true, ..*flight };
            let latency = self.latency(flight.path, Purpose::Duplicate, !number);
            self.net.film(self.now, copy.frame, true, FrameStep::Copied);
            let copy = self.net.flights.insert(copy);
            self.queue.push(self.now + latency * 2, Event::Deliver { flight: copy });
        }
        true
    }

    /// A frame reaches the other end.
    pub(crate) fn deliver(&mut self, at: u32) {
        let flight = self.net.flights.remove(at).expect("a frame arrives once");
        let event = self.at();
        let path = &self.net.paths[flight.path as usize];
        let (to_node, entity) = (path.to, path.entity());
        let stray = (Purpose::Stray, entity, flight.number);
        let stray_ppm = self.net.config.stray_ppm;
        let is_linked = self.net.links.get(flight.link).is_some_and(|link| link.serial == flight.serial);
        let is_sender_alive = self.net.ports[flight.from_port as usize].is_open;
        // What a dead sender had put on the wire arrives. What was under way on a link that broke may.
        let mut arrives = is_linked || !is_sender_alive || self.choices.chance(event, stray, stray_ppm);
        let mut port = flight.to_port;
        if !self.net.ports[port as usize].is_open {
            match self.nodes[to_node as usize].port {
                Some(reborn) if is_linked => {
                    arrives = self.choices.chance(event, stray, stray_ppm) && {
                        port = reborn;
                        true
                    }
                }
                Some(reborn) => port = reborn,
                None => arrives = false,
            }
        }
        if port != flight.to_port && arrives {
            quark_core::reached!("sim.net.stray");
        }
        let target = &mut self.net.ports[port as usize];
        if !arrives || target.refuses(flight.from) {
            self.net.meters.undeliverable += 1;
            self.record(TraceKind::Drop, to_node, 2);
            let dropped = FrameStep::Dropped(FrameLoss::Undeliverable);
            self.net.film(self.now, flight.frame, flight.is_copy, dropped);
            if !flight.is_copy {
                self.unload(flight.link, flight.serial, flight.lane, flight.bytes.len());
            }
            return;
        }
        self.net.meters.delivered += 1;
        let payload = quark_core::hash::point(&flight.bytes);
        let frame = Arrived {
            from: flight.from,
            bytes: flight.bytes,
            frame: flight.frame,
            link: flight.link,
            serial: flight.serial,
            is_copy: flight.is_copy,
        };
        if let Some(waker) = target.take_frame(flight.lane, frame) {
            self.wakes.push(waker);
        }
        self.record(TraceKind::Deliver, to_node, payload);
        let delivered = FrameStep::Delivered { to_node: NodeId(to_node) };
        self.net.film(self.now, flight.frame, flight.is_copy, delivered);
    }

    fn end_flight(&mut self, at: u32, why: FrameLoss) {
        let flight = self.net.flights.remove(at).expect("the caller holds a live flight");
        self.net.film(self.now, flight.frame, flight.is_copy, FrameStep::Dropped(why));
        if !flight.is_copy {
            self.unload(flight.link, flight.serial, flight.lane, flight.bytes.len());
        }
    }

    /// A frame no longer counts against its link's buffer.
    #[inline]
    pub(crate) fn unload(&mut self, link: u32, serial: u32, lane: Lane, bytes: usize) {
        if let Some(link) = self.net.links.get_mut(link).filter(|link| link.serial == serial) {
            let lane = &mut link.lanes[lane as usize];
            lane.frames = lane.frames.checked_sub(1).expect("every frame is loaded once and unloaded once");
            lane.bytes = lane
                .bytes
                .checked_sub(bytes as u32)
                .expect("a frame is unloaded with the size it was loaded with");
        }
    }
}

/// Flips a byte or cuts the end off.
fn damaged(bytes: &Bytes, word: u64) -> Bytes {
    if bytes.is_empty() {
        return bytes.clone();
    }
    let at = (word >> 16) as usize % bytes.len();
    if word & 1 == 0 {
        return bytes.slice(..at);
    }
    let mut copy = bytes.to_vec();
    copy[at] ^= (word >> 8) as u8 | 1;
    copy.into()
}
