//! Story 6: a fifth of a large cluster comes and another fifth goes, all within ten seconds.

use crate::bank::Account;
use quark_core::ring::{Ring, diff};
use quark_core::view::View;
use quark_sim::Config;
use quark_testkit::stage::Stage;
use quark_testkit::story::{Scenario, Story};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// A thousand silos; told when it is named.
pub const SCENARIO: Scenario = Scenario {
    name: "thousand-silos",
    premise: "Of a thousand silos, two hundred crash within ten seconds while two hundred others join. All agree within \
              thirty seconds, few keys move, and the news of it costs each silo a bounded number of frames.",
    world: Config::new,
    describe: |silo| silo.actor::<Account>(),
    tell: |story| Box::pin(tell(story, Size { silos: 1000, joins: 200, crashes: 200, batch: 50 })),
    heavy: true,
    ..Scenario::BLANK
};

/// Large enough to show what grows with the square of the silos, small enough to profile; told when it is named.
pub const TWO_HUNDRED: Scenario = Scenario {
    name: "two-hundred-silos",
    premise: "Of two hundred silos, forty crash within ten seconds while forty others join. All agree within thirty \
              seconds, few keys move, and the news of it costs each silo a bounded number of frames.",
    tell: |story| Box::pin(tell(story, Size { silos: 200, joins: 40, crashes: 40, batch: 50 })),
    ..SCENARIO
};

/// Its smaller twin.
pub const SIXTY: Scenario = Scenario {
    name: "sixty-silos",
    premise: "Of sixty silos, twelve crash within ten seconds while twelve others join. All agree within thirty \
              seconds, few keys move, and the news of it costs each silo a bounded number of frames.",
    sometimes: &["membership.change.conflict", "membership.evicted", "directory.recovery_started"],
    tell: |story| Box::pin(tell(story, Size { silos: 60, joins: 12, crashes: 12, batch: 60 })),
    ..SCENARIO
};

/// The smallest, for every seed.
pub const TWENTY: Scenario = Scenario {
    name: "twenty-silos",
    premise: "Of twenty silos, four crash within ten seconds while four others join. All agree within thirty seconds, \
              few keys move, and the news of it costs each silo a bounded number of frames.",
    tell: |story| Box::pin(tell(story, Size { silos: 20, joins: 4, crashes: 4, batch: 20 })),
    heavy: false,
    swarms: false,
    ..SIXTY
};

#[derive(Clone, Copy)]
struct Size {
    silos: u64,
    joins: u64,
    crashes: u64,
    /// How many of the first silos start at a time.
    batch: u64,
}

/// Within this all comings and goings happen.
const CHURN: Duration = Duration::from_secs(10);
/// From the last of them until all agree.
const CONVERGE: Duration = Duration::from_secs(30);
/// Frames that a silo may send each second without a reason: it watches three peers, and three watch it.
const IDLE_FRAMES_A_SECOND: f64 = 20.0;
/// Frames that a silo may send to each other one, on average, for each change of the view: the news is passed on, and
/// whoever owns a piece of the ring anew asks those who may know of activations in it.
const FRAMES_PER_CHANGE_AND_PEER: f64 = 1.0;
/// But in a large cluster whoever owns pieces anew asks for all of them together, in rounds of a question and an answer
/// per peer that are so far apart for each peer. As much again for ballots, transfers and what is asked twice.
const ROUND_PER_PEER: Duration = Duration::from_millis(4);
const FRAMES_PER_ROUND_AND_PEER: f64 = 4.0;
/// Shares of the ring are not all alike: how much more than its fair share may move with one silo.
const UNEVEN: f64 = 0.5;

fn name_of(number: u64) -> String {
    format!("s{number}")
}

async fn tell(s: Story, size: Size) {
    s.given(format!("{} silos", size.silos));
    let mut started = 0;
    while started < size.silos {
        let upto = size.silos.min(started + size.batch);
        let names: Vec<String> = (started..upto).map(name_of).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        s.cluster.start_all(&names).await;
        started = upto;
    }
    let cluster = s.cluster.clone();
    s.eventually("I8", "all agree before it begins", CONVERGE, || cluster.has_converged()).await;

    s.when(format!("{} crash and {} join within {CHURN:?}", size.crashes, size.joins));
    let before = (s.world.now_true(), s.world.meters().network.sent);
    let watcher = WatchedRing::start(&s);
    let mut events: Vec<(Duration, Event)> = victims(&s, size)
        .into_iter()
        .map(|number| (s.draw_time("crash", number, CHURN), Event::Crash(number)))
        .chain((0..size.joins).map(|n| (s.draw_time("join", n, CHURN), Event::Join(size.silos + n))))
        .collect();
    events.sort();
    let mut coming = Vec::new();
    for (at, event) in events {
        s.world.sleep_until(before.0 + at).await;
        match event {
            Event::Crash(number) => s.cluster.crash(&name_of(number)),
            Event::Join(number) => coming.push((number, s.cluster.begin_start(&name_of(number)))),
        }
    }
    s.world.sleep_until(before.0 + CHURN).await;
    let until = s.world.now_true() + CONVERGE;
    for (number, started) in coming {
        if let Err(reason) = started.await {
            s.violated("I7", format!("{} could not join: {reason}", name_of(number)));
        }
    }
    let left = until.since(s.world.now_true());
    let cluster = s.cluster.clone();
    s.eventually("I8", "all agree again", left, || cluster.has_converged()).await;
    let alive = s.cluster.silos().len() as u64;
    let expected = size.silos + size.joins - size.crashes;
    s.require("P12", alive == expected, || format!("{alive} silos are left, not {expected}"));
    watcher.stop_and_check(&s);
    let (time, sent) = (s.world.now_true().since(before.0), s.world.meters().network.sent - before.1);
    let sent = sent as f64 / size.silos as f64;
    // A silo that joins changes the view twice: it reserves its row, then it is active.
    let changes = (size.crashes + 2 * size.joins) as f64;
    let peers = (size.silos + size.joins) as f64;
    let rounds = 1.0 + time.as_secs_f64() / (ROUND_PER_PEER.as_secs_f64() * size.silos as f64);
    let per_peer = (FRAMES_PER_CHANGE_AND_PEER * changes).min(FRAMES_PER_ROUND_AND_PEER * rounds);
    let bound = IDLE_FRAMES_A_SECOND * time.as_secs_f64() + per_peer * peers;
    s.then(format!("each silo sent {sent:.0} frames in {time:?}, of at most {bound:.0}"));
    s.require("I6", sent <= bound, || format!("each silo sent {sent:.0} frames, more than {bound:.0}"));
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Crash(u64),
    Join(u64),
}

/// Who crashes: any but the first, whose view is the one that is looked at.
fn victims(s: &Story, size: Size) -> BTreeSet<u64> {
    let mut victims = BTreeSet::new();
    let mut draws = 0;
    while (victims.len() as u64) < size.crashes {
        victims.insert(1 + s.draw("victim", draws, size.silos - 1));
        draws += 1;
    }
    victims
}

/// Follows the first silo's view, and measures what each change of it moves.
struct WatchedRing {
    seen: Arc<parking_lot::Mutex<Vec<Arc<View>>>>,
}

impl WatchedRing {
    fn start(s: &Story) -> Self {
        let first = s.cluster.silo(&name_of(0)).expect("the first silo never crashes");
        let seen = Arc::new(parking_lot::Mutex::new(vec![first.view()]));
        let (views, story) = (seen.clone(), s.clone());
        s.stage.spawn(Box::pin(async move {
            // Ends with the story: the world drops its tasks.
            while Arc::strong_count(&views) > 1 {
                let view = first.view();
                if views.lock().last().is_some_and(|last| last.version != view.version) {
                    views.lock().push(view);
                }
                story.world.sleep(Duration::from_millis(20)).await;
            }
        }));
        Self { seen }
    }

    /// Each step moves no more of the ring than the silos that came and went in it own, as near as shares are even.
    fn stop_and_check(self, s: &Story) {
        let seen = std::mem::take(&mut *self.seen.lock());
        s.require("I8", seen.len() > 1, || "the view never changed".into());
        for step in seen.windows(2) {
            let (old, new) = (Ring::of_view(&step[0]), Ring::of_view(&step[1]));
            let changed = old.silos().iter().filter(|silo| !new.contains(**silo)).count()
                + new.silos().iter().filter(|silo| !old.contains(**silo)).count();
            let moved: f64 = diff(&old, &new).iter().map(|moved| moved.range.fraction()).sum();
            let fair = changed as f64 / old.silos().len().min(new.silos().len()) as f64;
            s.require("I8", moved <= fair * (1.0 + UNEVEN) + f64::EPSILON, || {
                format!(
                    "from view {} to {} {changed} silos changed and {moved:.4} of the ring moved, fair is {fair:.4}",
                    step[0].version, step[1].version
                )
            });
        }
    }
}
