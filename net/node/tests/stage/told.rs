//! What a silo process tells the stage of its events: those that promises can be judged by.

use quark::Event;
use quark_core::{ActorId, Epoch, Version};
use serde::{Deserialize, Serialize};

/// One event, as `quark::Event` explains it.
#[derive(Debug, Serialize, Deserialize)]
pub enum Told {
    LeaseLost,
    Activated { actor: Name, epoch: Epoch },
    Deactivated { actor: Name, epoch: Epoch, reason: String },
    Committed { actor: Name, epoch: Epoch, version: Version },
    Fenced { actor: Name, epoch: Epoch },
    StoreWentBack { partition: String, seen: Version, found: Version },
}

/// Kind and key of an actor.
#[derive(Debug, Serialize, Deserialize)]
pub struct Name(String, String);

impl Name {
    fn of(actor: &ActorId) -> Self {
        Self(actor.kind().into(), actor.key().into())
    }

    fn actor(&self) -> ActorId {
        ActorId::new(&self.0, &self.1).expect("it was one before it was told")
    }
}

impl Told {
    pub fn of(event: &Event<'_>) -> Option<Self> {
        Some(match event {
            Event::LeaseLost => Self::LeaseLost,
            Event::Activated { actor, epoch } => Self::Activated { actor: Name::of(actor), epoch: *epoch },
            Event::Deactivated { actor, epoch, reason } => {
                Self::Deactivated { actor: Name::of(actor), epoch: *epoch, reason: (*reason).into() }
            }
            Event::Committed { actor, epoch, version } => {
                Self::Committed { actor: Name::of(actor), epoch: *epoch, version: *version }
            }
            Event::Fenced { actor, epoch } => Self::Fenced { actor: Name::of(actor), epoch: *epoch },
            Event::StoreWentBack { partition, seen, found } => {
                Self::StoreWentBack { partition: partition.0.to_string(), seen: *seen, found: *found }
            }
            _ => return None,
        })
    }

    /// Hands the event on as it was.
    pub fn event(&self, hear: impl FnOnce(Event<'_>)) {
        match self {
            Self::LeaseLost => hear(Event::LeaseLost),
            Self::Activated { actor, epoch } => {
                hear(Event::Activated { actor: &actor.actor(), epoch: *epoch });
            }
            Self::Deactivated { actor, epoch, reason } => {
                hear(Event::Deactivated { actor: &actor.actor(), epoch: *epoch, reason });
            }
            Self::Committed { actor, epoch, version } => {
                hear(Event::Committed { actor: &actor.actor(), epoch: *epoch, version: *version });
            }
            Self::Fenced { actor, epoch } => hear(Event::Fenced { actor: &actor.actor(), epoch: *epoch }),
            Self::StoreWentBack { partition, seen, found } => {
                let partition = (&**partition).into();
                hear(Event::StoreWentBack { partition: &partition, seen: *seen, found: *found });
            }
        }
    }
}
