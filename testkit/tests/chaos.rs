//! Fault plans, carried out on a simulated cluster.

mod lab;

use lab::{SECOND, SILOS, run, with_imps};
use quark_chaos::{Fault, FaultKind, FaultPlan, Knobs, Route, Shape, nemesis};
use quark_sim::Config;
use quark_testkit::sim::{Describe, SimCluster, turn_world, turned};
use quark_testkit::stage::Stage;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// Waits until the silos that are left agree. If none is left (each was declared dead, or could not prove its lease), whoever
/// keeps them running starts them again.
async fn agreement(cluster: &SimCluster) {
    for _ in 0..120 {
        if cluster.silos().is_empty() {
            for name in SILOS {
                let _ = cluster.start(name).await;
            }
        }
        if !cluster.silos().is_empty() && cluster.has_converged() {
            return;
        }
        cluster.sleep(SECOND).await;
    }
    let views: Vec<_> =
        cluster.silos().into_iter().map(|(name, silo)| (name, format!("{:?}", silo.view()))).collect();
    let seed = cluster.world().seed();
    panic!("seed {seed}: no agreement two minutes after everything was healed: {views:#?}");
}

fn of_nothing() -> Describe {
    Arc::new(|builder| builder)
}

fn with_replica(seed: u64) -> Config {
    let mut config = Config::new(seed);
    config.store.replica_lag = Some(SECOND);
    config
}

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// One of each kind, strong enough to be felt by three silos within ten seconds.
fn one_of_each() -> Vec<Fault> {
    let node = || "b".to_owned();
    let everywhere = Route::everywhere;
    let latency = |shape| Fault::Latency { route: everywhere(), min: ms(5), max: ms(50), shape };
    let mut faults = vec![
        Fault::Pause { node: node() },
        Fault::Cut { route: Route::between("a", "b"), one_way: true },
        Fault::Partition { groups: vec![vec!["a".into()], vec!["b".into(), "c".into()]] },
        Fault::Isolate { node: "c".into() },
        Fault::Flap { route: Route::between("a", "b"), period: ms(800) },
        Fault::Loss { route: everywhere(), ppm: 200_000 },
        Fault::Duplicate { route: everywhere(), ppm: 200_000 },
        Fault::Reorder { route: everywhere(), ppm: 200_000, by: ms(20) },
        Fault::Corrupt { route: everywhere(), ppm: 200_000 },
        Fault::Bandwidth { route: everywhere(), bytes_per_second: 20_000 },
        Fault::Clog { route: Route::between("c", "a") },
        Fault::HalfOpen { route: everywhere() },
        Fault::RstStorm { route: everywhere(), every: ms(500) },
        Fault::DialBlackhole { route: Route::between("a", "b") },
        Fault::DialRefuse { route: Route::between("a", "b") },
        Fault::SlowAccept { route: everywhere(), by: ms(100) },
        Fault::StaleNames { route: Route::between("a", "b") },
        Fault::StoreOutage,
        Fault::StoreCut { node: node() },
        Fault::StoreFailover,
        Fault::StoreStale { node: node() },
        Fault::StoreIndeterminate { ppm: 300_000, applied_ppm: 500_000 },
        Fault::StoreSlow { spike_ppm: 300_000, slowness_milli: 3000 },
        Fault::StoreFull,
        Fault::StoreTimeout { ppm: 200_000, applied_ppm: 500_000 },
        Fault::StoreErrors { ppm: 200_000 },
        Fault::ClockStep { node: node(), by_ms: -3_600_000 },
        Fault::ClockDrift { node: node(), ppm: 30_000 },
        Fault::ClockSlew { node: node(), ppm: 50_000 },
        Fault::MonoDrift { node: node(), ppm: -30_000 },
        Fault::ClockFreeze { node: node() },
        Fault::ClockLeap { node: node(), days: 4401 },
        Fault::SlowCpu { node: node(), slowness_milli: 5000 },
        Fault::Crash { node: node() },
        Fault::Exit { node: node() },
        Fault::GracefulStop { node: node() },
        Fault::CrashLoop { node: node(), every: ms(1500) },
        Fault::GcStalls { node: node(), every: ms(700), stall: ms(300) },
        Fault::Restart { node: node(), wipe: false },
        Fault::JoinStorm { silos: 2 },
        Fault::HotActor { rate: 50 },
        Fault::DeactivationStorm { every: ms(500) },
        Fault::HugeMessage { bytes: 1 << 20 },
        Fault::SlowActor { takes: ms(200) },
        Fault::CancelledCallers { rate: 20 },
        Fault::DeadlineZero { rate: 20 },
        Fault::CallCycle { length: 3 },
        Fault::TimerStorm { timers: 50, every: ms(200) },
        Fault::Burst { calls: 100 },
    ];
    faults.extend(Shape::ALL.map(latency));
    faults
}

#[test]
fn every_kind_of_fault_can_be_done_and_has_an_effect() {
    let mut done = BTreeSet::new();
    let faults = one_of_each();
    for fault in &faults {
        let kind = fault.kind();
        // Resets make links be dialled, and the last fault only makes the plan go on, so that a momentary one has time.
        let resets = Fault::RstStorm { route: Route::everywhere(), every: SECOND };
        let later = Fault::SlowCpu { node: "a".into(), slowness_milli: 1001 };
        let mut plan = FaultPlan::new().with(SECOND * 5, SECOND * 10, fault.clone());
        if kind.says().to_lowercase().contains("dial") {
            plan = plan.with(SECOND * 6, SECOND * 8, resets);
        }
        let (_, report, ()) =
            run(with_replica(1), with_imps(), &plan.with(SECOND * 15, SECOND, later), agreement);
        let entry = report.kinds[&kind];
        assert!(entry.applied > 0 && entry.skipped == 0, "{kind:?}");
        assert!(entry.effects > Some(0), "{fault:?} had no effect:\n{report}");
        done.insert(kind);
    }
    let waived = |kind: &FaultKind| *kind == FaultKind::StoreEviction;
    assert!(FaultKind::ALL.iter().all(|kind| done.contains(kind) || waived(kind)), "{done:?}");
}

#[test]
fn a_store_that_drops_partitions_has_them_no_more() {
    let eviction = Fault::StoreEviction { ppm: 1_000_000 };
    let plan = FaultPlan::new().with_open(SECOND * 3, eviction).with(
        SECOND * 3,
        ms(10),
        Fault::SlowCpu { node: "a".into(), slowness_milli: 1001 },
    );
    // What becomes of the silos is beyond the contract.
    let (_, report, ()) = run(Config::new(1), with_imps(), &plan, async |_| ());
    assert!(report.kinds[&FaultKind::StoreEviction].effects > Some(3), "{report}");
}

#[test]
fn a_fault_that_this_cluster_cannot_suffer_is_skipped() {
    let plan = FaultPlan::new().with_open(SECOND, Fault::StoreFailover).with(
        SECOND,
        SECOND,
        Fault::HotActor { rate: 10 },
    );
    let (_, report, ()) = run(Config::new(1), of_nothing(), &plan, agreement);
    for kind in [FaultKind::StoreFailover, FaultKind::HotActor] {
        assert_eq!((report.kinds[&kind].applied, report.kinds[&kind].skipped), (0, 1), "{kind:?}");
    }
}

#[test]
fn silos_agree_again_after_any_swarm_of_faults() {
    for seed in 0..200 {
        let plan = FaultPlan::swarm(seed, &SILOS, SECOND * 60);
        let (world, ..) = run(with_replica(seed), of_nothing(), &plan, agreement);
        if seed % 20 == 0 {
            let (again, ..) = run(with_replica(seed), of_nothing(), &plan, agreement);
            assert_eq!(world.hash(), again.hash(), "seed {seed} is deterministic");
        }
    }
}

#[test]
fn silos_agree_again_after_every_nemesis_whatever_their_knobs_are() {
    for seed in 0..60 {
        let (name, nemesis) = nemesis::ALL[seed as usize % nemesis::ALL.len()];
        let knobs = Knobs::draw(seed);
        let config = turn_world(&knobs, Config::new(seed));
        let plan = nemesis(seed, &SILOS, SECOND * 40);
        let (_, report, ()) = run(config, turned(&knobs, with_imps()), &plan, agreement);
        let applied: u64 = report.kinds.values().map(|entry| entry.applied).sum();
        // In three nodes' ring everybody sees everybody.
        assert!(applied > 0 || name == "majority-ring", "seed {seed}: {name} did nothing: {report}");
    }
}
