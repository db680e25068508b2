//! What led to an event: only what it came from, and what that came from.

use super::Telling;
use std::collections::BTreeSet;

impl Telling {
    /// The events from which there is a way to one of these, these included, in order. Faults that hit a silo on which one
    /// of them happened, before the last of them, belong to it too: they led there by what did *not* happen.
    ///
    /// Panics: if one of them is not there.
    pub fn slice(&self, to: &[u32]) -> Vec<u32> {
        let mut found: BTreeSet<u32> = to.iter().copied().collect();
        let mut open: Vec<u32> = to.to_vec();
        while let Some(id) = open.pop() {
            for cause in &self.events[id as usize].causes {
                if found.insert(*cause) {
                    open.push(*cause);
                }
            }
        }
        let Some(last) = found.last().copied() else { return Vec::new() };
        let lanes: BTreeSet<u32> = found.iter().filter_map(|id| self.events[*id as usize].lane).collect();
        for band in &self.faults {
            let hits = |lane: &u32| band.hits(&self.lanes[*lane as usize].name);
            if lanes.iter().any(hits) {
                found
                    .extend([Some(band.event), band.end_event].into_iter().flatten().filter(|id| *id < last));
            }
        }
        found.into_iter().collect()
    }

    /// The nearest of the events that led to these: at most so many, those with the fewest steps between, in order.
    ///
    /// Panics: if one of them is not there.
    pub fn nearest_causes(&self, to: &[u32], count_max: usize) -> Vec<u32> {
        let mut found: BTreeSet<u32> = to.iter().copied().collect();
        let mut ring: BTreeSet<u32> = found.clone();
        while !ring.is_empty() && found.len() < count_max {
            let before = ring.iter().flat_map(|id| self.events[*id as usize].causes.iter().copied());
            // The latest first: what lies far back led to everything.
            ring = before.filter(|id| !found.contains(id)).collect();
            found.extend(ring.iter().rev().take(count_max - found.len().min(count_max)));
        }
        found.into_iter().collect()
    }
}
