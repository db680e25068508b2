//! What faults came to, kind by kind: read from what the world counts, never from what was applied.

use parking_lot::Mutex;
use quark_chaos::{FaultKind, Meter};
use quark_sim::Effects;
use std::collections::BTreeMap;

/// What the target itself sees, because the world cannot: what became of calls, and of silos that were told something.
#[derive(Default)]
pub(super) struct Counts(Mutex<BTreeMap<Meter, u64>>);

impl Counts {
    pub(super) fn add(&self, meter: Meter, more: u64) {
        *self.0.lock().entry(meter).or_default() += more;
    }

    fn get(&self, meter: Meter) -> u64 {
        self.0.lock().get(&meter).copied().unwrap_or(0)
    }
}

/// What a meter shows.
pub(super) fn reading(meter: Meter, world: &Effects, counts: &Counts) -> u64 {
    match meter {
        Meter::TasksKilled => world.tasks_killed,
        Meter::Standstill => world.standstill,
        Meter::Cut => world.frames_cut + world.links_cut,
        Meter::Lost => world.frames_lost,
        Meter::Duplicated => world.frames_duplicated,
        Meter::Reordered => world.frames_reordered,
        Meter::Corrupted => world.frames_corrupted,
        Meter::Delayed => world.frames_delayed,
        Meter::Clogged => world.frames_clogged,
        Meter::Vanished => world.vanished,
        Meter::Slowed => world.frames_slowed,
        Meter::Reset => world.links_reset,
        Meter::DialsLost => world.dials_lost,
        Meter::DialsRefused => world.dials_refused,
        Meter::DialsSlow => world.dials_slow,
        Meter::DialsAstray => world.dials_astray,
        Meter::StoreDark => world.store_dark,
        Meter::CommitsLost => world.commits_lost,
        Meter::StaleReads => world.stale_reads,
        Meter::OutcomesHidden => world.outcomes_hidden,
        Meter::StoreSlow => world.store_slow,
        Meter::NoRoom => world.no_room,
        Meter::StoreDropped => world.store_dropped,
        Meter::StoreRefused => world.store_refused,
        Meter::Evicted => world.evicted,
        Meter::WallStepped => world.wall_stepped,
        Meter::WallSlewed => world.wall_slewed,
        Meter::SleepsMoved => world.rate_felt,
        Meter::FrozenReadings => world.frozen_felt,
        Meter::SlowPolls => world.slow_polls,
        Meter::SilosStopped
        | Meter::Joined
        | Meter::HotCalls
        | Meter::Deactivated
        | Meter::HugeCalls
        | Meter::SlowTurns
        | Meter::Withdrawn
        | Meter::Late
        | Meter::Cycles
        | Meter::Ticks
        | Meter::Bursts => counts.get(meter),
    }
}

/// How far the meters moved while faults of a kind were in force.
#[derive(Default)]
pub(super) struct Ledger {
    /// How many of the kind are in force, and what its meter showed when the first of them began.
    open: BTreeMap<FaultKind, (u32, u64)>,
    closed: BTreeMap<FaultKind, u64>,
}

impl Ledger {
    /// A fault of the kind begins, and its meter shows this.
    pub(super) fn begin(&mut self, kind: FaultKind, shows: u64) {
        self.open.entry(kind).or_insert((0, shows)).0 += 1;
    }

    /// One ends.
    pub(super) fn end(&mut self, kind: FaultKind, shows: u64) {
        let Some((count, before)) = self.open.get_mut(&kind) else { return };
        *count -= 1;
        if *count == 0 {
            *self.closed.entry(kind).or_default() += shows - *before;
            self.open.remove(&kind);
        }
    }

    /// How far its meter, which shows this, has moved because of the kind so far.
    pub(super) fn total(&self, kind: FaultKind, shows: u64) -> u64 {
        let open = self.open.get(&kind).map_or(0, |(_, before)| shows - before);
        self.closed.get(&kind).copied().unwrap_or(0) + open
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happens_while_two_overlap_is_counted_once() {
        let (kind, mut ledger) = (FaultKind::Loss, Ledger::default());
        ledger.begin(kind, 10);
        ledger.begin(kind, 15);
        ledger.end(kind, 18);
        assert_eq!(ledger.total(kind, 20), 10);
        ledger.end(kind, 22);
        assert_eq!((ledger.total(kind, 90), ledger.total(FaultKind::Cut, 90)), (12, 0));
        ledger.begin(kind, 100);
        assert_eq!(ledger.total(kind, 103), 15);
    }
}
