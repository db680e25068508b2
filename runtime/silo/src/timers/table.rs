//! The timers of one activation.

use super::clockwork::Clockwork;
use crate::activation::Activation;
use crate::actor::Access;
use bytes::Bytes;
use parking_lot::Mutex;
use quark_core::wheel::TimerKey;
use quark_core::{Instant, MethodId, reached};
use std::sync::{Arc, Weak};
use std::time::Duration;

/// The most timers of one activation.
pub const TIMERS_MAX: usize = 64;
/// When a tick of a timer without a period is tried again that could not be delivered.
const RETRY_PAUSE: Duration = Duration::from_millis(100);

/// What was asked for. One that is set anew is another one.
#[derive(Debug)]
pub(crate) struct Timer {
    /// Whose it is: of this activation, and of none that comes after it.
    pub activation: Weak<Activation>,
    pub name: Box<str>,
    /// `None`: it ticks once.
    pub period: Option<Duration>,
    pub method: MethodId,
    pub access: Access,
    pub args: Bytes,
}

/// Where the timers of an activation stand. Without timers it has allocated nothing.
pub(crate) struct TimerTable {
    clockwork: Arc<Clockwork>,
    /// `None` once the activation has ended.
    entries: Mutex<Option<Vec<Entry>>>,
}

/// A timer that is set.
#[derive(Clone)]
pub(crate) struct Entry {
    pub timer: Arc<Timer>,
    /// Its place on the wheel; out of date while its tick waits or runs.
    key: TimerKey,
    /// When it ticks next, or was due if its tick waits or runs.
    pub due: Instant,
    pub ticks: u64,
    pub missed: u64,
}

/// Why a timer could not be set.
pub(crate) enum NotSet {
    Ended,
    TooMany,
}

impl TimerTable {
    /// No timers.
    pub fn new(clockwork: Arc<Clockwork>) -> Self {
        Self { clockwork, entries: Mutex::new(Some(Vec::new())) }
    }

    /// Sets a timer, in the place of the one of that name.
    pub fn set(&self, now: Instant, due: Instant, timer: Timer) -> Result<(), NotSet> {
        let mut entries = self.entries.lock();
        let entries = entries.as_mut().ok_or(NotSet::Ended)?;
        let known = entries.iter().position(|entry| entry.timer.name == timer.name);
        if known.is_none() && entries.len() >= TIMERS_MAX {
            return Err(NotSet::TooMany);
        }
        let timer = Arc::new(timer);
        let key = self.clockwork.arm(now, due, timer.clone()).ok_or(NotSet::Ended)?;
        let entry = Entry { timer, key, due, ticks: 0, missed: 0 };
        match known {
            Some(at) => {
                let before = std::mem::replace(&mut entries[at], entry);
                self.clockwork.disarm(before.key);
            }
            None => {
                // Most actors that have a timer have one.
                if entries.is_empty() {
                    entries.reserve_exact(1);
                }
                entries.push(entry);
            }
        }
        Ok(())
    }

    /// Takes a timer away; `false` if there is none. Its tick that may be queued will not be taken.
    pub fn cancel(&self, name: &str) -> bool {
        let mut entries = self.entries.lock();
        let Some(entries) = entries.as_mut() else { return false };
        let Some(at) = entries.iter().position(|entry| &*entry.timer.name == name) else { return false };
        let entry = entries.swap_remove(at);
        self.clockwork.disarm(entry.key);
        true
    }

    /// All of them, by name.
    pub fn list(&self) -> Vec<Entry> {
        let mut all = self.entries.lock().clone().unwrap_or_default();
        all.sort_by(|a, b| a.timer.name.cmp(&b.timer.name));
        all
    }

    /// A tick's turn starts. `false` if its timer has been cancelled or set anew since it was due.
    pub fn take(&self, timer: &Arc<Timer>) -> bool {
        let mut entries = self.entries.lock();
        let Some((entries, at)) = find(&mut entries, timer) else {
            reached!("timers.tick_of_a_cancelled_timer");
            return false;
        };
        if timer.period.is_none() {
            // Gone before it runs, so that the turn may set its name again.
            entries.swap_remove(at);
        } else {
            entries[at].ticks += 1;
        }
        true
    }

    /// A tick's turn has ended, whatever came of it.
    pub fn ended(&self, now: Instant, timer: &Arc<Timer>) {
        let mut entries = self.entries.lock();
        let Some((entries, at)) = find(&mut entries, timer) else { return };
        let Some(period) = timer.period else {
            // It was turned away before its method began, by a filter for one.
            entries.swap_remove(at);
            return;
        };
        let entry = &mut entries[at];
        let (due, missed) = next_on_grid(entry.due, period, now);
        entry.missed += missed;
        self.arm(now, due, entry);
    }

    /// A tick could not run, and is not waited for.
    pub fn put_off(&self, now: Instant, timer: &Arc<Timer>) {
        let mut entries = self.entries.lock();
        let Some((entries, at)) = find(&mut entries, timer) else { return };
        let entry = &mut entries[at];
        let (due, missed) = match timer.period {
            Some(period) => next_on_grid(entry.due, period, now),
            None => (now + RETRY_PAUSE, 0),
        };
        entry.missed += 1 + missed;
        self.arm(now, due, entry);
    }

    fn arm(&self, now: Instant, due: Instant, entry: &mut Entry) {
        entry.due = due;
        // A silo that has stopped runs no turns: its timers may keep a place that is none.
        if let Some(key) = self.clockwork.arm(now, due, entry.timer.clone()) {
            entry.key = key;
        }
    }

    /// The activation has ended: none of its timers ticks any more, and none can be set.
    pub fn close(&self) {
        let Some(entries) = self.entries.lock().take() else { return };
        for entry in &entries {
            self.clockwork.disarm(entry.key);
        }
    }
}

fn find<'t>(entries: &'t mut Option<Vec<Entry>>, timer: &Arc<Timer>) -> Option<(&'t mut Vec<Entry>, usize)> {
    let entries = entries.as_mut()?;
    let at = entries.iter().position(|entry| Arc::ptr_eq(&entry.timer, timer))?;
    Some((entries, at))
}

/// The first time of the grid through `due` that is later than `due` and not before `now`, and how many lie between.
///
/// Panics: if the period is zero.
fn next_on_grid(due: Instant, period: Duration, now: Instant) -> (Instant, u64) {
    let next = due + period;
    let period_ns = u64::try_from(period.as_nanos()).unwrap_or(u64::MAX);
    let missed = now.0.saturating_sub(next.0).div_ceil(period_ns);
    (next + Duration::from_nanos(missed.saturating_mul(period_ns)), missed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_tick_stays_on_its_grid_and_counts_what_it_has_missed() {
        let check = |now: u64, next: u64, missed: u64| {
            let found = next_on_grid(Instant(107), Duration::from_nanos(10), Instant(now));
            assert_eq!(found, (Instant(next), missed), "at {now}");
        };
        check(107, 117, 0);
        check(116, 117, 0);
        check(117, 117, 0);
        check(118, 127, 1);
        check(127, 127, 1);
        check(1_000_000, 1_000_007, 99_989);
    }

    #[test]
    fn a_period_longer_than_the_clock_is_never_over() {
        let forever = next_on_grid(Instant(1), Duration::MAX, Instant(2));
        assert_eq!(forever, (Instant::NEVER, 0));
    }
}
