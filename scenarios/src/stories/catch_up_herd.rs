//! Story 22: a whole cluster comes back after six hours, and everything is due at once.

use crate::bank::Account;
use crate::callers::{Callers, compare};
use crate::diary::{Chapter, Diary, Entry, Rhythm};
use parking_lot::Mutex;
use quark::{Client, ClientConfig, MissedPolicy, SiloBuilder};
use quark_core::{WallTime, reached};
use quark_sim::Config;
use quark_testkit::story::{Scenario, Story, Tale};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// See its premise.
pub const SCENARIO: Scenario = Scenario {
    name: "catch-up-herd",
    premise: "A cluster is down for six hours, in which hundreds of hourly reminders come due six times each. When it is \
              back, each silo fires them no faster than it is allowed to, as often as their policies say, none early; \
              other calls are answered as fast as ever.",
    sometimes: &[
        "schedule.missed.collapsed",
        "schedule.missed.skipped",
        "catch_up_herd.at_the_cap",
        "checked:reminders",
    ],
    world,
    describe: |silo| describe(silo, &SMALL),
    tell: |story| Box::pin(tell_inside(story, &SMALL)),
    anywhere: Some(|tale| Box::pin(tell(tale, &SMALL))),
    ..Scenario::BLANK
};

/// The same for a hundred thousand; told when it is named.
pub const LARGE: Scenario = Scenario {
    name: "catch-up-hundred-thousand",
    premise: "A cluster is down for six hours, in which a hundred thousand reminders come due once each. When it is back, \
              each silo fires them no faster than it is allowed to, and other calls are answered as fast as ever.",
    sometimes: &[],
    describe: |silo| describe(silo, &HUNDRED_THOUSAND),
    tell: |story| Box::pin(tell_inside(story, &HUNDRED_THOUSAND)),
    anywhere: None,
    heavy: true,
    swarms: false,
    ..SCENARIO
};

struct Size {
    diaries: u64,
    /// Reminders of each diary. One actor has at most 64.
    chapters: u64,
    period: Duration,
    /// Reminders that a silo fires in a second, and at once before that.
    rate: u32,
    burst: u32,
}

const SMALL: Size =
    Size { diaries: 24, chapters: 12, period: Duration::from_secs(3600), rate: 50, burst: 10 };
const HUNDRED_THOUSAND: Size =
    Size { diaries: 2_000, chapters: 50, period: Duration::from_secs(12 * 3600), rate: 1000, burst: 100 };

const SILOS: [&str; 3] = ["a", "b", "c"];
const POLICIES: [MissedPolicy; 3] = [MissedPolicy::FireAll, MissedPolicy::FireOnce, MissedPolicy::Skip];
const DOWN: Duration = Duration::from_secs(6 * 3600);
/// The first occurrences come so long after the reminders were set, by when the cluster is down, and so far apart.
const LEAD: Duration = Duration::from_secs(60);
const SPREAD: Duration = Duration::from_secs(20);
/// What an actor's activation may take on a busy machine.
const ACTIVATION: Duration = Duration::from_secs(1);
const DEADLINE: Duration = Duration::from_secs(5);
/// How long a calm time has to be to say how fast calls are.
const CALM: Duration = Duration::from_secs(4);
/// From the return until the first is fired: the dead generations' leases, a reading of the shards, the time of day.
const SETTLED: Duration = Duration::from_secs(8);

fn world(seed: u64) -> Config {
    let mut world = Config::new(seed);
    // Clocks that are wrong are the matter of other stories.
    world.clocks.wall_offset_max = Duration::ZERO;
    world.clocks.rate_ppm_max = 0;
    world
}

fn describe(silo: SiloBuilder, size: &Size) -> SiloBuilder {
    let mut config = silo.silo_config().clone();
    config.reminders.fires_per_second = size.rate;
    config.reminders.burst = size.burst;
    silo.config(config).actor::<Diary>().actor::<Account>()
}

/// In the simulator, whose silos can be looked into: also how fast each of them fires, and what that costs others.
async fn tell_inside(s: Story, size: &'static Size) {
    if !begin(&s, size).await {
        return;
    }
    let connection = s.cluster.connect("client-author", ClientConfig::default());
    let (base, chapters) = set_all(&s, size, &connection.client()).await;
    connection.close();
    let back_at = be_down(&s, base).await;
    let meter = Meter::start(&s, size);
    let herd = Callers::start(&s, 0).await;
    let firings = all_firings(&chapters, back_at);
    let limit = SETTLED + Duration::from_secs(firings / u64::from(size.rate));
    s.eventually("I10", "what was due has been fired", limit, || meter.answered() >= firings).await;
    let busy = herd.stop().await;

    s.when("all is calm again");
    let calm = Callers::start(&s, 1).await;
    s.stage.sleep(CALM).await;
    let calm = calm.stop().await;
    compare(&s, "a call in the herd", &busy, &calm);
    let until = back_at.0 + (LEAD + SPREAD + Duration::from_secs(2)).as_nanos() as i64;
    s.stage.sleep(Duration::from_nanos((until - s.stage.wall().0).max(0) as u64)).await;
    meter.stop(&s, size);
    s.finally("each occurrence was noted as its policy says, and none before its time");
    let reader = s.stage.client("client-reader").await;
    let latest = WallTime(back_at.0 + (LEAD + SPREAD).as_nanos() as i64);
    for (diary, chapters) in (0..).zip(&chapters) {
        read(&s, &reader, diary, chapters, back_at, latest).await;
    }
}

/// Anywhere, by what the diaries say.
async fn tell(s: Tale, size: &'static Size) {
    if !begin(&s, size).await {
        return;
    }
    let author = s.stage.client("client-author").await;
    let (base, chapters) = set_all(&s, size, &author).await;
    let back_at = be_down(&s, base).await;
    let herd = Callers::start(&s, 0).await;
    let reader = s.stage.client("client-reader").await;
    let firings = all_firings(&chapters, back_at);
    let limit = SETTLED + Duration::from_secs(firings / u64::from(size.rate));
    let caught_up = || async {
        let diaries = chapters.iter().enumerate().filter(|(_, chapters)| !chapters.is_empty());
        for (diary, chapters) in diaries {
            if !is_caught_up(&reader, diary as u64, chapters, back_at).await {
                return false;
            }
        }
        true
    };
    s.eventually_async("I10", "what was due has been fired", limit, caught_up).await;
    let calls = herd.stop().await;
    s.require("I6", calls.len() >= 100, || format!("only {} calls were answered in the herd", calls.len()));

    s.finally(
        "each occurrence was noted as its policy says, none before its time, and no faster than allowed",
    );
    let latest = WallTime(s.stage.wall().0 - Duration::from_secs(2).as_nanos() as i64);
    let mut noted = Vec::new();
    for (diary, chapters) in (0..).zip(&chapters) {
        noted.extend(read(&s, &reader, diary, chapters, back_at, latest).await);
    }
    let caught_up = noted.iter().filter(|entry| entry.due < back_at);
    let (count, first, last) = caught_up.fold((0, i64::MAX, i64::MIN), |(count, first, last), entry| {
        (count + 1, first.min(entry.at.0), last.max(entry.at.0))
    });
    // The first may have waited for its actor's activation; the last has not.
    let took = Duration::from_nanos((last - first).max(0) as u64) + ACTIVATION;
    let silos = SILOS.len() as u64;
    let beyond = u64::from(size.burst) + 1;
    let least =
        Duration::from_secs(1) * (count - silos * beyond) as u32 / (silos * u64::from(size.rate)) as u32;
    s.then(format!(
        "{count} occurrences were noted in {took:?}, of which at most {ACTIVATION:?} is not firing"
    ));
    s.require("I10", took >= least, || format!("{count} were fired in {took:?}; allowed is {least:?}"));
}

async fn begin(s: &Tale, size: &Size) -> bool {
    s.given(format!("three silos, and {} diaries with {} reminders each", size.diaries, size.chapters));
    s.start_all(&SILOS).await
}

/// Sets the reminders of all diaries. Returns when it began, and the reminders by diary.
async fn set_all(s: &Tale, size: &Size, author: &Client) -> (WallTime, Vec<Vec<Chapter>>) {
    let base = s.stage.wall();
    let mut chapters = Vec::new();
    for diary in 0..size.diaries {
        let these: Vec<Chapter> = (0..size.chapters).map(|n| chapter(s, size, base, diary, n)).collect();
        let reference = author.actor::<Diary>(&format!("diary-{diary}"));
        let answer = reference.remind_all(these.clone()).deadline(DEADLINE).await;
        s.require("I5", answer.is_ok(), || format!("diary-{diary} could not be reminded: {answer:?}"));
        chapters.push(these);
    }
    (base, chapters)
}

/// The outage. Returns when it was over.
async fn be_down(s: &Tale, base: WallTime) -> WallTime {
    s.when("the whole cluster loses power, for six hours");
    for name in SILOS {
        s.stage.crash(name);
    }
    let back_at = WallTime(base.0 + DOWN.as_nanos() as i64);
    s.stage.let_pass(Duration::from_nanos((back_at.0 - s.stage.wall().0) as u64)).await;
    s.when("it is back");
    s.start_all(&SILOS).await;
    back_at
}

fn chapter(s: &Tale, size: &Size, base: WallTime, diary: u64, n: u64) -> Chapter {
    let number = diary << 8 | n;
    let lead = LEAD + s.draw_time("first", number, SPREAD);
    let first = WallTime(base.0 + lead.as_nanos() as i64);
    let policy = POLICIES[(number % 3) as usize];
    Chapter { name: format!("chapter-{n}"), rhythm: Rhythm { first, period: size.period, policy } }
}

/// How many of its occurrences the outage has swallowed.
fn swallowed(rhythm: &Rhythm, back_at: WallTime) -> u64 {
    (back_at.0 - rhythm.first.0) as u64 / rhythm.period.as_nanos() as u64 + 1
}

/// How many times the owner of its shard has to ask its actor to catch up.
fn firings(rhythm: &Rhythm, back_at: WallTime) -> u64 {
    match rhythm.policy {
        MissedPolicy::FireAll => swallowed(rhythm, back_at),
        MissedPolicy::FireOnce | MissedPolicy::Skip => 1,
    }
}

fn all_firings(chapters: &[Vec<Chapter>], back_at: WallTime) -> u64 {
    chapters.iter().flatten().map(|chapter| firings(&chapter.rhythm, back_at)).sum()
}

/// How many of its occurrences will never be fired: all but one of those swallowed, or all of them.
fn dropped(rhythm: &Rhythm, back_at: WallTime) -> u64 {
    match rhythm.policy {
        MissedPolicy::FireAll => 0,
        MissedPolicy::FireOnce => swallowed(rhythm, back_at) - 1,
        MissedPolicy::Skip => swallowed(rhythm, back_at),
    }
}

/// Whether a diary says that of each of its reminders as many were noted, or dropped, as the outage has swallowed.
async fn is_caught_up(client: &Client, diary: u64, chapters: &[Chapter], back_at: WallTime) -> bool {
    let reference = client.actor::<Diary>(&format!("diary-{diary}"));
    let (Ok(notes), Ok(missed)) =
        (reference.everything().deadline(DEADLINE).await, reference.missed().deadline(DEADLINE).await)
    else {
        return false;
    };
    chapters.iter().all(|Chapter { name, rhythm }| {
        let noted = notes.get(name).map_or(0, |entries| entries.len() as u64);
        missed.get(name).is_some_and(|missed| noted + missed >= swallowed(rhythm, back_at))
    })
}

/// Compares one diary with what it should have noted until `latest`, occurrence by occurrence. Returns its entries.
async fn read(
    s: &Tale,
    client: &Client,
    diary: u64,
    chapters: &[Chapter],
    back_at: WallTime,
    latest: WallTime,
) -> Vec<Entry> {
    let reference = client.actor::<Diary>(&format!("diary-{diary}"));
    let notes = reference.everything().deadline(DEADLINE).await;
    let missed = reference.missed().deadline(DEADLINE).await;
    let (Ok(notes), Ok(missed)) = (notes, missed) else {
        s.violated("I7", format!("diary-{diary} does not serve"));
        return Vec::new();
    };
    for chapter in chapters {
        let (name, rhythm) = (&chapter.name, &chapter.rhythm);
        let entries = notes.get(name).cloned().unwrap_or_default();
        let due = |n: u64| WallTime(rhythm.first.0 + (n * rhythm.period.as_nanos() as u64) as i64);
        let gone = swallowed(rhythm, back_at);
        let mut expected: Vec<(WallTime, u64)> = match rhythm.policy {
            MissedPolicy::FireAll => (0..gone).map(|n| (due(n), 0)).collect(),
            MissedPolicy::FireOnce => vec![(due(0), gone - 1)],
            MissedPolicy::Skip => Vec::new(),
        };
        let dropped = dropped(rhythm, back_at);
        s.require("I10", missed.get(name) == Some(&dropped), || {
            format!(
                "`{name}` of diary-{diary}, {:?}: {missed:?} were dropped, and not {dropped}",
                rhythm.policy
            )
        });
        // The next ones come at their time.
        expected.extend((gone..).map(|n| (due(n), 0)).take_while(|(due, _)| *due <= latest));
        let noted = entries.iter().filter(|entry| entry.due <= latest);
        let found: Vec<(WallTime, u64)> = noted.map(|e| (e.due, e.missed)).collect();
        s.require("I10", found == expected, || {
            format!("`{name}` of diary-{diary}, {:?}: {found:?}, and not {expected:?}", rhythm.policy)
        });
        let early = entries.iter().find(|entry| entry.at < entry.due);
        s.require("I10", early.is_none(), || format!("`{name}` of diary-{diary} was early: {early:?}"));
    }
    notes.into_values().flatten().collect()
}

/// Watches how fast each silo fires.
struct Meter(Arc<Mutex<Fired>>);

#[derive(Default)]
struct Fired {
    is_stopped: bool,
    answered: BTreeMap<&'static str, u64>,
    /// By silo: the least that `fired - rate × time` ever was.
    least: BTreeMap<&'static str, f64>,
    /// The most that a silo fired beyond its rate since any moment before.
    beyond: f64,
    /// What each silo had fired a second ago.
    before: BTreeMap<&'static str, u64>,
}

impl Meter {
    fn start(s: &Story, size: &'static Size) -> Self {
        let state = Arc::new(Mutex::new(Fired::default()));
        let (story, shared) = (s.clone(), state.clone());
        s.world.driver("meter", async move {
            for tick in 0_u64.. {
                if shared.lock().is_stopped {
                    return;
                }
                look(&story, size, tick, &mut shared.lock());
                story.world.sleep(Duration::from_millis(100)).await;
            }
        });
        Self(state)
    }

    fn answered(&self) -> u64 {
        self.0.lock().answered.values().sum()
    }

    /// No silo ever fired more than its burst beyond its rate.
    fn stop(self, s: &Story, size: &Size) {
        let mut state = self.0.lock();
        state.is_stopped = true;
        // A look falls between two steps of a silo, whose token may be a moment old.
        s.require("I10", state.beyond <= f64::from(size.burst) + 1.0, || {
            format!("a silo fired {:.1} beyond its rate of {} a second", state.beyond, size.rate)
        });
    }
}

fn look(s: &Story, size: &Size, tick: u64, state: &mut Fired) {
    let seconds = s.stage.now().0 as f64 / 1e9;
    for name in SILOS {
        let Some(silo) = s.cluster.silo(name) else { continue };
        let counts = silo.reminders();
        state.answered.insert(name, counts.advanced);
        let level = counts.fired as f64 - f64::from(size.rate) * seconds;
        let least = state.least.entry(name).or_insert(level);
        *least = least.min(level);
        let beyond = level - *least;
        state.beyond = state.beyond.max(beyond);
        if tick.is_multiple_of(10) {
            let before = state.before.insert(name, counts.fired).unwrap_or(0);
            if counts.fired - before >= u64::from(size.rate) * 95 / 100 {
                reached!("catch_up_herd.at_the_cap");
            }
        }
    }
}
