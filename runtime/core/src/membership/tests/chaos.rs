//! Random schedules: five silos, clocks whose rates differ by almost a tenth, and everything goes wrong.
//!
//! The eye of the world checks P2 all along. When the chaos is over and everything heals, whoever did not have to
//! stop must agree with the others and serve again, within a bounded time.

use super::world::{MS, SEC, StoreMode, World};
use proptest::prelude::*;

#[derive(Clone, Copy, Debug)]
enum Fault {
    Crash(usize),
    Start(usize),
    Pause(usize),
    Resume(usize),
    Cut(usize, usize),
    CutBoth(usize, usize),
    Partition(u8),
    Heal,
    Dark(usize, StoreMode),
    AllDark(StoreMode),
    Loss(u64),
    Slow(u64),
    Leave(usize),
}

const SILOS: usize = 5;

fn mode() -> impl Strategy<Value = StoreMode> {
    prop_oneof![
        Just(StoreMode::Silent),
        Just(StoreMode::Refusing),
        Just(StoreMode::AnswersLost),
        (1u64..12).prop_map(|late| StoreMode::LateCommits(late * SEC)),
        Just(StoreMode::Fine),
    ]
}

fn fault() -> impl Strategy<Value = Fault> {
    let silo = || 0..SILOS;
    prop_oneof![
        silo().prop_map(Fault::Crash),
        silo().prop_map(Fault::Start),
        silo().prop_map(Fault::Pause),
        silo().prop_map(Fault::Resume),
        (silo(), silo()).prop_map(|(a, b)| Fault::Cut(a, b)),
        (silo(), silo()).prop_map(|(a, b)| Fault::CutBoth(a, b)),
        any::<u8>().prop_map(Fault::Partition),
        Just(Fault::Heal),
        (silo(), mode()).prop_map(|(silo, mode)| Fault::Dark(silo, mode)),
        mode().prop_map(Fault::AllDark),
        (0u64..400).prop_map(Fault::Loss),
        (1u64..700).prop_map(|ms| Fault::Slow(ms * MS)),
        silo().prop_map(Fault::Leave),
    ]
}

fn inflict(world: &mut World, fault: Fault) {
    let runs = |world: &World, at: usize| world.nodes[at].core.is_some();
    match fault {
        Fault::Crash(at) if runs(world, at) => world.crash(at),
        Fault::Start(at) if !runs(world, at) || world.nodes[at].stopped.is_some() => world.start(at),
        Fault::Pause(at) if runs(world, at) => world.pause(at),
        Fault::Resume(at) if world.nodes[at].paused => world.resume(at),
        Fault::Cut(a, b) => drop(world.cut.insert((a, b))),
        Fault::CutBoth(a, b) => world.cut_both(a, b),
        Fault::Partition(sides) => {
            let (one, other): (Vec<usize>, Vec<usize>) = (0..SILOS).partition(|at| sides & (1 << at) != 0);
            world.partition(&one, &other);
        }
        Fault::Heal => world.heal(),
        Fault::Dark(at, mode) => world.nodes[at].mode = mode,
        Fault::AllDark(mode) => world.all_dark(mode),
        Fault::Loss(loss) => world.loss = loss,
        Fault::Slow(delay) => world.delay_max = delay,
        Fault::Leave(at) if world.runs(at) => world.step(at, super::super::Input::Leave),
        _ => {}
    }
}

fn run(seed: u64, rates: &[u64], faults: &[(u64, Fault)]) {
    let mut world = World::new(SILOS, seed);
    for (node, rate) in world.nodes.iter_mut().zip(rates) {
        node.rate = 1_000_000 + rate;
    }
    (0..SILOS).for_each(|at| world.start(at));
    world.run(6 * SEC);
    for (pause, fault) in faults {
        inflict(&mut world, *fault);
        world.run(*pause * MS);
    }
    world.heal();
    (world.loss, world.delay_max) = (0, 2 * MS);
    for at in 0..SILOS {
        if world.nodes[at].paused {
            world.resume(at);
        }
        if world.nodes[at].core.is_none() || world.nodes[at].stopped.is_some() {
            world.start(at);
        }
    }
    // Whoever still learns of its death now is started again, as a supervisor would.
    for _ in 0..6 {
        world.run(10 * SEC);
        for at in 0..SILOS {
            if world.nodes[at].stopped.is_some() {
                world.start(at);
            }
        }
    }
    world.run(10 * SEC);
    assert!(world.is_settled(), "not settled\n{}", world.describe());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_goes_wrong_nobody_runs_beside_its_successor(
        seed in any::<u64>(),
        rates in proptest::collection::vec(0u64..99_000, SILOS),
        faults in proptest::collection::vec((0u64..6_000, fault()), 1..40),
    ) {
        run(seed, &rates, &faults);
    }
}

/// The dark, the late and the lost are where the promises of vouchers and voters meet: dwell on them.
#[test]
fn the_dark_and_the_late_dwelt_upon() {
    for seed in 0..300u64 {
        let mut world = World::new(SILOS, seed);
        for node in &mut world.nodes {
            node.rate = 1_000_000 + crate::hash::mix(seed ^ node.offset) % 99_000;
        }
        (0..SILOS).for_each(|at| world.start(at));
        world.run(5 * SEC);
        for _ in 0..30 {
            let (a, b) = (world.random(5) as usize, world.random(5) as usize);
            let late = world.random(10);
            let fault = match world.random(9) {
                0 => Fault::Dark(a, StoreMode::Silent),
                1 => Fault::Dark(a, StoreMode::AnswersLost),
                2 | 3 => Fault::Dark(a, StoreMode::LateCommits(late * SEC)),
                4 => Fault::AllDark(StoreMode::Silent),
                5 => Fault::AllDark(StoreMode::Fine),
                6 => Fault::CutBoth(a, b),
                7 => Fault::Heal,
                _ if world.nodes[a].core.is_some() => Fault::Crash(a),
                _ => Fault::Start(a),
            };
            inflict(&mut world, fault);
            let pause = world.random(5_000);
            world.run(pause * MS);
        }
    }
}
