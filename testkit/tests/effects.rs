//! A kind of fault that is applied in a thousand runs and has no effect in any of them tests nothing.

mod lab;

use lab::{SECOND, SILOS, run, with_imps};
use quark_chaos::{FaultKind, Knobs, Report, Share, SwarmConfig, swarm};
use quark_core::buggify;
use quark_sim::{Config, Whims};
use quark_testkit::sim::{turn_world, turned};
use std::collections::BTreeMap;

const RUNS: u64 = 1000;
const THREADS: u64 = 2;

/// Runs of a few seconds, in which everything may happen. What the promises are worth then is not asked.
fn short_run(seed: u64, sum: &mut Report, whims: &mut BTreeMap<&'static str, Whims>) {
    let knobs = Knobs::draw(seed);
    let mut config = turn_world(&knobs, Config::new(seed));
    config.store.replica_lag = seed.is_multiple_of(4).then_some(SECOND);
    let swarm_config = SwarmConfig {
        kinds: FaultKind::ALL.to_vec(),
        share: Share::OneIn(10),
        gap: SECOND * 2,
        lasts_max: SECOND * 4,
        ..SwarmConfig::new(&SILOS, SECOND * 8)
    };
    let plan = swarm(seed, &swarm_config);
    let (world, report, ()) = run(config, turned(&knobs, with_imps()), &plan, async |_| ());
    sum.add(&report);
    for (site, seen) in world.whims() {
        let all = whims.entry(site).or_default();
        (all.asked, all.fired) = (all.asked + seen.asked, all.fired + seen.fired);
    }
}

#[test]
fn every_kind_of_fault_has_an_effect_in_a_thousand_runs() {
    let part = |thread: u64| {
        let (mut sum, mut whims) = (Report::default(), BTreeMap::new());
        for seed in (thread..RUNS).step_by(THREADS as usize) {
            short_run(seed, &mut sum, &mut whims);
        }
        (sum, whims)
    };
    let parts: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|thread| scope.spawn(move || part(thread))).collect();
        threads.into_iter().map(|thread| thread.join().expect("a run went wrong")).collect()
    });
    let (mut sum, mut whims) = (Report::default(), BTreeMap::<&str, Whims>::new());
    for (report, sites) in parts {
        sum.add(&report);
        for (site, seen) in sites {
            let all = whims.entry(site).or_default();
            (all.asked, all.fired) = (all.asked + seen.asked, all.fired + seen.fired);
        }
    }
    println!("{sum}");
    for (site, Whims { asked, fired }) in &whims {
        println!("{site:30} {asked:>10} {fired:>10}");
    }
    let effects = |kind: &FaultKind| sum.kinds.get(kind).and_then(|entry| entry.effects).unwrap_or(0);
    let dead: Vec<_> = FaultKind::ALL.iter().filter(|kind| effects(kind) == 0).collect();
    assert!(dead.is_empty(), "no effect in {RUNS} runs: {dead:?}\n{sum}");
    if buggify::ENABLED {
        let fired = |name: &str| whims.get(name).is_some_and(|seen| seen.fired > 0);
        let dead: Vec<_> = buggify::SITES.iter().filter(|site| !fired(site.name)).collect();
        assert!(dead.is_empty(), "sites that never fired in {RUNS} runs: {dead:?}");
    } else {
        assert!(whims.is_empty(), "this build has no sites");
    }
}
