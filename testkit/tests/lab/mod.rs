//! A small cluster with something to do, for faults to happen to.

use quark_chaos::{FaultPlan, Report};
use quark_sim::{Config, World, WorldHandle};
use quark_testkit::imps::{self, Hoarder, Imp};
use quark_testkit::sim::{Describe, SimCluster, carry_out};
use quark_testkit::stage::Stage;
use std::sync::Arc;
use std::time::Duration;

pub const SECOND: Duration = Duration::from_secs(1);
pub const SILOS: [&str; 3] = ["a", "b", "c"];

/// A cluster of three silos that host imps, and some who call them.
pub fn with_imps() -> Describe {
    Arc::new(imps::hosted)
}

/// Carries a plan out on three silos. `after` looks at what is left.
pub fn run<T>(
    config: Config,
    describe: Describe,
    plan: &FaultPlan,
    after: impl AsyncFnOnce(&SimCluster) -> T,
) -> (WorldHandle, Report, T) {
    plan.check(&SILOS).expect("a plan for these silos");
    let mut world = World::new(config);
    let cluster = SimCluster::new(world.handle(), "chaos", describe, None);
    let (report, left) = world.block_on(async {
        cluster.start_all(&SILOS).await;
        if cluster.silos().iter().any(|(_, silo)| silo.kinds().contains(&"imp")) {
            poke(&cluster);
        }
        let report = carry_out(plan.clone(), &cluster).await;
        (report, after(&cluster).await)
    });
    (world.handle(), report, left)
}

/// Somebody calls a few imps, ten times a second, from one silo after another; some of them have reminders.
fn poke(cluster: &SimCluster) {
    let (cluster, world) = (cluster.clone(), cluster.world().clone());
    world.clone().driver("poke", async move {
        for turn in 0usize.. {
            cluster.sleep(Duration::from_millis(100)).await;
            let silos = cluster.silos();
            let Some((name, silo)) = silos.get(turn % silos.len().max(1)) else { continue };
            let client = silo.client();
            world.spawn(cluster.node(name), "poke", async move {
                let imp = client.actor::<Imp>(&format!("poked-{}", turn % 7));
                let _ = imp.poke().deadline(SECOND * 2).await;
                let _ = imp.write(format!("poked-{}", turn % 5)).deadline(SECOND * 2).await;
                let _ = client
                    .actor::<Hoarder>(&format!("hoarder-{}", turn % 3))
                    .poke()
                    .deadline(SECOND * 2)
                    .await;
                if turn.is_multiple_of(16) {
                    let _ = imp.remind().deadline(SECOND * 2).await;
                }
            });
        }
    });
}
