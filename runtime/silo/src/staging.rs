//! What a turn of a durable actor says beside its state, to be committed with it: reminders, letters, and what it takes in.

use crate::durable::Claim;
use crate::kernel::Kernel;
use crate::outbox::{LetterId, TurnOutbox};
use crate::reminders::TurnReminders;
use quark_core::ActorId;
use std::sync::Arc;

/// Of one exclusive turn of a durable kind.
pub(crate) struct Staging {
    pub reminders: TurnReminders,
    pub outbox: TurnOutbox,
    /// The letter that the turn takes, and its sender.
    pub letter: Option<(ActorId, LetterId)>,
}

impl Staging {
    pub fn new(kernel: &Arc<Kernel>, claim: &Claim) -> Self {
        Self::firing(kernel, claim, TurnReminders::new(claim.reminders.clone(), kernel.clone()))
    }

    /// Of a turn that a reminder has begun.
    pub fn firing(kernel: &Arc<Kernel>, claim: &Claim, reminders: TurnReminders) -> Self {
        let outbox = TurnOutbox::new(claim.post.clone(), kernel.clone());
        Self { reminders, outbox, letter: None }
    }

    /// Whether the turn's effect is to happen once, and so is committed at its end.
    pub fn commits_at_its_end(&self) -> bool {
        self.letter.is_some() || self.reminders.firing().is_some()
    }

    /// Whether the turn takes a letter, or has written one.
    pub fn has_mail(&self) -> bool {
        self.letter.is_some() || self.outbox.has_written()
    }

    /// Of a turn that a letter has begun.
    pub fn taking(kernel: &Arc<Kernel>, claim: &Claim, from: ActorId, id: LetterId) -> Self {
        Self { letter: Some((from, id)), ..Self::new(kernel, claim) }
    }
}
