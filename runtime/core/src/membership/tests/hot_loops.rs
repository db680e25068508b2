//! What a silo has to try again it tries at a pace of its own, and not as fast as the store can answer.
//!
//! A store that is asked in a loop is asked hundreds of times a second, by each silo, at a moment when it is in trouble already.

use super::world::{MS, SEC, StoreMode, World};

/// Renewals, probes' watches, readings and votes of three silos need no more in a second, whatever has happened to them.
const OPERATIONS_A_SECOND: u64 = 60;

/// Its renewals meet conflicts, for its row has changed, and its lease row has not: only the table can tell it why, and no
/// reading of the table comes back.
#[test]
fn a_silo_that_cannot_read_of_its_death_does_not_rush_the_store() {
    let mut conflicts = 0;
    for phase in 0..30 {
        let mut world = World::formed(3, phase);
        world.run(3 * SEC + phase * 170 * MS);
        world.nodes[2].mode = StoreMode::Silent;
        world.run(15 * SEC);
        let dead = world.id(2);
        assert!(world.view(0).is_dead(dead), "phase {phase}: it was not evicted");
        world.nodes[2].mode = StoreMode::TablesLost;
        for second in 0..4 {
            let before = world.operations;
            world.run(SEC);
            let asked = world.operations - before;
            conflicts += u64::from(world.nodes[2].stopped.is_none());
            assert!(asked <= OPERATIONS_A_SECOND, "phase {phase}, second {second}: {asked} operations");
        }
    }
    assert!(conflicts > 60, "it learnt of its death in another way");
}
