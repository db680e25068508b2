//! More that can go wrong, and what came of all of it.

use super::WorldHandle;
use crate::config::StoreConfig;
use crate::deed::DeedKind;
use crate::effects::Effects;
use crate::net::Dialling;
use crate::node::NodeId;
use crate::trace::TraceKind;
use std::collections::BTreeMap;

/// How often a site of [`quark_core::buggify!`] was passed while it was switched on, and how often it fired.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Whims {
    /// How often it was passed.
    pub asked: u64,
    /// How often it fired.
    pub fired: u64,
}

impl WorldHandle {
    /// The node's process exits without a word: as [`WorldHandle::crash`], but its system is there to reset what it had
    /// open, so that its peers notice soon. Whether it was done.
    pub fn exit(&self, node: NodeId) -> bool {
        self.exit_after(node, || ())
    }

    /// As [`WorldHandle::exit`]; `before` is called if and before it is done.
    pub fn exit_after(&self, node: NodeId, before: impl FnOnce()) -> bool {
        self.end_process(node, true, before)
    }

    /// Resets every link from one node to another that is up: both ends are told (unless the hint is lost), and it is
    /// dialled again. Returns how many those were.
    pub fn reset_links(&self, from: NodeId, to: NodeId) -> u64 {
        self.shared.act(|state| match state.fault_begins(DeedKind::Reset, &[&[from], &[to]], String::new) {
            true => state.reset_links(from.0, to.0),
            false => 0,
        })
    }

    /// From now on this is wrong with dialling from one node to another. Connections that stand, stand.
    pub fn set_dialling(&self, from: NodeId, to: NodeId, dialling: Dialling) {
        self.shared.act(|state| {
            let (is_usual, detail) = (dialling == Dialling::default(), || format!("{dialling:?}"));
            if state.fault_sets(DeedKind::Dialling, &[&[from], &[to]], is_usual, detail) {
                state.set_dialling(from.0, to.0, dialling);
            }
        });
    }

    /// What is wrong with dialling from one node to another.
    pub fn dialling(&self, from: NodeId, to: NodeId) -> Dialling {
        let mut state = self.shared.lock();
        let at = state.path(from.0, to.0);
        state.net.dialling_of(at)
    }

    /// From now on the connections of so many store operations drop (in parts per million); of these, so many take effect
    /// first. The callers learn nothing until their timeout.
    pub fn set_store_drops(&self, ppm: u32, applied_ppm: u32) {
        let mut state = self.shared.lock();
        let detail = || format!("{ppm} ppm, {applied_ppm} ppm of these took effect");
        let is_usual = ppm == state.config.store.drop_ppm;
        if !state.fault_sets(DeedKind::StoreDrops, &[], is_usual, detail) {
            return;
        }
        state.store.config.drop_ppm = ppm;
        state.store.config.drop_applied_ppm = applied_ppm;
        state.record(TraceKind::Fault, 0, u64::from(ppm) << 8 | 22);
    }

    /// From now on so many store operations (in parts per million) are refused as `Unavailable`; they have not happened.
    pub fn set_store_errors(&self, ppm: u32) {
        let mut state = self.shared.lock();
        let is_usual = ppm == state.config.store.error_ppm;
        if !state.fault_sets(DeedKind::StoreErrors, &[], is_usual, || format!("{ppm} ppm")) {
            return;
        }
        state.store.config.error_ppm = ppm;
        state.record(TraceKind::Fault, 0, u64::from(ppm) << 8 | 23);
    }

    /// The store's parameters as they are when nothing is wrong with it.
    pub fn store_config(&self) -> StoreConfig {
        self.shared.lock().config.store
    }

    /// The store drops so many of its partitions (in parts per million, drawn by `draw`), with everything it knew of them,
    /// as a cache does for want of memory. That breaks its contract. Returns how many are gone.
    pub fn evict_store(&self, ppm: u32, draw: u64) -> u64 {
        let mut state = self.shared.lock();
        if !state.fault_begins(DeedKind::StoreEviction, &[], || format!("{ppm} ppm of its partitions")) {
            return 0;
        }
        let is_gone = |partition: &quark_env::store::Partition| {
            let word = quark_core::hash::mix(draw ^ quark_core::hash::point(partition.0.as_bytes()));
            crate::spread::scale(1_000_000, word) < u64::from(ppm)
        };
        let gone = state.store.records.evict(is_gone);
        if let Some(replica) = &mut state.store.replica {
            replica.evict(is_gone);
        }
        state.effects.evicted += gone;
        state.record(TraceKind::Fault, 0, gone << 8 | 24);
        gone
    }

    /// What came of faults so far.
    pub fn effects(&self) -> Effects {
        let state = self.shared.lock();
        let (net, store) = (state.net.meters, state.store.meters);
        Effects {
            frames_lost: net.lost,
            frames_duplicated: net.duplicated,
            frames_reordered: net.reordered,
            frames_corrupted: net.corrupted,
            frames_slowed: net.slowed,
            outcomes_hidden: store.hidden_applied + store.hidden_lost,
            no_room: store.no_room,
            commits_lost: store.lost,
            stale_reads: store.stale_reads,
            ..state.effects
        }
    }

    /// The sites of [`quark_core::buggify!`] that are switched on and were passed so far.
    pub fn whims(&self) -> BTreeMap<&'static str, Whims> {
        self.shared.lock().whims.clone()
    }
}
