//! Diaries: actors that are reminded, and note each occurrence in their durable state.

use quark::{ActorContext, Deserialize, MissedPolicy, Reminder, Schedule, Serialize};
use quark_core::WallTime;
use std::collections::BTreeMap;
use std::time::Duration;

/// A durable diary.
#[derive(Default, Serialize, Deserialize)]
pub struct Diary {
    entries: BTreeMap<String, Vec<Entry>>,
}

/// One occurrence of a reminder.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Entry {
    /// When it was due.
    pub due: WallTime,
    /// When its turn ran, by the clock of the silo.
    pub at: WallTime,
    /// How many were dropped for it.
    pub missed: u64,
}

/// A reminder of a fixed period.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Rhythm {
    /// The first occurrence.
    pub first: WallTime,
    /// From one to the next.
    pub period: Duration,
    /// What becomes of missed ones.
    pub policy: MissedPolicy,
}

/// A reminder by name.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Chapter {
    /// Its name.
    pub name: String,
    /// When it is due.
    pub rhythm: Rhythm,
}

#[quark::actor(kind = "diary", durable)]
impl Diary {
    /// Sets many reminders in one turn.
    pub fn remind_all(&mut self, ctx: &ActorContext, chapters: Vec<Chapter>) -> Result<(), String> {
        chapters.into_iter().try_for_each(|chapter| self.remind(ctx, chapter.name, chapter.rhythm))
    }

    /// Sets a reminder.
    pub fn remind(&mut self, ctx: &ActorContext, name: String, rhythm: Rhythm) -> Result<(), String> {
        let schedule = Schedule::every(rhythm.first, rhythm.period).map_err(|error| error.to_string())?;
        let reminder = Reminder::new(name, schedule).missed(rhythm.policy).grace(GRACE);
        let reminders = ctx.reminders().map_err(|error| error.to_string())?;
        reminders.set(reminder, ctx.myself::<Self>().note()).map_err(|error| error.to_string())
    }

    /// Cancels a reminder; what it has noted until then.
    pub fn cancel(&mut self, ctx: &ActorContext, name: String) -> Result<Vec<Entry>, String> {
        let reminders = ctx.reminders().map_err(|error| error.to_string())?;
        if !reminders.cancel(&name) {
            return Err(format!("there is no reminder `{name}`"));
        }
        Ok(self.entries.get(&name).cloned().unwrap_or_default())
    }

    /// What a reminder calls.
    pub fn note(&mut self, ctx: &ActorContext) {
        if let Some(tick) = ctx.tick() {
            let entry = Entry { due: tick.due, at: ctx.wall_time(), missed: tick.missed };
            self.entries.entry(tick.name.clone()).or_default().push(entry);
        }
    }

    /// What it has noted.
    pub fn entries(&self, name: String) -> Vec<Entry> {
        self.entries.get(&name).cloned().unwrap_or_default()
    }

    /// How many occurrences of each reminder will never be fired.
    pub fn missed(&mut self, ctx: &ActorContext) -> Result<BTreeMap<String, u64>, String> {
        let reminders = ctx.reminders().map_err(|error| error.to_string())?;
        Ok(reminders.list().into_iter().map(|status| (status.name, status.missed)).collect())
    }

    /// All that it has noted, by reminder.
    pub fn everything(&self) -> BTreeMap<String, Vec<Entry>> {
        self.entries.clone()
    }
}

/// How late an occurrence may be before [`MissedPolicy::Skip`] drops it.
pub const GRACE: Duration = Duration::from_secs(3);

/// What is wrong with what a diary says of one reminder (promise P14): each occurrence is noted once and in order, none is
/// missing beyond what the policy drops, and none is older than `latest` when it should be there.
pub fn faults_of(rhythm: &Rhythm, entries: &[Entry], latest: WallTime) -> Option<String> {
    let period = rhythm.period.as_nanos() as i64;
    let mut next = rhythm.first.0;
    for entry in entries {
        // A catch-up speaks of those before it when it skips, of those after it when it collapses them.
        if rhythm.policy == MissedPolicy::Skip {
            next += entry.missed as i64 * period;
        }
        if entry.due.0 != next {
            return Some(format!("{entry:?} should be due {:?}: {entries:?}", WallTime(next)));
        }
        if rhythm.policy == MissedPolicy::FireAll && entry.missed > 0 {
            return Some(format!("{entry:?} dropped others"));
        }
        next += period;
        if rhythm.policy == MissedPolicy::FireOnce {
            next += entry.missed as i64 * period;
        }
    }
    (next < latest.0)
        .then(|| format!("nothing is noted from {:?} on, though it is {latest:?}", WallTime(next)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noted(due: i64, missed: u64) -> Entry {
        Entry { due: WallTime(due), at: WallTime(due), missed }
    }

    #[test]
    fn a_gap_a_repetition_and_silence_are_noticed() {
        let rhythm = |policy| Rhythm { first: WallTime(10), period: Duration::from_nanos(10), policy };
        let all = rhythm(MissedPolicy::FireAll);
        let check = |rhythm: &Rhythm, entries: &[Entry]| faults_of(rhythm, entries, WallTime(40)).is_none();
        assert!(check(&all, &[noted(10, 0), noted(20, 0), noted(30, 0)]));
        assert!(!check(&all, &[noted(10, 0), noted(30, 0)]));
        assert!(!check(&all, &[noted(10, 0), noted(10, 0), noted(20, 0), noted(30, 0)]));
        assert!(!check(&all, &[noted(10, 0), noted(20, 0)]));
        assert!(check(&rhythm(MissedPolicy::FireOnce), &[noted(10, 2)]));
        assert!(!check(&rhythm(MissedPolicy::FireOnce), &[noted(10, 1)]));
        assert!(check(&rhythm(MissedPolicy::Skip), &[noted(20, 1), noted(30, 0)]));
        assert!(!check(&rhythm(MissedPolicy::Skip), &[noted(20, 0), noted(30, 0)]));
    }
}
