//! Fault plans, carried out on a simulated cluster that hosts nothing but itself.

use quark_chaos::{Fault, FaultKind, FaultPlan, Route};
use quark_sim::{Config, World};
use quark_testkit::sim::{SimCluster, carry_out};
use quark_testkit::stage::Stage;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const SILOS: [&str; 3] = ["a", "b", "c"];

/// Carries out a plan and waits until the silos that are left agree; returns the trace's hash and the report.
fn run(seed: u64, plan: &FaultPlan) -> ((u64, u64), quark_chaos::Report) {
    let mut config = Config::new(seed);
    config.store.replica_lag = Some(SECOND);
    let mut world = World::new(config);
    let cluster = SimCluster::new(world.handle(), "chaos", Arc::new(|builder| builder), None);
    let report = world.block_on(async {
        cluster.start_all(&SILOS).await;
        let report = carry_out(plan.clone(), &cluster).await;
        for _ in 0..120 {
            if !cluster.silos().is_empty() && cluster.has_converged() {
                return report;
            }
            cluster.sleep(SECOND).await;
        }
        let views: Vec<_> =
            cluster.silos().into_iter().map(|(name, silo)| (name, format!("{:?}", silo.view()))).collect();
        panic!("seed {seed}: no agreement two minutes after everything was healed: {views:#?}");
    });
    (world.hash(), report)
}

#[test]
fn every_kind_of_fault_can_be_done_and_has_an_effect() {
    let mut done = BTreeSet::new();
    let node = || "b".to_owned();
    let everywhere = Route::everywhere;
    let faults = [
        Fault::Pause { node: node() },
        Fault::Cut { route: Route::between("a", "b"), one_way: true },
        Fault::Partition { groups: vec![vec!["a".into()], vec!["b".into(), "c".into()]] },
        Fault::Isolate { node: "c".into() },
        Fault::Loss { route: everywhere(), ppm: 200_000 },
        Fault::Duplicate { route: everywhere(), ppm: 200_000 },
        Fault::Reorder { route: everywhere(), ppm: 200_000, by: Duration::from_millis(20) },
        Fault::Corrupt { route: everywhere(), ppm: 200_000 },
        Fault::Latency { route: everywhere(), min: Duration::from_millis(5), max: Duration::from_millis(50) },
        Fault::Clog { route: Route::between("c", "a") },
        Fault::HalfOpen { route: everywhere() },
        Fault::StoreOutage,
        Fault::StoreCut { node: node() },
        Fault::StoreFailover,
        Fault::StoreStale { node: node() },
        Fault::StoreIndeterminate { ppm: 300_000, applied_ppm: 500_000 },
        Fault::StoreSlow { spike_ppm: 300_000, slowness_milli: 3000 },
        Fault::ClockStep { node: node(), by_ms: -3_600_000 },
        Fault::ClockDrift { node: node(), ppm: 30_000 },
        Fault::SlowCpu { node: node(), slowness_milli: 5000 },
        Fault::Crash { node: node() },
        Fault::Restart { node: node(), wipe: false },
    ];
    for fault in faults {
        let kind = fault.kind();
        let lasts = SECOND * 10;
        // The second fault only makes the plan go on, so that a momentary one has time to have an effect.
        let later = Fault::SlowCpu { node: "a".into(), slowness_milli: 1001 };
        let plan = FaultPlan::new().with(SECOND * 5, lasts, fault).with(SECOND * 15, SECOND, later);
        let (_, report) = run(1, &plan);
        let entry = report.kinds[&kind];
        assert!(entry.applied > 0 && entry.skipped == 0, "{kind:?}");
        assert_eq!(report.ineffective().count(), 0, "{kind:?} had no effect");
        done.insert(kind);
    }
    assert!(FaultKind::ALL.iter().all(|kind| done.contains(kind)), "{done:?}");
}

#[test]
fn silos_agree_again_after_any_swarm_of_faults() {
    for seed in 0..200 {
        let plan = FaultPlan::swarm(seed, &SILOS, SECOND * 60);
        let (first, _) = run(seed, &plan);
        if seed % 20 == 0 {
            assert_eq!(first, run(seed, &plan).0, "seed {seed} is deterministic");
        }
    }
}
