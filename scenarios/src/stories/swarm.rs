//! Everything at once: any swarm of faults, while accounts, keys and letters are at work.

use crate::bank::Account;
use crate::givers::{self, Givers};
use crate::insisters::Insisters;
use crate::purse::Purse;
use crate::views::agree;
use crate::workload::Deposits;
use quark_chaos::{FaultKind, FaultPlan, SwarmConfig, swarm};
use quark_core::reached;
use quark_sim::Config;
use quark_testkit::imps;
use quark_testkit::sim::carry_out;
use quark_testkit::story::{Scenario, Story};
use std::time::Duration;

/// See its premise.
pub const SCENARIO: Scenario = Scenario {
    name: "swarm",
    premise: "A few silos, and whatever their seed has in store for them: crashes, hangs, partitions, weather, a store that is \
              dark, slow or silent about what it did, clocks that run fast or slow. Meanwhile accounts take deposits, clients repeat \
              theirs under a key, and purses send letters. When all is healed the silos agree, every account has what it \
              acknowledged, every keyed deposit and every letter has happened once, and nothing is left over.",
    sometimes: &[
        "durable.doubt_resolved",
        "turns.taken_before",
        "outbox.resumed",
        "membership.evicted",
        "swarm.many_faults",
    ],
    world: Config::new,
    describe: |silo| imps::hosted(silo.actor::<Account>().actor::<Purse>()),
    tell: |story| Box::pin(tell(story)),
    anywhere: None,
    heavy: false,
    swarms: true,
};

const ALL: [&str; 5] = ["a", "b", "c", "d", "e"];
/// How long faults come and go.
const CHAOS: Duration = Duration::from_secs(40);
/// How late a letter may be taken once all is well: a retry's longest pause, a reading of a shard of the index, waking.
const SETTLED: Duration = Duration::from_secs(90);
/// How late the last silo has found out that it was declared dead, started anew, and is known to all.
const AGREE: Duration = Duration::from_secs(120);

async fn tell(s: Story) {
    let silos = &ALL[..s.knob("silos", 3 + s.draw("silos", 0, 3), 3) as usize];
    s.given(format!("{} silos, with accounts and purses at work", silos.len()));
    s.cluster.start_all(silos).await;
    let (deposits, insisters, givers) =
        (Deposits::start(&s, 2, 10).await, Insisters::start(&s).await, Givers::start(&s).await);
    s.stage.sleep(Duration::from_secs(1) + s.draw_time("begins", 0, Duration::from_secs(2))).await;

    let mut plan = s.faults(|| draw(&s, silos));
    // A smaller run may have fewer silos than its plan knows.
    plan.events
        .retain(|event| FaultPlan { events: vec![event.clone()], ..FaultPlan::new() }.check(silos).is_ok());
    let count = plan.events.len();
    s.when(format!("{count} faults come and go"));
    for event in &plan.events {
        s.when(format!("at {:?}, for {:?}: {:?}", event.at, event.lasts, event.fault));
    }
    if count >= 10 {
        reached!("swarm.many_faults");
    }
    tell_clients_of_newcomers(&s);
    let report = carry_out(plan, &s.cluster).await;
    s.require("I6", report.kinds.values().all(|kind| kind.applied + kind.skipped > 0), || {
        "a fault was planned and never tried".into()
    });

    s.when("all is healed");
    s.world.heal_store();
    let together = || async {
        for name in silos {
            if !s.stage.is_up(name) {
                let _ = s.stage.start(name).await;
            }
        }
        agree(&s, silos)
    };
    s.eventually_async("P12", "all that were started agree", AGREE, together).await;
    givers.stop().await;
    s.stage.sleep(SETTLED).await;
    s.finally("what was acknowledged is there, and what was to happen once has happened once");
    insisters.stop_and_check(&s).await;
    deposits.stop_and_check(&s).await;
    givers::audit(&s).await;
}

fn draw(s: &Story, silos: &[&str]) -> FaultPlan {
    let mut config = SwarmConfig::new(silos, CHAOS).with_imps();
    // A letter's wake-up call is as late as the wall clocks are wrong, and these go wrong by hours: other stories have that.
    let is_wrong = [FaultKind::ClockStep, FaultKind::ClockLeap, FaultKind::ClockSlew];
    config.kinds.retain(|kind| !is_wrong.contains(kind));
    config.gap = Duration::from_secs(3 + s.draw("gap", 0, 15));
    swarm(s.draw("plan", 0, u64::MAX), &config)
}

/// A client whose gateways have all been replaced has to be told of others: here somebody does, once a second.
fn tell_clients_of_newcomers(s: &Story) {
    let story = s.clone();
    s.world.driver("discovery", async move {
        loop {
            story.stage.sleep(Duration::from_secs(1)).await;
            for (name, silo) in story.cluster.silos() {
                let address = story.world.host(story.cluster.node(&name)).address();
                story.cluster.clients().iter().for_each(|client| client.add_gateway(silo.id(), &address));
            }
        }
    });
}
