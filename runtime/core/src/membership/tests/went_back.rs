//! A store that loses its newest commits, and gives out none of their versions again.
//!
//! P2 cannot hold for as long as an eviction is forgotten, so the eye does not look here; that one version is one view, it
//! sees all the same. What must come to pass: nobody who did no wrong is stopped, no death is undone, and all agree.

use super::super::StopReason;
use super::world::{MS, SEC, World};
use crate::view::Status;

/// `count` silos have formed a cluster; there is room for one more.
fn formed_of(count: usize, seed: u64) -> World {
    let mut world = World::new(count + 1, seed);
    world.store.forgetful = true;
    (0..count).for_each(|at| world.start(at));
    world.run_until("all are active", 5 * SEC, |w| (0..count).all(|at| sees(w, at, count)));
    let pause = world.random(3 * SEC);
    world.run(3 * SEC + pause);
    world
}

fn sees(world: &World, at: usize, active: usize) -> bool {
    world.nodes[at].joined && world.view(at).active().count() == active
}

#[test]
fn a_silo_whose_joining_was_lost_writes_itself_back() {
    for seed in 0..300 {
        let mut world = formed_of(3, seed);
        let before = world.store.commits();
        world.start(3);
        // Some of them have heard of it when it is lost, or all, or the newcomer alone.
        world.run_until("it has joined", 5 * SEC, |w| w.nodes[3].joined);
        let (pause, kept) = (world.random(3 * SEC), world.random(4));
        world.run(pause);
        world.store.lose(world.store.commits() - before - kept as usize);
        world.run(6 * SEC);
        let all_agree = (0..4).all(|at| sees(&world, at, 4)) && world.is_settled();
        assert!(all_agree, "seed {seed}\n{}", world.describe());
        for node in &world.nodes {
            let calm = node.stopped.is_none() && node.leases_lost == 0;
            assert!(calm, "seed {seed}: {} stopped or lapsed\n{}", node.name, world.describe());
        }
        // It can be evicted like any other.
        let id = world.id(3);
        world.crash(3);
        world.run_until("it is known for dead", 6 * SEC, |w| (0..3).all(|at| w.view(at).is_dead(id)));
    }
}

#[test]
fn a_death_that_was_lost_is_written_again() {
    for seed in 0..300 {
        let mut world = formed_of(4, seed);
        let id = world.id(2);
        let others = [0, 1, 3];
        world.pause(2);
        let before = world.store.commits();
        world.run_until("it is known for dead", 6 * SEC, |w| others.iter().any(|at| w.view(*at).is_dead(id)));
        let pause = world.random(2) * world.random(4 * SEC);
        world.run(pause);
        world.store.lose(world.store.commits() - before);
        let sleeps_on = world.random(2) * world.random(3 * SEC);
        world.run(sleeps_on);
        world.resume(2);
        world.run_until("it has stopped", 8 * SEC, |w| w.nodes[2].stopped.is_some());
        assert_eq!(world.nodes[2].stopped, Some(StopReason::DeclaredDead { id }), "seed {seed}");
        world.run(6 * SEC);
        for at in others {
            let member = world.view(at).named(id.name).expect("its row is kept");
            assert_eq!((member.id, member.status), (id, Status::Dead), "seed {seed}");
            assert!(world.runs(at) && world.nodes[at].leases_lost == 0, "seed {seed}\n{}", world.describe());
        }
        assert_eq!(world.view(0).version, world.view(1).version, "seed {seed}");
        assert_eq!(world.view(0).version, world.view(3).version, "seed {seed}");
    }
}

#[test]
fn a_founder_that_was_forgotten_while_it_hung_gives_way_to_those_who_came() {
    for seed in 0..100 {
        let mut world = World::new(2, seed);
        world.store.forgetful = true;
        world.start(0);
        let reserved = world.store.commits();
        world.run_until("it has joined", 5 * SEC, |w| w.nodes[0].joined);
        world.run(world.now % SEC);
        world.pause(0);
        // Its activation and its lease are gone. Nobody but itself could have vouched for it, and now there is somebody.
        world.store.lose(world.store.commits() - reserved);
        world.start(1);
        world.run_until("the other has joined", 60 * SEC, |w| w.nodes[1].joined);
        world.resume(0);
        world.run_until("it has stopped", 20 * SEC, |w| w.nodes[0].stopped.is_some());
        world.start(0);
        world.run_until("both agree", 60 * SEC, |w| sees(w, 0, 2) && sees(w, 1, 2));
    }
}

#[test]
fn whatever_is_lost_those_who_live_agree_again() {
    let mut losses = 0;
    for seed in 0..400 {
        let mut world = formed_of(4, seed);
        let mut disturbed = [false; 5];
        // A store that has lost the cluster's beginnings has been emptied, and says so.
        let born = world.store.commits();
        for _ in 0..6 {
            let at = world.random(5) as usize;
            let is_up = world.nodes[at].core.is_some() && world.nodes[at].stopped.is_none();
            match world.random(5) {
                0 if is_up => {
                    world.crash(at);
                    disturbed[at] = true;
                }
                1 if is_up => {
                    world.step(at, super::super::Input::Drain);
                    disturbed[at] = true;
                }
                2 if !is_up => {
                    world.start(at);
                    disturbed[at] = true;
                }
                _ => {
                    let commits = 1 + world.random(30) as usize;
                    world.store.lose(commits.min(world.store.commits() - born));
                    losses += 1;
                }
            }
            let pause = world.random(4 * SEC);
            world.run(100 * MS + pause);
        }
        for at in (0..4).filter(|at| !disturbed[*at]) {
            assert!(world.nodes[at].stopped.is_none(), "seed {seed}: {at}\n{}", world.describe());
        }
        for _ in 0..8 {
            world.run(10 * SEC);
            for at in 0..5 {
                if world.nodes[at].stopped.is_some() {
                    world.start(at);
                }
            }
        }
        world.run(10 * SEC);
        assert!(world.is_settled(), "seed {seed}\n{}", world.describe());
    }
    assert!(losses > 400, "{losses} losses prove nothing");
}
