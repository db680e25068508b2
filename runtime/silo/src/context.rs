//! What a turn knows of its surroundings.

use crate::actor::Actor;
use crate::call::{ActorHandle, Issuer};
use quark_core::{ActorId, ActorIdError, Epoch, Instant, SiloId};
use quark_env::Clock;
use std::sync::Arc;
use std::time::Duration;

/// Handed to every turn that asks for it: who am I, where, until when, and a way to call others.
///
/// Calls made through it carry this turn's call chain (so that a cycle is an error and not a hang), what is left of
/// its deadline, and its request context.
#[derive(Clone)]
pub struct ActorContext {
    pub(crate) id: ActorId,
    pub(crate) silo: SiloId,
    pub(crate) epoch: Epoch,
    pub(crate) deadline: Instant,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) issuer: Arc<dyn Issuer>,
    pub(crate) headers: Arc<[(String, String)]>,
}

impl ActorContext {
    /// This actor.
    pub fn id(&self) -> &ActorId {
        &self.id
    }

    /// The silo that runs this turn.
    pub fn silo(&self) -> SiloId {
        self.silo
    }

    /// This activation's fencing number; 0 for kinds that are not durable.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// The silo's monotonic clock.
    pub fn now(&self) -> Instant {
        self.clock.now()
    }

    /// What is left until the caller stops waiting; `None` if it waits for ever.
    pub fn remaining(&self) -> Option<Duration> {
        (self.deadline != Instant::NEVER).then(|| self.deadline.since(self.clock.now()))
    }

    /// Waits. The turn stays open: no other exclusive turn of this actor runs meanwhile.
    pub async fn sleep(&self, time: Duration) {
        self.clock.sleep_until(self.clock.now() + time).await;
    }

    /// A value of the request context.
    pub fn header(&self, key: &str) -> Option<&str> {
        self.headers.iter().find(|(k, _)| k == key).map(|(_, v)| v.as_str())
    }

    /// A reference to another actor of the same tenant.
    ///
    /// Panics: if the key is longer than [`ActorId::KEY_BYTES_MAX`]; [`ActorContext::try_actor`] returns an error.
    pub fn actor<A: Actor>(&self, key: &str) -> A::Ref {
        self.try_actor::<A>(key).expect("the key fits the limit")
    }

    /// As [`ActorContext::actor`], for keys that come from outside.
    pub fn try_actor<A: Actor>(&self, key: &str) -> Result<A::Ref, ActorIdError> {
        let id = ActorId::of_tenant(self.id.tenant(), A::KIND, key)?;
        Ok(A::reference(ActorHandle::new(self.issuer.clone(), id)))
    }
}
