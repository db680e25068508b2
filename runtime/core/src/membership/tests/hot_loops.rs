//! Whatever a silo has to try again, it tries at a pace of its own, and not as fast as the store can answer.
//!
//! A store that is asked in a loop is asked thousands of times a second, by each silo, at a moment when it is in trouble
//! already. Both stories were found by exploring the core where the store answers at once: there they never end.

use super::world::{MS, SEC, StoreMode, World};

/// Renewals, probes' watches, readings and votes of three silos need no more in a second, whatever has happened to them.
const OPERATIONS_A_SECOND: u64 = 60;

fn passes_calmly(world: &mut World, seconds: u64, what: &str) {
    for second in 0..seconds {
        let before = world.operations;
        world.run(SEC);
        let asked = world.operations - before;
        assert!(asked <= OPERATIONS_A_SECOND, "{what}, second {second}: the store was asked {asked} times");
    }
}

#[test]
fn a_silo_that_comes_back_from_the_dark_after_its_death_does_not_rush_the_store() {
    for phase in 0..30 {
        let mut world = World::formed(3, phase);
        world.run(3 * SEC + phase * 170 * MS);
        world.nodes[2].mode = StoreMode::Silent;
        world.run(4 * SEC);
        world.nodes[2].mode = StoreMode::Fine;
        passes_calmly(&mut world, 4, &format!("phase {phase}"));
    }
}

#[test]
fn a_table_that_is_held_off_is_not_read_again_and_again() {
    for seed in 0..30 {
        let mut world = World::new(3, seed);
        world.store.forgetful = true;
        (0..3).for_each(|at| world.start(at));
        world.run(4 * SEC);
        let before = world.store.commits();
        world.crash(0);
        // Everything since the second of them was active is lost, and the first is born again.
        world.store.lose(before - 6 - seed as usize % 4);
        world.start(0);
        passes_calmly(&mut world, 6, &format!("seed {seed}"));
    }
}
