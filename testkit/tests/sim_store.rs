//! The simulator's store keeps the contract of all stores, whatever its timing.

use quark_sim::{Config, StoreConfig, World};
use quark_testkit::store_conformance::cases;
use std::sync::Arc;

#[test]
fn the_simulated_store_keeps_the_contract() {
    for case in cases() {
        for seed in 0..5 {
            let mut world = World::new(Config::new(seed));
            let node = world.add_node("caller");
            let store = Arc::new(world.host(node));
            world.block_on(case.run(store, seed));
        }
    }
}

#[test]
fn slow_operations_do_not_weaken_the_contract() {
    for case in cases() {
        let store = StoreConfig { spike_ppm: 100_000, ..StoreConfig::default() };
        let mut world = World::new(Config { store, ..Config::new(99) });
        let node = world.add_node("caller");
        let store = Arc::new(world.host(node));
        world.block_on(case.run(store, 99));
    }
}
