//! Who watches whom: a few others each, spread over the cluster, and the same in everybody's eyes.
//!
//! The holders of leases are laid on several rings, each shuffled by a hash of its own, and a silo is watched by its
//! predecessor on each. That makes an expander: a group of silos that dies together has many watchers outside it.
//! Where watchers have died as well, whoever suspects them acts for them, so that one survivor finds all the dead.

use super::table::{SiloRow, Table};
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
    let rings = Rings::lay(table, count);
    let mut watched = BTreeMap::new();
    if !rings.holders.iter().any(|row| row.id.name == me) {
        return watched;
    }
    let deputies = acts_for.iter().map(|name| (*name, count as u32));
    for (watcher, later) in [(me, 0)].into_iter().chain(deputies) {
        for row in rings.candidates(watcher, table) {
            let rank = rings.watchers_of(row.id.name, count).position(|name| name == watcher);
            if let Some(rank) = rank.filter(|_| row.id.name != me && watched.len() < WATCHED_MAX) {
                watched.entry(row.id).or_insert(rank as u32 + later);
            }
        }
    }
    watched
}

struct Rings<'t> {
    holders: Vec<&'t SiloRow>,
    /// Each ring: points in order, with the index of the holder.
    rings: Vec<Vec<(u64, u32)>>,
}

impl<'t> Rings<'t> {
    fn lay(table: &'t Table, count: usize) -> Self {
        let holders: Vec<&SiloRow> = table.holders().collect();
        let lay = |ring| {
            let point = |(at, row): (usize, &&SiloRow)| (point(ring, row.id.name), at as u32);
            let mut points: Vec<(u64, u32)> = holders.iter().enumerate().map(point).collect();
            points.sort_unstable();
            points
        };
        let rings = (0..count + SPARE_RINGS).map(lay).collect();
        Self { holders, rings }
    }

    /// The silos that `watcher` may be a watcher of: all in a small cluster, else the next on each ring.
    fn candidates(&self, watcher: SiloName, table: &'t Table) -> Vec<&'t SiloRow> {
        let joining = |row: &&SiloRow| row.status == Status::Joining;
        let mut rows: Vec<&SiloRow> = table.entries.iter().map(|e| &e.row).filter(joining).collect();
        if self.holders.len() <= SMALL {
            rows.extend(&self.holders);
            return rows;
        }
        for (ring, points) in self.rings.iter().enumerate() {
            let next = points.partition_point(|p| p.0 <= point(ring, watcher));
            let steps = if ring == 0 { AROUND_MAX } else { 1 };
            rows.extend((next..next + steps).map(|at| self.holders[points[at % points.len()].1 as usize]));
        }
        rows
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
        let at = points.partition_point(|p| p.0 < point(ring, name));
        let backwards = points[..at].iter().rev().chain(points[at..].iter().rev());
        backwards.map(|p| self.holders[p.1 as usize].id.name).filter(move |n| *n != name)
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
    use super::super::table::{TableEntry, ViewRow};
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
            elder: None,
        };
        let entry = |at| TableEntry { row: row(at), version: Version(1) };
        let (generation_floor, forgotten) = (Generation(0), ViewVersion(0));
        let view = ViewRow { cluster_id: "t".into(), version: ViewVersion(1), generation_floor, forgotten };
        Table { view, view_version: Version(1), entries: (0..count).map(entry).collect() }
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
