//! Clocks and queues of every node, read off at equal distances of true time while the story stands still.

use crate::story::Story;
use quark_core::Instant;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// What was read off.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Samples {
    /// When, in nanoseconds of true time.
    pub at_ns: Vec<Instant>,
    /// For each lane, one value for each of these times.
    pub lanes: Vec<LaneSamples>,
}

/// What was read off one node. All lists are as long as the list of times; a node that was not there yet has zeros.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct LaneSamples {
    /// How far its wall clock was ahead of a right one, in nanoseconds.
    pub wall_offset_ns: Vec<i64>,
    /// How much too fast its clocks ran, in parts per billion.
    pub rate_ppb: Vec<i64>,
    /// How many times as long everything took, in thousandths.
    pub slowness_milli: Vec<u32>,
    /// Calls issued there that waited for their outcome.
    pub pending: Vec<u32>,
    /// Messages that waited there: for a range, for a view, for an earlier one.
    pub waiting: Vec<u32>,
    /// Frames under way to it.
    pub inbound: Vec<u32>,
    /// Activations there.
    pub activations: Vec<u32>,
    /// Whether turns could run there.
    pub lease: Vec<bool>,
    /// Whether its process ran, or was paused.
    pub up: Vec<bool>,
}

/// How many samples a run gets, whatever its length.
const SAMPLES: u32 = 400;
/// They are never closer than this.
const EVERY_MIN: Duration = Duration::from_millis(10);

/// How far apart the samples of a run of this length are: a whole number of milliseconds.
pub(super) fn distance(simulated: Duration) -> Duration {
    let exact = (simulated / SAMPLES).max(EVERY_MIN);
    Duration::from_millis(exact.as_millis() as u64)
}

/// Reads the samples off, by name of the node.
#[derive(Default)]
pub(super) struct Sampler {
    at: Vec<Instant>,
    nodes: BTreeMap<String, LaneSamples>,
}

impl Sampler {
    /// One more. Looking changes nothing.
    pub(super) fn look(&mut self, story: &Story) {
        let world = &story.world;
        let before = self.at.len();
        self.at.push(world.now_true());
        let mut inbound: BTreeMap<_, u32> = BTreeMap::new();
        for path in world.busy_paths() {
            *inbound.entry(path.to).or_default() += path.frames as u32;
        }
        let silos: BTreeMap<String, _> =
            story.cluster.silos().into_iter().map(|(name, silo)| (name, silo.status())).collect();
        for node in world.nodes() {
            let look = world.look_at(node);
            let status = silos.get(&look.name);
            let lane = self.nodes.entry(look.name).or_default();
            lane.pad(before);
            lane.wall_offset_ns.push(look.wall_offset_ns);
            lane.rate_ppb.push(look.rate_ppb);
            lane.slowness_milli.push(look.slowness_milli);
            lane.inbound.push(inbound.get(&node).copied().unwrap_or(0));
            lane.up.push(look.is_up);
            lane.pending.push(status.map_or(0, |s| s.pending as u32));
            lane.waiting.push(status.map_or(0, |s| (s.held + s.parked + s.early) as u32));
            lane.activations.push(status.map_or(0, |s| s.activations as u32));
            lane.lease.push(status.is_some_and(|s| s.lease_valid));
        }
    }

    /// All of them, for lanes of these names.
    pub(super) fn finish<'a>(mut self, names: impl Iterator<Item = &'a str>) -> Samples {
        let length = self.at.len();
        let lanes = names.map(|name| {
            let mut lane = self.nodes.remove(name).unwrap_or_default();
            lane.pad(length);
            lane
        });
        Samples { lanes: lanes.collect(), at_ns: self.at }
    }
}

impl LaneSamples {
    /// Nothing was known until now.
    fn pad(&mut self, length: usize) {
        self.wall_offset_ns.resize(length, 0);
        self.rate_ppb.resize(length, 0);
        self.slowness_milli.resize(length, 0);
        self.inbound.resize(length, 0);
        self.up.resize(length, false);
        self.pending.resize(length, 0);
        self.waiting.resize(length, 0);
        self.activations.resize(length, 0);
        self.lease.resize(length, false);
    }
}
