//! The things that can go wrong. Nodes go by name, so that one plan fits a simulated world and real processes.

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

macro_rules! faults {
    ($($(#[doc = $doc:literal])* $name:ident $({ $($(#[doc = $field_doc:literal])* $(#[serde($($serde:tt)*)])* $field:ident: $type:ty,)* })?,)*) => {
        /// One thing that goes wrong. What its end ("heal") means is said with each.
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
        }

        impl Fault {
            /// Which thing it is.
            pub fn kind(&self) -> FaultKind {
                match self {
                    $(Fault::$name { .. } => FaultKind::$name,)*
                }
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
}

impl FaultKind {
    /// Whether it happens at an instant and has nothing to heal.
    pub fn is_momentary(self) -> bool {
        matches!(self, Self::Restart | Self::HalfOpen | Self::StoreFailover | Self::ClockStep)
    }

    /// Whether the system promises to live with it. The others break the transport's own promise (at most once, in
    /// order) or the store's (what was acknowledged is there, and whoever reads sees it), and are for finding out what
    /// happens then.
    pub fn is_within_contract(self) -> bool {
        !matches!(self, Self::Duplicate | Self::Reorder | Self::StoreFailover | Self::StoreStale)
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
            | Fault::SlowCpu { node, .. } => Some(node),
            _ => None,
        }
    }

    /// Whether the node that it hits does nothing meanwhile.
    pub fn stops_node(&self) -> bool {
        matches!(self, Fault::Crash { .. } | Fault::Pause { .. } | Fault::Restart { .. })
    }
}
