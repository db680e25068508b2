//! Story 9: whoever knows where the actors live is gone.

use crate::cast::{Counter, Tally};
use crate::inside::inside;
use futures_util::future::join_all;
use quark::{Actor, Happened};
use quark_core::ActorId;
use quark_sim::Config;
use quark_testkit::stage::Stage;
use quark_testkit::story::{Scenario, Story};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// See its premise.
pub const SCENARIO: Scenario = Scenario {
    name: "directory-owner-dies",
    premise: "A silo that owns ranges of the directory dies while it places actors, and perhaps a second one while the \
              ranges are being recovered. No activation elsewhere is lost or doubled, and no entry is left of what is \
              gone.",
    sometimes: &["placing.held", "directory.assignment_refused", "caller.failed_by_detection"],
    world: Config::new,
    describe: |silo| silo.actor::<Counter>(),
    tell: |story| Box::pin(tell(story)),
    ..Scenario::BLANK
};

const SILOS: [&str; 5] = ["a", "b", "c", "d", "e"];
const OLD: u64 = 30;
const NEW: u64 = 20;
const DEADLINE: Duration = Duration::from_secs(3);

async fn tell(s: Story) {
    s.given("five silos, and thirty counters that live where chance has put them");
    s.cluster.start_all(&SILOS).await;
    let mut before = BTreeMap::new();
    for key in 0..OLD {
        let caller = SILOS[s.draw("first-caller", key, 5) as usize];
        match add(&s, caller, key).await {
            Some(Ok(tally)) => _ = before.insert(key, tally),
            _ => s.violated("I5", format!("counter-{key} does not serve in a healthy cluster")),
        }
    }
    s.cluster.sleep(Duration::from_secs(2) + s.draw_time("settle", 0, Duration::from_secs(1))).await;

    let first = SILOS[s.draw("first", 0, 5) as usize];
    s.when(format!("{first} loses power while it places twenty more"));
    let placing: Vec<_> =
        SILOS.iter().zip(0..).flat_map(|(silo, at)| (0..NEW).map(move |n| (*silo, at, n))).collect();
    let calls = placing.into_iter().map(|(silo, at, n)| {
        let delay = s.draw_time("place", at << 16 | n, Duration::from_millis(6));
        let story = s.clone();
        inside(&s, silo, move |client| async move {
            story.world.sleep(delay).await;
            let _ = client.actor::<Counter>(&format!("counter-{}", OLD + n)).add(1).deadline(DEADLINE).await;
        })
    });
    let calls: Vec<_> = calls.collect();
    s.cluster.sleep(s.draw_time("crash", 0, Duration::from_millis(6))).await;
    s.cluster.crash(first);
    let mut lost = BTreeSet::from([first]);
    if s.draw("again", 0, 2) == 0 {
        let second = SILOS[(SILOS.iter().position(|n| *n == first).unwrap_or(0) + 1) % 5];
        s.cluster.sleep(recovery(&s, first).await).await;
        s.when(format!("{second} loses power while ranges are recovered"));
        s.cluster.crash(second);
        lost.insert(second);
    }
    join_all(calls).await;
    if s.draw("reborn", 0, 2) == 0 {
        s.cluster.sleep(s.draw_time("rebirth", 0, Duration::from_secs(2))).await;
        s.when(format!("{first} is started again"));
        let started = s.cluster.start(first).await;
        s.require("start", started.is_ok(), || format!("{first} did not start again: {started:?}"));
    }
    let cluster = s.cluster.clone();
    s.eventually("I7", "all agree who is there", Duration::from_secs(30), || cluster.has_converged()).await;
    s.cluster.sleep(Duration::from_secs(5)).await;

    s.finally("every counter serves, and those whose silo lived on have forgotten nothing");
    let callers: Vec<String> = s.cluster.silos().into_iter().map(|(name, _)| name).collect();
    for key in 0..OLD + NEW {
        let caller = &callers[s.draw("last-caller", key, callers.len() as u64) as usize];
        let after = match add(&s, caller, key).await {
            Some(Ok(tally)) => tally,
            Some(Err(reason)) => {
                s.violated("I7", format!("counter-{key} does not serve: {reason}"));
                continue;
            }
            None => continue,
        };
        if let Some(before) = before.get(&key).filter(|t| !lost.contains(t.host.name.as_str())) {
            let is_same = (after.host, after.born_ns) == (before.host, before.born_ns);
            s.require("P10", is_same && after.count == before.count + 1, || {
                format!("counter-{key} was {before:?}, and is {after:?}, though its silo lived on")
            });
        }
    }
    check_directory(&s);
}

/// How long until some silo sees the first one gone, and then a moment: in the middle of the recovery.
async fn recovery(s: &Story, gone: &str) -> Duration {
    let cluster = s.cluster.clone();
    let until = s.cluster.now() + Duration::from_secs(15);
    let knows =
        || cluster.silos().iter().any(|(_, silo)| silo.view().active().all(|m| m.id.name.as_str() != gone));
    while !knows() && s.cluster.now() < until {
        s.cluster.sleep(Duration::from_millis(1)).await;
    }
    s.draw_time("recovery", 0, Duration::from_millis(8))
}

async fn add(s: &Story, caller: &str, key: u64) -> Option<Result<Tally, String>> {
    inside(s, caller, move |client| async move {
        let counter = client.actor::<Counter>(&format!("counter-{key}"));
        let mut answer = counter.add(1).deadline(DEADLINE).await;
        // Refused is not lost: it did not happen, so asking again counts once.
        for _ in 0..5 {
            let again =
                answer.as_ref().err().and_then(|e| e.failure()).is_some_and(|f| f.happened() == Happened::No);
            if !again {
                break;
            }
            answer = counter.add(1).deadline(DEADLINE).await;
        }
        answer.map_err(|error| error.to_string())
    })
    .await
}

/// What directories know and what lives are the same.
fn check_directory(s: &Story) {
    let silos = s.cluster.silos();
    let mut lives = BTreeMap::new();
    for (name, silo) in &silos {
        for actor in silo.activations() {
            let id = silo.id();
            if let Some(other) = lives.insert(actor.clone(), id) {
                s.violated("I1", format!("{actor} lives on {name}, and on {other}"));
            }
        }
    }
    for key in 0..OLD + NEW {
        let actor = ActorId::new(Counter::KIND, &format!("counter-{key}")).expect("a short key");
        let known: Vec<_> = silos.iter().filter_map(|(_, silo)| silo.locate(&actor)).collect();
        let lives = lives.get(&actor).copied();
        s.require("P11", known.len() == 1 && known.first().copied() == lives, || {
            format!("{actor} lives on {lives:?}; the directory knows {known:?}")
        });
    }
    let entries: usize = silos.iter().map(|(_, silo)| silo.status().entries).sum();
    s.require("P11", entries == lives.len(), || {
        format!("the directory has {entries} entries for {} activations", lives.len())
    });
}
