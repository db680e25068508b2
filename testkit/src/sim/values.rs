//! What the faults in force make of a path, a clock and the store: values, computed anew from all of them.

use quark_chaos::{Fault, Shape};
use quark_sim::{Conditions, Dialling, NodeId, Spread};
use std::time::Duration;

/// The worst of all that is in force on a path.
pub(super) fn weather<'a>(
    faults: impl Iterator<Item = &'a Fault>,
    calm: Conditions,
    from: &str,
    to: &str,
) -> Conditions {
    let mut weather = calm;
    for fault in faults {
        match fault {
            Fault::Loss { route, ppm } if route.covers(from, to) => {
                weather.loss_ppm = weather.loss_ppm.max(*ppm);
            }
            Fault::Duplicate { route, ppm } if route.covers(from, to) => {
                weather.duplicate_ppm = weather.duplicate_ppm.max(*ppm);
            }
            Fault::Corrupt { route, ppm } if route.covers(from, to) => {
                weather.corrupt_ppm = weather.corrupt_ppm.max(*ppm);
            }
            Fault::Reorder { route, ppm, by } if route.covers(from, to) => {
                weather.reorder_ppm = weather.reorder_ppm.max(*ppm);
                weather.reorder_by = *by;
            }
            Fault::Latency { route, min, max, shape } if route.covers(from, to) => {
                weather.latency = spread(*shape, *min, *max);
            }
            Fault::Bandwidth { route, bytes_per_second } if route.covers(from, to) => {
                let slower = weather.bytes_per_second == 0 || *bytes_per_second < weather.bytes_per_second;
                weather.bytes_per_second = if slower { *bytes_per_second } else { weather.bytes_per_second };
            }
            _ => {}
        }
    }
    weather
}

/// Whether a fault is about the weather.
pub(super) fn is_weather(fault: &Fault) -> bool {
    matches!(
        fault,
        Fault::Loss { .. }
            | Fault::Duplicate { .. }
            | Fault::Corrupt { .. }
            | Fault::Reorder { .. }
            | Fault::Latency { .. }
            | Fault::Bandwidth { .. }
    )
}

/// The distribution of this shape. A longest that is not longer than the shortest is a microsecond more.
pub(super) fn spread(shape: Shape, min: Duration, max: Duration) -> Spread {
    let max = max.max(min + Duration::from_micros(1));
    match shape {
        Shape::Fixed => Spread::Fixed(min),
        Shape::Uniform => Spread::Uniform { min, max },
        Shape::Exponential => Spread::Exponential { min, mean: (max - min) / 8, max },
        Shape::Bimodal => Spread::Bimodal { fast: min, slow: max, slow_ppm: 100_000 },
        Shape::Pareto => Spread::Pareto { min, max },
    }
}

/// Everything that is wrong with dialling on a path. `elsewhere`: whom a stale name leads to.
pub(super) fn dialling<'a>(
    faults: impl Iterator<Item = &'a Fault>,
    from: &str,
    to: &str,
    elsewhere: Option<NodeId>,
) -> Dialling {
    let mut dialling = Dialling::default();
    for fault in faults {
        match fault {
            Fault::DialBlackhole { route } => dialling.is_lost |= route.covers(from, to),
            Fault::DialRefuse { route } => dialling.is_refused |= route.covers(from, to),
            Fault::SlowAccept { route, by } if route.covers(from, to) => {
                let by = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
                dialling.slow_ns = dialling.slow_ns.max(by);
            }
            Fault::StaleNames { route } if route.covers(from, to) => dialling.astray = elsewhere,
            _ => {}
        }
    }
    dialling
}

/// Whether a fault is about dialling.
pub(super) fn is_dialling(fault: &Fault) -> bool {
    matches!(
        fault,
        Fault::DialBlackhole { .. }
            | Fault::DialRefuse { .. }
            | Fault::SlowAccept { .. }
            | Fault::StaleNames { .. }
    )
}

/// The rate of a node's clocks and the slew of its wall clock, in parts per million; `None`: as they are by themselves.
pub(super) fn pace<'a>(faults: impl Iterator<Item = &'a Fault>, name: &str) -> (Option<i64>, i64) {
    let mut pace = (None, 0);
    for fault in faults.filter(|fault| fault.node() == Some(name)) {
        match fault {
            Fault::ClockDrift { ppm, .. } => pace = (Some(*ppm), 0),
            // What the monotonic clock gains, the wall clock loses again.
            Fault::MonoDrift { ppm, .. } => pace = (Some(*ppm), -*ppm),
            Fault::ClockFreeze { .. } => pace = (Some(-1_000_000), 0),
            Fault::ClockSlew { ppm, .. } => pace = (None, *ppm),
            _ => {}
        }
    }
    pace
}

/// What is wrong with the store, but for what is switched on and off.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct StoreTrouble {
    /// Hidden outcomes, and how many of these were applied.
    pub hidden: (u32, u32),
    /// Spikes, and the slowness in thousandths.
    pub slow: (u32, u32),
    /// Dropped connections, and how many of these operations took effect.
    pub drops: (u32, u32),
    pub errors: u32,
}

pub(super) fn store<'a>(faults: impl Iterator<Item = &'a Fault>, calm: StoreTrouble) -> StoreTrouble {
    let mut trouble = calm;
    for fault in faults {
        match *fault {
            Fault::StoreIndeterminate { ppm, applied_ppm } => trouble.hidden = (ppm, applied_ppm),
            Fault::StoreSlow { spike_ppm, slowness_milli } => {
                trouble.slow = (spike_ppm.max(trouble.slow.0), slowness_milli.max(trouble.slow.1));
            }
            Fault::StoreTimeout { ppm, applied_ppm } => trouble.drops = (ppm, applied_ppm),
            Fault::StoreErrors { ppm } => trouble.errors = trouble.errors.max(ppm),
            _ => {}
        }
    }
    trouble
}
