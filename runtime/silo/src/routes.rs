//! Where actors were last seen: a bounded cache of hints. A wrong hint costs a hop, never a wrong answer.

use indexmap::IndexMap;
use quark_core::{ActorId, SiloId};
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
    hints: ByActor<SiloId>,
    most: usize,
}

impl Routes {
    pub fn new(most: usize) -> Self {
        Self { hints: ByActor::default(), most }
    }

    pub fn find(&self, actor: &ActorId) -> Option<SiloId> {
        self.hints.get(actor).copied()
    }

    pub fn learn(&mut self, actor: &ActorId, silo: SiloId) {
        if self.most == 0 {
            return;
        }
        if self.hints.len() >= self.most && !self.hints.contains_key(actor) {
            self.hints.swap_remove_index(0);
        }
        self.hints.insert(actor.clone(), silo);
    }

    pub fn forget(&mut self, actor: &ActorId) {
        self.hints.swap_remove(actor);
    }

    /// Drops the hint if it names this silo, which says that the actor is not there.
    pub fn forget_wrong(&mut self, actor: &ActorId, silo: SiloId) {
        if self.find(actor) == Some(silo) {
            self.forget(actor);
        }
    }

    /// Drops every hint to a silo that does not serve any more.
    pub fn keep(&mut self, serves: impl Fn(SiloId) -> bool) {
        self.hints.retain(|_, silo| serves(*silo));
    }

    pub fn len(&self) -> usize {
        self.hints.len()
    }
}
