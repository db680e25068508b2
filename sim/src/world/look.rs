//! What can be seen of a world that stands still. Looking changes nothing.

use super::WorldHandle;
use crate::clock::WALL_EPOCH_NS;
use crate::net::FrameEvent;
use crate::node::NodeId;
use crate::spread::Spread;
use std::collections::BTreeMap;

/// A node, as it stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NodeLook {
    /// Its name.
    pub name: String,
    /// Whether its process runs, or is paused.
    pub is_up: bool,
    /// How many pauses are in force.
    pub pauses: u32,
    /// Which of its processes this is, or was the last; counted from 1.
    pub incarnation: u32,
    /// How far its wall clock is ahead of a right one, in nanoseconds.
    pub wall_offset_ns: i64,
    /// How much too fast its clocks run, in parts per billion.
    pub rate_ppb: i64,
    /// How many outages of the store for this node alone are in force.
    pub store_cuts: u32,
    /// How many times as long everything takes, in thousandths.
    pub slowness_milli: u32,
    /// Its tasks.
    pub tasks: usize,
    /// The sleeps that somebody on it waits for.
    pub timers: usize,
}

/// A way from one node to another on which something is under way, or wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PathLook {
    /// From this node.
    pub from: NodeId,
    /// To that one.
    pub to: NodeId,
    /// Cuts in force.
    pub cuts: u32,
    /// Whether the cut swallows frames; else they wait for it to heal.
    pub swallows: bool,
    /// Clogs in force.
    pub clogs: u32,
    /// Whether it has a weather of its own.
    pub has_weather: bool,
    /// Frames under way, those that wait for the link or the path included.
    pub frames: usize,
}

impl WorldHandle {
    /// A node, as it stands.
    pub fn look_at(&self, node: NodeId) -> NodeLook {
        let state = self.shared.lock();
        let found = &state.nodes[node.index()];
        NodeLook {
            name: found.name.clone(),
            is_up: found.is_up,
            pauses: found.pauses,
            incarnation: found.incarnation,
            wall_offset_ns: found.clock.wall(state.now).0 - WALL_EPOCH_NS - state.now as i64,
            rate_ppb: found.clock.rate_ppb(),
            store_cuts: found.store_cuts,
            slowness_milli: found.slowness_milli,
            tasks: state.tasks.iter().filter(|(_, task)| task.node == node.0).count(),
            timers: state.timers.iter().filter(|(_, timer)| timer.node == node.0).count(),
        }
    }

    /// How long a poll keeps a node of the usual speed busy.
    pub fn poll_cost(&self) -> Spread {
        self.shared.lock().config.cost
    }

    /// How far a node's wall clock is ahead of a right one, in nanoseconds. Of a node that is down, as it will go on.
    pub fn wall_offset_ns(&self, node: NodeId) -> i64 {
        let state = self.shared.lock();
        state.nodes[node.index()].clock.wall(state.now).0 - WALL_EPOCH_NS - state.now as i64
    }

    /// Calls `watch` for every step in the life of every frame, at the instant at which it happens. Replaces an earlier one.
    ///
    /// `watch` runs while the world is locked: it must not call the world.
    pub fn watch_frames(&self, watch: impl FnMut(&FrameEvent<'_>) + Send + 'static) {
        let old = self.shared.lock().net.watch.replace(Box::new(watch));
        drop(old);
    }

    /// The paths on which frames are under way, or with which something is wrong, in order of their nodes.
    pub fn busy_paths(&self) -> Vec<PathLook> {
        let state = self.shared.lock();
        let mut frames: BTreeMap<u32, usize> = BTreeMap::new();
        for path in state.net.paths_of_frames() {
            *frames.entry(path).or_default() += 1;
        }
        let mut found = state.net.paths_as_they_stand();
        for (at, path) in (0..).zip(&mut found) {
            path.frames = frames.get(&at).copied().unwrap_or(0);
        }
        found.retain(|path| path.cuts | path.clogs != 0 || path.has_weather || path.frames > 0);
        found.sort_by_key(|path| (path.from, path.to));
        found
    }
}
