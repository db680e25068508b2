//! Why a turn commits, and what it does beside its state: for whoever watches, and for nobody else.

use crate::durable::Claim;
use crate::kernel::Kernel;
use crate::observer::{Event, Once, ReminderChange};
use crate::outbox::LetterId;
use crate::reminders::{Staged, row::ReminderRow};
use crate::staging::Staging;
use quark_core::{ActorId, WriteId};

/// Of one commit. Nothing in it decides anything.
#[derive(Clone, Copy, Default)]
pub(crate) struct Because<'a> {
    /// What must take effect once.
    pub once: Option<Once<'a>>,
    /// Letters that the turn gives up.
    pub withdrawn: &'a [LetterId],
    /// What the turn says of reminders.
    pub reminders: Option<&'a Staged>,
    /// The turn, if it is one.
    pub staging: Option<&'a Staging>,
}

impl Kernel {
    /// A commit is about to be asked for.
    pub(crate) fn observe_asked(
        &self,
        actor: &ActorId,
        claim: &Claim,
        write: WriteId,
        because: &Because<'_>,
    ) {
        if self.observer.is_none() {
            return;
        }
        let Because { once, withdrawn, reminders, staging } = *because;
        let (epoch, after) = (claim.epoch, claim.version());
        self.observe(|| Event::CommitAsked { actor, epoch, write, after, once, withdrawn });
        let tell = |name: &str, change| {
            self.observe(|| Event::ReminderAsked { actor, write, name, change });
        };
        let asked = staging.map(|turn| turn.reminders.cancelled()).unwrap_or_default();
        // What its author was told, whether or not the commit does it: that it does is what is checked.
        let is_staged =
            |name: &str| reminders.is_some_and(|staged| staged.iter().any(|(other, _)| other == name));
        for name in asked.iter().filter(|name| !is_staged(name)) {
            tell(name, ReminderChange::Cancelled);
        }
        let firing = staging.and_then(|turn| turn.reminders.firing());
        for (name, row) in reminders.into_iter().flat_map(Staged::iter) {
            let next = row.map(|row| row.next_due);
            if firing == Some(name) {
                tell(
                    name,
                    match staging.and_then(|turn| turn.reminders.tick.as_ref()) {
                        Some(tick) => ReminderChange::Fired { due: tick.due, missed: tick.missed, next },
                        None => ReminderChange::Skipped { next },
                    },
                );
            }
            let is_advanced = |row: &ReminderRow| {
                firing == Some(name) && claim.reminders.get(name).is_some_and(|was| was.plan == row.plan)
            };
            match row {
                Some(row) if is_advanced(row) => {}
                Some(row) => {
                    let (schedule, policy) = (&row.plan.schedule, row.plan.policy);
                    tell(name, ReminderChange::Set { schedule, policy, next: row.next_due });
                }
                None if firing == Some(name) => {}
                None => tell(name, ReminderChange::Cancelled),
            }
        }
    }
}
