//! The things that can go wrong. Nodes go by name, so that one plan fits a simulated world and real processes.

use crate::catalogue::Overlap;
use crate::field::{Field, Places};
use crate::span;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Paths from some nodes to some others; an empty list means all nodes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
pub struct Route {
    /// Where frames come from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub from: Vec<String>,
    /// Where they go.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub to: Vec<String>,
}

impl Route {
    /// Every path.
    pub fn everywhere() -> Self {
        Self::default()
    }

    /// From one node to another.
    pub fn between(from: &str, to: &str) -> Self {
        Self { from: vec![from.to_owned()], to: vec![to.to_owned()] }
    }

    /// Whether it covers the path between two different nodes.
    pub fn covers(&self, from: &str, to: &str) -> bool {
        let lists = |list: &[String], name: &str| list.is_empty() || list.iter().any(|other| other == name);
        from != to && lists(&self.from, from) && lists(&self.to, to)
    }
}

/// How a latency is spread between a shortest and a longest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// Always the shortest.
    Fixed,
    /// All equally likely.
    #[default]
    Uniform,
    /// Short mostly, with an exponential tail: an eighth of the way on average.
    Exponential,
    /// One in ten takes the longest, the others the shortest.
    Bimodal,
    /// Short mostly, with a heavy tail.
    Pareto,
}

impl Shape {
    /// All of them; their place is their number.
    pub const ALL: [Shape; 5] =
        [Shape::Fixed, Shape::Uniform, Shape::Exponential, Shape::Bimodal, Shape::Pareto];

    fn is_usual(&self) -> bool {
        *self == Shape::Uniform
    }
}

macro_rules! faults {
    ($($(#[doc = $doc:literal])* $name:ident $({ $($(#[doc = $field_doc:literal])* $(#[serde($($serde:tt)*)])* $field:ident: $type:ty,)* })?,)*) => {
        /// One thing that goes wrong. What its end ("heal") means is said with each; what may be combined with what, and
        /// the legal values, are in its [`Kind`](crate::Kind).
        ///
        /// Probabilities are in parts per million (`ppm`).
        #[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
        #[serde(tag = "kind", rename_all = "snake_case")]
        pub enum Fault {
            $($(#[doc = $doc])* $name $({ $($(#[doc = $field_doc])* $(#[serde($($serde)*)])* $field: $type,)* })?,)*
        }

        /// Which thing, without the particulars.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum FaultKind {
            $($(#[doc = $doc])* $name,)*
        }

        impl FaultKind {
            /// All kinds.
            pub const ALL: &[FaultKind] = &[$(FaultKind::$name,)*];

            /// What goes wrong, and how it ends.
            pub fn says(self) -> &'static str {
                match self {
                    $(FaultKind::$name => concat!($($doc),*).trim_start(),)*
                }
            }

            /// The kind with particulars that mean nothing yet.
            pub(crate) fn blank(self) -> Fault {
                match self {
                    $(FaultKind::$name => Fault::$name { $($($field: <$type>::default(),)*)? },)*
                }
            }
        }

        impl Fault {
            /// Which thing it is.
            pub fn kind(&self) -> FaultKind {
                match self {
                    $(Fault::$name { .. } => FaultKind::$name,)*
                }
            }

            /// All nodes that it names.
            pub fn names(&self) -> Vec<&str> {
                let mut names = Vec::new();
                match self {
                    $(Fault::$name { $($($field,)*)? } => { $($(names.extend(Field::names($field));)*)? })*
                }
                names
            }

            /// Its numbers, by name. Spans are in microseconds; a flag is 0 or 1; a [`Shape`] is its place.
            pub fn numbers(&self) -> Vec<(&'static str, i64)> {
                let mut numbers: Vec<(&'static str, Option<i64>)> = Vec::new();
                match self {
                    $(Fault::$name { $($($field,)*)? } => {
                        $($(numbers.push((stringify!($field), Field::number($field)));)*)?
                    })*
                }
                numbers.into_iter().filter_map(|(name, number)| Some((name, number?))).collect()
            }

            /// The same fault with another number; itself if it has none of this name.
            #[must_use]
            pub fn with_number(&self, name: &str, value: i64) -> Self {
                let mut other = self.clone();
                let _ = (name, value);
                match &mut other {
                    $(Fault::$name { $($($field,)*)? } => {
                        $($(if stringify!($field) == name { Field::set_number($field, value); })*)?
                    })*
                }
                other
            }

            pub(crate) fn place(&mut self, places: &mut dyn Places) {
                let _ = &places;
                match self {
                    $(Fault::$name { $($($field,)*)? } => { $($(Field::place($field, places);)*)? })*
                }
            }

            /// The same fault on fewer nodes.
            pub(crate) fn on_fewer(&self, nodes: &[&str]) -> Vec<Self> {
                let mut found = Vec::new();
                let _ = nodes;
                match self {
                    $(Fault::$name { $($($field,)*)? } => {
                        $($(for smaller in Field::smaller($field, nodes) {
                            let mut other = self.clone();
                            #[allow(irrefutable_let_patterns, reason = "of an enum with one kind it would be")]
                            if let Fault::$name { $field, .. } = &mut other {
                                *$field = smaller;
                            }
                            found.push(other);
                        })*)?
                    })*
                }
                found
            }
        }
    };
}

faults! {
    /// Power loss. Heals by starting the next process, which finds its disk as it was.
    Crash {
        /// Which node.
        node: String,
    },
    /// Power loss and an immediate start. Momentary.
    Restart {
        /// Which node.
        node: String,
        /// Whether its own disk is empty afterwards. (The shared store is not on it.)
        #[serde(default)]
        wipe: bool,
    },
    /// The process stands still while time goes on. Heals by going on.
    Pause {
        /// Which node.
        node: String,
    },
    /// Nothing gets through. Heals by letting through what comes then.
    Cut {
        /// Which paths.
        route: Route,
        /// Whether the way back still works.
        one_way: bool,
    },
    /// Nothing gets from one group to another; nodes in no group keep their paths.
    Partition {
        /// The groups.
        groups: Vec<Vec<String>>,
    },
    /// A node is cut off from all others.
    Isolate {
        /// Which node.
        node: String,
    },
    /// Frames are lost.
    Loss {
        /// Where.
        route: Route,
        /// How many.
        ppm: u32,
    },
    /// Frames arrive twice. Beyond the transport's contract.
    Duplicate {
        /// Where.
        route: Route,
        /// How many.
        ppm: u32,
    },
    /// Frames are overtaken. Beyond the transport's contract.
    Reorder {
        /// Where.
        route: Route,
        /// How many.
        ppm: u32,
        /// How much later they arrive, at most.
        #[serde(rename = "by_us", with = "span")]
        by: Duration,
    },
    /// Frames are damaged.
    Corrupt {
        /// Where.
        route: Route,
        /// How many.
        ppm: u32,
    },
    /// Frames take long.
    Latency {
        /// Where.
        route: Route,
        /// At least.
        #[serde(rename = "min_us", with = "span")]
        min: Duration,
        /// At most.
        #[serde(rename = "max_us", with = "span")]
        max: Duration,
        /// How it is spread between the two.
        #[serde(default, skip_serializing_if = "Shape::is_usual")]
        shape: Shape,
    },
    /// Frames are held back. Heals by letting all of them go at once.
    Clog {
        /// Where.
        route: Route,
    },
    /// The present connections are dead and their owners do not know. Momentary; noticed by keep-alives.
    HalfOpen {
        /// Where.
        route: Route,
    },
    /// The store goes dark for everyone.
    StoreOutage,
    /// One node no longer reaches the store.
    StoreCut {
        /// Which node.
        node: String,
    },
    /// A replica takes over from the store's primary, and lacks the last commits that were acknowledged. Momentary: what
    /// is lost stays lost. Beyond the store's contract.
    StoreFailover,
    /// One node's reads are answered by a replica that is behind. Beyond the store's contract.
    StoreStale {
        /// Which node.
        node: String,
    },
    /// Commits hide their outcome.
    StoreIndeterminate {
        /// How many.
        ppm: u32,
        /// How many of these were applied.
        applied_ppm: u32,
    },
    /// The store is slow.
    StoreSlow {
        /// How many operations take a spike longer.
        spike_ppm: u32,
        /// How many thousandths of the usual time all operations take.
        slowness_milli: u32,
    },
    /// A wall clock jumps. Momentary: nobody sets it right again.
    ClockStep {
        /// Which node.
        node: String,
        /// By how many milliseconds.
        by_ms: i64,
    },
    /// A node's clocks run too fast or too slow.
    ClockDrift {
        /// Which node.
        node: String,
        /// By how much, in parts per million.
        ppm: i64,
    },
    /// A node computes slowly.
    SlowCpu {
        /// Which node.
        node: String,
        /// How many thousandths of the usual time everything takes.
        slowness_milli: u32,
    },
    /// Only so many bytes leave in a second, in each lane. Heals by letting what waits leave at once.
    Bandwidth {
        /// Where.
        route: Route,
        /// How many bytes.
        bytes_per_second: u32,
    },
    /// Nothing gets through for half of each period, as on a link that comes and goes. Heals as a cut does.
    Flap {
        /// Which paths, both ways.
        route: Route,
        /// How long down and up take together.
        #[serde(rename = "period_us", with = "span")]
        period: Duration,
    },
    /// Connections are reset again and again, and both ends are told.
    RstStorm {
        /// Where.
        route: Route,
        /// How often.
        #[serde(rename = "every_us", with = "span")]
        every: Duration,
    },
    /// Dials get no answer; connections that stand, stand.
    DialBlackhole {
        /// Where.
        route: Route,
    },
    /// Dials are refused at once; connections that stand, stand.
    DialRefuse {
        /// Where.
        route: Route,
    },
    /// A listener takes its time before it answers a dial.
    SlowAccept {
        /// Where.
        route: Route,
        /// How long.
        #[serde(rename = "by_us", with = "span")]
        by: Duration,
    },
    /// A name resolves to an address that is somebody else's by now: dials reach another node.
    StaleNames {
        /// Where.
        route: Route,
    },
    /// The process exits without a word, and its system resets what it had open. Heals by starting the next one.
    Exit {
        /// Which node.
        node: String,
    },
    /// The silo is told to stop in order. Heals by starting the next process.
    GracefulStop {
        /// Which node.
        node: String,
    },
    /// Power is lost again and again, soon after each start. Heals by starting the process for good.
    CrashLoop {
        /// Which node.
        node: String,
        /// How long it is up, and down.
        #[serde(rename = "every_us", with = "span")]
        every: Duration,
    },
    /// The process stands still for a moment again and again, as in garbage collection.
    GcStalls {
        /// Which node.
        node: String,
        /// How often.
        #[serde(rename = "every_us", with = "span")]
        every: Duration,
        /// For how long.
        #[serde(rename = "stall_us", with = "span")]
        stall: Duration,
    },
    /// A node's wall clock is slewed, its monotonic one is not: it gains or loses. Heals by leaving it where it is.
    ClockSlew {
        /// Which node.
        node: String,
        /// By how much, in parts per million.
        ppm: i64,
    },
    /// A node's monotonic clock runs too fast or too slow, its wall clock does not.
    MonoDrift {
        /// Which node.
        node: String,
        /// By how much, in parts per million.
        ppm: i64,
    },
    /// A node's clocks stand still. Beyond contract: rates differ.
    ClockFreeze {
        /// Which node.
        node: String,
    },
    /// A wall clock is days off: in a leap year, past 2038, behind. Heals by jumping back.
    ClockLeap {
        /// Which node.
        node: String,
        /// By how many days.
        days: i64,
    },
    /// The store's disk is full: nothing more is written.
    StoreFull,
    /// Connections to the store drop: some before the request got there, some before the answer came back.
    StoreTimeout {
        /// How many operations.
        ppm: u32,
        /// Of these, how many got there.
        applied_ppm: u32,
    },
    /// The store refuses operations.
    StoreErrors {
        /// How many.
        ppm: u32,
    },
    /// The store drops whole partitions for want of memory. Momentary: they do not come back. Beyond the store's contract.
    StoreEviction {
        /// How many partitions.
        ppm: u32,
    },
    /// New silos join all at once. Heals by telling them to stop in order.
    JoinStorm {
        /// How many.
        silos: u32,
    },
    /// One actor is called by everybody.
    HotActor {
        /// How many calls a second.
        rate: u32,
    },
    /// Every idle activation is made to end, again and again.
    DeactivationStorm {
        /// How often.
        #[serde(rename = "every_us", with = "span")]
        every: Duration,
    },
    /// Calls carry much.
    HugeMessage {
        /// How many bytes.
        bytes: u32,
    },
    /// Turns take long.
    SlowActor {
        /// How long.
        #[serde(rename = "takes_us", with = "span")]
        takes: Duration,
    },
    /// Callers go away before they are answered.
    CancelledCallers {
        /// How many a second.
        rate: u32,
    },
    /// Calls have no time left when they are made.
    DeadlineZero {
        /// How many a second.
        rate: u32,
    },
    /// Actors call one another in a circle.
    CallCycle {
        /// How many actors.
        length: u32,
    },
    /// Actors set many timers for the same moment.
    TimerStorm {
        /// How many.
        timers: u32,
        /// How often each ticks.
        #[serde(rename = "every_us", with = "span")]
        every: Duration,
    },
    /// Many actors are called at once.
    Burst {
        /// How many.
        calls: u32,
    },
}

impl FaultKind {
    /// Its name in a plan.
    ///
    /// ```
    /// assert_eq!(quark_chaos::FaultKind::StoreOutage.name(), "store_outage");
    /// ```
    pub fn name(self) -> String {
        let mut name = String::new();
        for letter in format!("{self:?}").chars() {
            if letter.is_ascii_uppercase() && !name.is_empty() {
                name.push('_');
            }
            name.push(letter.to_ascii_lowercase());
        }
        name
    }

    /// Whether it happens at an instant and has nothing to heal.
    pub fn is_momentary(self) -> bool {
        self.facts().is_momentary
    }

    /// Whether the system promises to live with it. The others break the transport's own promise (at most once, in
    /// order), the store's (what was acknowledged is there, and whoever reads sees it) or the clocks' (their rates differ
    /// by less than a tenth), and are for finding out what happens then.
    pub fn is_within_contract(self) -> bool {
        self.facts().waives.is_empty()
    }
}

impl Fault {
    /// The one node that it hits, if it is about one.
    pub fn node(&self) -> Option<&str> {
        match self {
            Fault::Crash { node }
            | Fault::Restart { node, .. }
            | Fault::Pause { node }
            | Fault::Isolate { node }
            | Fault::StoreCut { node }
            | Fault::StoreStale { node }
            | Fault::ClockStep { node, .. }
            | Fault::ClockDrift { node, .. }
            | Fault::SlowCpu { node, .. }
            | Fault::Exit { node }
            | Fault::GracefulStop { node }
            | Fault::CrashLoop { node, .. }
            | Fault::GcStalls { node, .. }
            | Fault::ClockSlew { node, .. }
            | Fault::MonoDrift { node, .. }
            | Fault::ClockFreeze { node }
            | Fault::ClockLeap { node, .. } => Some(node),
            _ => None,
        }
    }

    /// Whether the node that it hits does nothing meanwhile.
    pub fn stops_node(&self) -> bool {
        self.kind().facts().overlap == Overlap::Stops
    }

    /// How often it does something anew while it lasts, if it does: see [`Target::beat`](crate::Target::beat).
    pub fn beat(&self) -> Option<Duration> {
        let often = |rate: u32| Duration::from_secs(1) / rate.clamp(1, 1000);
        match *self {
            Fault::Flap { period, .. } => Some(period / 2),
            Fault::RstStorm { every, .. }
            | Fault::CrashLoop { every, .. }
            | Fault::GcStalls { every, .. }
            | Fault::DeactivationStorm { every } => Some(every),
            Fault::HotActor { rate } | Fault::CancelledCallers { rate } | Fault::DeadlineZero { rate } => {
                Some(often(rate))
            }
            Fault::HugeMessage { .. } | Fault::CallCycle { .. } | Fault::SlowActor { .. } => {
                Some(Duration::from_millis(500))
            }
            Fault::Burst { .. } | Fault::TimerStorm { .. } => Some(Duration::from_secs(2)),
            _ => None,
        }
        .map(|beat| beat.max(Duration::from_millis(1)))
    }
}
