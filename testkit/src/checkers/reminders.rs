//! I10, promise P14: every occurrence of a reminder takes effect once, in order, and none is left out but by its policy; none
//! is early by more than the clocks are wrong, none comes after an acknowledged cancel, and once all is quiet none is overdue.
//!
//! An effect is a commit as the store applied it. What is due comes from the schedule, which is walked here once more. How
//! early is too early: by more than any silo's clock was ahead in the last minute (for so long an answer to "what time is it?"
//! is believed); and, of three silos or more among which nothing has happened for that long, by more than the second of
//! their clocks was.

use super::partitions::Partitions;
use super::{Checker, Verdict};
use crate::history::{History, Record, ReminderChange, SiloEvent, What, WorldEvent};
use quark::{MissedPolicy, Schedule};
use quark_core::{ActorId, Instant, SiloId, WallTime, WriteId};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// See the module.
pub struct Reminders {
    /// How long an occurrence may be overdue when all is quiet: the longest pause between two attempts, a reading of a
    /// shard, an activation.
    pub overdue_max: Duration,
}

impl Default for Reminders {
    fn default() -> Self {
        Self { overdue_max: Duration::from_secs(75) }
    }
}

/// For so long a silo believes what another has said of the time, and a little longer.
const BELIEVED: Duration = Duration::from_secs(62);
/// Between looking at the clock and writing it down.
const EARLY_SLACK: Duration = Duration::from_millis(5);
/// Occurrences are walked no further: what is beyond is not judged.
const WALK_MAX: u64 = 1000;

/// A reminder as the store has it.
#[derive(Clone, Debug)]
pub(crate) struct Live {
    pub schedule: Arc<Schedule>,
    pub policy: MissedPolicy,
    /// The next occurrence.
    pub next: WallTime,
}

#[derive(Default)]
struct Diary {
    partitions: Partitions,
    /// By commit, what it does to reminders, and when it was asked for.
    asked: BTreeMap<WriteId, Vec<(Instant, Arc<str>, ReminderChange)>>,
    live: BTreeMap<(ActorId, Arc<str>), Live>,
    /// The store has failed over: who is not known to have been set may have been.
    in_doubt: bool,
    clocks: Clocks,
    /// When all was quiet last.
    quiet: Option<Instant>,
}

impl Checker for Reminders {
    fn name(&self) -> &'static str {
        "reminders"
    }

    fn check(&self, history: &History) -> Verdict {
        let mut verdict = Verdict::default();
        // Reminders are not told of without the clocks.
        let has_any = history.world_events().any(|(_, _, e)| matches!(e, WorldEvent::WallClocks { .. }));
        if !has_any {
            return verdict;
        }
        let diary = Diary::read(history.records(), &mut verdict);
        let Some(now) = diary.quiet.and_then(|quiet| diary.clocks.truth(quiet)) else { return verdict };
        let allowed = now.0.saturating_sub(ns(self.overdue_max));
        for ((actor, name), live) in &diary.live {
            verdict.require("P14", diary.quiet.unwrap_or_default(), live.next.0 >= allowed, || {
                format!("all is quiet at {now:?}, and `{name}` of {actor} is due since {:?}", live.next)
            });
        }
        verdict
    }
}

/// The reminders that the store has in the end.
pub(crate) fn standing(records: &[Record]) -> BTreeMap<(ActorId, Arc<str>), Live> {
    Diary::read(records, &mut Verdict::default()).live
}

impl Diary {
    fn read(records: &[Record], verdict: &mut Verdict) -> Self {
        let mut diary = Self::default();
        for record in records {
            match &record.what {
                What::Silo(r) => {
                    diary.clocks.silo(r.silo, record.at, &r.event);
                    if let SiloEvent::ReminderAsked { write, name, change, .. } = &r.event {
                        diary.asked.entry(*write).or_default().push((
                            record.at,
                            name.clone(),
                            change.clone(),
                        ));
                    }
                }
                What::World(WorldEvent::StoreCommit { partition, write_id, .. }) => {
                    if let Some(changes) = diary.asked.remove(write_id)
                        && let Some(actor) = diary.partitions.actor(partition)
                    {
                        diary.commit(&actor, &changes, verdict);
                    }
                }
                What::World(WorldEvent::StoreFailedOver) => {
                    diary.live.clear();
                    diary.in_doubt = true;
                }
                What::World(WorldEvent::Quiet) => diary.quiet = Some(record.at),
                What::World(event) => diary.clocks.world(record.at, event),
                What::Client(_) | What::User(_) => {}
            }
        }
        diary
    }

    fn commit(
        &mut self,
        actor: &ActorId,
        changes: &[(Instant, Arc<str>, ReminderChange)],
        verdict: &mut Verdict,
    ) {
        for (i, (at, name, change)) in changes.iter().enumerate() {
            let key = (actor.clone(), name.clone());
            match change {
                ReminderChange::Set { schedule, policy, next } => {
                    self.live.insert(key, Live { schedule: schedule.clone(), policy: *policy, next: *next });
                }
                ReminderChange::Cancelled => {
                    self.live.remove(&key);
                }
                ReminderChange::Fired { due, missed, next } => {
                    let is_reset = changes[i + 1..].iter().any(|(_, other, _)| other == name);
                    self.fire(key, *at, (*due, *missed), next.filter(|_| !is_reset), verdict);
                }
                ReminderChange::Skipped { next } => self.skip(key, *at, *next, verdict),
            }
        }
    }

    fn fire(
        &mut self,
        key: (ActorId, Arc<str>),
        at: Instant,
        (due, missed): (WallTime, u64),
        next: Option<WallTime>,
        verdict: &mut Verdict,
    ) {
        let (actor, name) = &key;
        let Some(live) = self.live.get_mut(&key) else {
            verdict.require("P14", at, self.in_doubt, || {
                format!("`{name}` of {actor} was fired for {due:?}, and is not set")
            });
            return;
        };
        let expected =
            if live.policy == MissedPolicy::Skip { live.nth(live.next, missed) } else { Some(live.next) };
        verdict.require("P14", at, expected.is_none_or(|expected| expected == due), || {
            format!(
                "`{name}` of {actor} was fired for {due:?} ({missed} missed); due was {:?}: {live:?}",
                live.next
            )
        });
        // What follows the occurrence, and what is dropped for it.
        let dropped = if live.policy == MissedPolicy::FireOnce { missed } else { 0 };
        let follows = next.and_then(|next| Some((next, live.nth(due, dropped + 1)?)));
        verdict.require("P14", at, follows.is_none_or(|(next, follows)| next == follows), || {
            format!("`{name}` of {actor} goes on with {next:?} after {due:?} ({missed} missed): {live:?}")
        });
        if let (Some(truth), Some((ahead, why))) = (self.clocks.truth(at), self.clocks.ahead(at)) {
            let early = due.0.saturating_sub(truth.0);
            verdict.require("P14", at, early <= ns(ahead + EARLY_SLACK), || {
                format!(
                    "`{name}` of {actor} was fired {:?} early for {due:?}; {why} {ahead:?} ahead",
                    Duration::from_nanos(early.unsigned_abs())
                )
            });
        }
        match next {
            Some(next) => live.next = next,
            None => drop(self.live.remove(&key)),
        }
    }

    fn skip(&mut self, key: (ActorId, Arc<str>), at: Instant, next: Option<WallTime>, verdict: &mut Verdict) {
        let Some(live) = self.live.get_mut(&key) else { return };
        let allowed = live.policy == MissedPolicy::Skip && next.is_none_or(|next| next > live.next);
        verdict.require("P14", at, allowed, || {
            format!("occurrences of `{}` of {} were dropped: {live:?}, next {next:?}", key.1, key.0)
        });
        match next {
            Some(next) => live.next = next,
            None => drop(self.live.remove(&key)),
        }
    }
}

impl Live {
    /// The occurrence so many after this one. `None` if that is too far, or there are not so many.
    fn nth(&self, from: WallTime, count: u64) -> Option<WallTime> {
        if count > WALK_MAX {
            return None;
        }
        (0..count).try_fold(from, |time, _| self.schedule.next_after(time))
    }
}

/// What time it is, and how wrong the silos' clocks are.
#[derive(Default)]
struct Clocks {
    /// The true time of day at the beginning of true time.
    origin: Option<i64>,
    /// When this was so, and the most and the second most that a clock was ahead.
    ahead: Vec<(Instant, Duration, Duration)>,
    serving: BTreeSet<SiloId>,
    /// When last anything happened among the silos.
    changed: Instant,
}

impl Clocks {
    fn silo(&mut self, silo: SiloId, at: Instant, event: &SiloEvent) {
        match event {
            SiloEvent::Joined => drop(self.serving.insert(silo)),
            SiloEvent::Stopped { .. } => drop(self.serving.remove(&silo)),
            SiloEvent::ViewInstalled { .. } | SiloEvent::LeaseLost => {}
            _ => return,
        }
        self.changed = at;
    }

    fn world(&mut self, at: Instant, event: &WorldEvent) {
        match event {
            WorldEvent::WallClocks { truth, most, second } => {
                self.origin = Some(truth.0 - at.0 as i64);
                self.ahead.push((at, *most, *second));
            }
            WorldEvent::Crashed(silo) => {
                self.serving.remove(silo);
                self.changed = at;
            }
            WorldEvent::Paused(_) | WorldEvent::Resumed(_) => self.changed = at,
            _ => {}
        }
    }

    fn truth(&self, at: Instant) -> Option<WallTime> {
        self.origin.map(|origin| WallTime(origin + at.0 as i64))
    }

    /// How far ahead of the truth a firing at this time may be, and whose clock says so.
    fn ahead(&self, at: Instant) -> Option<(Duration, &'static str)> {
        let since = Instant(at.0.saturating_sub(BELIEVED.as_nanos() as u64));
        let first = self.ahead.partition_point(|(from, ..)| *from <= since).saturating_sub(1);
        let until = self.ahead.partition_point(|(from, ..)| *from <= at);
        let believed = self.ahead.get(first..until).filter(|some| !some.is_empty())?;
        let calm = self.changed < since && self.serving.len() >= 3;
        Some(match calm {
            true => (believed.iter().map(|(_, _, second)| *second).max()?, "all clocks but one are at most"),
            false => (believed.iter().map(|(_, most, _)| *most).max()?, "all clocks are at most"),
        })
    }
}

fn ns(time: Duration) -> i64 {
    i64::try_from(time.as_nanos()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::script::{Script, actor, broken, rejected, stored, write_of};
    use super::*;
    use quark_core::Version;

    const S: i64 = 1_000_000_000;

    fn every_second() -> Arc<Schedule> {
        Arc::new(Schedule::every(WallTime(S), Duration::from_secs(1)).expect("valid"))
    }

    fn set(policy: MissedPolicy) -> ReminderChange {
        ReminderChange::Set { schedule: every_second(), policy, next: WallTime(S) }
    }

    fn fired(due_s: i64, missed: u64, next_s: i64) -> ReminderChange {
        ReminderChange::Fired { due: WallTime(due_s * S), missed, next: Some(WallTime(next_s * S)) }
    }

    fn clocks(truth_ms: i64, most_ms: u64, second_ms: u64) -> WorldEvent {
        let (most, second) = (Duration::from_millis(most_ms), Duration::from_millis(second_ms));
        WorldEvent::WallClocks { truth: WallTime(truth_ms * 1_000_000), most, second }
    }

    fn ask(script: Script, version: u64, change: ReminderChange) -> Script {
        let (actor, name) = (actor("alice"), Arc::from("tea"));
        let asked = SiloEvent::ReminderAsked { actor, write: write_of("alice", version), name, change };
        script.silo("a#1", asked)
    }

    fn happens(script: Script, version: u64, change: ReminderChange) -> Script {
        ask(script, version, change).world(stored("alice", version))
    }

    fn begun(policy: MissedPolicy) -> Script {
        happens(Script::new().world(clocks(0, 10, 0)), 1, set(policy))
    }

    /// Positions: 0 clocks, 1 and 2 set, 3 and 4, 5 and 6 two occurrences, 7 and 8 cancelled, 9 quiet.
    fn valid() -> Script {
        let script = happens(begun(MissedPolicy::FireAll).at(1_000), 2, fired(1, 0, 2));
        let script = happens(script.at(2_000), 3, fired(2, 0, 3));
        happens(script.at(2_500), 4, ReminderChange::Cancelled).at(200_000).world(WorldEvent::Quiet)
    }

    #[test]
    fn each_occurrence_takes_effect_once_and_none_after_a_cancel() {
        assert_eq!(
            rejected(&Reminders::default(), &valid()),
            "drop 1, swap 1, drop 2, swap 2, drop 3, dup 3, swap 3, drop 4, swap 4, dup 5, drop 7, swap 7, drop 8"
        );
        let after = happens(valid(), 5, fired(3, 0, 4));
        assert_eq!(broken(&Reminders::default(), after), ["P14"]);
        let twice =
            happens(happens(begun(MissedPolicy::FireAll).at(1_000), 2, fired(1, 0, 2)), 3, fired(1, 0, 2));
        assert_eq!(broken(&Reminders::default(), twice), ["P14"]);
        let failed = ask(begun(MissedPolicy::FireAll).at(1_000), 2, fired(1, 0, 2));
        let again = happens(failed.at(1_100), 3, fired(1, 0, 2));
        assert_eq!(broken(&Reminders::default(), again), [] as [&str; 0], "the first was never applied");
    }

    #[test]
    fn what_is_left_out_is_left_out_by_the_policy() {
        let late =
            |policy, change| broken(&Reminders::default(), happens(begun(policy).at(9_000), 2, change));
        assert_eq!(late(MissedPolicy::FireAll, fired(1, 0, 2)), [] as [&str; 0]);
        assert_eq!(late(MissedPolicy::FireAll, fired(1, 2, 4)), ["P14"]);
        assert_eq!(late(MissedPolicy::FireAll, fired(2, 0, 3)), ["P14"]);
        assert_eq!(late(MissedPolicy::FireOnce, fired(1, 8, 10)), [] as [&str; 0]);
        assert_eq!(late(MissedPolicy::FireOnce, fired(1, 7, 10)), ["P14"]);
        assert_eq!(late(MissedPolicy::Skip, fired(6, 5, 7)), [] as [&str; 0]);
        assert_eq!(late(MissedPolicy::Skip, fired(6, 4, 7)), ["P14"]);
        let dropped = ReminderChange::Skipped { next: Some(WallTime(9 * S)) };
        assert_eq!(late(MissedPolicy::Skip, dropped.clone()), [] as [&str; 0]);
        assert_eq!(late(MissedPolicy::FireAll, dropped), ["P14"]);
    }

    #[test]
    fn nothing_is_earlier_than_the_clocks_are_wrong() {
        let early = |at_ms| happens(begun(MissedPolicy::FireAll).at(at_ms), 2, fired(1, 0, 2));
        assert_eq!(broken(&Reminders::default(), early(990)), [] as [&str; 0]);
        assert_eq!(broken(&Reminders::default(), early(980)), ["P14"]);
    }

    #[test]
    fn of_three_calm_silos_the_one_that_is_wrong_is_outvoted() {
        let joined = |silos: &[&str]| {
            let script = silos
                .iter()
                .fold(begun(MissedPolicy::FireAll), |script, silo| script.silo(silo, SiloEvent::Joined));
            // One clock is an hour ahead from here on.
            let script = script.at(1).world(clocks(1, 3_600_000, 0)).at(100_000);
            broken(&Reminders::default(), happens(script, 2, fired(1, 0, 2)).at(100_001))
        };
        assert_eq!(joined(&["a#1", "b#1", "c#1"]), [] as [&str; 0]);
        let early = |silos: &[&str]| {
            let script = silos.iter().fold(Script::new().world(clocks(0, 3_600_000, 0)), |script, silo| {
                script.silo(silo, SiloEvent::Joined)
            });
            let next = WallTime(200 * S);
            let set = ReminderChange::Set { schedule: every_second(), policy: MissedPolicy::FireAll, next };
            let script = happens(script, 1, set).at(100_000);
            broken(&Reminders::default(), happens(script, 2, fired(200, 0, 201)))
        };
        assert_eq!(early(&["a#1", "b#1"]), [] as [&str; 0]);
        assert_eq!(early(&["a#1", "b#1", "c#1"]), ["P14"]);
    }

    #[test]
    fn nothing_is_overdue_when_all_is_quiet() {
        let quiet = |at_ms| {
            let script = happens(begun(MissedPolicy::FireAll).at(1_000), 2, fired(1, 0, 2));
            broken(&Reminders::default(), script.at(at_ms).world(WorldEvent::Quiet))
        };
        assert_eq!(quiet(77_000), [] as [&str; 0]);
        assert_eq!(quiet(77_001), ["P14"]);
    }

    #[test]
    fn what_a_fail_over_lost_is_not_known_to_be_set() {
        let script = begun(MissedPolicy::FireAll).world(WorldEvent::StoreFailedOver);
        assert_eq!(
            broken(&Reminders::default(), happens(script.at(1_000), 2, fired(1, 0, 2))),
            [] as [&str; 0]
        );
        let WorldEvent::StoreCommit { version, .. } = stored("alice", 2) else { unreachable!("it is one") };
        assert_eq!(version, Version(2));
    }
}
