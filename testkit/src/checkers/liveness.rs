//! I7, promise P17: after faults heal, views converge and every actor serves, within a stated bound of true time.
//!
//! Demanded once the bound after the last [`WorldEvent::Healed`] is over, or all is quiet. A history that ends before owes
//! nothing yet.

use super::{Checker, Verdict};
use crate::history::{ClientEvent, History, Outcome, SiloEvent, WorldEvent};
use quark_core::view::View;
use quark_core::{ActorId, Instant, SiloId};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// See the module.
pub struct Liveness {
    /// How long the cluster may take after the last fault.
    pub bound: Duration,
    /// Whether every actor that a client ever used must have served after the bound; if not, only those that were
    /// asked.
    pub demand_all: bool,
}

impl Default for Liveness {
    fn default() -> Self {
        Self { bound: Duration::from_secs(120), demand_all: false }
    }
}

impl Checker for Liveness {
    fn name(&self) -> &'static str {
        "liveness"
    }

    fn check(&self, history: &History) -> Verdict {
        let mut verdict = Verdict::default();
        let last = |event: WorldEvent| history.world_events().filter(|(_, _, e)| **e == event).last();
        if let Some((healed, healed_at, _)) = last(WorldEvent::Healed) {
            // A cluster that has become quiet sooner owes it sooner.
            let quiet_at = last(WorldEvent::Quiet).filter(|(quiet, ..)| *quiet > healed).map(|(_, at, _)| at);
            let due = quiet_at.unwrap_or(Instant::NEVER).min(healed_at + self.bound);
            if due <= history.end() {
                check_views(history, &mut verdict);
                self.check_service(history, due, &mut verdict);
            }
        }
        verdict
    }
}

/// All silos that run in the end have one view, and it is of them.
fn check_views(history: &History, verdict: &mut Verdict) {
    let silos = history.silos();
    let mut running: BTreeMap<SiloId, Option<Arc<View>>> = BTreeMap::new();
    for (_, _, record) in history.silo_records() {
        match &record.event {
            SiloEvent::Joined => {
                running.entry(record.silo).or_default();
            }
            SiloEvent::ViewInstalled { view } => {
                running.insert(record.silo, Some(view.clone()));
            }
            _ => {}
        }
    }
    let end = history.end();
    running.retain(|silo, _| silos.life(*silo).is_some_and(|l| !l.is_gone(end) && l.awake_from(end) <= end));
    let members: BTreeSet<SiloId> = running.keys().copied().collect();
    let newest = running.values().flatten().map(|view| view.version).max();
    for (silo, view) in &running {
        let has_newest = view.as_ref().map(|v| v.version) == newest;
        let active: BTreeSet<SiloId> = view.iter().flat_map(|v| v.active()).map(|m| m.id).collect();
        verdict.require("P17", end, has_newest && active == members, || {
            format!(
                "{silo} ends with {view:?}; those that run are {members:?}, the newest version is {newest:?}"
            )
        });
    }
}

impl Liveness {
    /// Whatever is asked after the bound is answered.
    fn check_service(&self, history: &History, due: Instant, verdict: &mut Verdict) {
        let mut asked: BTreeMap<u64, (ActorId, Instant)> = BTreeMap::new();
        let mut unserved: BTreeSet<ActorId> = BTreeSet::new();
        for (_, at, event) in history.client_events() {
            match event {
                ClientEvent::Invoked { op_id, actor, .. } => {
                    if self.demand_all && at < due {
                        unserved.insert(actor.clone());
                    } else if at >= due {
                        asked.insert(*op_id, (actor.clone(), at));
                    }
                }
                ClientEvent::Returned { op_id, outcome } => {
                    let Some((actor, invoked_at)) = asked.remove(op_id) else { continue };
                    let served = matches!(outcome, Outcome::Ok(_) | Outcome::Refused(_));
                    verdict.require("P17", at, served, || {
                        format!(
                            "{actor} was asked at {invoked_at:?}, after all was healed, and ended {outcome:?}"
                        )
                    });
                    unserved.remove(&actor);
                }
            }
        }
        for actor in unserved {
            verdict.require("P17", history.end(), false, || format!("{actor} was not served after {due:?}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::script::{Script, broken, rejected, silo, view};
    use super::*;
    use crate::history::Op;
    use quark_core::view::Status::{Active, Dead};

    fn joined(script: Script, name: &str) -> Script {
        script.silo(name, SiloEvent::Joined)
    }

    /// Positions: 0 and 1 join, 2 healed, 3 and 4 the last views, 5 and 6 an operation after the bound.
    fn valid() -> Script {
        let both = [("a#1", Active), ("b#1", Active)];
        joined(joined(Script::new(), "a#1"), "b#1")
            .at(10)
            .world(WorldEvent::Healed)
            .at(20)
            .silo("a#1", view(3, &both))
            .silo("b#1", view(3, &both))
            .at(121_000)
            .op(1, "alice", Op::Read, Outcome::Ok(5))
    }

    #[test]
    fn views_converge_and_actors_serve() {
        // Without its join record a silo still runs: its view says so.
        assert_eq!(rejected(&Liveness::default(), &valid()), "drop 3, drop 4");
        let failed = valid().op(2, "alice", Op::Read, Outcome::Failed);
        assert_eq!(broken(&Liveness::default(), failed), ["P17"]);
    }

    #[test]
    fn who_is_quiet_owes_what_is_owed_after_the_bound() {
        let quiet = |views: u64| {
            joined(joined(Script::new(), "a#1"), "b#1")
                .world(WorldEvent::Healed)
                .silo("a#1", view(3, &[("a#1", Active), ("b#1", Active)]))
                .silo("b#1", view(views, &[("a#1", Active), ("b#1", Active)]))
                .at(50)
                .world(WorldEvent::Quiet)
        };
        assert_eq!(broken(&Liveness::default(), quiet(3)), [] as [&str; 0]);
        assert_eq!(broken(&Liveness::default(), quiet(2)), ["P17"]);
    }

    #[test]
    fn every_actor_serves_again_if_that_is_demanded() {
        let script =
            || Script::new().op(9, "bob", Op::Read, Outcome::Unknown).world(WorldEvent::Healed).at(200_000);
        let all = Liveness { demand_all: true, ..Liveness::default() };
        assert_eq!(broken(&all, script().op(1, "alice", Op::Read, Outcome::Ok(5))), ["P17"]);
        assert_eq!(broken(&all, script().op(1, "bob", Op::Read, Outcome::Ok(5))), [] as [&str; 0]);
    }

    #[test]
    fn who_is_gone_owes_nothing_and_nothing_is_owed_before_the_bound() {
        let alone = joined(joined(Script::new(), "a#1"), "b#1")
            .world(WorldEvent::Crashed(silo("b#1")))
            .world(WorldEvent::Healed)
            .silo("a#1", view(3, &[("a#1", Active), ("b#1", Dead)]));
        assert_eq!(
            broken(&Liveness::default(), alone.clone().at(200_000).op(1, "x", Op::Read, Outcome::Ok(0))),
            [] as [&str; 0]
        );
        let early = alone.at(9_000).op(1, "x", Op::Read, Outcome::Unknown);
        let verdict = Liveness::default().check(&early.history());
        assert_eq!(verdict, Verdict::default());
    }
}
