//! A minute of everything: the story for thousands of seeds.

use crate::bank::Account;
use crate::diary::{Diary, Rhythm};
use crate::givers::{self, Givers};
use crate::insisters::Insisters;
use crate::purse::Purse;
use crate::visits::{GuestBook, Visitor};
use crate::workload::Deposits;
use quark::{CallError, MissedPolicy};
use quark_chaos::{FaultKind, SwarmConfig};
use quark_core::reached;
use quark_core::{Instant, WallTime};
use quark_sim::Config;
use quark_testkit::imps;
use quark_testkit::lab::chaos;
use quark_testkit::story::{Scenario, Story};
use std::time::Duration;

/// See its premise.
pub const SCENARIO: Scenario = Scenario {
    name: "short-swarm",
    premise: "Five silos, a minute, and a swarm of faults in its first half. A few clients deposit, insist under a key, give \
              by letter, are reminded and sign a guest book, slowly: what a seed costs decides how many are told, and rare orders are found \
              by many short runs sooner than by few long ones. In the end all is as acknowledged, and every checker has \
              had something to look at.",
    sometimes: &[
        "membership.evicted",
        "turns.taken_before",
        "short_swarm.many_faults",
        "checked:one-writer",
        "checked:fencing",
        "checked:versions",
        "checked:ledger",
        "checked:linearizable",
        "checked:exactly-once",
        "checked:conservation",
        "checked:reminders",
        "checked:fifo",
        "checked:outcomes",
        "checked:deadlines",
        "checked:liveness",
    ],
    world: Config::new,
    describe: |silo| {
        imps::hosted(silo.actor::<Account>().actor::<Purse>().actor::<Diary>().actor::<GuestBook>())
    },
    tell: |story| Box::pin(tell(story)),
    swarms: true,
    ..Scenario::BLANK
};

const SILOS: [&str; 5] = ["a", "b", "c", "d", "e"];
/// How long faults come and go, and the longest that one of them lasts.
const CHAOS: Duration = Duration::from_secs(22);
const LASTS_MAX: Duration = Duration::from_secs(6);
/// When clients stop, and when it is asked what came of it, if all have agreed by then. In between only reminders are at
/// work; what follows takes the rest of the minute.
const WORK_ENDS: Instant = Instant(40_000_000_000);
const ASKED: Instant = Instant(52_000_000_000);
const PATIENCE: Duration = Duration::from_secs(2);
/// How late a letter may be taken once all is well: a retry's longest pause, a reading of a shard of the index, waking.
const SETTLED: Duration = Duration::from_secs(90);
/// How many times as long as in other stories the pauses between two operations are.
const PACE: u32 = 16;
const DIARIES: u64 = 3;
const PERIOD: Duration = Duration::from_secs(3);
const FORGETS_MAX: u32 = 10;

async fn tell(s: Story) {
    s.given("five silos, with accounts, purses and diaries at work");
    s.cluster.start_all(&SILOS).await;
    let deposits = Deposits::start_paced(&s, 2, (8, PATIENCE), PACE).await;
    let (insisters, givers) =
        (Insisters::start_few(&s, 2, PACE / 2).await, Givers::start_few(&s, 2, PACE / 2).await);
    let visitor = Visitor::start(&s).await;
    remind(&s).await;

    chaos(&s, &SILOS, &config(&s)).await;
    if s.drawn().plan.is_some_and(|plan| plan.events.len() >= 10) {
        reached!("short_swarm.many_faults");
    }
    givers.stop().await;
    s.stage.sleep(WORK_ENDS.since(s.stage.now())).await;
    s.finally("what was acknowledged is there, and what was to happen once has happened once");
    s.waits_in_the_end(PATIENCE);
    insisters.stop_and_check_within(&s, Some(PATIENCE)).await;
    deposits.stop_and_check(&s).await;
    visitor.stop_and_check(&s).await;
    s.stage.sleep(ASKED.since(s.stage.now())).await;
    forget(&s).await;
    givers::audit_within(&s, SETTLED, Some(PATIENCE)).await;
}

/// Each diary has a reminder; the checkers know what becomes of it.
async fn remind(s: &Story) {
    let client = s.stage.client("client-author").await;
    for diary in 0..DIARIES {
        let lead = Duration::from_secs(1) + s.draw_time("first", diary, PERIOD);
        let first = WallTime(s.stage.wall().0 + lead.as_nanos() as i64);
        let policy = [MissedPolicy::FireAll, MissedPolicy::FireOnce, MissedPolicy::Skip][diary as usize % 3];
        let rhythm = Rhythm { first, period: PERIOD, policy };
        let diary = client.actor::<Diary>(&format!("diary-{diary}"));
        // maybe: a seed's limits let it fail; it was asked for in a history all the same.
        let _ = diary.remind("tick".into(), rhythm).deadline(PATIENCE).await;
    }
}

/// Ends the reminders. A call of theirs waits for up to half a minute, a silo that passes one on remembers it for as long, and
/// a silo that is allowed to keep no hint of where an actor lives passes on all of them: there would be no quiet.
async fn forget(s: &Story) {
    let client = s.stage.client("client-editor").await;
    for diary in 0..DIARIES {
        let diary = client.actor::<Diary>(&format!("diary-{diary}"));
        for _ in 0..FORGETS_MAX {
            match diary.cancel("tick".into()).deadline(PATIENCE).await {
                Err(CallError::Failed(_)) => s.stage.sleep(PATIENCE).await,
                // maybe: it was never set, or an earlier attempt has cancelled it.
                Ok(_) | Err(CallError::App(_)) => break,
            }
        }
    }
}

fn config(s: &Story) -> SwarmConfig {
    let mut config = SwarmConfig::new(&SILOS, CHAOS).with_imps();
    // A letter's wake-up call is as late as the wall clocks are wrong, and these go wrong by hours: other stories have that.
    let is_wrong = [FaultKind::ClockStep, FaultKind::ClockLeap, FaultKind::ClockSlew];
    // Through a pipe as narrow as some seeds have it, megabytes take minutes, and whatever comes after them waits: a long
    // story's.
    let is_long = |kind: &FaultKind| is_wrong.contains(kind) || *kind == FaultKind::HugeMessage;
    config.kinds.retain(|kind| !is_long(kind));
    config.gap = Duration::from_secs(3 + s.draw("gap", 0, 8));
    config.lasts_max = LASTS_MAX;
    config
}

#[cfg(test)]
mod tests {
    use super::SCENARIO;
    use quark_testkit::runner;
    use std::time::Duration;

    /// What a run costs, in numbers that no machine's speed changes: so many runs are told only because each is small.
    #[test]
    fn a_short_run_is_short_and_has_something_for_every_checker() {
        let seeds = 0..5;
        let runs = seeds.end - seeds.start;
        let reports: Vec<_> = seeds.map(|seed| runner::tell(&SCENARIO, seed)).collect();
        let failed: Vec<_> = reports.iter().filter(|report| !report.violations.is_empty()).collect();
        assert!(failed.is_empty(), "{failed:?}");
        let simulated = reports.iter().map(|report| report.simulated).sum::<Duration>() / runs as u32;
        assert!((50..75).contains(&simulated.as_secs()), "a run lasts {simulated:?}");
        let events = reports.iter().map(|report| report.hash.1).sum::<u64>() / runs;
        assert!(events <= EVENTS_MAX, "a run has {events} events");
        for checker in SCENARIO.sometimes.iter().filter_map(|name| name.strip_prefix("checked:")) {
            let examined: u64 = reports.iter().filter_map(|report| report.examined.get(checker)).sum();
            assert!(examined > 0, "{checker} examined nothing in {runs} runs");
        }
    }

    /// More than it has, by some.
    const EVENTS_MAX: u64 = 110_000;
}
