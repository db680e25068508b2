//! Who is there, as the silos see it.

use quark_core::SiloId;
use quark_testkit::stage::Look;
use quark_testkit::story::Tale;

/// Whether each of `witnesses` runs and no longer counts this incarnation as active.
pub fn have_dropped(s: &Tale, witnesses: &[&str], gone: SiloId) -> bool {
    let has_dropped = |look: &Look| look.view.active().all(|member| member.id != gone);
    witnesses.iter().all(|name| s.stage.is_up(name) && s.stage.look(name).as_ref().is_some_and(has_dropped))
}

/// Whether all of `names` run, see the same view, and are exactly those that are active in it.
pub fn agree(s: &Tale, names: &[&str]) -> bool {
    let looks: Vec<Look> =
        names.iter().filter(|name| s.stage.is_up(name)).filter_map(|name| s.stage.look(name)).collect();
    let mut running: Vec<SiloId> = looks.iter().map(|look| look.id).collect();
    running.sort();
    looks.len() == names.len()
        && looks.iter().all(|look| {
            look.view.version == looks[0].view.version
                && look.view.active().map(|member| member.id).eq(running.iter().copied())
        })
}
