//! A node: a machine that runs one process at a time.

use crate::clock::NodeClock;
use rand_chacha::ChaCha8Rng;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Names a node of a world. 0 is the driver, which never fails.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct NodeId(pub(crate) u32);

impl NodeId {
    /// The driver: where the test itself runs. Its clock is true time, it takes no time, and no fault touches it.
    pub const DRIVER: NodeId = NodeId(0);

    /// Its index, in order of creation; the driver is 0.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// What was done to the rate of a node's clocks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Pace {
    /// Nothing: as the configuration has it.
    Usual,
    /// Another rate.
    Odd,
    /// They stand still.
    Frozen,
}

/// What the world knows of a node.
pub(crate) struct Node {
    pub(crate) name: String,
    /// Counts the processes that ran on it; the current one if `is_up`.
    pub(crate) incarnation: u32,
    pub(crate) is_up: bool,
    pub(crate) pauses: u32,
    pub(crate) clock: NodeClock,
    /// The rate of its clocks before anything touched them, once something has.
    pub(crate) usual_rate_ppb: Option<i64>,
    /// Tasks that want to run, in order of waking.
    pub(crate) ready: VecDeque<u32>,
    /// Whether it is in the world's list of nodes that can run.
    pub(crate) is_runnable: bool,
    pub(crate) busy_until: u64,
    /// Whether an event is queued that will make it runnable.
    pub(crate) has_free_event: bool,
    /// How many times as long everything takes, in thousandths.
    pub(crate) slowness_milli: u32,
    /// What was done to the rate of its clocks.
    pub(crate) pace: Pace,
    /// How often each site of `buggify!` that is switched on was passed.
    pub(crate) whims: BTreeMap<&'static str, u64>,
    /// Whether its processor time is charged at all.
    pub(crate) is_charged: bool,
    pub(crate) picks: u64,
    pub(crate) polls: u64,
    /// By name and by the seed that was in force when they were opened.
    pub(crate) streams: BTreeMap<(&'static str, u64), ChaCha8Rng>,
    /// Its transport, an index into the network's ports.
    pub(crate) port: Option<u32>,
    /// Links of others towards it.
    pub(crate) inbound: BTreeSet<u32>,
    pub(crate) store_cuts: u32,
    pub(crate) store_calls: u64,
}

impl Node {
    pub(crate) fn new(name: &str, clock: NodeClock, is_charged: bool) -> Self {
        Self {
            name: name.to_owned(),
            incarnation: 1,
            is_up: true,
            pauses: 0,
            clock,
            usual_rate_ppb: None,
            ready: VecDeque::new(),
            is_runnable: false,
            busy_until: 0,
            has_free_event: false,
            slowness_milli: 1000,
            pace: Pace::Usual,
            whims: BTreeMap::new(),
            is_charged,
            picks: 0,
            polls: 0,
            streams: BTreeMap::new(),
            port: None,
            inbound: BTreeSet::new(),
            store_cuts: 0,
            store_calls: 0,
        }
    }

    pub(crate) fn may_run(&self) -> bool {
        self.is_up && self.pauses == 0
    }
}
