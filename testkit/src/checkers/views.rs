//! I8, promise P12: views are monotone on each silo, one version has one content everywhere, and from one version to the
//! next nobody rises from the dead and no name goes back to an elder generation.

use super::{Checker, Verdict};
use crate::history::{History, SiloEvent};
use quark_core::view::View;
use quark_core::{Instant, SiloId, ViewVersion};
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
        let mut newest: BTreeMap<SiloId, ViewVersion> = BTreeMap::new();
        let mut contents: BTreeMap<ViewVersion, (SiloId, Instant, Arc<View>)> = BTreeMap::new();
        for (_, at, record) in history.silo_records() {
            let SiloEvent::ViewInstalled { view } = &record.event else { continue };
            let before = newest.insert(record.silo, view.version);
            verdict.require("P12", at, before.is_none_or(|before| before < view.version), || {
                let before = before.expect("it is there, or all is well");
                format!("{} installed view {} after view {before}", record.silo, view.version)
            });
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
            if let Some(before) = before {
                check_step(before, view, *at, &mut verdict);
            }
            before = Some(view);
        }
        verdict
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
    use super::super::script::{Script, broken, rejected, view};
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
}
