//! One thing that can happen to the directories, and when it can.

use super::parcel::Parcel;
use super::views::Change;
use super::{DirectoryWorld, Silo};
use quark_core::SiloId;
use quark_core::directory::Resolution;
use quark_core::view::Status;
use std::fmt;
use std::sync::Arc;

/// One thing that can happen.
#[derive(Clone, Debug)]
pub struct Step(What);

#[derive(Clone, Debug)]
enum What {
    Table(Change),
    /// A silo reads the table as it was in this view.
    Learns(SiloId, usize),
    /// The last lease of a dead silo ends.
    Stops(SiloId),
    Call {
        at: SiloId,
        actor: usize,
        on: SiloId,
    },
    Ends {
        at: SiloId,
        actor: usize,
    },
    Arrives(Arc<Parcel>),
    Lost(Arc<Parcel>),
    Tick,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            What::Table(change) => change.fmt(f),
            What::Learns(silo, era) => write!(f, "{silo} reads view {}", era + 1),
            What::Stops(silo) => write!(f, "the last lease of {silo} ends"),
            What::Call { at, actor, on } => {
                write!(f, "a call for actor {actor} at {at}, to be placed on {on}")
            }
            What::Ends { at, actor } => write!(f, "{at} ends its activation of actor {actor}"),
            What::Arrives(parcel) => parcel.fmt(f),
            What::Lost(parcel) => write!(f, "lost: {parcel}"),
            What::Tick => write!(f, "time moves on to the next deadline"),
        }
    }
}

impl fmt::Display for Parcel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Said { from, to, message } => write!(f, "{to} hears of {from}: {message:?}"),
            Self::Call { to, actor, registration } => {
                let (view, serial) = (registration.view, registration.serial);
                write!(f, "a call for actor {actor} reaches {to}, placed in view {view} as number {serial}")
            }
        }
    }
}

/// Everything that can happen now.
pub(super) fn offered(world: &DirectoryWorld) -> Vec<Step> {
    let mut steps = Vec::new();
    for parcel in &world.parcels {
        steps.push(What::Arrives(parcel.clone()));
        if world.left.losses > 0 {
            steps.push(What::Lost(parcel.clone()));
        }
    }
    for silo in &world.silos {
        of_silo(world, silo, &mut steps);
    }
    if world.left.ticks > 0 && world.next_tick().is_some() {
        steps.push(What::Tick);
    }
    if world.left.views > 0 {
        let is_needed = |id| world.silo(id).is_none_or(|silo| !silo.directory.is_drained());
        let changes = world.newest().changes(|id| !is_needed(id));
        steps.extend(changes.into_iter().map(What::Table));
    }
    steps.into_iter().map(Step).collect()
}

fn of_silo(world: &DirectoryWorld, silo: &Silo, steps: &mut Vec<What>) {
    let next = silo.seen.map_or_else(|| first_with(world, silo.id), |seen| seen + 1);
    steps.extend((next..world.eras.len()).map(|era| What::Learns(silo.id, era)));
    if world.newest().view.is_dead(silo.id) {
        steps.push(What::Stops(silo.id));
    }
    for (number, actor) in world.actors.iter().enumerate() {
        if world.left.endings > 0 && silo.directory.hosted(actor).is_some() {
            steps.push(What::Ends { at: silo.id, actor: number });
        }
        if world.left.calls == 0 {
            continue;
        }
        match silo.directory.clone().resolve(actor) {
            Resolution::Vacant => {
                let known = silo.seen.map(|seen| &world.eras[seen].view);
                let active = known.into_iter().flat_map(|view| &view.members);
                let hosts = active.filter(|m| m.status == Status::Active).map(|m| m.id);
                steps.extend(hosts.map(|on| What::Call { at: silo.id, actor: number, on }));
            }
            Resolution::At { silo: on, .. } if on != silo.id => {
                steps.push(What::Call { at: silo.id, actor: number, on });
            }
            _ => {}
        }
    }
}

/// The first view that a silo can read is the one with which it came.
fn first_with(world: &DirectoryWorld, id: SiloId) -> usize {
    let came = world.eras.iter().position(|era| era.view.member(id).is_some());
    came.expect("whoever has a process is in some view")
}

pub(super) fn carry_out(world: &mut DirectoryWorld, step: &Step) {
    let left = &mut world.left;
    match &step.0 {
        What::Table(change) => {
            left.views -= 1;
            world.change(change);
        }
        What::Learns(silo, era) => world.learn(*silo, *era),
        What::Stops(silo) => world.stop(*silo),
        What::Call { at, actor, on } => {
            left.calls -= 1;
            world.call(*at, *actor, *on);
        }
        What::Ends { at, actor } => {
            left.endings -= 1;
            world.end(*at, *actor);
        }
        What::Arrives(parcel) => {
            world.parcels.retain(|known| known != parcel);
            world.arrive(parcel);
        }
        What::Lost(parcel) => {
            left.losses -= 1;
            world.parcels.retain(|known| known != parcel);
        }
        What::Tick => {
            left.ticks -= 1;
            world.tick();
        }
    }
}
