//! Who watches whom: a few others each, spread over the cluster, and the same in everybody's eyes.
//!
//! The holders of leases are laid on several rings, each shuffled by a hash of its own, and a silo is watched by its
//! predecessor on each. That makes an expander: a group of silos that dies together has many watchers outside it.
//! Where watchers have died as well, whoever suspects them acts for them, so that one survivor finds all the dead.

use super::table::Table;
use crate::view::Status;
use crate::{SiloId, SiloName, hash};
use std::collections::{BTreeMap, BTreeSet};

/// The silos that `me` watches, with its rank among each one's watchers (0 acts first), also in place of those whom
/// it `acts_for`.
///
/// Every silo that is not dead has min(`count`, holders other than itself) watchers.
pub(super) fn watched_by(
    me: SiloName,
    acts_for: &BTreeSet<SiloName>,
    table: &Table,
    count: usize,
) -> BTreeMap<SiloId, u32> {
    let rings = table.watch_rings(count);
    let mut watched = BTreeMap::new();
    if !table.named(me).is_some_and(|entry| entry.row.holds_lease()) {
        return watched;
    }
    let deputies = acts_for.iter().map(|name| (*name, count as u32));
    for (watcher, later) in [(me, 0)].into_iter().chain(deputies) {
        for id in rings.candidates(watcher) {
            let rank = rings.watchers_of(id.name, count).position(|name| name == watcher);
            if let Some(rank) = rank.filter(|_| id.name != me && watched.len() < WATCHED_MAX) {
                watched.entry(id).or_insert(rank as u32 + later);
            }
        }
    }
    watched
}

/// The rings of one table.
pub(super) struct WatchRings {
    joining: Vec<SiloId>,
    holders: Vec<SiloId>,
    /// Each ring: points in order, with the index of the holder.
    rings: Vec<Vec<(u64, u32)>>,
}

impl WatchRings {
    /// Costs half a millisecond for a thousand silos; see [`Table::watch_rings`].
    pub(super) fn lay(table: &Table, count: usize) -> Self {
        let joining = table.entries.iter().map(|e| &e.row).filter(|row| row.status == Status::Joining);
        let joining = joining.map(|row| row.id).collect();
        let holders: Vec<SiloId> = table.holders().map(|row| row.id).collect();
        let lay = |ring| {
            let point = |(at, id): (usize, &SiloId)| (point(ring, id.name), at as u32);
            let mut points: Vec<(u64, u32)> = holders.iter().enumerate().map(point).collect();
            points.sort_unstable();
            points
        };
        let rings = (0..count + SPARE_RINGS).map(lay).collect();
        Self { joining, holders, rings }
    }

    /// The silos that `watcher` may be a watcher of: all in a small cluster, else the next on each ring.
    fn candidates(&self, watcher: SiloName) -> Vec<SiloId> {
        let mut candidates = self.joining.clone();
        if self.holders.len() <= SMALL {
            candidates.extend(&self.holders);
            return candidates;
        }
        for (ring, points) in self.rings.iter().enumerate() {
            let own = point(ring, watcher);
            let next = points.partition_point(|p| p.0 <= own);
            let steps = if ring == 0 { AROUND_MAX } else { 1 };
            candidates
                .extend((next..next + steps).map(|at| self.holders[points[at % points.len()].1 as usize]));
        }
        candidates
    }

    /// The first `count` different predecessors of a name: one from each ring, then, should rings have agreed, from
    /// the spare rings, then onwards around the first.
    fn watchers_of(&self, name: SiloName, count: usize) -> impl Iterator<Item = SiloName> + use<> {
        let mut watchers: Vec<SiloName> = Vec::with_capacity(count);
        let nearest = (0..self.rings.len()).filter_map(|ring| self.before(ring, name).next());
        for watcher in nearest.chain(self.before(0, name).take(AROUND_MAX.max(SMALL))) {
            if watchers.len() == count {
                break;
            }
            if !watchers.contains(&watcher) {
                watchers.push(watcher);
            }
        }
        watchers.into_iter()
    }

    fn before(&self, ring: usize, name: SiloName) -> impl Iterator<Item = SiloName> {
        let points = &self.rings[ring];
        let own = point(ring, name);
        let at = points.partition_point(|p| p.0 < own);
        let backwards = points[..at].iter().rev().chain(points[at..].iter().rev());
        backwards.map(|p| self.holders[p.1 as usize].name).filter(move |n| *n != name)
    }
}

fn point(ring: usize, name: SiloName) -> u64 {
    hash::point_in(MONITOR_DOMAIN + ring as u64, name.as_str().as_bytes())
}

/// Rings beyond the first few, for silos that have the same predecessor on two of those.
const SPARE_RINGS: usize = 2;
/// Up to so many holders, all pairs are looked at.
const SMALL: usize = 16;
/// How far around the first ring a watcher is looked for at most.
const AROUND_MAX: usize = 8;
/// The most that one silo watches, however many others have failed at it.
const WATCHED_MAX: usize = 32;
/// Keeps these hashes apart from the placement of actors.
const MONITOR_DOMAIN: u64 = 0x6D6F_6E69_746F_7200;

#[cfg(test)]
mod tests {
    use super::super::table::{SiloRow, TableEntry, ViewRow};
    use super::*;
    use crate::{Generation, Version, ViewVersion};

    fn table(count: usize) -> Table {
        let row = |at: usize| SiloRow {
            id: SiloId::new(SiloName::new(&format!("silo-{at:04}")).expect("valid"), Generation(1)),
            address: "h:1".into(),
            status: Status::Active,
            grace: std::time::Duration::ZERO,
            contract: 0,
            tenure: None,
            elders: Vec::new(),
            before: None,
        };
        let entry = |at| TableEntry { row: row(at), version: Version(1) };
        let (generation_floor, forgotten) = (Generation(0), ViewVersion(0));
        let view = ViewRow { cluster_id: "t".into(), version: ViewVersion(1), generation_floor, forgotten };
        Table::new(view, Version(1), (0..count).map(entry).collect())
    }

    #[test]
    fn everybody_has_enough_watchers() {
        for count in [1, 2, 3, 4, 5, 9, 16, 17, 18, 40, 200, 1000] {
            let table = table(count);
            let mut watchers: BTreeMap<SiloId, Vec<u32>> = BTreeMap::new();
            for row in table.holders() {
                for (target, rank) in watched_by(row.id.name, &BTreeSet::new(), &table, 3) {
                    watchers.entry(target).or_default().push(rank);
                }
            }
            let wanted: Vec<u32> = (0..3.min(count as u32 - 1)).collect();
            for row in table.holders() {
                let mut ranks = watchers.remove(&row.id).unwrap_or_default();
                ranks.sort_unstable();
                assert_eq!(ranks, wanted, "{} of {count}", row.id);
            }
        }
    }

    #[test]
    fn whoever_suspects_a_watcher_acts_for_it() {
        let table = table(100);
        let names: Vec<SiloName> = table.holders().map(|row| row.id.name).collect();
        let alone = watched_by(names[0], &BTreeSet::new(), &table, 3);
        let suspect = alone.keys().next().expect("somebody is watched").name;
        let acting = watched_by(names[0], &BTreeSet::from([suspect]), &table, 3);
        for target in watched_by(suspect, &BTreeSet::new(), &table, 3).keys().filter(|t| t.name != names[0]) {
            assert!(acting.contains_key(target));
        }
    }
}
