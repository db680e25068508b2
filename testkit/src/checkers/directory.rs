//! P2, P11 and P17, as the directory has it: an actor is placed by one owner in each view, it is activated only where an
//! owner has placed it, and in the end entries and activations agree: each activation has one entry, at one owner, that
//! names its silo, and no entry names a silo that does not have the actor.

use super::{Checker, Verdict};
use crate::history::{History, SiloEvent, WorldEvent};
use quark_core::{ActorId, Instant, SiloId, ViewVersion};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// See the module.
pub struct Directory;

/// What one silo says: the actors it hosts, and the entries of its ranges.
pub(crate) type Sample = (SiloId, Arc<[ActorId]>, Arc<[(ActorId, SiloId)]>);

impl Checker for Directory {
    fn name(&self) -> &'static str {
        "directory"
    }

    fn check(&self, history: &History) -> Verdict {
        let mut verdict = Verdict::default();
        check_placements(history, &mut verdict);
        // Samples that follow one another directly are of one moment.
        let mut samples: Vec<Sample> = Vec::new();
        let (mut last, mut last_at) = (0, Instant::ZERO);
        for (position, at, event) in history.world_events() {
            let WorldEvent::DirectorySampled { silo, hosts, entries } = event else { continue };
            if position != last + 1 {
                judge(&std::mem::take(&mut samples), last_at, &mut verdict);
            }
            samples.push((*silo, hosts.clone(), entries.clone()));
            (last, last_at) = (position, at);
        }
        judge(&samples, last_at, &mut verdict);
        verdict
    }
}

fn check_placements(history: &History, verdict: &mut Verdict) {
    let mut views: BTreeMap<SiloId, ViewVersion> = BTreeMap::new();
    let mut owners: BTreeMap<(ActorId, ViewVersion), SiloId> = BTreeMap::new();
    let mut placed: BTreeSet<(ActorId, SiloId)> = BTreeSet::new();
    // Who does not tell of placements does not place nothing.
    let tells = history.silo_records().any(|(_, _, r)| matches!(r.event, SiloEvent::Placed { .. }));
    for (_, at, record) in history.silo_records() {
        match &record.event {
            SiloEvent::ViewInstalled { view } => {
                views.insert(record.silo, view.version);
            }
            SiloEvent::Placed { actor, on } => {
                let view = views.get(&record.silo).copied().unwrap_or_default();
                let owner = *owners.entry((actor.clone(), view)).or_insert(record.silo);
                verdict.require("P11", at, owner == record.silo, || {
                    format!("{} placed {actor} in view {view}, in which {owner} had placed it", record.silo)
                });
                placed.insert((actor.clone(), *on));
            }
            SiloEvent::Activated { actor, .. } if tells => {
                let is_placed = placed.contains(&(actor.clone(), record.silo));
                verdict.require("P11", at, is_placed, || {
                    format!("{} activated {actor}, which no owner has placed there", record.silo)
                });
            }
            _ => {}
        }
    }
}

fn judge(samples: &[Sample], at: Instant, verdict: &mut Verdict) {
    verdict.examined += samples.iter().map(|(_, hosts, entries)| hosts.len() + entries.len()).sum::<usize>();
    for disagreement in disagreements(samples) {
        verdict.require("P17", at, false, || disagreement);
    }
}

/// What does not agree among what all silos that run say at one moment.
pub(crate) fn disagreements(samples: &[Sample]) -> Vec<String> {
    let mut found = Vec::new();
    let mut entries: BTreeMap<&ActorId, (SiloId, SiloId)> = BTreeMap::new();
    for (owner, _, places) in samples {
        for (actor, on) in places.iter() {
            if let Some((other, _)) = entries.insert(actor, (*owner, *on)) {
                found.push(format!("{actor} has an entry at {other}, and one at {owner}"));
            }
        }
    }
    let mut hosts: BTreeMap<&ActorId, SiloId> = BTreeMap::new();
    for (silo, hosted, _) in samples {
        for actor in hosted.iter() {
            if let Some(other) = hosts.insert(actor, *silo) {
                found.push(format!("{actor} is active on {other}, and on {silo}"));
            }
        }
    }
    for (actor, silo) in &hosts {
        match entries.get(actor) {
            Some((_, on)) if on == silo => {}
            Some((owner, on)) => {
                found.push(format!("{actor} is active on {silo}; its entry at {owner} says {on}"));
            }
            None => found.push(format!("{actor} is active on {silo}, and has no entry: an orphan")),
        }
    }
    for (actor, (owner, on)) in &entries {
        if !hosts.contains_key(actor) {
            found.push(format!("the entry of {actor} at {owner} says {on}, which does not have it"));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::script::{Script, activated, actor, broken, rejected, silo, view};
    use super::*;
    use quark_core::view::Status::Active;

    fn placed(key: &str, on: &str) -> SiloEvent {
        SiloEvent::Placed { actor: actor(key), on: silo(on) }
    }

    fn sample(name: &str, hosts: &[&str], entries: &[(&str, &str)]) -> WorldEvent {
        WorldEvent::DirectorySampled {
            silo: silo(name),
            hosts: hosts.iter().map(|key| actor(key)).collect(),
            entries: entries.iter().map(|(key, on)| (actor(key), silo(on))).collect(),
        }
    }

    /// Positions: 0 and 1 views, 2 placed by a, 3 activated on b, 4 a newer view, 5 placed by b, 6 activated, 7 and 8 samples.
    fn valid() -> Script {
        Script::new()
            .silo("a#1", view(1, &[("a#1", Active), ("b#1", Active)]))
            .silo("b#1", view(1, &[("a#1", Active), ("b#1", Active)]))
            .silo("a#1", placed("alice", "b#1"))
            .silo("b#1", activated("alice", 1))
            .silo("b#1", view(2, &[("a#1", Active), ("b#1", Active)]))
            .silo("b#1", placed("alice", "a#1"))
            .silo("a#1", activated("alice", 2))
            .at(10)
            .world(sample("a#1", &["alice"], &[]))
            .world(sample("b#1", &[], &[("alice", "a#1")]))
    }

    #[test]
    fn who_is_active_was_placed_there_and_has_its_entry() {
        assert_eq!(
            rejected(&Directory, &valid()),
            "drop 2, swap 2, drop 4, swap 4, drop 5, swap 5, swap 6, drop 7, dup 7, drop 8, dup 8"
        );
    }

    #[test]
    fn one_view_has_one_owner() {
        let both = Script::new()
            .silo("a#1", view(1, &[("a#1", Active), ("b#1", Active)]))
            .silo("b#1", view(1, &[("a#1", Active), ("b#1", Active)]))
            .silo("a#1", placed("alice", "b#1"))
            .silo("b#1", placed("alice", "b#1"));
        assert_eq!(broken(&Directory, both), ["P11"]);
    }

    #[test]
    fn orphans_doubles_and_dangling_entries_are_seen() {
        let seen = |a: WorldEvent, b: WorldEvent| broken(&Directory, Script::new().world(a).world(b)).len();
        assert_eq!(seen(sample("a#1", &["x"], &[("x", "a#1")]), sample("b#1", &[], &[])), 0);
        assert_eq!(seen(sample("a#1", &["x"], &[]), sample("b#1", &[], &[])), 1, "an orphan");
        assert_eq!(seen(sample("a#1", &[], &[("x", "a#1")]), sample("b#1", &[], &[])), 1, "nobody there");
        assert_eq!(seen(sample("a#1", &["x"], &[("x", "a#1")]), sample("b#1", &["x"], &[])), 2, "two of one");
        let two_owners = seen(sample("a#1", &["x"], &[("x", "a#1")]), sample("b#1", &[], &[("x", "a#1")]));
        assert_eq!(two_owners, 1);
    }
}
