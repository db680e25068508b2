//! The way from one node to another, and what is wrong with it.

use super::backlog::Backlog;
use super::dialling::Dialling;
use super::link::{LaneUse, LinkState};
use crate::choice::Purpose;
use crate::config::Conditions;
use crate::node::NodeId;
use crate::queue::Event;
use crate::spread::Spread;
use crate::state::State;
use crate::trace::TraceKind;
use crate::world::PathLook;
use quark_core::wire::Lane;

/// One direction between two nodes. A thousand nodes have a million: what a frame looks at fits into a cache line.
pub(crate) struct Path {
    pub(crate) from: u32,
    pub(crate) to: u32,
    /// Overlapping cuts in force: as many as were made and not healed.
    cuts: u32,
    clogs: u32,
    /// Counts the frames and dials, which keys their fates.
    pub(crate) frames: u64,
    pub(crate) dials: u64,
    /// What is, or was, wrong with it, once anything has been.
    trouble: Option<Box<Trouble>>,
}

/// What most paths never have.
#[derive(Default)]
struct Trouble {
    cuts_ever: u64,
    /// Whether the present cut swallows frames; else it stalls them.
    swallows: bool,
    /// Frames that wait for the path to clear.
    held: Vec<u32>,
    conditions: Option<Conditions>,
    /// What is wrong with dialling.
    dialling: Option<Dialling>,
    /// Per lane, what waits for its turn to leave.
    backlogs: [Backlog; 2],
    /// Per lane, when the last frame arrives whose link has ended: what it left behind keeps its order.
    last_of_ended: [u64; 2],
}

impl Path {
    /// What its choices are keyed by.
    #[inline]
    pub(crate) fn entity(&self) -> u64 {
        u64::from(self.from) << 32 | u64::from(self.to)
    }

    #[inline]
    pub(crate) fn is_blocked(&self) -> bool {
        self.cuts | self.clogs != 0
    }

    #[inline]
    pub(crate) fn is_cut(&self) -> bool {
        self.cuts != 0
    }

    #[inline]
    pub(crate) fn swallows(&self) -> bool {
        self.cuts != 0 && self.trouble.as_ref().is_some_and(|trouble| trouble.swallows)
    }

    /// Whether frames have to wait until it clears.
    #[inline]
    pub(crate) fn holds(&self) -> bool {
        self.is_blocked() && !self.swallows()
    }

    /// As it stands, but for its frames.
    pub(crate) fn look(&self) -> PathLook {
        PathLook {
            from: NodeId(self.from),
            to: NodeId(self.to),
            cuts: self.cuts,
            swallows: self.swallows(),
            clogs: self.clogs,
            has_weather: self.trouble.as_ref().is_some_and(|trouble| trouble.conditions.is_some()),
            frames: 0,
        }
    }

    /// Whether it has a weather of its own, with another latency than this.
    #[inline]
    pub(crate) fn delays(&self, usual: &Spread) -> bool {
        let conditions = self.trouble.as_ref().and_then(|trouble| trouble.conditions.as_ref());
        conditions.is_some_and(|conditions| conditions.latency != *usual)
    }

    /// What is wrong with dialling.
    pub(super) fn dialling(&self) -> Option<Dialling> {
        self.trouble.as_ref()?.dialling
    }

    pub(super) fn set_dialling(&mut self, dialling: Dialling) {
        self.trouble().dialling = (dialling != Dialling::default()).then_some(dialling);
    }

    pub(crate) fn hold(&mut self, flight: u32) {
        self.trouble().held.push(flight);
    }

    /// What waits for its turn to leave.
    pub(crate) fn backlog(&mut self, lane: Lane) -> &mut Backlog {
        &mut self.trouble().backlogs[lane as usize]
    }

    /// Whether frames of this lane wait for their turn to leave.
    #[inline]
    pub(crate) fn is_backed_up(&self, lane: Lane) -> bool {
        self.trouble.as_ref().is_some_and(|trouble| !trouble.backlogs[lane as usize].is_empty())
    }

    /// A link of this path ends, whose last frames arrive by then. What it has put on the path and is still held there
    /// arrives later than those.
    pub(crate) fn link_ends(&mut self, lanes: &[LaneUse; 2]) {
        // Without trouble nothing is held.
        if let Some(trouble) = &mut self.trouble {
            for (last, lane) in trouble.last_of_ended.iter_mut().zip(lanes) {
                *last = (*last).max(lane.last_arrival);
            }
        }
    }

    /// When the last frame of an ended link arrives: the next one does not arrive earlier.
    pub(crate) fn last_of_ended(&mut self, lane: Lane) -> &mut u64 {
        &mut self.trouble().last_of_ended[lane as usize]
    }

    fn trouble(&mut self) -> &mut Trouble {
        self.trouble.get_or_insert_default()
    }
}

impl State {
    /// The path between two nodes, made when it is first asked for.
    pub(crate) fn path(&mut self, from: u32, to: u32) -> u32 {
        let paths = &mut self.net.paths;
        *self.net.path_of.entry((from, to)).or_insert_with(|| {
            paths.push(Path { from, to, cuts: 0, clogs: 0, frames: 0, dials: 0, trouble: None });
            paths.len() as u32 - 1
        })
    }

    #[inline]
    pub(crate) fn conditions(&self, path: u32) -> &Conditions {
        let trouble = self.net.paths[path as usize].trouble.as_ref();
        trouble.and_then(|trouble| trouble.conditions.as_ref()).unwrap_or(&self.net.config.conditions)
    }

    /// How long something takes on a path right now.
    #[inline]
    pub(crate) fn latency(&self, path: u32, purpose: Purpose, counter: u64) -> u64 {
        let word = self.choices.word(self.now, purpose, self.net.paths[path as usize].entity(), counter);
        self.conditions(path).latency.draw_ns(word)
    }

    pub(crate) fn cut_path(&mut self, from: u32, to: u32) {
        let at = self.path(from, to);
        let event = self.at();
        let ppm = self.net.config.cut_swallows_ppm;
        let path = &mut self.net.paths[at as usize];
        path.cuts += 1;
        if path.cuts > 1 {
            return;
        }
        let entity = path.entity();
        let trouble = path.trouble();
        trouble.cuts_ever += 1;
        trouble.swallows = self.choices.chance(event, (Purpose::CutMode, entity, trouble.cuts_ever), ppm);
        self.record(TraceKind::Fault, from, u64::from(to) << 8 | 1);
        self.check_links_between(from, to);
    }

    /// Heals one cut; the path is clear when all are healed.
    pub(crate) fn heal_path(&mut self, from: u32, to: u32, all: bool) {
        let at = self.path(from, to);
        let path = &mut self.net.paths[at as usize];
        path.cuts = if all { 0 } else { path.cuts.saturating_sub(1) };
        self.release(at);
    }

    pub(crate) fn clog_path(&mut self, from: u32, to: u32) {
        let at = self.path(from, to);
        self.net.paths[at as usize].clogs += 1;
        self.record(TraceKind::Fault, from, u64::from(to) << 8 | 2);
    }

    pub(crate) fn unclog_path(&mut self, from: u32, to: u32, all: bool) {
        let at = self.path(from, to);
        let path = &mut self.net.paths[at as usize];
        path.clogs = if all { 0 } else { path.clogs.saturating_sub(1) };
        self.release(at);
    }

    pub(crate) fn set_conditions(&mut self, from: u32, to: u32, conditions: Option<Conditions>) {
        let at = self.path(from, to);
        self.net.paths[at as usize].trouble().conditions = conditions;
        self.hurry(at);
        self.record(TraceKind::Fault, from, u64::from(to) << 8 | 3);
    }

    /// Heals every path: no cuts, no clogs, the default weather.
    pub(crate) fn heal_paths(&mut self) {
        for at in 0..self.net.paths.len() as u32 {
            let path = &mut self.net.paths[at as usize];
            // Nothing waits for a path that nothing is wrong with, and most of a million are such.
            let Some(trouble) = &mut path.trouble else {
                if std::mem::take(&mut path.cuts) | std::mem::take(&mut path.clogs) != 0 {
                    self.release(at);
                }
                continue;
            };
            (trouble.conditions, trouble.dialling) = (None, None);
            (path.cuts, path.clogs) = (0, 0);
            self.release(at);
        }
    }

    pub(crate) fn set_default_conditions(&mut self, conditions: Conditions) {
        self.net.config.conditions = conditions;
        for at in 0..self.net.paths.len() as u32 {
            if self.net.paths[at as usize].trouble.is_some() {
                self.hurry(at);
            }
        }
        self.record(TraceKind::Fault, 0, 6);
    }

    /// Whether nodes are cut off in either direction: then no connection between them can live.
    pub(crate) fn is_cut_between(&mut self, one: u32, two: u32) -> bool {
        let (there, back) = (self.path(one, two), self.path(two, one));
        self.net.paths[there as usize].is_cut() || self.net.paths[back as usize].is_cut()
    }

    pub(crate) fn is_blocked_between(&mut self, one: u32, two: u32) -> bool {
        let (there, back) = (self.path(one, two), self.path(two, one));
        self.net.paths[there as usize].is_blocked() || self.net.paths[back as usize].is_blocked()
    }

    /// Lets held frames go and broken links be dialled, if nothing blocks the path any more.
    fn release(&mut self, at: u32) {
        let path = &mut self.net.paths[at as usize];
        if path.is_blocked() {
            return;
        }
        let (from, to) = (path.from, path.to);
        let held = path.trouble.as_mut().map(|trouble| std::mem::take(&mut trouble.held)).unwrap_or_default();
        self.record(TraceKind::Fault, from, u64::from(to) << 8 | 4);
        // What waits to leave came before what was held.
        self.hurry(at);
        for flight in held {
            self.launch(flight);
        }
        for link in self.links_between(from, to) {
            self.redial(link);
        }
    }

    /// Links between two nodes, both ways, in order of their index.
    pub(crate) fn links_between(&self, one: u32, two: u32) -> Vec<u32> {
        let towards = |from: u32, to: u32| {
            let links = &self.net.links;
            self.nodes[to as usize]
                .inbound
                .iter()
                .copied()
                .filter(move |link| links.get(*link).is_some_and(|link| link.from_node == from))
        };
        let mut found: Vec<u32> = towards(one, two).chain(towards(two, one)).collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    /// A cut: every live link between the two will notice by its keep-alive, unless the cut heals before.
    fn check_links_between(&mut self, one: u32, two: u32) {
        for at in self.links_between(one, two) {
            let link = self.net.links.get(at).expect("listed links exist");
            if link.state == LinkState::Up {
                let due = self.now + self.keepalive(at);
                let serial = self.net.links.get(at).map_or(0, |link| link.serial);
                self.queue.push(due, Event::LinkCheck { link: at, serial });
            }
        }
    }

    /// How long this link takes to notice silence.
    pub(crate) fn keepalive(&mut self, link: u32) -> u64 {
        let link = self.net.links.get(link).expect("the caller holds a live link");
        let path = &mut self.net.paths[link.path as usize];
        path.dials += 1;
        let word = self.choices.word(self.now, Purpose::Keepalive, path.entity(), path.dials);
        self.net.config.keepalive.draw_ns(word)
    }
}
