//! What is known of every kind of fault, in one table: its parameters, when it may happen, whether it lasts, which effect
//! of it is counted, and which promises it takes back.
//!
//! Everything else is derived from it: what a plan may say, what a swarm draws, what a minimiser tries, and the page
//! `docs/chaos.md`.

mod clock;
mod network;
mod node;
mod page;
mod store;
mod workload;

pub use page::catalogue_page;

use crate::fault::FaultKind;

/// What is known of a kind of fault. How it goes wrong and how that ends is [`FaultKind::says`]; how it gets smaller is
/// [`Fault::shrinks`](crate::Fault::shrinks).
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// Which.
    pub kind: FaultKind,
    /// What it is about.
    pub family: Family,
    /// Its numbers. Those that name nodes are no numbers.
    pub parameters: &'static [Parameter],
    /// What may be in force at the same time.
    pub overlap: Overlap,
    /// Whether it happens at an instant and has nothing to heal.
    pub is_momentary: bool,
    /// What it needs of the cluster that it hits.
    pub needs: Needs,
    /// Its effect, which the target counts. A fault without effect has tested nothing.
    pub meter: Meter,
    /// The promises that nobody can keep under it. None: it is within the contract.
    pub waives: &'static [&'static str],
}

/// What a fault is about.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Family {
    /// Paths and links.
    Network,
    /// Processes.
    Node,
    /// Clocks.
    Clock,
    /// The store.
    Store,
    /// Who is a member.
    Membership,
    /// What the cluster is asked to do.
    Workload,
}

/// A number of a fault.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// Its name in code. In a plan, spans have their unit appended: `by_us`.
    pub name: &'static str,
    /// What it counts.
    pub unit: &'static str,
    /// The least legal value.
    pub min: i64,
    /// The greatest legal value.
    pub max: i64,
    /// The value that does least: smaller variants lie towards it.
    pub benign: i64,
    /// Which values a swarm draws.
    pub draw: Draw,
}

/// Which values a swarm draws for a parameter.
#[derive(Clone, Copy, Debug)]
pub enum Draw {
    /// All between the two equally likely.
    Even(i64, i64),
    /// Every order of magnitude between the two equally likely: small mostly, large sometimes.
    Magnitude(i64, i64),
    /// The same, and as often below zero.
    Signed(i64, i64),
    /// One of these.
    OneOf(&'static [i64]),
}

/// What may be in force at the same time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Overlap {
    /// Anything: heals are counted, or the worst of all counts.
    Free,
    /// It stops its node: only once at a time, and only so many nodes are stopped at once.
    Stops,
    /// It sets the rate or the reading of a node's clock: only one of these on a node at a time.
    SetsClock,
    /// It is there or not: never twice at a time.
    Once,
}

/// What a fault needs of the cluster that it hits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Needs {
    /// Nothing.
    Nothing,
    /// A store with a replica that is behind.
    Replica,
    /// Silos that host the imps of the testkit, which do the calling.
    Imps,
}

macro_rules! meters {
    ($($name:ident = $says:literal,)*) => {
        /// An effect that is counted while a fault is in force (of a momentary fault: from then on).
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum Meter {
            $(#[doc = $says] $name,)*
        }

        impl Meter {
            /// What is counted.
            pub const fn says(self) -> &'static str {
                match self {
                    $(Meter::$name => $says,)*
                }
            }
        }
    };
}

meters! {
    TasksKilled = "tasks that were dropped with their process",
    SilosStopped = "silos that began to stop in order",
    Standstill = "wake-ups and timers that found their process standing still",
    Cut = "frames swallowed or held by a cut, links that broke of it, dials that waited for it",
    Lost = "frames lost",
    Duplicated = "frames doubled",
    Reordered = "frames that others could overtake",
    Corrupted = "frames damaged",
    Delayed = "frames that travelled at another pace than usual",
    Clogged = "frames held by a clog",
    Vanished = "frames that vanished in a dead connection, or the breaking of one",
    Slowed = "frames that waited for their turn to leave",
    Reset = "links reset",
    DialsLost = "dials without an answer",
    DialsRefused = "dials refused",
    DialsSlow = "dials answered late",
    DialsAstray = "dials that reached somebody else",
    StoreDark = "operations that did not reach the store, or whose answer was lost",
    CommitsLost = "commits that were applied and are gone",
    StaleReads = "reads answered by the replica",
    OutcomesHidden = "commits whose outcome was hidden",
    StoreSlow = "operations that took longer than usual",
    NoRoom = "commits refused for want of room",
    StoreDropped = "operations whose connection dropped",
    StoreRefused = "operations refused",
    Evicted = "partitions dropped",
    WallStepped = "readings of a wall clock that had been set",
    WallSlewed = "readings of a wall clock while it was slewed",
    SleepsMoved = "sleeps and readings by a clock that ran at another rate",
    FrozenReadings = "sleeps and readings by a clock that stood still",
    SlowPolls = "polls that took longer than usual",
    Joined = "silos that joined",
    HotCalls = "calls to the one actor that were answered or refused",
    Deactivated = "activations that were made to end",
    HugeCalls = "calls with much to carry that were answered or refused",
    SlowTurns = "long turns that ended",
    Withdrawn = "calls dropped by their callers before they were answered",
    Late = "calls that ended at their deadline without having run",
    Cycles = "calls refused because they closed a circle",
    Ticks = "ticks of the timers",
    Bursts = "calls of bursts that were answered or refused",
}

impl FaultKind {
    /// What is known of it.
    pub const fn facts(self) -> Kind {
        match self.family() {
            Family::Network => network::facts(self),
            Family::Node => node::facts(self),
            Family::Clock => clock::facts(self),
            Family::Store => store::facts(self),
            Family::Membership | Family::Workload => workload::facts(self),
        }
    }

    /// What it is about.
    pub const fn family(self) -> Family {
        use FaultKind as K;
        match self {
            K::Cut | K::Partition | K::Isolate | K::Flap | K::Loss | K::Duplicate | K::Reorder => {
                Family::Network
            }
            K::Corrupt | K::Latency | K::Bandwidth | K::Clog | K::HalfOpen | K::RstStorm => Family::Network,
            K::DialBlackhole | K::DialRefuse | K::SlowAccept | K::StaleNames => Family::Network,
            K::Crash | K::Restart | K::Exit | K::GracefulStop | K::CrashLoop => Family::Node,
            K::Pause | K::GcStalls | K::SlowCpu => Family::Node,
            K::ClockStep | K::ClockDrift | K::ClockSlew | K::MonoDrift | K::ClockFreeze | K::ClockLeap => {
                Family::Clock
            }
            K::StoreOutage | K::StoreCut | K::StoreFailover | K::StoreStale | K::StoreIndeterminate => {
                Family::Store
            }
            K::StoreSlow | K::StoreFull | K::StoreTimeout | K::StoreErrors | K::StoreEviction => {
                Family::Store
            }
            K::JoinStorm => Family::Membership,
            K::HotActor | K::DeactivationStorm | K::HugeMessage | K::SlowActor | K::CancelledCallers => {
                Family::Workload
            }
            K::DeadlineZero | K::CallCycle | K::TimerStorm | K::Burst => Family::Workload,
        }
    }
}

impl Kind {
    /// A kind of which nothing is special.
    const fn of(kind: FaultKind, meter: Meter) -> Self {
        Self {
            kind,
            family: kind.family(),
            parameters: &[],
            overlap: Overlap::Free,
            is_momentary: false,
            needs: Needs::Nothing,
            meter,
            waives: &[],
        }
    }

    const fn with(self, parameters: &'static [Parameter]) -> Self {
        Self { parameters, ..self }
    }

    const fn overlap(self, overlap: Overlap) -> Self {
        Self { overlap, ..self }
    }

    const fn momentary(self) -> Self {
        Self { is_momentary: true, ..self }
    }

    const fn needs(self, needs: Needs) -> Self {
        Self { needs, ..self }
    }

    const fn waives(self, waives: &'static [&'static str]) -> Self {
        Self { waives, ..self }
    }
}

impl Parameter {
    /// A number of which less is more harmless.
    const fn number(name: &'static str, unit: &'static str, min: i64, max: i64, draw: Draw) -> Self {
        Self { name, unit, min, max, benign: min, draw }
    }

    /// So many in a million.
    const fn ppm(name: &'static str, draw: Draw) -> Self {
        Self::number(name, "ppm", 0, 1_000_000, draw)
    }

    /// A span of up to a day.
    const fn span(name: &'static str, draw: Draw) -> Self {
        Self::number(name, "us", 0, 24 * 3600 * SECOND, draw)
    }

    /// A pause between two of many: the longer the better.
    const fn every(name: &'static str, draw: Draw) -> Self {
        Self { benign: 60 * SECOND, ..Self::number(name, "us", MILLI, 3600 * SECOND, draw) }
    }
}

const MILLI: i64 = 1000;
const SECOND: i64 = 1000 * MILLI;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_row_whose_parameters_are_its_numbers() {
        for kind in FaultKind::ALL {
            let facts = kind.facts();
            assert_eq!(facts.kind, *kind);
            let numbers: Vec<_> = kind.blank().numbers().into_iter().map(|(name, _)| name).collect();
            let parameters: Vec<_> = facts.parameters.iter().map(|parameter| parameter.name).collect();
            assert_eq!(numbers, parameters, "{kind:?}");
            for parameter in facts.parameters {
                let legal = parameter.min..=parameter.max;
                assert!(legal.contains(&parameter.benign), "{kind:?} {}", parameter.name);
                let drawn = match parameter.draw {
                    Draw::Even(min, max) | Draw::Magnitude(min, max) => vec![min, max],
                    Draw::Signed(min, max) => vec![min, max, -min, -max],
                    Draw::OneOf(values) => values.to_vec(),
                };
                assert!(drawn.iter().all(|value| legal.contains(value)), "{kind:?} {}", parameter.name);
            }
            assert!(kind.says().ends_with('.'), "{kind:?}: {}", kind.says());
            assert!(facts.waives.is_empty() != kind.says().contains("eyond"), "{kind:?}: {}", kind.says());
        }
    }
}
