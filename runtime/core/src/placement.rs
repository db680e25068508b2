//! Where an actor that is nowhere shall live: a pure choice among the silos that serve.

#[cfg(test)]
mod tests;

use crate::SiloId;
use crate::ring::Ring;
use crate::view::{Member, Status, View};

/// How a kind of actor is placed on its first call.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Placement {
    /// On the silo that owns its point of the ring, which is also its directory: no hop, evenly spread, and every
    /// silo knows where without asking.
    #[default]
    RingOwner,
    /// On any silo.
    Random,
    /// On the silo of its first caller, if that serves; else on any. For actors that one caller owns.
    PreferLocal,
    /// On the less loaded of two silos drawn at random: nearly as even as the least of all, without everybody running
    /// to the same one (Mitzenmacher 2001, "The power of two choices").
    LeastLoaded,
}

/// What a choice is made from.
#[derive(Clone, Copy)]
pub struct Candidates<'a> {
    /// Who is in the cluster.
    pub view: &'a View,
    /// Who owns what.
    pub ring: &'a Ring,
    /// How loaded a silo is, in any unit that is the same for all.
    pub loads: &'a dyn Fn(SiloId) -> u64,
    /// The silo of the caller.
    pub caller: SiloId,
    /// The actor's point on the ring.
    pub point: u64,
}

/// Chooses a silo, always one that the view says is active.
///
/// `None`: nobody serves, or (for [`Placement::RingOwner`]) ring and view are not of one version, so that the owner
/// on the ring is not active in the view; look again with a newer pair. `random` is 64 random bits, of which
/// `RingOwner` uses none and `PreferLocal` only if the caller does not serve.
pub fn choose(strategy: Placement, candidates: &Candidates<'_>, random: u64) -> Option<SiloId> {
    let view = candidates.view;
    let is_active = |silo: &SiloId| view.member(*silo).is_some_and(|m| m.status == Status::Active);
    match strategy {
        Placement::RingOwner => candidates.ring.owner(candidates.point).filter(is_active),
        Placement::PreferLocal if is_active(&candidates.caller) => Some(candidates.caller),
        Placement::PreferLocal | Placement::Random => {
            let count = view.active().count() as u64;
            active_at(view, drawn(random, count))
        }
        Placement::LeastLoaded => {
            let count = view.active().count() as u64;
            let one = drawn(random << 32, count);
            // Another one than the first, if there is another: drawn among the rest.
            let step = 1 + drawn(random & 0xFFFF_FFFF_0000_0000, count.saturating_sub(1));
            let (first, second) = (active_at(view, one)?, active_at(view, (one + step) % count)?);
            let load = candidates.loads;
            Some(if load(second) < load(first) { second } else { first })
        }
    }
}

fn active_at(view: &View, index: u64) -> Option<SiloId> {
    if crate::mutant!("m27") {
        return in_some_order(view, index);
    }
    view.active().nth(index as usize).map(|member: &Member| member.id)
}

/// The deliberate bug: an order that no seed decides.
#[expect(clippy::disallowed_types, reason = "this is what m27 is about, and no other build calls it")]
fn in_some_order(view: &View, index: u64) -> Option<SiloId> {
    let active: std::collections::HashSet<SiloId> = view.active().map(|member| member.id).collect();
    active.into_iter().nth(index as usize)
}

/// Maps 64 random bits to a number below `count`; 0 if there is none. The high bits decide.
fn drawn(random: u64, count: u64) -> u64 {
    ((u128::from(random) * u128::from(count)) >> 64) as u64
}
