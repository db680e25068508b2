//! Stories 19 and 20: one silo's wall clock jumps, forwards or backwards.

use crate::diary::{Diary, Rhythm, faults_of};
use quark::MissedPolicy;
use quark_core::WallTime;
use quark_sim::Config;
use quark_testkit::story::{Scenario, Story};
use std::time::Duration;

/// See its premise.
pub const FORWARD: Scenario = Scenario {
    name: "clock-forward",
    premise: "The wall clock of one of five silos jumps hours ahead, and back again. No reminder is early, doubled or \
              missed, whoever owns it; no lease, time-out or view takes notice.",
    sometimes: &["reminders.fired", "reminder.wall.outvoted"],
    world,
    describe: |silo| silo.actor::<Diary>(),
    tell: |story| Box::pin(tell(story, 1)),
    anywhere: None,
    heavy: false,
};

/// See its premise.
pub const BACK: Scenario = Scenario {
    name: "clock-back",
    premise: "The wall clock of one of five silos jumps hours back, and then as far ahead again, and all of them drift. No \
              reminder is doubled, and none falls silent for as long as the clock was wrong.",
    sometimes: &["reminders.fired", "reminder.wall.outvoted"],
    world,
    describe: |silo| silo.actor::<Diary>(),
    tell: |story| Box::pin(tell(story, -1)),
    anywhere: None,
    heavy: false,
};

fn world(seed: u64) -> Config {
    let mut world = Config::new(seed);
    world.clocks.rate_ppm_max = 500;
    world.clocks.wall_offset_max = OFFSET;
    world
}

const SILOS: [&str; 5] = ["a", "b", "c", "d", "e"];
const DIARIES: u64 = 20;
const OFFSET: Duration = Duration::from_millis(50);
const DEADLINE: Duration = Duration::from_secs(5);
/// By how much the middle of five clocks may be off: their offsets, what they drift in a minute, and one that the others
/// have not been asked for since it jumped, which cannot matter.
const ERROR: Duration = Duration::from_millis(200);
/// How late an occurrence may be: a firing, its commit, and the clocks.
const LATE: Duration = Duration::from_secs(2);

async fn tell(s: Story, sign: i64) {
    s.given("five silos, and twenty diaries with a reminder of two seconds each");
    s.cluster.start_all(&SILOS).await;
    let client = s.stage.client("client-author").await;
    let mut rhythms = Vec::new();
    for diary in 0..DIARIES {
        let policy = [MissedPolicy::FireAll, MissedPolicy::FireOnce, MissedPolicy::Skip][diary as usize % 3];
        let lead = Duration::from_secs(2) + s.draw_time("first", diary, Duration::from_secs(2));
        let rhythm =
            Rhythm { first: plus(s.world.true_wall(), lead), period: Duration::from_secs(2), policy };
        let reference = client.actor::<Diary>(&format!("diary-{diary}"));
        let answer = reference.remind("beat".into(), rhythm).deadline(DEADLINE).await;
        s.require("I5", answer.is_ok(), || format!("diary-{diary} could not be reminded: {answer:?}"));
        rhythms.push(rhythm);
    }
    s.stage.sleep(Duration::from_secs(5)).await;
    let before = s.cluster.silo("a").map(|silo| silo.view().version);

    let victim = SILOS[s.draw("victim", 0, 5) as usize];
    let step = Duration::from_secs(60) + s.draw_time("step", 0, Duration::from_secs(3 * 3600));
    let step_ns = sign * step.as_nanos() as i64;
    s.when(format!("the wall clock of {victim} jumps by {} s", sign * step.as_secs() as i64));
    s.world.step_wall_clock(s.cluster.node(victim), step_ns);
    s.stage.sleep(Duration::from_secs(5) + s.draw_time("wrong", 0, Duration::from_secs(20))).await;
    s.when("it is set right again");
    s.world.step_wall_clock(s.cluster.node(victim), -step_ns);
    s.stage.sleep(Duration::from_secs(10)).await;

    s.finally("every occurrence was noted once, at its time, and nobody was evicted");
    let after = s.cluster.silo("a").map(|silo| silo.view().version);
    s.require("P12", before == after, || {
        format!("the view went from {before:?} to {after:?} for a wall clock's sake")
    });
    let now = s.world.true_wall();
    for (diary, rhythm) in (0..).zip(rhythms) {
        let reference = client.actor::<Diary>(&format!("diary-{diary}"));
        let entries = match reference.entries("beat".into()).deadline(DEADLINE).await {
            Ok(entries) => entries,
            Err(error) => {
                s.violated("I7", format!("diary-{diary} does not serve: {error}"));
                continue;
            }
        };
        let fault = faults_of(&rhythm, &entries, WallTime(now.0 - LATE.as_nanos() as i64));
        s.require("I10", fault.is_none(), || format!("diary-{diary}: {}", fault.unwrap_or_default()));
        let missed = entries.iter().any(|entry| entry.missed > 0);
        s.require("I10", !missed, || format!("diary-{diary} dropped an occurrence though nothing was down"));
        // By the true time: whatever was noted is due by now.
        let early = entries.iter().find(|entry| entry.due > plus(now, ERROR));
        s.require("I10", early.is_none(), || format!("diary-{diary} was early: {early:?}, it is {now:?}"));
    }
}

fn plus(time: WallTime, by: Duration) -> WallTime {
    WallTime(time.0 + by.as_nanos() as i64)
}
