//! Story 10: everybody remembers where everybody used to live.

use crate::cast::{Herald, Listener, Nomad, Visit};
use crate::inside::inside;
use futures_util::future::join_all;
use quark::{Failure, SiloBuilder, SiloConfig};
use quark_sim::Config;
use quark_testkit::history::SiloEvent;
use quark_testkit::stage::Stage;
use quark_testkit::story::{Scenario, Story};
use std::time::Duration;

/// See its premise.
pub const SCENARIO: Scenario = Scenario {
    name: "stale-routes",
    premise: "Forty actors have moved, every silo's memory of them is wrong, and a fifth of all messages is lost. A call \
              takes three hops at most, no answer reaches another's call, and afterwards nobody is sent on.",
    sometimes: &[
        "locator.hint_used",
        "outbound.forwarded",
        "inbound.moved",
        "caller.late_reply",
        "turns.overtaken",
        "early.by_the_long_road",
    ],
    world: Config::new,
    describe,
    tell: |story| Box::pin(tell(story)),
    ..Scenario::BLANK
};

const SILOS: [&str; 5] = ["a", "b", "c", "d", "e"];
const NOMADS: u64 = 40;
const IDLE: Duration = Duration::from_secs(8);
const DEADLINE: Duration = Duration::from_secs(2);

fn describe(silo: SiloBuilder) -> SiloBuilder {
    let mut config = SiloConfig { idle_after: IDLE, ..SiloConfig::default() };
    config.limits.hops_max = HOPS_MAX;
    silo.actor::<Nomad>().actor::<Herald>().actor::<Listener>().config(config)
}

/// To where it was, to who knows, to where it is.
const HOPS_MAX: u8 = 3;

async fn tell(s: Story) {
    s.given("five silos that know where forty nomads live");
    s.cluster.start_all(&SILOS).await;
    visit_all(&s, 0, DEADLINE, 0).await;
    s.cluster.sleep(Duration::from_secs(2)).await;
    s.when("all are forgotten, and live elsewhere as soon as somebody calls");
    s.cluster.sleep(IDLE * 2).await;
    let left: usize = s.cluster.silos().iter().map(|(_, silo)| silo.status().activations).sum();
    s.require("story", left == 0, || format!("{left} nomads were not forgotten"));
    let movers = (0..NOMADS).map(|nomad| {
        let caller = SILOS[s.draw("mover", nomad, 5) as usize];
        visit(&s, caller, nomad, nomad << 8 | 0xFF, DEADLINE, 0)
    });
    join_all(movers.collect::<Vec<_>>()).await;

    s.when(
        "everybody calls everybody, while a fifth of all messages is lost, and some answers come too late",
    );
    let mut weather = s.world.default_conditions();
    let clear = weather;
    let linger = Duration::from_millis(20 + s.draw("linger", 0, 40));
    visit_all(&s, 1, linger / 2, linger.as_millis() as u64).await;
    let calls = visit_all(&s, 2, linger, 2);
    weather.loss_ppm = 200_000;
    s.world.set_default_conditions(weather);
    let orders = proclaim(&s, 0);
    calls.await;
    visit_all(&s, 3, linger * 2, 1).await;
    orders.await;
    s.world.set_default_conditions(clear);

    s.when("nothing is lost any more");
    let orders = proclaim(&s, 1).await;
    s.require("P6", orders, || "a herald's numbers were not taken in a clear network".into());
    // Calls that were sent on are remembered until their deadlines.
    s.cluster.sleep(DEADLINE).await;
    let bounced = bounces(&s);
    let answered = visit_all(&s, 4, DEADLINE, 0).await;
    s.require("I5", answered == NOMADS * 5, || format!("{answered} of {} calls were answered", NOMADS * 5));
    s.require("I5", bounces(&s) == bounced, || format!("a call took more than {HOPS_MAX} hops"));
    s.cluster.sleep(DEADLINE + Duration::from_millis(500)).await;
    s.finally("everybody goes straight to where the nomads live");
    let sent_on =
        |s: &Story| s.cluster.silos().iter().map(|(_, silo)| silo.status().forwarded).sum::<usize>();
    s.require("I5", sent_on(&s) == 0, || "calls past their deadlines are remembered".into());
    let answered = visit_all(&s, 5, DEADLINE, 0).await;
    s.require("I5", answered == NOMADS * 5, || format!("{answered} of {} calls were answered", NOMADS * 5));
    s.require("I5", sent_on(&s) == 0, || format!("{} calls were sent on again", sent_on(&s)));
}

/// How many calls came back because they had taken every hop that they may.
fn bounces(s: &Story) -> usize {
    let Some(recorder) = s.cluster.recorder() else { return 0 };
    let is_bounce =
        |event: &SiloEvent| matches!(event, SiloEvent::CallEnded { outcome, .. } if &**outcome == "bounced");
    recorder.history().silo_records().filter(|(_, _, record)| is_bounce(&record.event)).count()
}

/// Every silo calls every nomad; answers how many were answered.
fn visit_all(s: &Story, round: u64, deadline: Duration, linger_ms: u64) -> impl Future<Output = u64> + use<> {
    let mut calls = Vec::new();
    for (at, silo) in (0..).zip(SILOS) {
        for nomad in 0..NOMADS {
            let token = (round << 16) | (nomad << 8) | at;
            calls.push(visit(s, silo, nomad, token, deadline, linger_ms));
        }
    }
    async { join_all(calls).await.into_iter().filter(|answered| *answered).count() as u64 }
}

/// One call: what comes back is the answer to it and to nothing else, and was begun by somebody who knew how long it
/// would be waited for.
fn visit(
    s: &Story,
    silo: &'static str,
    nomad: u64,
    token: u64,
    deadline: Duration,
    linger_ms: u64,
) -> impl Future<Output = bool> + Send + use<> {
    let story = s.clone();
    let call = inside(s, silo, move |client| async move {
        let wait = story.draw_time("visit", token, Duration::from_millis(4));
        story.world.sleep(wait).await;
        let answer =
            client.actor::<Nomad>(&format!("nomad-{nomad}")).visit(token, linger_ms).deadline(deadline).await;
        match answer {
            Ok(visit) => {
                check(&story, token, deadline, visit);
                true
            }
            Err(error) => {
                let is_late = matches!(
                    error.failure(),
                    Some(
                        Failure::Indeterminate { .. }
                            | Failure::DeadlineBeforeRun
                            | Failure::Unreachable { .. }
                    )
                );
                story.require("I5", is_late, || format!("a visit failed for no good reason: {error}"));
                false
            }
        }
    });
    async { call.await.unwrap_or(false) }
}

fn check(s: &Story, token: u64, deadline: Duration, visit: Visit) {
    s.require("I5", visit.token == token, || {
        format!("the call {token:x} was given the answer to {:x}", visit.token)
    });
    let limit = deadline.as_millis() as u64;
    s.require("I5", visit.patience_ms.is_some_and(|left| left <= limit), || {
        format!("a turn began with {:?} ms left of a deadline of {limit} ms", visit.patience_ms)
    });
}

/// Heralds on every silo send numbers to listeners that die and move meanwhile. Whether all listeners heard them in
/// order, as far as they were heard.
fn proclaim(s: &Story, round: u64) -> impl Future<Output = bool> + Send + use<> {
    let mut heralds = Vec::new();
    for (at, silo) in (0..).zip(SILOS) {
        let story = s.clone();
        heralds.push(inside(s, silo, move |client| async move {
            let herald = client.actor::<Herald>(&format!("herald-{at}"));
            for step in 0..6 {
                let listener = story.draw("listener", round << 16 | at << 8 | step, 2);
                let _ = herald.proclaim(format!("listener-{listener}"), 5).deadline(DEADLINE).await;
                story
                    .world
                    .sleep(story.draw_time("step", round << 16 | at << 8 | step, Duration::from_millis(8)))
                    .await;
            }
        }));
    }
    let story = s.clone();
    let judge = inside(s, SILOS[0], move |client| async move {
        let mut in_order = true;
        for step in 0..4 {
            let pause = story.draw_time("judge", round << 8 | step, Duration::from_millis(15));
            story.world.sleep(pause).await;
            for at in 0..2 {
                let listener = client.actor::<Listener>(&format!("listener-{at}"));
                if let Ok(heard) = listener.heard().deadline(DEADLINE).await {
                    in_order &= heard.disorder.is_empty();
                    story.require("P6", heard.disorder.is_empty(), || {
                        format!("out of order: {:?}", heard.disorder)
                    });
                }
                if step == 1 && round == 0 {
                    let _ = listener.die().tell();
                }
            }
        }
        in_order
    });
    async move {
        join_all(heralds).await;
        judge.await.unwrap_or(true)
    }
}
