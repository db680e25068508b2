//! Story 7: everybody calls an actor for the first time, while its place is being decided anew.

use crate::bank::Account;
use crate::cast::{Counter, Pet, Tally};
use crate::inside::inside;
use futures_util::future::join_all;
use quark::{CallError, Client, Failure, Happened};
use quark_core::{SiloId, ViewVersion};
use quark_sim::Config;
use quark_testkit::stage::Stage;
use quark_testkit::story::{Scenario, Story};
use std::collections::BTreeSet;
use std::time::Duration;

/// See its premise.
pub const SCENARIO: Scenario = Scenario {
    name: "first-call-race",
    premise: "A hundred callers on ten silos call one actor that nobody has called before, at the moment at which the \
              view changes. Exactly one activation counts all of them, and every call ends in time.",
    sometimes: &["placing.held", "placing.elsewhere", "outbound.forwarded"],
    world: Config::new,
    describe: |silo| silo.actor::<Account>().actor::<Counter>().actor::<Pet>(),
    tell: |story| Box::pin(tell(story)),
    ..Scenario::BLANK
};

const SILOS: [&str; 10] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];
const CALLERS_EACH: u64 = 10;
const DEADLINE: Duration = Duration::from_secs(10);
/// A tick, what clocks may differ by over a deadline, and a little for the poll that notices.
const SLACK: Duration = Duration::from_millis(40);

async fn tell(s: Story) {
    s.given("ten silos, and actors that nobody has called");
    s.cluster.start_all(&SILOS).await;
    race(&s, 0, "nothing else happens", true).await;

    s.when("a silo joins, and all call at the first sight of its view");
    let seen = newest_view(&s);
    let joining = s.cluster.begin_start("k");
    wait_for_view(&s, seen).await;
    race(&s, 1, "a silo joins", true).await;
    s.require("start", joining.await.is_ok(), || "k could not join".into());

    s.cluster.sleep(s.draw_time("settle", 0, Duration::from_secs(2))).await;
    let victim = SILOS[s.draw("victim", 0, SILOS.len() as u64) as usize];
    let seen = newest_view(&s);
    if s.draw("how", 0, 2) == 0 {
        s.when(format!("{victim} loses power, and all call at the first sight of the view without it"));
        s.cluster.crash(victim);
        wait_for_view(&s, seen).await;
        race(&s, 2, "a silo is declared dead", false).await;
    } else {
        s.when(format!("{victim} stops in order, and all call at the first sight of its farewell"));
        let (cluster, leaver) = (s.cluster.clone(), victim);
        s.cluster.spawn(Box::pin(async move { cluster.stop(leaver).await }));
        wait_for_view(&s, seen).await;
        race(&s, 2, "a silo leaves", false).await;
    }
    s.when("they call once more, somewhere in the middle of what follows");
    s.cluster.sleep(s.draw_time("later", 0, Duration::from_secs(4))).await;
    race(&s, 3, "ranges change hands", false).await;
}

fn newest_view(s: &Story) -> ViewVersion {
    s.cluster.silos().iter().map(|(_, silo)| silo.view().version).max().unwrap_or_default()
}

/// Waits until some silo sees a newer view, and then a moment: the others learn it in these milliseconds.
async fn wait_for_view(s: &Story, seen: ViewVersion) {
    let until = s.cluster.now() + Duration::from_secs(20);
    while newest_view(s) <= seen && s.cluster.now() < until {
        s.cluster.sleep(Duration::from_micros(500)).await;
    }
    s.require("P12", newest_view(s) > seen, || "the view did not change within 20 s".into());
    s.cluster.sleep(s.draw_time("moment", seen.0, Duration::from_millis(6))).await;
}

/// How one call of a race ended.
struct Ended {
    outcome: Result<Answer, Failure>,
    took: Duration,
}

struct Answer {
    count: u64,
    /// The activation that answered, if it says.
    life: Option<(SiloId, u64)>,
}

impl From<Tally> for Answer {
    fn from(tally: Tally) -> Self {
        Self { count: tally.count, life: Some((tally.host, tally.born_ns)) }
    }
}

/// A hundred first calls at once. `undisturbed`: no host may end meanwhile, so that even memory must be whole.
async fn race(s: &Story, round: u64, what: &str, undisturbed: bool) {
    let kind = s.draw("kind", round, 3);
    let key = format!("cold-{round}");
    let mut calls = Vec::new();
    for silo in s.cluster.silos().into_iter().map(|(name, _)| name) {
        for number in 0..CALLERS_EACH {
            let (story, key) = (s.clone(), key.clone());
            let caller = quark_core::hash::point(silo.as_bytes()) ^ number << 8 ^ round;
            calls.push(inside(s, &silo, move |client| async move {
                let wait = story.draw_time("start", caller, Duration::from_millis(3));
                story.world.sleep(wait).await;
                let began = story.cluster.now();
                let outcome = call(&client, kind, &key).await;
                Ended { outcome, took: story.cluster.now().since(began) }
            }));
        }
    }
    let ended: Vec<Ended> = join_all(calls).await.into_iter().flatten().collect();
    let (mut counts, mut lives, mut unknown) = (BTreeSet::new(), BTreeSet::new(), 0);
    let (mut answered, mut reasons) = (0, BTreeSet::new());
    for call in &ended {
        s.require("I5", call.took <= DEADLINE + SLACK, || {
            format!("{what}: a first call took {:?}, its deadline was {DEADLINE:?}", call.took)
        });
        match &call.outcome {
            Ok(answer) => {
                answered += 1;
                counts.insert(answer.count);
                lives.extend(answer.life);
            }
            Err(failure) => {
                unknown += usize::from(failure.happened() == Happened::Unknown);
                reasons.insert(failure.to_string());
            }
        }
    }
    if undisturbed {
        s.require("I5", answered == ended.len(), || {
            format!("{what}: of {} first calls only {answered} were answered: {reasons:?}", ended.len())
        });
        s.require("I1", lives.len() <= 1, || format!("{what}: {} activations answered", lives.len()));
    }
    if undisturbed || kind == 0 {
        // Memory that was never lost, or state that must not be: nobody counts twice, nobody is forgotten.
        let most = counts.last().copied().unwrap_or(0);
        s.require("I1", counts.len() == answered, || {
            format!("{what}: {answered} calls were answered, with only {} different counts", counts.len())
        });
        s.require("I2", most <= (answered + unknown) as u64, || {
            format!("{what}: counted to {most} in {answered} calls, and {unknown} that nobody knows of")
        });
    }
    s.then(format!("{what}: {answered} first calls were answered, {unknown} are unknown"));
}

async fn call(client: &Client, kind: u64, key: &str) -> Result<Answer, Failure> {
    let failed = |error: CallError| match error {
        CallError::Failed(failure) => failure,
        CallError::App(never) => match never {},
    };
    match kind {
        0 => {
            let balance = client.actor::<Account>(key).deposit(1).deadline(DEADLINE).await;
            balance.map(|count| Answer { count, life: None }).map_err(failed)
        }
        1 => client.actor::<Counter>(key).add(1).deadline(DEADLINE).await.map(Answer::from).map_err(failed),
        _ => client.actor::<Pet>(key).add(1).deadline(DEADLINE).await.map(Answer::from).map_err(failed),
    }
}
