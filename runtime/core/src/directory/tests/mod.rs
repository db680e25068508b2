//! Tables for single steps, a swarm of whole clusters, and an exhaustive walk through small ones.

mod explore;
mod swarm;
mod tables;
mod world;

use super::*;
use crate::ring::{Ring, RingRange};
use crate::view::{Member, Status, View};
use crate::{ActorId, Generation, SiloId, SiloName, ViewVersion, hash};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// `b` or `b2`: a name of one letter and its generation.
fn silo(text: &str) -> SiloId {
    let (name, generation) = text.split_at(1);
    let generation = if generation.is_empty() { 1 } else { generation.parse().expect("a number") };
    SiloId::new(SiloName::new(name).expect("valid"), Generation(generation))
}

fn actor(n: u64) -> ActorId {
    ActorId::new("thing", &n.to_string()).expect("valid")
}

fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// A view from words like `a` (active), `b2-` (dead, grace 1 s), `c~` (draining), `d?` (joining), `e2+` (active, grace
/// 1 s for the one before).
fn view(version: u64, words: &str) -> Arc<View> {
    let mut members: Vec<Member> = words
        .split_whitespace()
        .map(|word| {
            let mark = word.trim_start_matches(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
            let (status, grace) = match mark {
                "" => (Status::Active, 0),
                "-" => (Status::Dead, 1000),
                "~" => (Status::Draining, 0),
                "?" => (Status::Joining, 0),
                "+" => (Status::Active, 1000),
                _ => panic!("no such mark: {mark}"),
            };
            let id = silo(word.trim_end_matches(mark));
            Member { id, address: String::new(), status, grace: ms(grace) }
        })
        .collect();
    members.sort_by_key(|m| m.id.name);
    Arc::new(View { version: ViewVersion(version), members })
}

/// A ring with a few points a silo.
#[derive(Debug, PartialEq, Eq)]
struct SmallRing(BTreeMap<u64, SiloId>);

impl SmallRing {
    fn of(view: &View) -> Arc<dyn Owners> {
        let points = view
            .active()
            .flat_map(|m| (0..4).map(|n| (hash::point_in(n, m.id.name.as_str().as_bytes()), m.id)));
        Arc::new(Self(points.collect()))
    }

    /// One silo owns everything.
    fn single(owner: SiloId) -> Arc<dyn Owners> {
        Arc::new(Self(BTreeMap::from([(7, owner)])))
    }
}

impl Owners for SmallRing {
    fn owner(&self, point: u64) -> Option<SiloId> {
        self.0.range(point..).next().or(self.0.first_key_value()).map(|(_, owner)| *owner)
    }

    fn spans_of(&self, silo: SiloId) -> Spans {
        let before = self.0.keys().last().into_iter().chain(self.0.keys());
        let arcs = before.zip(&self.0).filter(|(_, (_, owner))| **owner == silo);
        arcs.fold(Spans::none(), |all, (after, (up_to, _))| {
            all.union(&Spans::of_range(RingRange { after: *after, up_to: *up_to }))
        })
    }
}
