//! A reminder comes due: what the owner of its shard asks, and what the actor's turn makes of it.

use super::row::{ReminderRow, Rows};
use super::staged::{Tick, TurnReminders};
use crate::message::Message;
use bytes::Bytes;
use quark_core::codec;
use quark_core::{MethodId, WallTime, reached};
use serde::{Deserialize, Serialize};

/// The number of the method by which reminders are fired. No actor has it: it is none of a name that fits an identifier
/// (see the macro's contract).
pub(crate) const FIRE: MethodId = MethodId(0);

/// The arguments of [`FIRE`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Fire {
    pub name: String,
    pub due: WallTime,
    /// What time it is, by those who ask. The clock of the actor's silo takes no part.
    pub now: WallTime,
}

/// What an actor makes of [`FIRE`].
pub(crate) struct Firing {
    name: String,
    /// What is due next by the truth as it stands; the answer if nothing is to be run.
    stands: Option<WallTime>,
    due_row: Option<ReminderRow>,
    now: WallTime,
}

impl Firing {
    /// Compares the request with the truth: whatever the index says, only what is due by the truth at
    /// just that time is fired.
    pub fn read(fire: Fire, rows: &Rows) -> Self {
        let row = rows.get(&fire.name);
        let is_due = row.is_some_and(|row| row.next_due == fire.due);
        if !is_due {
            reached!("reminders.not_due_by_the_truth");
        }
        Self {
            stands: row.map(|row| row.next_due),
            due_row: row.filter(|_| is_due).cloned(),
            now: fire.now.max(fire.due),
            name: fire.name,
        }
    }

    /// What the turn is to do: the message to run, if there is one, and what is staged for its commit. `Err` is the
    /// answer when there is nothing to do.
    pub fn turn(self, message: &Message, rows: &Rows) -> Result<(Option<Message>, TurnReminders), Bytes> {
        let Some(row) = self.due_row else { return Err(answer(self.stands)) };
        let advance = row.advance(self.now);
        let tick = advance.fire.map(|(due, missed)| Tick { name: self.name.clone(), due, missed });
        let run = tick.is_some().then(|| Message {
            method: row.plan.method,
            args: row.plan.args.clone(),
            ..message.clone()
        });
        Ok((run, TurnReminders::of_firing(rows.clone(), self.name, advance.row, tick, self.now)))
    }
}

/// The answer to [`FIRE`]: what is due next.
pub(crate) fn answer(next: Option<WallTime>) -> Bytes {
    codec::encode(&next, 64).expect("a time is small")
}
