//! What a world is made of before anything goes wrong in it.

use crate::choice::{Branch, Replay};
use crate::spread::Spread;
use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;
use std::time::Duration;

/// The configuration of a world. Everything else follows from it: same configuration, same history.
#[derive(Clone, Debug)]
pub struct Config {
    /// The seed.
    pub seed: u64,
    /// Who runs next.
    pub scheduler: Scheduler,
    /// How long one poll of a task keeps its node busy.
    pub cost: Spread,
    /// The network's parameters.
    pub network: NetworkConfig,
    /// The store's parameters.
    pub store: StoreConfig,
    /// How far the nodes' clocks are off.
    pub clocks: ClockConfig,
    /// The run fails when true time passes this: something waits for what never comes.
    pub time_limit: Duration,
    /// The run fails when so many polls happen without time passing: something spins.
    pub polls_per_instant_max: u64,
    /// The run fails when one poll reads the clock so often: it will never end.
    pub reads_per_poll_max: u64,
    /// Whether reads of the real clock and of system entropy inside the simulation fail the run.
    pub tripwire: bool,
    /// The events to record in full, by number.
    pub trace_window: Range<u64>,
    /// Whether to keep a list of all choices that were not the benign one, and of all that was done to the world.
    pub log_decisions: bool,
    /// Where choices come from.
    pub replay: Replay,
    /// Another future from some instant on.
    pub branch: Option<Branch>,
    /// The whims that nodes have.
    pub buggify: Buggify,
}

/// Which sites of [`quark_core::buggify!`] are switched on. By default, none.
#[derive(Clone, Debug, Default)]
pub struct Buggify {
    /// Their names.
    pub sites: BTreeSet<String>,
    /// How often each of them fires, in parts per million.
    pub fires_ppm: u32,
}

impl Config {
    /// The default world of this seed: random scheduling, clocks slightly off, a network that delays but does not lose.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            scheduler: Scheduler::Random,
            cost: Spread::micros(1, 4),
            network: NetworkConfig::default(),
            store: StoreConfig::default(),
            clocks: ClockConfig::default(),
            time_limit: Duration::from_secs(24 * 3600),
            polls_per_instant_max: 1_000_000,
            reads_per_poll_max: 10_000_000,
            tripwire: true,
            trace_window: 0..0,
            log_decisions: false,
            replay: Replay::Seeded,
            branch: None,
            buggify: Buggify::default(),
        }
    }

    /// The world without surprises: first in, first out, exact clocks, every duration fixed. A baseline to compare
    /// with and the end point of making a failing schedule smaller.
    pub fn calm(seed: u64) -> Self {
        Self {
            scheduler: Scheduler::Fifo,
            cost: Spread::ZERO,
            network: NetworkConfig {
                conditions: Conditions {
                    latency: Spread::Fixed(Duration::from_micros(500)),
                    ..Conditions::CLEAR
                },
                ..NetworkConfig::default()
            },
            store: StoreConfig {
                latency: Spread::Fixed(Duration::from_micros(500)),
                ..StoreConfig::default()
            },
            clocks: ClockConfig { rate_ppm_max: 0, wall_offset_max: Duration::ZERO },
            ..Self::new(seed)
        }
    }
}

/// Who runs next among those that could. The node is picked first, then one of its tasks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scheduler {
    /// Whoever waits longest.
    Fifo,
    /// Anyone.
    Random,
    /// Random priorities, changed at `depth - 1` random points in ten thousand contested picks: finds a bug that needs
    /// `depth` ordered steps with a guaranteed probability (Burckhardt et al., ASPLOS 2010).
    Pct {
        /// How many steps have to be in the wrong order for the bug.
        depth: u32,
    },
}

/// The network's parameters.
#[derive(Clone, Debug)]
pub struct NetworkConfig {
    /// The weather on every path for which nothing else was said.
    pub conditions: Conditions,
    /// The longest frame in bytes.
    pub frame_bytes_max: usize,
    /// The most frames per link and lane that were accepted and not yet taken by the receiver.
    pub lane_frames_max: usize,
    /// The most bytes per link and lane that were accepted and not yet taken by the receiver.
    pub lane_bytes_max: usize,
    /// How long it takes to notice that a peer has gone silent.
    pub keepalive: Spread,
    /// How long a dial into a blocked path waits for it to clear.
    pub connect_timeout: Duration,
    /// The longest wait before a broken link is dialled again, once that could succeed.
    pub redial_max: Duration,
    /// How often (in parts per million) a crash resets its links at once. The rest is silence until the keep-alive.
    pub reset_ppm: u32,
    /// How often (ppm) nobody is told that a link broke.
    pub hint_lost_ppm: u32,
    /// How often (ppm) a frame in flight to a peer that was reborn meanwhile reaches the new incarnation.
    pub stray_ppm: u32,
    /// How often (ppm) a cut swallows frames; else it stalls them until it heals or the link breaks.
    pub cut_swallows_ppm: u32,
}

impl Default for NetworkConfig {
    fn default() -> Self {
        Self {
            conditions: Conditions::CLEAR,
            frame_bytes_max: 8 << 20,
            lane_frames_max: 4096,
            lane_bytes_max: 16 << 20,
            keepalive: Spread::Uniform { min: Duration::from_secs(2), max: Duration::from_secs(4) },
            connect_timeout: Duration::from_secs(1),
            redial_max: Duration::from_secs(2),
            reset_ppm: 250_000,
            hint_lost_ppm: 100_000,
            stray_ppm: 500_000,
            cut_swallows_ppm: 500_000,
        }
    }
}

/// The weather on a path from one node to another. Probabilities are in parts per million.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Conditions {
    /// How long a frame travels.
    pub latency: Spread,
    /// Frames lost.
    pub loss_ppm: u32,
    /// Frames that arrive twice. Breaks the transport's promise "at most once".
    pub duplicate_ppm: u32,
    /// Frames that later ones may overtake. Breaks the transport's promise of order.
    pub reorder_ppm: u32,
    /// How much later an overtaken frame arrives, at most.
    pub reorder_by: Duration,
    /// Frames damaged: a byte flipped, or the end cut off.
    pub corrupt_ppm: u32,
    /// How many bytes leave in a second, in each lane (lanes have connections of their own); 0 is no limit. What waits
    /// to leave counts as accepted and not yet taken.
    pub bytes_per_second: u32,
}

impl Conditions {
    /// Nothing is lost; frames take 0.2 to 10 ms, half a millisecond on average.
    pub const CLEAR: Conditions = Conditions {
        latency: Spread::Exponential {
            min: Duration::from_micros(200),
            mean: Duration::from_micros(300),
            max: Duration::from_millis(10),
        },
        loss_ppm: 0,
        duplicate_ppm: 0,
        reorder_ppm: 0,
        reorder_by: Duration::from_millis(20),
        corrupt_ppm: 0,
        bytes_per_second: 0,
    };

    #[inline]
    pub(crate) fn is_rough(&self) -> bool {
        self.loss_ppm | self.duplicate_ppm | self.reorder_ppm | self.corrupt_ppm != 0
    }
}

impl fmt::Display for Conditions {
    /// What is unlike [`Conditions::CLEAR`].
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut said = Vec::new();
        let rates = [
            ("lost", self.loss_ppm),
            ("twice", self.duplicate_ppm),
            ("overtaken", self.reorder_ppm),
            ("damaged", self.corrupt_ppm),
        ];
        said.extend(rates.iter().filter(|(_, ppm)| *ppm > 0).map(|(what, ppm)| format!("{what} {ppm} ppm")));
        if self.latency != Self::CLEAR.latency {
            said.push(format!("latency {:?}", self.latency));
        }
        if self.bytes_per_second > 0 {
            said.push(format!("{} bytes a second", self.bytes_per_second));
        }
        f.write_str(&if said.is_empty() { "clear".to_owned() } else { said.join(", ") })
    }
}

/// The store's parameters. Probabilities are in parts per million.
#[derive(Clone, Copy, Debug)]
pub struct StoreConfig {
    /// How long an operation takes, there and back.
    pub latency: Spread,
    /// Operations that take `spike` longer.
    pub spike_ppm: u32,
    /// How much longer these take.
    pub spike: Spread,
    /// Commits whose outcome is hidden from the caller ([`StoreError::Indeterminate`](quark_env::store::StoreError)).
    pub indeterminate_ppm: u32,
    /// Of these, how many were applied.
    pub applied_ppm: u32,
    /// Operations whose connection drops: the caller waits for `timeout`.
    pub drop_ppm: u32,
    /// Of these, how many took effect before it dropped.
    pub drop_applied_ppm: u32,
    /// Operations that are refused, and have not happened.
    pub error_ppm: u32,
    /// How long a caller waits for a store that does not answer.
    pub timeout: Duration,
    /// How often an unreachable store refuses at once; else it stays silent until the timeout.
    pub refuses_ppm: u32,
    /// How far behind its replica is, if it has one: it can take over and then lacks the last commits, or answer reads,
    /// which are then so old. Both break the store's contract, see
    /// [`WorldHandle::fail_over_store`](crate::WorldHandle::fail_over_store).
    pub replica_lag: Option<Duration>,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self {
            latency: Spread::Exponential {
                min: Duration::from_micros(300),
                mean: Duration::from_micros(500),
                max: Duration::from_millis(50),
            },
            spike_ppm: 0,
            spike: Spread::Uniform { min: Duration::from_millis(50), max: Duration::from_millis(500) },
            indeterminate_ppm: 0,
            applied_ppm: 500_000,
            drop_ppm: 0,
            drop_applied_ppm: 500_000,
            error_ppm: 0,
            timeout: Duration::from_millis(500),
            refuses_ppm: 500_000,
            replica_lag: None,
        }
    }
}

/// How far the nodes' clocks are off from the start. The driver's clock is exact.
#[derive(Clone, Copy, Debug)]
pub struct ClockConfig {
    /// The fastest and the slowest clock, in parts per million.
    pub rate_ppm_max: u32,
    /// How far wall clocks are off, both ways.
    pub wall_offset_max: Duration,
}

impl Default for ClockConfig {
    fn default() -> Self {
        Self { rate_ppm_max: 100, wall_offset_max: Duration::from_millis(50) }
    }
}
