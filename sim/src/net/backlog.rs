//! Frames that wait for a slow path: they leave one after the other, each for as long as its length takes.

use crate::queue::Event;
use crate::state::State;
use quark_core::wire::Lane;
use std::collections::VecDeque;

/// What waits to leave, in one lane of a path.
#[derive(Default)]
pub(crate) struct Backlog {
    waiting: VecDeque<u32>,
    /// Counts the first places: whose event is not of the present one comes too late.
    turn: u32,
}

impl Backlog {
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

impl State {
    /// A frame has to wait for its turn to leave.
    pub(crate) fn queue_up(&mut self, at: u32) {
        quark_core::reached!("sim.net.slowed");
        self.net.meters.slowed += 1;
        let flight = self.net.flights.get(at).expect("the caller holds a live flight");
        let (path, lane) = (flight.path, flight.lane);
        let backlog = self.net.paths[path as usize].backlog(lane);
        backlog.waiting.push_back(at);
        if backlog.waiting.len() == 1 {
            self.begin_turn(path, lane);
        }
    }

    /// The first frame has left: the next one begins. On a blocked path it stays where it is, ahead of what came later.
    pub(crate) fn sent(&mut self, path: u32, lane: Lane, turn: u32) {
        let is_held_up = self.net.paths[path as usize].holds();
        let backlog = self.net.paths[path as usize].backlog(lane);
        if backlog.turn != turn || is_held_up {
            return;
        }
        let first = backlog.waiting.pop_front().expect("whose turn it is waits");
        self.depart(first);
        self.begin_turn(path, lane);
    }

    /// Something about a path has changed: what waits leaves by the new rules, at once if there is no limit any more.
    pub(crate) fn hurry(&mut self, path: u32) {
        for lane in [Lane::Control, Lane::User] {
            if self.net.paths[path as usize].is_backed_up(lane) {
                self.begin_turn(path, lane);
            }
        }
    }

    fn begin_turn(&mut self, at: u32, lane: Lane) {
        let bytes_per_second = u64::from(self.conditions(at).bytes_per_second);
        let is_held_up = self.net.paths[at as usize].holds();
        let backlog = self.net.paths[at as usize].backlog(lane);
        backlog.turn = backlog.turn.wrapping_add(1);
        let turn = backlog.turn;
        if is_held_up {
            return; // it begins again when the path clears
        }
        if bytes_per_second == 0 {
            for flight in std::mem::take(&mut backlog.waiting) {
                self.depart(flight);
            }
        } else if let Some(first) = backlog.waiting.front() {
            let bytes = self.net.flights.get(*first).expect("what waits is a live flight").bytes.len() as u64;
            let takes = bytes * 1_000_000_000 / bytes_per_second;
            self.queue.push(self.now + takes, Event::Sent { path: at, lane, turn });
        }
    }

    /// A frame leaves, unless the path swallows it.
    fn depart(&mut self, at: u32) {
        if let Some(at) = self.admit(at) {
            self.fly(at);
        }
    }
}
