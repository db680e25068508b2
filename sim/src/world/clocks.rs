//! The nodes' clocks as the test sees them.

use super::WorldHandle;
use crate::deed::DeedKind;
use crate::node::{NodeId, Pace};
use crate::trace::TraceKind;

impl WorldHandle {
    /// The wall clock of a node jumps by so many nanoseconds. Its monotonic clock does not.
    pub fn step_wall_clock(&self, node: NodeId, by_ns: i64) {
        let mut state = self.shared.lock();
        let detail = || format!("by {by_ns} ns");
        if !state.fault_begins(DeedKind::WallStep, &[&[node]], detail) {
            return;
        }
        state.nodes[node.index()].clock.step_wall(by_ns);
        state.record(TraceKind::Fault, node.0, by_ns as u64);
    }

    /// By how many parts per million a node's clocks run too fast, rounded.
    pub fn clock_rate(&self, node: NodeId) -> i64 {
        self.shared.lock().nodes[node.index()].clock.rate_ppb() / 1000
    }

    /// What was done to a node's clocks with [`WorldHandle::set_clock_rate`] is over: they run at this rate by themselves.
    pub fn settle_clock_rate(&self, node: NodeId, ppm: i64) {
        self.set_clock_rate(node, ppm);
        self.shared.lock().nodes[node.index()].pace = Pace::Usual;
    }

    /// A node's clocks run faster or slower by so many parts per million from now on (-1 000 000: they stand still).
    pub fn set_clock_rate(&self, node: NodeId, ppm: i64) {
        let mut state = self.shared.lock();
        let (now, ppb) = (state.now, ppm.saturating_mul(1000));
        let found = &mut state.nodes[node.index()];
        let present = found.clock.rate_ppb();
        // Rates are handed out rounded: what was read and is set again is as usual.
        let is_usual = *found.usual_rate_ppb.get_or_insert(present) / 1000 == ppm;
        if !state.fault_sets(DeedKind::ClockRate, &[&[node]], is_usual, || format!("{ppm} ppm")) {
            return;
        }
        let found = &mut state.nodes[node.index()];
        found.clock.set_rate(now, ppb);
        found.pace = if ppm <= -1_000_000 { Pace::Frozen } else { Pace::Odd };
        state.reschedule_timers(node.0);
        state.record(TraceKind::Fault, node.0, ppm as u64);
    }

    /// A node's wall clock gains so many parts per million on its monotonic one from now on; what it has gained stays when
    /// that ends (0).
    pub fn slew_wall_clock(&self, node: NodeId, ppm: i64) {
        let mut state = self.shared.lock();
        if !state.fault_sets(DeedKind::Slew, &[&[node]], ppm == 0, || format!("{ppm} ppm")) {
            return;
        }
        let now = state.now;
        state.nodes[node.index()].clock.slew_wall(now, ppm.saturating_mul(1000));
        state.record(TraceKind::Fault, node.0, (ppm as u64) << 8 | 21);
    }
}
