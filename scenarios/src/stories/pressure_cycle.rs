//! Story 24: actors that wait for one another, behind full mailboxes.

use crate::cast::{Broken, Relay};
use crate::inside::inside;
use futures_util::future::join_all;
use quark::{CallError, Failure, SiloBuilder, SiloConfig};
use quark_sim::Config;
use quark_testkit::stage::Stage;
use quark_testkit::story::{Scenario, Story};
use std::time::Duration;

/// See its premise.
pub const SCENARIO: Scenario = Scenario {
    name: "pressure-cycle",
    premise: "Three relays on any silos hand a parcel round in a circle, while their mailboxes are full. Who would wait \
              for itself is told so at once; shared turns pass through one another; and every call ends in time.",
    sometimes: &["turns.deadlock", "turns.overloaded", "story.pressure.deadlock_behind_full_mailbox"],
    world: Config::new,
    describe,
    tell: |story| Box::pin(tell(story)),
    ..Scenario::BLANK
};

const SILOS: [&str; 4] = ["a", "b", "c", "d"];
const MAILBOX: usize = 8;
const DEADLINE: Duration = Duration::from_secs(5);
/// A tick, what clocks may differ by over a deadline, and a little for the poll that notices.
const SLACK: Duration = Duration::from_millis(40);
/// A cycle is found as soon as it is closed: a few hops and turns.
const AT_ONCE: Duration = Duration::from_millis(200);

fn describe(silo: SiloBuilder) -> SiloBuilder {
    silo.actor::<Relay>().config(SiloConfig { mailbox_messages_max: MAILBOX, ..SiloConfig::default() })
}

async fn tell(s: Story) {
    s.given("four silos, and relays somewhere on them");
    s.cluster.start_all(&SILOS).await;
    s.when("a parcel goes round in a circle of exclusive turns");
    for round in 0..3 {
        let (ended, took) = carry(&s, round, &circle(round), 0, true).await;
        s.require("P8", took <= AT_ONCE, || format!("a cycle took {took:?} to be found"));
        s.require("P8", matches!(&ended, Err(Broken::Cycle(path)) if path.len() == 4), || {
            format!("a circle of three ended with {ended:?}")
        });
    }
    s.when("it goes round in a circle of shared turns");
    for round in 3..6 {
        let (ended, _) = carry(&s, round, &circle(round), 0, false).await;
        s.require("P8", ended == Ok(3), || format!("shared turns do not pass: {ended:?}"));
    }

    s.when("mailboxes are full, and parcels go round in both ways");
    let mut calls = Vec::new();
    for number in 0..60 {
        let from = s.draw("start", number, 3);
        let mut path = vec![relay(10, from)];
        path.extend((1..=s.draw("length", number, 4)).map(|step| relay(10, (from + step) % 3)));
        let linger = 1 + s.draw("linger", number, 4);
        calls.push(carry(&s, 100 + number, &path, linger, s.draw("exclusive", number, 4) != 0));
    }
    let mut found = 0;
    let mut overloaded = 0;
    for (ended, took) in join_all(calls).await {
        s.require("I5", took <= DEADLINE + SLACK, || {
            format!("a call took {took:?}, its deadline was {DEADLINE:?}")
        });
        match ended {
            Ok(_) => {}
            Err(Broken::Cycle(_)) => found += 1,
            Err(Broken::Failed(reason)) => {
                overloaded += u32::from(reason == "overloaded");
                let is_fair = ["overloaded", "indeterminate", "deadline_before_run"].contains(&&*reason);
                s.require("I5", is_fair, || format!("a parcel was lost for no good reason: {reason}"));
            }
        }
    }
    if found > 0 && overloaded > 0 {
        quark_core::reached!("story.pressure.deadlock_behind_full_mailbox");
    }
    s.then(format!("{found} cycles were found, {overloaded} calls met a full mailbox"));

    s.when("two parcels go towards each other: neither chain knows of the other");
    let there = carry(&s, 200, &[relay(20, 0), relay(20, 1)], 3, true);
    let back = carry(&s, 201, &[relay(20, 1), relay(20, 0)], 3, true);
    for (ended, took) in join_all([there, back]).await {
        s.require("I5", took <= DEADLINE + SLACK, || format!("took {took:?}, its deadline was {DEADLINE:?}"));
        s.then(format!("one ended after {took:?} with {ended:?}"));
    }
    s.finally("every relay serves again");
    for circle in [0, 1, 2, 3, 4, 5, 10, 20] {
        for at in 0..3 {
            let (ended, _) = carry(&s, 300 + circle * 4 + at, &[relay(circle, at)], 0, true).await;
            s.require("I7", ended == Ok(0), || format!("{} does not serve: {ended:?}", relay(circle, at)));
        }
    }
}

fn relay(circle: u64, at: u64) -> String {
    format!("relay-{circle}-{at}")
}

fn circle(round: u64) -> Vec<String> {
    [0, 1, 2, 0].map(|at| relay(round, at)).to_vec()
}

/// Sends a parcel along a path from a silo drawn by `number`; how it ended, and after how long.
fn carry(
    s: &Story,
    number: u64,
    path: &[String],
    linger_ms: u64,
    exclusive: bool,
) -> impl Future<Output = (Result<u64, Broken>, Duration)> + use<> {
    let silo = SILOS[s.draw("silo", number, 4) as usize];
    let (first, rest) = (path[0].clone(), path[1..].to_vec());
    let story = s.clone();
    let call = inside(s, silo, move |client| async move {
        let began = story.cluster.now();
        let relay = client.actor::<Relay>(&first);
        let ended = if exclusive {
            relay.carry(rest, linger_ms).deadline(DEADLINE).await
        } else {
            relay.pass(rest, linger_ms).deadline(DEADLINE).await
        };
        (ended.map_err(Broken::from), story.cluster.now().since(began))
    });
    let gone = || (Err(CallError::Failed(Failure::Cancelled).into()), Duration::ZERO);
    async move { call.await.unwrap_or_else(gone) }
}
