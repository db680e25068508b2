//! Story 21: the owner of a reminder changes between its firing and its answer.

use crate::diary::{Diary, Entry, Rhythm, faults_of};
use quark::{Client, MissedPolicy};
use quark_core::WallTime;
use quark_sim::Config;
use quark_testkit::story::{Scenario, Tale};
use std::time::Duration;

/// See its premise.
pub const SCENARIO: Scenario = Scenario {
    name: "reminder-owner-change",
    premise: "Reminders of a second are fired while silos crash, hang, are cut off and come back, so that two of them \
              may take one shard for theirs, and the store loses answers. Each occurrence is noted once, in order, and \
              none is left out but by its policy; what was cancelled is noted no more.",
    sometimes: &[
        "reminders.fired",
        "reminders.not_due_by_the_truth",
        "reminders.fire_failed",
        "schedule.missed.collapsed",
        "schedule.missed.skipped",
        "checked:reminders",
    ],
    world: |seed| {
        let mut world = Config::new(seed);
        // Clocks that are wrong are the matter of other stories.
        world.clocks.wall_offset_max = Duration::ZERO;
        world.clocks.rate_ppm_max = 0;
        world
    },
    describe: |silo| silo.actor::<Diary>(),
    tell: |story| Box::pin(tell(story.tale())),
    anywhere: Some(|tale| Box::pin(tell(tale))),
    ..Scenario::BLANK
};

const SILOS: [&str; 4] = ["a", "b", "c", "d"];
const DIARIES: u64 = 10;
const POLICIES: [(&str, MissedPolicy); 3] =
    [("all", MissedPolicy::FireAll), ("once", MissedPolicy::FireOnce), ("skip", MissedPolicy::Skip)];
const DEADLINE: Duration = Duration::from_secs(5);
/// How late an occurrence may be once all is well: a retry's longest pause, a reading of a shard, an activation.
const SETTLED: Duration = Duration::from_secs(75);

/// What a story that takes real time waits: for a firing or two, and until a silo that hangs is evicted and its shards
/// have other owners, while it still believes that they are its own.
const BRIEF: Duration = Duration::from_secs(2);
const UNTIL_EVICTED: Duration = Duration::from_secs(5);
/// Nothing that goes well takes as long.
const LATE: Duration = Duration::from_secs(2);
const SECOND_NS: i64 = 1_000_000_000;

async fn tell(s: Tale) {
    s.given("four silos, and ten diaries with three reminders each");
    if !s.start_all(&SILOS).await {
        return;
    }
    let client = s.stage.client("client-author").await;
    let mut rhythms = Vec::new();
    for diary in 0..DIARIES {
        for (at, (name, policy)) in (0..).zip(POLICIES) {
            let lead = Duration::from_secs(1) + s.draw_time("first", diary << 4 | at, Duration::from_secs(3));
            let first = WallTime(s.stage.wall().0 + lead.as_nanos() as i64);
            let rhythm = Rhythm { first, period: Duration::from_secs(1), policy };
            set(&s, &client, diary, name, rhythm).await;
            rhythms.push((diary, name, rhythm));
        }
    }
    s.stage.sleep(Duration::from_secs(2)).await;

    let trouble_from = s.stage.wall();
    if s.stage.takes_real_time() {
        // The two that make an owner change, whatever the seed: one that is gone, and one that believes it is not.
        lose_power(&s, SILOS[s.draw("victim", 0, 4) as usize], BRIEF).await;
        hang(&s, SILOS[s.draw("victim", 1, 4) as usize], UNTIL_EVICTED).await;
    } else {
        for turn in 0..4 {
            trouble(&s, turn).await;
        }
    }
    let trouble_to = s.stage.wall();
    s.when("all is well again");
    s.stage.heal();
    s.stage.lose_answers(0);
    for name in SILOS {
        if !s.stage.is_up(name) {
            let _ = s.stage.start(name).await;
        }
    }
    // All whom the first client knew may be gone, one after the other.
    let client = if s.stage.takes_real_time() {
        let client = s.stage.client("client-auditor").await;
        let up_to_date = || is_up_to_date(&s, &client, &rhythms);
        s.eventually_async("I10", "each reminder is up to date", SETTLED, up_to_date).await;
        client
    } else {
        s.stage.sleep(SETTLED).await;
        s.stage.client("client-auditor").await
    };
    let cancelled = s.draw("cancelled", 0, DIARIES);
    let kept = cancel(&s, &client, cancelled).await;
    let asked = s.stage.wall();
    s.stage.sleep(if s.stage.takes_real_time() { BRIEF } else { Duration::from_secs(5) }).await;

    s.finally("each occurrence is noted once");
    let mut noted_late = 0;
    for (diary, name, rhythm) in rhythms {
        let Some(entries) = entries(&s, &client, diary, name).await else { continue };
        if let Some((_, kept)) = kept.iter().find(|(n, _)| diary == cancelled && *n == name) {
            s.require("I10", *kept == entries, || {
                format!("diary-{diary} was told `{name}` no more, and noted {entries:?} after {kept:?}")
            });
            continue;
        }
        // A moment for the occurrence itself.
        let latest = WallTime(asked.0 - Duration::from_secs(2).as_nanos() as i64);
        let fault = faults_of(&rhythm, &entries, latest);
        s.require("I10", fault.is_none(), || {
            format!("`{name}` of diary-{diary}: {}", fault.unwrap_or_default())
        });
        let early = entries.iter().find(|entry| entry.at < entry.due);
        s.require("I10", early.is_none(), || format!("`{name}` of diary-{diary} was early: {early:?}"));
        let in_trouble = entries.iter().filter(|entry| (trouble_from..trouble_to).contains(&entry.due));
        noted_late += in_trouble.filter(|e| e.at.0 - e.due.0 > LATE.as_nanos() as i64).count();
    }
    s.then(format!("{noted_late} occurrences were noted late, for somebody else had to fire them"));
    let has_hit = noted_late > 0 || !s.stage.takes_real_time();
    s.require("I10", has_hit, || "no occurrence was noted late: no owner changed".into());
}

/// Whether each reminder has noted all but the occurrences of the last moment.
async fn is_up_to_date(s: &Tale, client: &Client, rhythms: &[(u64, &str, Rhythm)]) -> bool {
    for (diary, name, _) in rhythms {
        let reference = client.actor::<Diary>(&format!("diary-{diary}"));
        let latest = WallTime(s.stage.wall().0 - LATE.as_nanos() as i64);
        let noted = reference.entries((*name).into()).deadline(DEADLINE).await;
        // What cannot be mended by waiting is found in the end.
        let due = |entries: &Vec<Entry>| entries.last().is_some_and(|e| e.due.0 + SECOND_NS >= latest.0);
        if !noted.as_ref().is_ok_and(due) {
            return false;
        }
    }
    true
}

async fn lose_power(s: &Tale, victim: &str, lasts: Duration) {
    s.when(format!("{victim} loses power, and comes back"));
    s.stage.crash(victim);
    s.stage.sleep(lasts).await;
    let _ = s.stage.start(victim).await;
}

async fn hang(s: &Tale, victim: &str, lasts: Duration) {
    s.when(format!("{victim} hangs for a while"));
    s.stage.pause(victim);
    s.stage.sleep(lasts).await;
    s.stage.resume(victim);
}

async fn trouble(s: &Tale, turn: u64) {
    let victim = SILOS[s.draw("victim", turn, 4) as usize];
    let lasts = Duration::from_millis(300) + s.draw_time("lasts", turn, Duration::from_secs(7));
    if !s.stage.is_up(victim) {
        let _ = s.stage.start(victim).await;
    }
    match s.draw("trouble", turn, 5) {
        0 => s.stage.sleep(lasts).await,
        1 => lose_power(s, victim, lasts).await,
        2 => hang(s, victim, lasts).await,
        3 => {
            s.when(format!("{victim} is cut off from the others, and reaches the store"));
            let others: Vec<&str> = SILOS.iter().copied().filter(|name| *name != victim).collect();
            s.stage.partition(&[&[victim], &others]);
            s.stage.sleep(lasts).await;
            s.stage.heal();
        }
        _ => {
            s.when("the store loses answers");
            s.stage.lose_answers(300_000);
            s.stage.sleep(lasts).await;
            s.stage.lose_answers(0);
        }
    }
    s.stage.sleep(s.draw_time("calm", turn, Duration::from_secs(3))).await;
}

async fn set(s: &Tale, client: &Client, diary: u64, name: &str, rhythm: Rhythm) {
    let reference = client.actor::<Diary>(&format!("diary-{diary}"));
    let answer = reference.remind(name.into(), rhythm).deadline(DEADLINE).await;
    s.require("I5", answer.is_ok(), || format!("diary-{diary} could not be reminded: {answer:?}"));
}

/// Cancels all reminders of a diary; what each has noted by then.
async fn cancel(s: &Tale, client: &Client, diary: u64) -> Vec<(&'static str, Vec<Entry>)> {
    s.when(format!("the reminders of diary-{diary} are cancelled"));
    let mut kept = Vec::new();
    for (key, (name, _)) in (1..).zip(POLICIES) {
        let reference = client.actor::<Diary>(&format!("diary-{diary}"));
        // A lost answer must not leave it open what had been noted by then.
        match reference.cancel(name.into()).idempotency_key(key).deadline(DEADLINE).await {
            Ok(entries) => kept.push((name, entries)),
            Err(error) => {
                s.violated("I7", format!("`{name}` of diary-{diary} could not be cancelled: {error}"))
            }
        }
    }
    kept
}

async fn entries(s: &Tale, client: &Client, diary: u64, name: &str) -> Option<Vec<Entry>> {
    match client.actor::<Diary>(&format!("diary-{diary}")).entries(name.into()).deadline(DEADLINE).await {
        Ok(entries) => Some(entries),
        Err(error) => {
            s.violated("I7", format!("diary-{diary} does not serve: {error}"));
            None
        }
    }
}
