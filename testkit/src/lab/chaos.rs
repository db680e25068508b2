//! Everything that can go wrong, in one line of a story.

use crate::sim::carry_out;
use crate::story::Story;
use quark_chaos::{FaultPlan, SwarmConfig, swarm};
use std::time::Duration;

/// How late the last silo has found out that it was declared dead, started anew, and is known to all.
const AGREE: Duration = Duration::from_secs(120);

/// Lets the faults loose that the story's seed has in store for these silos, for as long as `config` says; then heals all,
/// starts whoever is down, and waits until all agree on who is there. Returns whether they do; if not it is a violation.
///
/// Its plan is the story's ([`Tale::faults`](crate::story::Tale::faults)), so that a failing run can be made smaller. A story
/// has one plan: call it once.
///
/// Panics: if the swarm has no nodes.
pub async fn chaos(s: &Story, silos: &[&str], config: &SwarmConfig) -> bool {
    let mut plan = s.faults(|| swarm(s.draw("plan", 0, u64::MAX), config));
    // A smaller run may have fewer silos than its plan knows.
    plan.events
        .retain(|event| FaultPlan { events: vec![event.clone()], ..FaultPlan::new() }.check(silos).is_ok());
    s.when(format!("{} faults come and go", plan.events.len()));
    for event in &plan.events {
        let lasts = event.lasts.map_or_else(String::new, |lasts| format!(", for {lasts:?}"));
        s.when(format!("at {:?}{lasts}: {:?}", event.at, event.fault));
    }
    tell_clients_of_newcomers(s);
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
        silos.iter().all(|name| s.stage.is_up(name)) && s.cluster.has_converged()
    };
    s.eventually_async("P12", "all that were started agree", AGREE, together).await
}

/// A client whose gateways have all been replaced has to be told of others: in production discovery does, here somebody
/// does so once a second.
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
