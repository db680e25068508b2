//! What to fire now, when the clock has gone on without us.

use super::Schedule;
use crate::{WallTime, reached};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What happens to occurrences that nobody was there to fire.
///
/// Written in records by its order, which never changes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub enum MissedPolicy {
    /// All that are overdue become one firing: of the earliest of them, with the number of the others. The schedule
    /// goes on with the first one in the future.
    #[default]
    FireOnce,
    /// Each is fired, in order, one after the other.
    FireAll,
    /// Those overdue by more than the grace are counted and dropped; the rest is fired in order.
    Skip,
}

/// One occurrence that is to be fired.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Firing {
    /// When it was due. It names the occurrence: what was fired once under this time is not fired again.
    pub due: WallTime,
    /// How many others are not fired because of this one ([`MissedPolicy::FireOnce`]), or were dropped before it
    /// ([`MissedPolicy::Skip`]).
    pub missed: u64,
}

/// What to do now, and what comes next.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Progress {
    /// What to fire now.
    pub fire: Option<Firing>,
    /// The next occurrence after that, which may be overdue too; `None` when there is none any more.
    pub next: Option<WallTime>,
    /// How many occurrences will never be fired.
    pub missed: u64,
    /// Whether `missed` stopped counting at [`CRON_COUNT_MAX`], and there were more.
    pub saturated: bool,
}

/// Where counting the missed occurrences of a cron expression stops: each costs microseconds, and a schedule of every
/// second that has slept for a year has thirty million.
pub const CRON_COUNT_MAX: u64 = 1000;

/// What is to be fired at `now`, of a schedule whose first occurrence not fired yet is `next_due`.
///
/// `grace` matters to [`MissedPolicy::Skip`] alone. What is returned as `next` is the next call's `next_due`, once the
/// firing and that are committed together. The time taken is bounded, however long ago `next_due` is.
pub fn progress(
    schedule: &Schedule,
    policy: MissedPolicy,
    next_due: WallTime,
    now: WallTime,
    grace: Duration,
) -> Progress {
    if now < next_due {
        return Progress { fire: None, next: Some(next_due), missed: 0, saturated: false };
    }
    match policy {
        MissedPolicy::FireOnce => {
            let (missed, saturated) = count(schedule, next_due, now);
            if missed > 0 {
                reached!("schedule.missed.collapsed");
            }
            let fire = Some(Firing { due: next_due, missed });
            Progress { fire, next: schedule.next_after(now), missed, saturated }
        }
        MissedPolicy::FireAll => {
            let fire = Some(Firing { due: next_due, missed: 0 });
            Progress { fire, next: schedule.next_after(next_due), missed: 0, saturated: false }
        }
        MissedPolicy::Skip => skip(schedule, next_due, now, grace),
    }
}

fn skip(schedule: &Schedule, next_due: WallTime, now: WallTime, grace: Duration) -> Progress {
    let grace_ns = i64::try_from(grace.as_nanos()).unwrap_or(i64::MAX);
    let oldest = WallTime(now.0.saturating_sub(grace_ns));
    if next_due >= oldest {
        let fire = Some(Firing { due: next_due, missed: 0 });
        return Progress { fire, next: schedule.next_after(next_due), missed: 0, saturated: false };
    }
    reached!("schedule.missed.skipped");
    let due = schedule.next_from(oldest);
    // `next_due` itself, and what lies between it and the first that is in time.
    let (between, saturated) = count(schedule, next_due, WallTime(oldest.0.saturating_sub(1)));
    let missed = between + 1;
    match due {
        Some(due) if due <= now => {
            let fire = Some(Firing { due, missed });
            Progress { fire, next: schedule.next_after(due), missed, saturated }
        }
        _ => Progress { fire: None, next: due, missed, saturated },
    }
}

/// How many occurrences are later than `after` and not later than `until`, and whether counting stopped early.
fn count(schedule: &Schedule, after: WallTime, until: WallTime) -> (u64, bool) {
    match schedule {
        Schedule::Once { at } => (u64::from(after < *at && *at <= until), false),
        Schedule::Every(every) => (every.count(after, until), false),
        Schedule::Cron(cron) => {
            let most = usize::try_from(CRON_COUNT_MAX).expect("a thousand");
            let mut late = cron.occurrences_after(after).take_while(|time| *time <= until);
            let counted = late.by_ref().take(most).count() as u64;
            let saturated = counted == CRON_COUNT_MAX && late.next().is_some();
            (counted, saturated)
        }
    }
}
