//! Who watches whom: a few others each, spread over the cluster, and the same in everybody's eyes.
//!
//! The holders of leases are laid on several rings, each shuffled by a hash of its own, and a silo is watched by its
//! predecessor on each. That makes an expander: a group of silos that dies together has many watchers outside it.

use super::table::Table;
use crate::{SiloId, SiloName, hash};

/// The silos that `me` watches, with `me`'s rank among each one's watchers (0 acts first).
///
/// Every silo that is not dead has min(`count`, holders other than itself) watchers.
pub(super) fn watched_by(me: SiloName, table: &Table, count: usize) -> Vec<(SiloId, u32)> {
    let holders: Vec<SiloName> = table.holders().map(|row| row.id.name).collect();
    if !holders.contains(&me) {
        return Vec::new();
    }
    let rings: Vec<Vec<Point>> = (0..count as u64 + SPARE_RINGS).map(|ring| lay(ring, &holders)).collect();
    let alive = table.entries.iter().map(|entry| &entry.row);
    alive
        .filter(|row| row.status != crate::view::Status::Dead && row.id.name != me)
        .filter_map(|row| {
            let rank = watchers_of(row.id.name, &rings, count).position(|watcher| watcher == me)?;
            Some((row.id, rank as u32))
        })
        .collect()
}

type Point = (u64, SiloName);

fn lay(ring: u64, holders: &[SiloName]) -> Vec<Point> {
    let mut points: Vec<Point> = holders.iter().map(|name| (point(ring, *name), *name)).collect();
    points.sort_unstable();
    points
}

fn point(ring: u64, name: SiloName) -> u64 {
    hash::point_in(MONITOR_DOMAIN + ring, name.as_str().as_bytes())
}

/// The first `count` different predecessors of a name: one from each ring, then, should rings have agreed, from the
/// spare rings, then onwards around the first.
fn watchers_of(name: SiloName, rings: &[Vec<Point>], count: usize) -> impl Iterator<Item = SiloName> {
    let mut watchers: Vec<SiloName> = Vec::with_capacity(count);
    let first_of_each =
        rings.iter().enumerate().filter_map(|(ring, points)| before(ring, points, name).next());
    let around = before(0, &rings[0], name);
    for watcher in first_of_each.chain(around) {
        if watchers.len() == count {
            break;
        }
        if !watchers.contains(&watcher) {
            watchers.push(watcher);
        }
    }
    watchers.into_iter()
}

fn before(ring: usize, points: &[Point], name: SiloName) -> impl Iterator<Item = SiloName> {
    let at = points.partition_point(|p| *p < (point(ring as u64, name), name));
    points[..at].iter().rev().chain(points[at..].iter().rev()).map(|p| p.1).filter(move |n| *n != name)
}

const SPARE_RINGS: u64 = 2;
/// Keeps these hashes apart from the placement of actors.
const MONITOR_DOMAIN: u64 = 0x6D6F_6E69_746F_7200;
