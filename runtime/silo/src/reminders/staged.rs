//! What a turn says about its actor's reminders. Nothing of it holds before the turn's commit.

use super::row::{self, Plan, ReminderRow, Rows};
use crate::call::Call;
use crate::kernel::Kernel;
use crate::own_call::{NAME_BYTES_MAX, OwnCall, Unfit};
use parking_lot::Mutex;
use quark_core::reminder::IndexRow;
use quark_core::schedule::{MissedPolicy, Schedule};
use quark_core::{ActorId, WallTime, mutant};
use quark_env::store::Op;
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// The most reminders of one actor.
pub const REMINDERS_MAX: usize = 64;

/// What is to be set: a name, a schedule, and what happens to occurrences that nobody was there to fire.
///
/// ```
/// use quark::{MissedPolicy, Reminder, Schedule};
///
/// let monthly = Schedule::cron("0 9 1 * *", "Europe/Berlin")?;
/// let reminder = Reminder::new("invoice", monthly).missed(MissedPolicy::FireAll);
/// # let _ = reminder;
/// # Ok::<(), quark::ScheduleError>(())
/// ```
#[derive(Clone, PartialEq, Debug)]
pub struct Reminder {
    name: String,
    schedule: Schedule,
    policy: MissedPolicy,
    grace: Duration,
}

impl Reminder {
    /// Under [`MissedPolicy::FireOnce`].
    pub fn new(name: impl Into<String>, schedule: Schedule) -> Self {
        Self { name: name.into(), schedule, policy: MissedPolicy::default(), grace: GRACE }
    }

    /// What happens to occurrences that nobody was there to fire.
    #[must_use]
    pub fn missed(mut self, policy: MissedPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// How late an occurrence may be under [`MissedPolicy::Skip`]; a minute if not said.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }
}

const GRACE: Duration = Duration::from_secs(60);

/// The occurrence that a turn runs for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tick {
    /// The reminder.
    pub name: String,
    /// When it was due, which may be long ago. It names the occurrence: no other turn commits for it.
    pub due: WallTime,
    /// How many occurrences are not fired because of this one, by the policy.
    pub missed: u64,
}

/// A reminder as it stands.
#[derive(Clone, PartialEq, Debug)]
pub struct ReminderStatus {
    /// Its name.
    pub name: String,
    /// Its schedule.
    pub schedule: Schedule,
    /// Its policy.
    pub policy: MissedPolicy,
    /// The next occurrence.
    pub next_due: WallTime,
    /// The last occurrence that was fired.
    pub last_due: Option<WallTime>,
    /// How many have been fired.
    pub fired: u64,
    /// How many never will be, by the policy.
    pub missed: u64,
}

/// Why a reminder was not set. Nothing happened.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ReminderError {
    /// Reminders are committed with the state, by a turn that has the actor to itself.
    #[error("reminders are set and cancelled in an exclusive turn of a durable kind: `{kind}` {reason}")]
    NoCommit {
        /// The actor's kind.
        kind: String,
        /// What is missing.
        reason: &'static str,
    },
    /// The name does not fit.
    #[error("a reminder's name has 1 to {NAME_BYTES_MAX} bytes, `{name}` has {}", .name.len())]
    Name {
        /// The name.
        name: String,
    },
    /// It would never be due.
    #[error("the reminder `{name}` would never be due: its schedule has no occurrence from now on")]
    NeverDue {
        /// The reminder.
        name: String,
    },
    /// The call is for another actor.
    #[error(
        "a reminder calls the actor that sets it, {actor}, and not {target}: let a method of it make that call"
    )]
    NotOurs {
        /// Who sets it.
        actor: ActorId,
        /// Whom it was to call.
        target: ActorId,
    },
    /// The method has no turn to commit in.
    #[error("a reminder calls a method that takes `&mut self`: `{method}` takes `&self`")]
    SharedMethod {
        /// The method.
        method: &'static str,
    },
    /// The arguments cannot be encoded, or are too large to be kept.
    #[error("the arguments of `{method}` cannot be kept: {reason}")]
    Arguments {
        /// The method.
        method: String,
        /// What is wrong.
        reason: String,
    },
    /// There are enough.
    #[error(
        "{actor} has {REMINDERS_MAX} reminders, which is the most: cancel one, or give `{name}` the work of another"
    )]
    TooMany {
        /// The actor.
        actor: ActorId,
        /// The reminder that did not fit.
        name: String,
    },
}

/// What a turn has said so far.
pub(crate) struct TurnReminders {
    /// As they were committed before the turn.
    committed: Rows,
    staged: Mutex<BTreeMap<String, Option<ReminderRow>>>,
    /// The reminders whose cancelling it asked for: for whoever watches what becomes of that.
    cancelled: Mutex<Vec<String>>,
    /// The reminder that the turn fires.
    firing: Option<String>,
    pub tick: Option<Tick>,
    /// What time it is, by the cluster's clocks; the same for all that a turn says. Of a turn that fires, from its
    /// beginning; else it is asked for once it matters.
    now: OnceLock<WallTime>,
    /// Whom to ask.
    kernel: Option<Arc<Kernel>>,
}

/// What a turn wants committed.
#[derive(Clone, Default, Debug)]
pub(crate) struct Staged(BTreeMap<String, Option<ReminderRow>>);

impl TurnReminders {
    pub fn new(committed: Rows, kernel: Arc<Kernel>) -> Self {
        Self {
            now: OnceLock::new(),
            kernel: Some(kernel),
            committed,
            staged: Mutex::default(),
            cancelled: Mutex::default(),
            firing: None,
            tick: None,
        }
    }

    /// Of a turn that fires a reminder: it is advanced, unless the turn says otherwise.
    pub fn of_firing(
        committed: Rows,
        name: String,
        left: Option<ReminderRow>,
        tick: Option<Tick>,
        now: WallTime,
    ) -> Self {
        let staged = Mutex::new(BTreeMap::from([(name.clone(), left)]));
        let cancelled = Mutex::default();
        Self { committed, staged, cancelled, firing: Some(name), tick, now: now.into(), kernel: None }
    }

    fn now(&self) -> WallTime {
        let ask = || self.kernel.as_ref().expect("a turn that fires knows the time").agreed_time();
        *self.now.get_or_init(ask)
    }

    /// Takes what the turn has said; what it says later is lost.
    pub fn take(&self) -> Staged {
        Staged(std::mem::take(&mut *self.staged.lock()))
    }

    /// The reminder that the turn fires.
    pub fn firing(&self) -> Option<&str> {
        self.firing.as_deref()
    }

    /// The reminders that the turn's author has been told are cancelled.
    pub fn cancelled(&self) -> Vec<String> {
        self.cancelled.lock().clone()
    }

    fn row(&self, name: &str) -> Option<ReminderRow> {
        match self.staged.lock().get(name) {
            Some(staged) => staged.clone(),
            None => self.committed.get(name).cloned(),
        }
    }

    fn all(&self) -> BTreeMap<String, ReminderRow> {
        let mut all: BTreeMap<String, ReminderRow> = (*self.committed).clone();
        Staged(self.staged.lock().clone()).apply(&mut all);
        all
    }
}

impl Staged {
    /// Whether the turn said nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What the turn says of each reminder; `None`: it is gone.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&ReminderRow>)> {
        self.0.iter().map(|(name, row)| (name.as_str(), row.as_ref()))
    }

    /// The rows of the index that have to be there before the truth is. What is fired now is moved by the shard's
    /// owner, afterwards.
    pub fn index_rows(&self, actor: &ActorId, before: &Rows, firing: Option<&str>) -> Vec<IndexRow> {
        let set = self.0.iter().filter_map(|(name, row)| row.as_ref().map(|row| (name, row)));
        let moved = set.filter(|(name, row)| {
            let was = before.get(*name);
            let advanced = firing == Some(name.as_str()) && was.is_some_and(|was| was.plan == row.plan);
            !advanced && was.is_none_or(|was| was.next_due != row.next_due)
        });
        moved
            .map(|(name, row)| IndexRow { actor: actor.clone(), name: name.clone(), due: row.next_due })
            .collect()
    }

    /// The writes of the actor's own rows.
    pub fn writes(&self, ops: &mut Vec<Op>) -> Result<(), quark_core::codec::CodecError> {
        for (name, staged) in &self.0 {
            let key = format!("{}{name}", row::PREFIX).into();
            ops.push(match staged {
                Some(row) => Op::Put { row: key, value: row::encode(row)? },
                None => Op::Delete { row: key },
            });
        }
        Ok(())
    }

    /// The writes are committed.
    pub fn apply(self, rows: &mut BTreeMap<String, ReminderRow>) {
        for (name, staged) in self.0 {
            match staged {
                Some(row) => rows.insert(name, row),
                None => rows.remove(&name),
            };
        }
    }
}

/// The reminders of the actor whose turn this is. What is set or cancelled holds from the turn's commit on, together with
/// its state, or not at all.
pub struct Reminders<'a> {
    pub(crate) actor: &'a ActorId,
    pub(crate) turn: &'a TurnReminders,
}

impl Reminders<'_> {
    /// Sets a reminder, in the place of the one of that name. The call is to a method of this same actor, and is not
    /// awaited; its [`ActorContext::tick`](crate::ActorContext::tick) says which occurrence it runs for.
    ///
    /// A reminder that is already set in the same way keeps its place in its schedule: it may be set on every call.
    ///
    /// Errors: each names what is wrong; nothing is set then.
    pub fn set<R, E>(&self, reminder: Reminder, call: Call<R, E>) -> Result<(), ReminderError> {
        let name = reminder.name.clone();
        let plan = self.plan(reminder, call)?;
        let known = self.turn.row(&name);
        if known.as_ref().is_some_and(|row| row.plan == plan) {
            return Ok(());
        }
        if known.is_none() && self.turn.all().len() >= REMINDERS_MAX {
            return Err(ReminderError::TooMany { actor: self.actor.clone(), name });
        }
        let Some(row) = ReminderRow::new(plan, self.turn.now()) else {
            return Err(ReminderError::NeverDue { name });
        };
        self.turn.staged.lock().insert(name, Some(row));
        Ok(())
    }

    fn plan<R, E>(&self, reminder: Reminder, call: Call<R, E>) -> Result<Plan, ReminderError> {
        let call = OwnCall::new(self.actor, &reminder.name, call).map_err(|unfit| match unfit {
            Unfit::Name(name) => ReminderError::Name { name },
            Unfit::NotOurs(target) => ReminderError::NotOurs { actor: self.actor.clone(), target },
            Unfit::Arguments { method, reason } => ReminderError::Arguments { method, reason },
        })?;
        if call.shared {
            return Err(ReminderError::SharedMethod { method: call.method_name });
        }
        Ok(Plan {
            schedule: reminder.schedule,
            policy: reminder.policy,
            grace: reminder.grace,
            method: call.method,
            args: call.args,
        })
    }

    /// Cancels a reminder: once the turn is committed it does not fire any more. `false` if there is none.
    pub fn cancel(&self, name: &str) -> bool {
        let is_set = self.turn.row(name).is_some();
        if is_set {
            self.turn.cancelled.lock().push(name.to_owned());
        }
        if is_set && !mutant!("m25") {
            self.turn.staged.lock().insert(name.to_owned(), None);
        }
        is_set
    }

    /// One of them.
    pub fn get(&self, name: &str) -> Option<ReminderStatus> {
        self.turn.row(name).map(|row| status(name.to_owned(), row))
    }

    /// All of them, by name.
    pub fn list(&self) -> Vec<ReminderStatus> {
        self.turn.all().into_iter().map(|(name, row)| status(name, row)).collect()
    }
}

fn status(name: String, row: ReminderRow) -> ReminderStatus {
    ReminderStatus {
        name,
        schedule: row.plan.schedule,
        policy: row.plan.policy,
        next_due: row.next_due,
        last_due: row.last_due,
        fired: row.fired,
        missed: row.missed,
    }
}
