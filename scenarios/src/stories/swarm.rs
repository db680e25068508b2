//! Everything at once: any swarm of faults, while accounts, keys and letters are at work.

use crate::bank::Account;
use crate::givers::{self, Givers};
use crate::insisters::Insisters;
use crate::purse::Purse;
use crate::workload::Deposits;
use quark_chaos::{FaultKind, SwarmConfig};
use quark_core::reached;
use quark_sim::Config;
use quark_testkit::imps;
use quark_testkit::lab::chaos;
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
    swarms: true,
    ..Scenario::BLANK
};

const ALL: [&str; 5] = ["a", "b", "c", "d", "e"];
/// How long faults come and go.
const CHAOS: Duration = Duration::from_secs(40);
/// How late a letter may be taken once all is well: a retry's longest pause, a reading of a shard of the index, waking.
const SETTLED: Duration = Duration::from_secs(90);

async fn tell(s: Story) {
    let silos = &ALL[..s.knob("silos", 3 + s.draw("silos", 0, 3), 3) as usize];
    s.given(format!("{} silos, with accounts and purses at work", silos.len()));
    s.cluster.start_all(silos).await;
    let (deposits, insisters, givers) =
        (Deposits::start(&s, 2, 10).await, Insisters::start(&s).await, Givers::start(&s).await);
    s.stage.sleep(Duration::from_secs(1) + s.draw_time("begins", 0, Duration::from_secs(2))).await;

    chaos(&s, silos, &config(&s, silos)).await;
    if s.drawn().plan.is_some_and(|plan| plan.events.len() >= 10) {
        reached!("swarm.many_faults");
    }
    givers.stop().await;
    s.stage.sleep(SETTLED).await;
    s.finally("what was acknowledged is there, and what was to happen once has happened once");
    insisters.stop_and_check(&s).await;
    deposits.stop_and_check(&s).await;
    givers::audit(&s).await;
}

fn config(s: &Story, silos: &[&str]) -> SwarmConfig {
    let mut config = SwarmConfig::new(silos, CHAOS).with_imps();
    // A letter's wake-up call is as late as the wall clocks are wrong, and these go wrong by hours: other stories have that.
    let is_wrong = [FaultKind::ClockStep, FaultKind::ClockLeap, FaultKind::ClockSlew];
    config.kinds.retain(|kind| !is_wrong.contains(kind));
    config.gap = Duration::from_secs(3 + s.draw("gap", 0, 15));
    config
}
