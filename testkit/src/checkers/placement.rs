//! I9, promises P2 and P12: actors are placed only on silos that serve in the placer's view, and an incarnation that is
//! known dead starts no turn once its grace is over.

use super::{Checker, Verdict};
use crate::history::{History, SiloEvent};
use quark_core::view::{Status, View};
use quark_core::{Instant, SiloId};
use std::sync::Arc;

/// See the module.
pub struct Placement;

impl Checker for Placement {
    fn name(&self) -> &'static str {
        "placement"
    }

    fn check(&self, history: &History) -> Verdict {
        let mut verdict = Verdict::default();
        let numbers = history.numbers();
        // By silo.
        let mut views: Vec<Option<&Arc<View>>> = numbers.of_silos();
        // Until when a dead incarnation's last lease may run, by the first view anywhere that said that it is dead.
        let mut ends: Vec<Option<Instant>> = numbers.of_silos();
        let mut is_heard_of: Vec<bool> = numbers.of_silos();
        for (position, at, record) in history.silo_records() {
            let number = numbers.at(position).silo as usize;
            is_heard_of[number] = true;
            match &record.event {
                SiloEvent::ViewInstalled { view } => {
                    let dead = |(other, silo): &(usize, SiloId)| is_heard_of[*other] && view.is_dead(*silo);
                    for (other, dead) in numbers.silos().enumerate().filter(dead) {
                        let grace = view.named(dead.name).map_or_else(Default::default, |m| m.grace);
                        ends[other].get_or_insert(at + grace);
                    }
                    views[number] = Some(view);
                }
                SiloEvent::Placed { actor, on } => {
                    let view = views[number].cloned().unwrap_or_default();
                    let status = view.member(*on).map(|m| m.status);
                    // The last silo may keep its own actors while it drains: there is nowhere else.
                    let alone = *on == record.silo && status.is_some() && view.active().next().is_none();
                    verdict.require("P12", at, status == Some(Status::Active) || alone, || {
                        format!(
                            "{} placed {actor} on {on}, which its view {} knows as {status:?}",
                            record.silo, view.version
                        )
                    });
                }
                SiloEvent::TurnStarted(turn) => {
                    let end = ends[number].unwrap_or(Instant::NEVER);
                    verdict.require("P2", at, at <= end, || {
                        format!(
                            "{} started a turn of {}; it was known dead, and its grace ended at {end:?}",
                            record.silo, turn.actor
                        )
                    });
                }
                _ => {}
            }
        }
        verdict
    }
}

#[cfg(test)]
mod tests {
    use super::super::script::{Script, actor, broken, rejected, silo, started, view};
    use super::*;
    use quark_core::view::Status::{Active, Dead, Draining};

    fn placed(on: &str) -> SiloEvent {
        SiloEvent::Placed { actor: actor("alice"), on: silo(on) }
    }

    /// Times: b is dead for all at 100, its grace ends at 1100.
    fn valid() -> Script {
        Script::new()
            .silo("a#1", view(1, &[("a#1", Active), ("b#1", Active)]))
            .silo("a#1", placed("b#1"))
            .at(50)
            .silo("b#1", started("alice", 1))
            .at(100)
            .silo("a#1", view(2, &[("a#1", Active), ("b#1", Dead)]))
            .at(1_100)
            .silo("b#1", started("alice", 2))
            .silo("a#1", placed("a#1"))
    }

    #[test]
    fn only_those_who_serve_are_chosen() {
        assert_eq!(rejected(&Placement, &valid()), "drop 0, swap 0");
        for (on, expected) in [("b#1", vec!["P12"]), ("c#1", vec!["P12"]), ("a#1", vec![])] {
            assert_eq!(broken(&Placement, valid().silo("a#1", placed(on))), expected, "{on}");
        }
    }

    #[test]
    fn the_last_silo_keeps_its_own_while_it_drains() {
        let last =
            |others: &[(&str, Status)]| Script::new().silo("a#1", view(1, others)).silo("a#1", placed("a#1"));
        assert_eq!(broken(&Placement, last(&[("a#1", Draining)])), [] as [&str; 0]);
        assert_eq!(broken(&Placement, last(&[("a#1", Draining), ("b#1", Active)])), ["P12"]);
    }

    #[test]
    fn the_dead_start_nothing_after_their_grace() {
        assert_eq!(broken(&Placement, valid().at(1_101).silo("b#1", started("alice", 3))), ["P2"]);
        let superseded = valid()
            .at(1_200)
            .silo("c#1", started("alice", 3))
            .silo("a#1", view(3, &[("c#2", Active)]))
            .at(1_201)
            .silo("c#1", started("alice", 4));
        assert_eq!(broken(&Placement, superseded), ["P2"]);
    }
}
