//! What has to come about once the views stand still and nothing is lost.

use super::{DirectoryWorld, World};
use quark_core::directory::Resolution;

/// How often time may move on to a deadline: more than all retries that are under way can need.
const ROUNDS: usize = 64;

/// Everybody reads the newest view, everything arrives; then the owner has to know where each actor is.
pub(super) fn settle(mut world: DirectoryWorld) -> Result<(), String> {
    let newest = world.eras.len() - 1;
    for id in world.silos.iter().map(|silo| silo.id).collect::<Vec<_>>() {
        world.learn(id, newest);
    }
    let mut rounds = 0;
    loop {
        world.remember();
        while !world.parcels.is_empty() {
            let parcel = world.parcels.remove(0);
            world.arrive(&parcel);
            world.remember();
        }
        world.check()?;
        if is_done(&world) {
            break;
        }
        if rounds == ROUNDS {
            return Err(format!(
                "P17: after {ROUNDS} rounds of peace the owner is still locked, or has news to tell"
            ));
        }
        world.tick();
        rounds += 1;
    }
    every_actor_is_where_its_owner_says(&world)
}

/// The owner answers for everything, nobody waits for a confirmation, and no grace of a dead silo is waited for.
fn is_done(world: &DirectoryWorld) -> bool {
    let Some(owner) = world.newest().owner else { return true };
    let is_open = world.silo(owner).is_some_and(|silo| !silo.directory.is_locked());
    let is_told =
        |at: &super::Silo| at.directory.hosted_count() > 0 || at.directory.is_drained() || at.id == owner;
    let waits = |actor| {
        let said = world.silo(owner).map(|silo| silo.directory.clone().resolve(actor));
        matches!(said, Some(Resolution::Draining { .. }))
    };
    is_open && world.silos.iter().all(|silo| is_told(silo)) && !world.actors.iter().any(waits)
}

fn every_actor_is_where_its_owner_says(world: &DirectoryWorld) -> Result<(), String> {
    let Some(owner) = world.newest().owner.and_then(|owner| world.silo(owner)) else { return Ok(()) };
    for actor in world.actors.iter() {
        let host = world.silos.iter().find(|silo| silo.directory.hosted(actor).is_some());
        let said = owner.directory.clone().resolve(actor);
        let is_right = match (host, said) {
            // A placement that never reached its host waits for the next call, which brings it.
            (host, Resolution::At { silo, .. }) => host.is_none_or(|host| host.id == silo),
            (None, Resolution::Vacant) => true,
            _ => false,
        };
        if !is_right {
            let host = host.map(|host| host.id);
            return Err(format!(
                "P11: at rest {actor} is hosted by {host:?}, and {} says {said:?}",
                owner.id
            ));
        }
    }
    Ok(())
}
