//! One ring for all who need the same.
//!
//! A simulation of a thousand silos asks for the same ring a thousand times at each view change, and each would take
//! two megabytes. A ring is a pure function of its silos, so sharing it is invisible: it is found again as long as
//! somebody holds it, and a new one is made from the closest of those.

use super::Ring;
use crate::SiloId;
use crate::view::{Member, Status, View};
use std::sync::{Arc, Mutex, PoisonError, Weak};

static RINGS: Mutex<Vec<Weak<Ring>>> = Mutex::new(Vec::new());

impl Ring {
    /// As [`Ring::build`], except that everybody in this process who asks for the same silos gets the same ring.
    pub fn shared(members: impl IntoIterator<Item = SiloId>) -> Arc<Ring> {
        Self::shared_of_sorted(super::build::sorted(members.into_iter().collect()))
    }

    fn shared_of_sorted(silos: Vec<SiloId>) -> Arc<Ring> {
        // A panic while the lock was held left a list that is still a list of rings.
        let mut rings = RINGS.lock().unwrap_or_else(PoisonError::into_inner);
        rings.retain(|ring| ring.strong_count() > 0);
        // The newest are the likeliest.
        let living = || rings.iter().rev().filter_map(Weak::upgrade);
        if let Some(same) = living().find(|ring| ring.silos == silos) {
            return same;
        }
        let close = living().take(CANDIDATES_MAX).map(|ring| (changes(&ring.silos, &silos), ring));
        let closest = close.min_by_key(|((added, removed), _)| added.len() + removed.len());
        let ring = Arc::new(match closest {
            Some(((added, removed), ring)) if added.len() + removed.len() < silos.len() / 4 => {
                ring.updated(&added, &removed)
            }
            _ => Ring::build(silos),
        });
        rings.push(Arc::downgrade(&ring));
        ring
    }

    /// The shared ring of the silos that serve in a view.
    pub fn shared_of_view(view: &View) -> Arc<Ring> {
        // A view has one generation per name, sorted by name.
        // A deliberate bug: who drains, or joins, has its part of the ring as well.
        let is_in = |m: &&Member| m.status == Status::Active || crate::mutant!("m52");
        Self::shared_of_sorted(view.alive().filter(is_in).map(|member| member.id).collect())
    }
}

/// What was added and what was removed between two lists that are sorted alike.
fn changes(old: &[SiloId], new: &[SiloId]) -> (Vec<SiloId>, Vec<SiloId>) {
    let missing_in = |list: &[SiloId], silo: &&SiloId| list.binary_search(silo).is_err();
    let added = new.iter().filter(|silo| missing_in(old, silo)).copied().collect();
    let removed = old.iter().filter(|silo| missing_in(new, silo)).copied().collect();
    (added, removed)
}

/// How many rings are looked at for the closest.
const CANDIDATES_MAX: usize = 4;
