//! The activations of a silo, by actor.

use crate::activation::Activation;
use crate::routes::ByActor;
use parking_lot::Mutex;
use quark_core::ActorId;
use std::sync::Arc;

const SHARDS: usize = 16;

/// All activations. Looked up on every call, so it is split by the actor's point.
#[derive(Default)]
pub(crate) struct Catalog {
    shards: [Mutex<ByActor<Arc<Activation>>>; SHARDS],
}

impl Catalog {
    #[inline]
    pub fn find(&self, actor: &ActorId) -> Option<Arc<Activation>> {
        self.shard(actor).lock().get(actor).cloned()
    }

    /// Adds an activation.
    ///
    /// Panics: if the actor has one. Whoever adds has just looked, under the directory's lock.
    pub fn insert(&self, activation: Arc<Activation>) {
        let before = self.shard(&activation.id).lock().insert(activation.id.clone(), activation);
        assert!(before.is_none(), "an actor has one activation in a silo");
    }

    /// Removes exactly this activation.
    pub fn remove(&self, activation: &Arc<Activation>) {
        let mut shard = self.shard(&activation.id).lock();
        if shard.get(&activation.id).is_some_and(|found| Arc::ptr_eq(found, activation)) {
            shard.swap_remove(&activation.id);
        }
    }

    /// Every activation now.
    pub fn all(&self) -> Vec<Arc<Activation>> {
        self.shards.iter().flat_map(|s| s.lock().values().cloned().collect::<Vec<_>>()).collect()
    }

    pub fn len(&self) -> usize {
        self.shards.iter().map(|s| s.lock().len()).sum()
    }

    fn shard(&self, actor: &ActorId) -> &Mutex<ByActor<Arc<Activation>>> {
        &self.shards[(actor.point() >> 60) as usize]
    }
}
