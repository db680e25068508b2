//! What has to hold of all directories together.

use super::{DirectoryWorld, Silo};
use quark_core::directory::Spans;
use quark_core::{ActorId, SiloId};

/// One runner, one answerer, and no registration that is lost.
pub(super) fn look(world: &DirectoryWorld) -> Result<(), String> {
    for actor in world.actors.iter() {
        one_runner(world, actor)?;
    }
    one_answerer(world)?;
    for actor in world.actors.iter() {
        is_registered(world, actor)?;
    }
    Ok(())
}

/// I1: no two silos host one actor at a time. A silo that has stopped hosts nothing.
fn one_runner(world: &DirectoryWorld, actor: &ActorId) -> Result<(), String> {
    let hosts: Vec<SiloId> = hosts(world, actor).map(|silo| silo.id).collect();
    if hosts.len() > 1 {
        return Err(format!("I1: {actor} runs on {} and on {} at once", hosts[0], hosts[1]));
    }
    Ok(())
}

fn hosts<'a>(world: &'a DirectoryWorld, actor: &'a ActorId) -> impl Iterator<Item = &'a Silo> {
    world.silos.iter().map(|silo| &**silo).filter(|silo| silo.directory.hosted(actor).is_some())
}

/// P11: in one view, one silo answers for a point. Those that the newest view calls dead answer nobody who knows it.
fn one_answerer(world: &DirectoryWorld) -> Result<(), String> {
    let view = &world.newest().view;
    let mut answered: Vec<(&Silo, &Spans)> = Vec::new();
    for silo in world.silos.iter().filter(|silo| !view.is_dead(silo.id)) {
        let open = silo.directory.open_spans();
        if let Some((other, _)) = answered.iter().find(|(_, theirs)| theirs.meets(open)) {
            return Err(format!("P11: {} and {} answer for the same points at once", other.id, silo.id));
        }
        answered.push((silo, open));
    }
    Ok(())
}

/// P11: whoever answers for an actor in the newest view knows where it is, if it is anywhere but on a dead silo.
fn is_registered(world: &DirectoryWorld, actor: &ActorId) -> Result<(), String> {
    let era = world.newest();
    let newest = world.eras.len() - 1;
    let owner = era.owner.and_then(|owner| world.silo(owner));
    let knows_it = |owner: &&Silo| owner.seen == Some(newest);
    let Some(owner) = owner.filter(knows_it) else { return Ok(()) };
    if !owner.directory.open_spans().contains(actor.point()) {
        return Ok(());
    }
    for host in hosts(world, actor).filter(|host| !era.view.is_dead(host.id)) {
        let hosted = host.directory.hosted(actor);
        let mut entries = owner.directory.entries();
        let place = entries.find(|(of, _)| *of == actor).map(|(_, place)| place);
        if place.is_none_or(|place| place.silo != host.id || Some(place.registration) != hosted) {
            return Err(format!(
                "P11: {} answers for {actor}, which {} hosts, and has it at {place:?}",
                owner.id, host.id
            ));
        }
    }
    Ok(())
}
