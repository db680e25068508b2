//! Story 3: a silo crashes and is back under its name before its last words have arrived.

use crate::bank::Account;
use crate::workload::Deposits;
use quark_core::{Generation, SiloName};
use quark_sim::{Conditions, Config, Spread};
use quark_testkit::stage::Stage;
use quark_testkit::story::{Scenario, Story};
use std::time::Duration;

/// See its premise.
pub const SCENARIO: Scenario = Scenario {
    name: "same-name-reborn",
    premise: "A silo crashes and restarts under the same name and address within 50 ms, again and again, while its \
              old frames and frames for its old self are under way. Nobody takes the one for the other: what is for \
              the elder is refused, and no acknowledged deposit is lost.",
    sometimes: &["sim.net.stray", "inbound.mail_for_earlier_generation", "membership.join.superseded"],
    world: |seed| {
        let mut world = Config::new(seed);
        world.network.stray_ppm = 1_000_000;
        world.store.spike =
            Spread::Uniform { min: Duration::from_millis(20), max: Duration::from_millis(2500) };
        world
    },
    describe: |silo| silo.actor::<Account>(),
    tell: |story| Box::pin(tell(story)),
    ..Scenario::BLANK
};

/// A newcomer under a name waits until its elder's lease must have run out, and is then heard and activated.
const REBORN: Duration = Duration::from_secs(20);

async fn tell(s: Story) {
    let names = ["a", "b", "c", "d"];
    s.given("four silos and steady deposits to twenty accounts");
    s.cluster.start_all(&names).await;
    let load = Deposits::start(&s, 3, 20).await;
    s.world.sleep(Duration::from_secs(1)).await;

    s.given("frames to and from b that travel for up to 200 ms, and a store that is late now and then");
    let b = s.cluster.node("b");
    let far = Conditions {
        latency: Spread::Uniform { min: Duration::from_millis(5), max: Duration::from_millis(200) },
        ..Conditions::CLEAR
    };
    for node in s.world.nodes().into_iter().filter(|node| *node != b) {
        s.world.set_conditions(node, b, Some(far));
        s.world.set_conditions(b, node, Some(far));
    }
    s.world.set_store_slow(30_000, 1000);

    for death in 0..1 + s.draw("deaths", 0, 3) {
        s.world.sleep(s.draw_time("death", death, Duration::from_secs(3))).await;
        s.when("b loses power");
        s.cluster.crash("b");
        s.world.sleep(s.draw_time("restart", death, Duration::from_millis(50))).await;
        s.when("b is back under its name");
        let started = s.cluster.begin_start("b");
        if s.draw("waits", death, 4) == 0 {
            // It dies again before it has joined: its reservation is superseded by the next one.
            continue;
        }
        if let Err(reason) = started.await {
            s.violated("I7", format!("b could not come back: {reason}"));
        }
    }
    if s.cluster.silo("b").is_none() {
        s.when("b is back at last");
        if let Err(reason) = s.cluster.begin_start("b").await {
            s.violated("I7", format!("b could not come back: {reason}"));
        }
    }

    let name = SiloName::new("b").expect("a good name");
    let cluster = s.cluster.clone();
    s.eventually("I8", "all know b by its last generation alone", REBORN, || {
        let newest: Generation = match cluster.silo("b") {
            Some(silo) => silo.id().generation,
            None => return false,
        };
        cluster.silos().iter().all(|(_, silo)| {
            let view = silo.view();
            view.named(name).is_some_and(|member| member.id.generation == newest)
                && view.active().any(|member| member.id.name == name)
        })
    })
    .await;
    s.world.sleep(Duration::from_secs(1)).await;
    s.finally("every account serves, and has every acknowledged deposit");
    load.stop_and_check(&s).await;
}
