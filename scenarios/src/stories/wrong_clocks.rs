//! Stories 19 and 20: one silo's wall clock jumps, forwards or backwards.

use crate::diary::{Diary, Rhythm, faults_of};
use quark::MissedPolicy;
use quark_core::{SiloId, ViewVersion, WallTime};
use quark_sim::Config;
use quark_testkit::story::{Scenario, Tale};
use std::time::Duration;

/// See its premise.
pub const FORWARD: Scenario = Scenario {
    name: "clock-forward",
    premise: "The wall clock of one of five silos jumps hours ahead, and back again. No reminder is early, doubled or \
              missed, whoever owns it; no lease, time-out or view takes notice.",
    sometimes: &["reminders.fired", "reminder.wall.outvoted", "checked:reminders"],
    world,
    describe: |silo| silo.actor::<Diary>(),
    tell: |story| Box::pin(tell(story.tale(), 1)),
    anywhere: Some(|tale| Box::pin(tell(tale, 1))),
    ..Scenario::BLANK
};

/// See its premise.
pub const BACK: Scenario = Scenario {
    name: "clock-back",
    premise: "The wall clock of one of five silos jumps hours back, and then as far ahead again, and all of them drift. No \
              reminder is doubled, and none falls silent for as long as the clock was wrong.",
    sometimes: &["reminders.fired", "reminder.wall.outvoted", "checked:reminders"],
    world,
    describe: |silo| silo.actor::<Diary>(),
    tell: |story| Box::pin(tell(story.tale(), -1)),
    anywhere: Some(|tale| Box::pin(tell(tale, -1))),
    ..Scenario::BLANK
};

fn world(seed: u64) -> Config {
    let mut world = Config::new(seed);
    world.clocks.rate_ppm_max = 500;
    world.clocks.wall_offset_max = OFFSET;
    world
}

const SILOS: [&str; 5] = ["a", "b", "c", "d", "e"];
const DIARIES: u64 = 20;
const PERIOD: Duration = Duration::from_secs(2);
const OFFSET: Duration = Duration::from_millis(50);
const DEADLINE: Duration = Duration::from_secs(5);
/// By how much the middle of five clocks may be off: their offsets, what they drift in a minute, and one that the others
/// have not been asked for since it jumped, which cannot matter.
const ERROR: Duration = Duration::from_millis(200);
/// How late an occurrence may be: a firing, its commit, and the clocks.
const LATE: Duration = Duration::from_secs(2);

/// How long the three parts of the story take; the middle one is drawn.
struct Pace {
    before: Duration,
    wrong_least: Duration,
    wrong_more: Duration,
    after: Duration,
}

const THOROUGH: Pace = Pace {
    before: Duration::from_secs(5),
    wrong_least: Duration::from_secs(5),
    wrong_more: Duration::from_secs(20),
    after: Duration::from_secs(10),
};
/// Two periods at least with the clock wrong, and one at least after it is right again.
const BRISK: Pace = Pace {
    before: Duration::from_secs(3),
    wrong_least: Duration::from_secs(4),
    wrong_more: Duration::from_secs(1),
    after: Duration::from_secs(4),
};

async fn tell(s: Tale, sign: i64) {
    let pace = if s.stage.takes_real_time() { BRISK } else { THOROUGH };
    s.given("five silos, and twenty diaries with a reminder of two seconds each");
    if !s.start_all(&SILOS).await {
        return;
    }
    let client = s.stage.client("client-author").await;
    let mut rhythms = Vec::new();
    for diary in 0..DIARIES {
        let policy = [MissedPolicy::FireAll, MissedPolicy::FireOnce, MissedPolicy::Skip][diary as usize % 3];
        let lead = Duration::from_secs(2) + s.draw_time("first", diary, Duration::from_secs(2));
        let rhythm = Rhythm { first: plus(s.stage.wall(), lead), period: PERIOD, policy };
        let reference = client.actor::<Diary>(&format!("diary-{diary}"));
        let answer = reference.remind("beat".into(), rhythm).deadline(DEADLINE).await;
        s.require("I5", answer.is_ok(), || format!("diary-{diary} could not be reminded: {answer:?}"));
        rhythms.push(rhythm);
    }
    s.stage.sleep(pace.before).await;
    let before = everybody(&s);

    let victim = SILOS[s.draw("victim", 0, 5) as usize];
    let step = Duration::from_secs(60) + s.draw_time("step", 0, Duration::from_secs(3 * 3600));
    let step_ns = sign * step.as_nanos() as i64;
    s.when(format!("the wall clock of {victim} jumps by {} s", sign * step.as_secs() as i64));
    let wrong_from = s.stage.wall();
    s.stage.step_wall(victim, step_ns);
    s.stage.sleep(pace.wrong_least + s.draw_time("wrong", 0, pace.wrong_more)).await;
    s.when("it is set right again");
    s.stage.step_wall(victim, -step_ns);
    let wrong_to = s.stage.wall();
    s.stage.sleep(pace.after).await;

    s.finally("every occurrence was noted once, at its time, and nobody was evicted");
    let after = everybody(&s);
    s.require("P12", before == after && before.len() == SILOS.len(), || {
        format!("the silos and views went from {before:?} to {after:?} for a wall clock's sake")
    });
    let mut noted_while_wrong = 0;
    for (diary, rhythm) in (0..).zip(rhythms) {
        let now = s.stage.wall();
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
        let early = entries.iter().find(|entry| entry.due > plus(s.stage.wall(), ERROR));
        s.require("I10", early.is_none(), || format!("diary-{diary} was early: {early:?}, it is {now:?}"));
        noted_while_wrong +=
            entries.iter().filter(|e| (wrong_from..wrong_to).contains(&e.due)).count() as u64;
    }
    s.require("I10", noted_while_wrong >= DIARIES, || {
        format!("only {noted_while_wrong} occurrences came due while a clock was wrong")
    });
}

/// Who runs, and which view each of them has.
fn everybody(s: &Tale) -> Vec<(SiloId, ViewVersion)> {
    let up = SILOS.iter().filter(|name| s.stage.is_up(name));
    up.filter_map(|name| s.stage.look(name)).map(|look| (look.id, look.view.version)).collect()
}

fn plus(time: WallTime, by: Duration) -> WallTime {
    WallTime(time.0 + by.as_nanos() as i64)
}
