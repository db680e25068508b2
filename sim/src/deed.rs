//! What was done to a world, one by one: every fault is a choice like any other, so that it can be looked at, and left
//! out.
//!
//! A fault is named by its kind, by what it hits, and by how often that had happened before: leaving one out renames no
//! other. What ends a fault is no choice; the end of one that was left out ends nothing.

use crate::choice::Purpose;
use crate::node::NodeId;
use crate::state::State;
use quark_core::hash::mix;
use std::collections::BTreeMap;

/// What was done.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
#[repr(u8)]
pub enum DeedKind {
    /// A process lost power. Ends with its node's next process.
    Crash = 1,
    /// A process was frozen.
    Pause = 2,
    /// Paths were cut.
    Cut = 3,
    /// Paths were clogged.
    Clog = 4,
    /// A connection died and nobody was told. Momentary.
    HalfOpen = 5,
    /// A path, or all of them, got another weather. Ends with the usual one.
    Weather = 6,
    /// A wall clock jumped. Momentary.
    WallStep = 7,
    /// A node's clocks run at another rate. Ends with the rate that they had first.
    ClockRate = 8,
    /// A node computes slowly.
    Slowness = 9,
    /// The store went dark for everybody.
    StoreOutage = 10,
    /// The store went dark for a node.
    StoreCut = 11,
    /// The store has no room.
    StoreFull = 12,
    /// The store hides what it did.
    StoreSilence = 13,
    /// The store is slow.
    StoreSlow = 14,
    /// A replica took over. Momentary.
    StoreFailover = 15,
    /// A replica answers a node.
    StoreStale = 16,
    /// A record became unreadable. Momentary.
    Corrupt = 17,
    /// Connections were reset. Momentary.
    Reset = 18,
    /// Dialling goes wrong.
    Dialling = 19,
    /// A wall clock is slewed.
    Slew = 20,
    /// The store's connections drop in the middle of an operation.
    StoreDrops = 21,
    /// The store refuses.
    StoreErrors = 22,
    /// The store dropped partitions. Momentary.
    StoreEviction = 23,
}

/// A fault as it was done to a world, or its end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Deed {
    /// When, in nanoseconds of true time.
    pub at_ns: u64,
    /// What.
    pub kind: DeedKind,
    /// Whether it begins, or ends.
    pub begins: bool,
    /// Which nodes, in groups: those on one side of a cut, those on the other. Empty: all of them, or the store.
    pub groups: Vec<Vec<NodeId>>,
    /// What a person wants to know of it.
    pub detail: String,
    /// The choice that it was: entity and counter under [`Purpose::Fault`]. `None` for an end, and for what a fault plan
    /// did.
    pub choice: Option<(u64, u64)>,
}

/// The deeds of a world so far.
#[derive(Default)]
pub(crate) struct Deeds {
    /// How often each was to be done.
    counts: BTreeMap<u64, u64>,
    /// Those that were left out and whose end has not come.
    left_out: BTreeMap<(DeedKind, u64), u32>,
    /// How many carry out a plan: what they do is the plan's choice.
    pub(crate) planned: u32,
    log: Option<Vec<Deed>>,
}

impl Deeds {
    pub(crate) fn new(logs: bool) -> Self {
        Self { log: logs.then(Vec::new), ..Self::default() }
    }

    pub(crate) fn log(&self) -> &[Deed] {
        self.log.as_deref().unwrap_or_default()
    }

    /// All faults of these kinds are healed, those left out included.
    fn forget_left_out(&mut self, kinds: &[DeedKind]) {
        self.left_out.retain(|(kind, _), _| !kinds.contains(kind));
    }
}

fn entity(kind: DeedKind, groups: &[&[NodeId]]) -> u64 {
    groups.iter().fold(mix(kind as u64), |hash, group| {
        group.iter().fold(mix(hash ^ 0x9E37), |hash, node| mix(hash ^ u64::from(node.0)))
    })
}

impl State {
    /// Whether a fault happens. It does, but in a run that leaves it out.
    pub(crate) fn fault_begins(
        &mut self,
        kind: DeedKind,
        groups: &[&[NodeId]],
        detail: impl FnOnce() -> String,
    ) -> bool {
        let entity = entity(kind, groups);
        let mut choice = None;
        if self.deeds.planned == 0 {
            let count = self.deeds.counts.entry(entity).or_default();
            *count += 1;
            choice = Some((entity, *count));
            let event = self.trace.events;
            if self.choices.settle(event, (Purpose::Fault, entity, *count), 1) == 0 {
                *self.deeds.left_out.entry((kind, entity)).or_default() += 1;
                return false;
            }
        }
        self.note_deed(kind, true, groups, detail, choice);
        true
    }

    /// Whether the end of a fault has something to end: the fault was not left out.
    pub(crate) fn fault_ends(&mut self, kind: DeedKind, groups: &[&[NodeId]]) -> bool {
        if self.deeds.planned == 0
            && let Some(count) =
                self.deeds.left_out.get_mut(&(kind, entity(kind, groups))).filter(|count| **count > 0)
        {
            *count -= 1;
            return false;
        }
        self.note_deed(kind, false, groups, String::new, None);
        true
    }

    /// As [`State::fault_begins`] or, if things are as usual again, [`State::fault_ends`]; for what is set and not counted.
    pub(crate) fn fault_sets(
        &mut self,
        kind: DeedKind,
        groups: &[&[NodeId]],
        is_usual: bool,
        detail: impl FnOnce() -> String,
    ) -> bool {
        if !is_usual {
            return self.fault_begins(kind, groups, detail);
        }
        // Setting what is as usual to the usual is harmless, whatever was left out.
        self.deeds.left_out.remove(&(kind, entity(kind, groups)));
        self.note_deed(kind, false, groups, String::new, None);
        true
    }

    /// All paths are clear, whatever was done to them, or left out.
    pub(crate) fn network_healed(&mut self) {
        self.all_healed(&[DeedKind::Cut, DeedKind::Clog, DeedKind::Weather, DeedKind::Dialling]);
    }

    /// The store is well, whatever was done to it, or left out.
    pub(crate) fn store_healed(&mut self) {
        self.all_healed(&[
            DeedKind::StoreOutage,
            DeedKind::StoreCut,
            DeedKind::StoreFull,
            DeedKind::StoreSilence,
            DeedKind::StoreSlow,
            DeedKind::StoreStale,
            DeedKind::StoreDrops,
            DeedKind::StoreErrors,
        ]);
    }

    fn all_healed(&mut self, kinds: &[DeedKind]) {
        self.deeds.forget_left_out(kinds);
        for kind in kinds {
            self.note_deed(*kind, false, &[], String::new, None);
        }
    }

    fn note_deed(
        &mut self,
        kind: DeedKind,
        begins: bool,
        groups: &[&[NodeId]],
        detail: impl FnOnce() -> String,
        choice: Option<(u64, u64)>,
    ) {
        let at_ns = self.now;
        if let Some(log) = &mut self.deeds.log {
            let groups = groups.iter().map(|group| group.to_vec()).collect();
            log.push(Deed { at_ns, kind, begins, groups, detail: detail(), choice });
        }
    }
}
