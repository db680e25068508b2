//! What a silo process tells the stage of its events: those that promises can be judged by, and those that its history has
//! a shape by.
//!
//! Left out: reminders, which no checker of a stage judges and no comparison is about, and letters that a commit gives up.

use quark::Event;
use quark_core::view::View;
use quark_core::wire::CallId;
use quark_core::{ActorId, Epoch, Instant, MethodId, SiloId, Version, WriteId};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// One event, as `quark::Event` explains it.
#[derive(Debug, Serialize, Deserialize)]
pub enum Told {
    Joined,
    ViewInstalled {
        view: View,
    },
    LeaseHeld {
        until: Instant,
    },
    LeaseLost,
    Stopped {
        reason: String,
    },
    Placed {
        actor: Name,
        on: SiloId,
    },
    Activated {
        actor: Name,
        epoch: Epoch,
    },
    Deactivated {
        actor: Name,
        epoch: Epoch,
        reason: String,
    },
    TurnStarted(Turn),
    TurnEnded {
        actor: Name,
        epoch: Epoch,
        caller: SiloId,
        call: CallId,
        exclusive: bool,
    },
    /// The write as text: a number of JSON has 64 bits.
    CommitAsked {
        actor: Name,
        epoch: Epoch,
        write: String,
        after: Version,
    },
    Committed {
        actor: Name,
        epoch: Epoch,
        version: Version,
    },
    Fenced {
        actor: Name,
        epoch: Epoch,
    },
    StoreWentBack {
        partition: String,
        seen: Version,
        found: Version,
    },
    CallIssued {
        call: CallId,
        actor: Name,
        deadline: Instant,
    },
    CallEnded {
        call: CallId,
        outcome: String,
        deadline: Instant,
    },
    DeadLettered {
        actor: Option<Name>,
        reason: String,
    },
}

/// A turn that began.
#[derive(Debug, Serialize, Deserialize)]
pub struct Turn {
    actor: Name,
    epoch: Epoch,
    version: Version,
    method: MethodId,
    caller: SiloId,
    call: CallId,
    exclusive: bool,
    order: Option<(u64, u64)>,
    deadline: Instant,
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

impl Turn {
    fn of(event: &Event<'_>) -> Option<Self> {
        let Event::TurnStarted { actor, epoch, version, method, caller, call, exclusive, order, deadline } =
            event
        else {
            return None;
        };
        Some(Self {
            actor: Name::of(actor),
            epoch: *epoch,
            version: *version,
            method: *method,
            caller: *caller,
            call: *call,
            exclusive: *exclusive,
            order: *order,
            deadline: *deadline,
        })
    }

    fn event<'a>(&self, actor: &'a ActorId) -> Event<'a> {
        Event::TurnStarted {
            actor,
            epoch: self.epoch,
            version: self.version,
            method: self.method,
            caller: self.caller,
            call: self.call,
            exclusive: self.exclusive,
            order: self.order,
            deadline: self.deadline,
        }
    }
}

impl Told {
    pub fn of(event: &Event<'_>) -> Option<Self> {
        Some(match event {
            Event::Joined => Self::Joined,
            Event::ViewInstalled { view } => Self::ViewInstalled { view: View::clone(view) },
            Event::LeaseHeld { until } => Self::LeaseHeld { until: *until },
            Event::LeaseLost => Self::LeaseLost,
            Event::Stopped { reason } => Self::Stopped { reason: (*reason).into() },
            Event::Placed { actor, on } => Self::Placed { actor: Name::of(actor), on: *on },
            Event::Activated { actor, epoch } => Self::Activated { actor: Name::of(actor), epoch: *epoch },
            Event::Deactivated { actor, epoch, reason } => {
                Self::Deactivated { actor: Name::of(actor), epoch: *epoch, reason: (*reason).into() }
            }
            Event::TurnStarted { .. } => Self::TurnStarted(Turn::of(event)?),
            Event::TurnEnded { actor, epoch, caller, call, exclusive } => Self::TurnEnded {
                actor: Name::of(actor),
                epoch: *epoch,
                caller: *caller,
                call: *call,
                exclusive: *exclusive,
            },
            Event::CommitAsked { actor, epoch, write, after, .. } => Self::CommitAsked {
                actor: Name::of(actor),
                epoch: *epoch,
                write: write.0.to_string(),
                after: *after,
            },
            Event::ReminderAsked { .. } => return None,
            Event::Committed { actor, epoch, version } => {
                Self::Committed { actor: Name::of(actor), epoch: *epoch, version: *version }
            }
            Event::Fenced { actor, epoch } => Self::Fenced { actor: Name::of(actor), epoch: *epoch },
            Event::StoreWentBack { partition, seen, found } => {
                Self::StoreWentBack { partition: partition.0.to_string(), seen: *seen, found: *found }
            }
            Event::CallIssued { call, actor, deadline } => {
                Self::CallIssued { call: *call, actor: Name::of(actor), deadline: *deadline }
            }
            Event::CallEnded { call, outcome, deadline } => {
                Self::CallEnded { call: *call, outcome: (*outcome).into(), deadline: *deadline }
            }
            Event::DeadLettered { actor, reason } => {
                Self::DeadLettered { actor: actor.map(Name::of), reason: (*reason).into() }
            }
        })
    }

    /// Whether the silo has a lease from now on, if that is what it says.
    pub fn holds_lease(&self) -> Option<bool> {
        match self {
            Self::LeaseHeld { .. } => Some(true),
            Self::LeaseLost | Self::Stopped { .. } => Some(false),
            _ => None,
        }
    }

    /// Hands the event on as it was.
    pub fn event(self, hear: impl FnOnce(Event<'_>)) {
        match self {
            Self::Joined => hear(Event::Joined),
            Self::ViewInstalled { view } => hear(Event::ViewInstalled { view: &Arc::new(view) }),
            Self::LeaseHeld { until } => hear(Event::LeaseHeld { until }),
            Self::LeaseLost => hear(Event::LeaseLost),
            Self::Stopped { reason } => hear(Event::Stopped { reason: &reason }),
            Self::Placed { actor, on } => hear(Event::Placed { actor: &actor.actor(), on }),
            Self::Activated { actor, epoch } => hear(Event::Activated { actor: &actor.actor(), epoch }),
            Self::Deactivated { actor, epoch, reason } => {
                hear(Event::Deactivated { actor: &actor.actor(), epoch, reason: &reason });
            }
            Self::TurnStarted(turn) => hear(turn.event(&turn.actor.actor())),
            Self::TurnEnded { actor, epoch, caller, call, exclusive } => {
                hear(Event::TurnEnded { actor: &actor.actor(), epoch, caller, call, exclusive });
            }
            Self::CommitAsked { actor, epoch, write, after } => {
                let (actor, write) = (&actor.actor(), WriteId(write.parse().expect("it was a number")));
                hear(Event::CommitAsked { actor, epoch, write, after, once: None, withdrawn: &[] });
            }
            Self::Committed { actor, epoch, version } => {
                hear(Event::Committed { actor: &actor.actor(), epoch, version });
            }
            Self::Fenced { actor, epoch } => hear(Event::Fenced { actor: &actor.actor(), epoch }),
            Self::StoreWentBack { partition, seen, found } => {
                hear(Event::StoreWentBack { partition: &(&*partition).into(), seen, found });
            }
            Self::CallIssued { call, actor, deadline } => {
                hear(Event::CallIssued { call, actor: &actor.actor(), deadline });
            }
            Self::CallEnded { call, outcome, deadline } => {
                hear(Event::CallEnded { call, outcome: &outcome, deadline });
            }
            Self::DeadLettered { actor, reason } => {
                let actor = actor.map(|name| name.actor());
                hear(Event::DeadLettered { actor: actor.as_ref(), reason: &reason });
            }
        }
    }
}
