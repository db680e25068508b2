//! The truth about a reminder: a row in its actor's partition, committed with the actor's state.

use bytes::Bytes;
use quark_core::codec::{self, CodecError, CodecLimits};
use quark_core::schedule::{MissedPolicy, Schedule, progress};
use quark_core::{MethodId, WallTime};
use quark_env::store::Record;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// The rows' names begin with this.
pub(crate) const PREFIX: &str = "r/";

/// What is kept of a reminder for as long as it lives.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct ReminderRow {
    pub plan: Plan,
    /// The first occurrence that has not been fired.
    pub next_due: WallTime,
    /// How often it has been fired.
    pub fired: u64,
    /// The last occurrence that was.
    pub last_due: Option<WallTime>,
    /// How many occurrences were never fired, by the policy.
    pub missed: u64,
}

/// What its author asked for.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Plan {
    pub schedule: Schedule,
    pub policy: MissedPolicy,
    pub grace: Duration,
    /// What is called.
    pub method: MethodId,
    pub args: Bytes,
}

/// All reminders of an actor, by name. Shared with the turns that read them.
pub(crate) type Rows = Arc<BTreeMap<String, ReminderRow>>;

impl ReminderRow {
    /// A reminder that is set now. `None` if it would never be due.
    pub fn new(plan: Plan, now: WallTime) -> Option<Self> {
        let next_due = match &plan.schedule {
            // What is asked for in the past is due at once.
            Schedule::Once { at } => *at,
            schedule => schedule.next_from(now)?,
        };
        Some(Self { plan, next_due, fired: 0, last_due: None, missed: 0 })
    }

    /// What a firing finds: whether to run the handler, for which occurrence, and what the row becomes by it. `now` is
    /// the time by which it is due.
    pub fn advance(&self, now: WallTime) -> Advance {
        let plan = &self.plan;
        let step = progress(&plan.schedule, plan.policy, self.next_due, now, plan.grace);
        let row = step.next.map(|next_due| Self {
            plan: plan.clone(),
            next_due,
            fired: self.fired + u64::from(step.fire.is_some()),
            last_due: step.fire.map(|firing| firing.due).or(self.last_due),
            missed: self.missed.saturating_add(step.missed),
        });
        Advance { fire: step.fire.map(|firing| (firing.due, firing.missed)), row }
    }
}

/// See [`ReminderRow::advance`].
pub(crate) struct Advance {
    /// The occurrence, and how many were dropped for it.
    pub fire: Option<(WallTime, u64)>,
    /// What is left of the reminder.
    pub row: Option<ReminderRow>,
}

/// From the rows of the partition.
pub(crate) fn load<'a>(rows: impl Iterator<Item = &'a Record>) -> Result<Rows, CodecError> {
    let mut all = BTreeMap::new();
    for record in rows {
        let name = record.key.row.strip_prefix(PREFIX).unwrap_or_default();
        all.insert(name.to_owned(), codec::decode(&record.value, CodecLimits::default())?);
    }
    Ok(Arc::new(all))
}

/// As it is stored.
pub(crate) fn encode(row: &ReminderRow) -> Result<Bytes, CodecError> {
    codec::encode(row, CodecLimits::default().bytes_max)
}
