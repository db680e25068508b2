//! I8, promise P12: views are monotone on each silo, one version has one content everywhere, and from one version to the
//! next nobody rises from the dead and no name goes back to an elder generation.
//!
//! A store that loses acknowledged commits may lose versions of the table. They are not given out again, and nobody who knew a
//! silo for dead sees it rise; but who never knew goes on from what was there before. So of a version that was lost, as a
//! silo reported, only those who installed it are asked to go on from it.

use super::{Checker, Verdict};
use crate::history::{History, SiloEvent};
use quark_core::membership::table::PARTITION;
use quark_core::view::{Status, View};
use quark_core::{Instant, SiloId, Version, ViewVersion};
use std::collections::BTreeMap;
use std::sync::Arc;

/// See the module.
pub struct Views;

impl Checker for Views {
    fn name(&self) -> &'static str {
        "views"
    }

    fn check(&self, history: &History) -> Verdict {
        let mut verdict = Verdict::default();
        let losses = losses(history);
        let mut newest: BTreeMap<SiloId, (Instant, Arc<View>)> = BTreeMap::new();
        let mut contents: BTreeMap<ViewVersion, (SiloId, Instant, Arc<View>)> = BTreeMap::new();
        for (_, at, record) in history.silo_records() {
            let SiloEvent::ViewInstalled { view } = &record.event else { continue };
            if let Some((since, before)) = newest.insert(record.silo, (at, view.clone())) {
                verdict.require("P12", at, before.version < view.version, || {
                    format!("{} installed view {} after view {}", record.silo, view.version, before.version)
                });
                if is_lost(before.version, since, &losses) {
                    check_dead_stay_dead(&before, view, at, &mut verdict);
                }
            }
            let (by, first_at, content) =
                contents.entry(view.version).or_insert_with(|| (record.silo, at, view.clone()));
            verdict.require("P12", at, Arc::ptr_eq(content, view) || content == view, || {
                format!(
                    "view {} of {} is not that of {by} at {first_at:?}:\n    {:?}\n    {:?}",
                    view.version, record.silo, view.members, content.members
                )
            });
        }
        let mut before: Option<&View> = None;
        for (_, at, view) in contents.values() {
            if is_lost(view.version, *at, &losses) {
                continue;
            }
            if let Some(before) = before {
                check_step(before, view, *at, &mut verdict);
            }
            before = Some(view);
        }
        verdict
    }
}

/// When a loss of the table was reported, and which version was left of it.
fn losses(history: &History) -> Vec<(Instant, Version)> {
    let report = |event: &SiloEvent| match event {
        SiloEvent::StoreWentBack { partition, found, .. } if **partition == *PARTITION => Some(*found),
        _ => None,
    };
    history.silo_records().filter_map(|(_, at, record)| Some((at, report(&record.event)?))).collect()
}

/// Whether this version of the table, installed then, may have been lost later.
fn is_lost(version: ViewVersion, at: Instant, losses: &[(Instant, Version)]) -> bool {
    losses.iter().any(|(reported, found)| at < *reported && version.0 > found.0)
}

/// What may change on a silo whose view was lost, from that view to the next.
fn check_dead_stay_dead(before: &View, after: &View, at: Instant, verdict: &mut Verdict) {
    for member in after.members.iter().filter(|member| member.status != Status::Dead) {
        verdict.require("P12", at, !before.is_dead(member.id), || {
            let (version, id, status) = (after.version, member.id, member.status);
            format!(
                "view {version} has {id} {status:?} on a silo that knew it for dead, from view {}",
                before.version
            )
        });
    }
}

/// What may change from one version to a later one.
fn check_step(before: &View, after: &View, at: Instant, verdict: &mut Verdict) {
    for member in &after.members {
        let Some(was) = before.named(member.id.name) else { continue };
        let forward = (was.id.generation, was.status) <= (member.id.generation, member.status);
        verdict.require("P12", at, forward, || {
            format!(
                "view {} has {} {:?}, view {} had {} {:?}",
                after.version, member.id, member.status, before.version, was.id, was.status
            )
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::script::{Script, broken, rejected, table_went_back, view};
    use super::*;
    use quark_core::view::Status::{Active, Dead, Joining};

    fn valid() -> Script {
        Script::new()
            .silo("a#1", view(1, &[("a#1", Joining)]))
            .silo("a#1", view(2, &[("a#1", Active), ("b#1", Joining)]))
            .silo("b#1", view(2, &[("a#1", Active), ("b#1", Joining)]))
            .silo("a#1", view(4, &[("a#1", Active), ("b#2", Joining)]))
            .silo("b#2", view(4, &[("a#1", Active), ("b#2", Joining)]))
    }

    #[test]
    fn versions_grow_on_each_silo() {
        assert_eq!(rejected(&Views, &valid()), "dup 0, swap 0, dup 1, dup 2, dup 3, dup 4");
    }

    #[test]
    fn one_version_is_one_view() {
        let other = valid().silo("c#1", view(2, &[("a#1", Active)]));
        assert_eq!(broken(&Views, other), ["P12"]);
    }

    #[test]
    fn nobody_rises_and_no_generation_returns() {
        let risen =
            Script::new().silo("a#1", view(1, &[("b#1", Dead)])).silo("c#1", view(2, &[("b#1", Active)]));
        assert_eq!(broken(&Views, risen), ["P12"]);
        let elder =
            Script::new().silo("a#1", view(1, &[("b#2", Joining)])).silo("c#1", view(2, &[("b#1", Dead)]));
        assert_eq!(broken(&Views, elder), ["P12"]);
        let reborn =
            Script::new().silo("a#1", view(1, &[("b#1", Dead)])).silo("c#1", view(2, &[("b#2", Joining)]));
        assert_eq!(broken(&Views, reborn), [] as [&str; 0]);
    }

    #[test]
    fn who_installed_a_version_that_was_lost_goes_on_from_it_and_nobody_else_has_to() {
        let lost = || {
            Script::new()
                .silo("a#1", view(2, &[("a#1", Active), ("b#1", Active), ("c#1", Active)]))
                .silo("a#1", view(5, &[("a#1", Active), ("b#1", Dead), ("c#1", Active)]))
                .at(10)
                .silo("a#1", table_went_back(5, 2))
        };
        let risen = || view(9, &[("a#1", Active), ("b#1", Active), ("c#1", Active)]);
        assert_eq!(broken(&Views, lost().silo("c#1", risen())), [] as [&str; 0]);
        assert_eq!(broken(&Views, lost().silo("a#1", risen())), ["P12"]);
        let later = lost().silo("c#1", view(10, &[("b#1", Dead)])).silo("c#1", view(11, &[("b#1", Active)]));
        assert_eq!(broken(&Views, later), ["P12"], "what was not lost binds everybody");
    }
}
