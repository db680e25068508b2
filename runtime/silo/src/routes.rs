//! Where actors were last seen: a bounded cache of hints. A wrong hint costs a hop, never a wrong answer.

use indexmap::IndexMap;
use quark_core::{ActorId, SiloId, mutant, reached};
use std::hash::{BuildHasherDefault, Hasher};

/// Passes an actor's own point through as its hash.
#[derive(Clone, Copy, Default)]
pub(crate) struct PointHasher(u64);

impl Hasher for PointHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = quark_core::hash::point_in(self.0, bytes);
    }

    fn write_u64(&mut self, point: u64) {
        self.0 = point;
    }
}

/// A map from actors in insertion order, hashed by their point on the ring.
pub(crate) type ByActor<T> = IndexMap<ActorId, T, BuildHasherDefault<PointHasher>>;

/// The cache.
pub(crate) struct Routes {
    hints: ByActor<Hint>,
    most: usize,
}

struct Hint {
    silo: SiloId,
    learned: Learned,
}

/// When something was learned: by which of our calls, in the order in which we made them, at which of its hops. Those
/// who send a call on tell us so by roads of their own, and what happened first may be heard last.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Learned {
    pub call: u64,
    pub hop: u8,
}

impl Routes {
    pub fn new(most: usize) -> Self {
        Self { hints: ByActor::default(), most }
    }

    pub fn find(&self, actor: &ActorId) -> Option<SiloId> {
        self.hints.get(actor).map(|hint| hint.silo)
    }

    pub fn learn(&mut self, actor: &ActorId, silo: SiloId, learned: Learned) {
        if self.most == 0 || self.knows_better(actor, learned) {
            return;
        }
        if self.hints.len() >= self.most && !self.hints.contains_key(actor) {
            self.hints.swap_remove_index(0);
        }
        self.hints.insert(actor.clone(), Hint { silo, learned });
    }

    pub fn forget(&mut self, actor: &ActorId) {
        self.hints.swap_remove(actor);
    }

    /// Drops the hint if it names this silo, which says that the actor is not there (or was not: it may have come back
    /// to it meanwhile).
    pub fn forget_wrong(&mut self, actor: &ActorId, silo: SiloId, learned: Learned) {
        if self.find(actor) == Some(silo) && !self.knows_better(actor, learned) {
            self.forget(actor);
        }
    }

    fn knows_better(&self, actor: &ActorId, learned: Learned) -> bool {
        let better = self.hints.get(actor).is_some_and(|hint| hint.learned > learned);
        if better {
            reached!("routes.older_news");
        }
        better
    }

    /// Drops every hint to a silo that does not serve any more.
    pub fn keep(&mut self, serves: impl Fn(SiloId) -> bool) {
        self.hints.retain(|_, hint| serves(hint.silo) || mutant!("m55"));
    }

    pub fn len(&self) -> usize {
        self.hints.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quark_core::{Generation, SiloName};

    fn silo(name: &str) -> SiloId {
        SiloId::new(SiloName::new(name).expect("valid"), Generation(1))
    }

    #[test]
    fn news_of_an_earlier_hop_does_not_undo_that_of_a_later_one() {
        let actor = ActorId::new("nomad", "1").expect("valid");
        let mut routes = Routes::new(8);
        // The old host sends the call on to the owner, who sends it back to the old host, where the actor lives again.
        routes.learn(&actor, silo("old"), Learned { call: 7, hop: 2 });
        routes.learn(&actor, silo("old"), Learned { call: 9, hop: 3 });
        routes.forget_wrong(&actor, silo("old"), Learned { call: 9, hop: 2 });
        assert_eq!(routes.find(&actor), Some(silo("old")));
        routes.learn(&actor, silo("older"), Learned { call: 8, hop: 4 });
        assert_eq!(routes.find(&actor), Some(silo("old")));
        routes.forget_wrong(&actor, silo("old"), Learned { call: 10, hop: 2 });
        assert_eq!(routes.find(&actor), None);
    }
}
