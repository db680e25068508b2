//! Whole clusters under random faults: first safety, then, with the faults over, liveness.

use super::world::{Event, Network, World};
use super::*;
use crate::Instant;
use proptest::prelude::*;

const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];
const ACTORS: u64 = 24;

fn member(id: SiloId, status: Status, grace: Duration) -> Member {
    Member { id, address: String::new(), status, grace }
}

impl World {
    fn newest(&self, name: &str) -> Option<SiloId> {
        self.nodes.keys().rfind(|id| id.name.as_str() == name).copied()
    }

    fn status(&self, id: SiloId) -> Option<Status> {
        self.table.member(id).map(|m| m.status)
    }

    /// One thing that operators, bugs and lightning do to a cluster.
    fn disturb(&mut self) {
        let name = NAMES[self.dice.below(NAMES.len() as u64) as usize];
        let newest = self.newest(name);
        let status = newest.and_then(|id| self.status(id));
        let actives = self.table.active().count();
        match (newest, status) {
            (Some(id), Some(Status::Active)) if actives > 1 => match self.dice.below(5) {
                0 => self.crash(id),
                1 => self.evict_alive(id),
                2 => self.restart(id),
                3 => self.drain(id),
                _ => {}
            },
            (Some(id), Some(Status::Draining)) => self.leave(id),
            (Some(id), Some(Status::Joining)) => self.commit(member(id, Status::Active, Duration::ZERO)),
            (Some(id), Some(Status::Dead)) => self.join(SiloId::new(id.name, id.generation.next())),
            (None, _) => self.join(silo(name)),
            _ => {}
        }
    }

    fn join(&mut self, id: SiloId) {
        let status = if self.dice.chance(50) { Status::Joining } else { Status::Active };
        self.commit(member(id, status, Duration::ZERO));
        self.start(id);
    }

    /// `kill -9`, and the eviction some time later.
    fn crash(&mut self, id: SiloId) {
        let node = self.nodes.get_mut(&id).expect("a node");
        (node.up, node.runs) = (false, false);
        let (delay, grace) = (ms(self.dice.below(800)), ms(self.dice.below(500)));
        self.at(delay, Event::Commit { member: member(id, Status::Dead, grace) });
    }

    /// Declared dead while it runs, and it runs on until its lease ends.
    fn evict_alive(&mut self, id: SiloId) {
        let grace = ms(self.dice.below(1500));
        self.commit(member(id, Status::Dead, grace));
        self.at(grace, Event::LeaseEnds { silo: id });
    }

    /// A new incarnation takes the name while the old one may still run.
    fn restart(&mut self, id: SiloId) {
        let grace = ms(self.dice.below(1500));
        let next = SiloId::new(id.name, id.generation.next());
        self.commit(member(next, Status::Active, grace));
        if self.dice.chance(50) {
            self.nodes.get_mut(&id).expect("a node").up = false;
        }
        self.at(grace, Event::LeaseEnds { silo: id });
        self.start(next);
    }

    fn drain(&mut self, id: SiloId) {
        self.commit(member(id, Status::Draining, Duration::ZERO));
        self.at(Duration::ZERO, Event::ReadTable { silo: id });
        self.deactivate(id);
    }

    /// The last act of an orderly leave: nothing runs here any more.
    fn leave(&mut self, id: SiloId) {
        self.deactivate(id);
        let node = self.nodes.get_mut(&id).expect("a node");
        let drained = node.directory.is_drained();
        // One in four loses its patience.
        if drained || self.dice.chance(25) {
            let node = self.nodes.get_mut(&id).expect("a node");
            (node.up, node.runs) = (false, false);
            self.commit(member(id, Status::Dead, Duration::ZERO));
        }
    }

    fn deactivate(&mut self, id: SiloId) {
        let hosted: Vec<ActorId> =
            self.nodes[&id].directory.hosted_actors().map(|(a, _)| a.clone()).collect();
        for actor in hosted {
            self.end(id, &actor);
        }
    }

    fn running(&self) -> Vec<SiloId> {
        self.nodes
            .iter()
            .filter(|(id, n)| n.up && n.runs && !self.table.is_dead(**id))
            .map(|n| *n.0)
            .collect()
    }

    fn load(&mut self) {
        // Also silos that are dead by the table and do not know it yet.
        let running: Vec<SiloId> =
            self.nodes.iter().filter(|(_, n)| n.up && n.runs).map(|(id, _)| *id).collect();
        let Some(at) = running.get(self.dice.below(running.len() as u64) as usize).copied() else { return };
        let one = actor(self.dice.below(ACTORS));
        if self.dice.chance(15) {
            self.end(at, &one);
        } else {
            self.request(at, one);
        }
    }

    fn lasts(&mut self, time: Duration) {
        let until = self.now + time;
        self.run(until);
    }
}

fn storm(seed: u64, network: Network, elsewhere: u64, cut_for_good: bool) {
    let mut world = World::new(seed, network, elsewhere);
    for name in &NAMES[..3 + (seed % 2) as usize] {
        world.commit(member(silo(name), Status::Active, Duration::ZERO));
        world.start(silo(name));
    }
    for _ in 0..60 {
        for _ in 0..world.dice.below(12) {
            world.load();
        }
        if world.dice.chance(40) {
            world.disturb();
        }
        let time = ms(world.dice.below(400));
        world.lasts(time);
    }

    // The faults end, but for one cut link.
    world.network.loss = 0;
    world.network.delay_ms = world.network.delay_ms.min(50);
    world.network.cut.clear();
    for name in NAMES {
        let Some(id) = world.newest(name) else { continue };
        if !world.nodes[&id].up && !world.table.is_dead(id) {
            world.commit(member(id, Status::Dead, ms(500)));
        }
        if world.status(id) == Some(Status::Draining) {
            world.commit(member(id, Status::Dead, Duration::ZERO));
            let node = world.nodes.get_mut(&id).expect("a node");
            (node.up, node.runs) = (false, false);
        }
    }
    world.lasts(ms(2000));
    if world.table.active().count() == 0 {
        return;
    }
    if cut_for_good && world.table.active().count() >= 3 {
        let actives: Vec<SiloName> = world.table.active().map(|m| m.id.name).collect();
        let at = world.dice.below(actives.len() as u64) as usize;
        let (left, right) = (actives[at], actives[(at + 1) % actives.len()]);
        world.network.cut.extend([(left, right), (right, left)]);
        // One more change, so that ranges move with the link cut.
        let crashed = world.table.active().map(|m| m.id).find(|m| m.name != left && m.name != right);
        if let Some(id) = crashed.filter(|_| world.table.active().count() >= 4) {
            let node = world.nodes.get_mut(&id).expect("a node");
            (node.up, node.runs) = (false, false);
            world.commit(member(id, Status::Dead, ms(500)));
        } else {
            world.join(silo("g"));
        }
    }
    for id in world.running() {
        world.at(ms(50), Event::ReadTable { silo: id });
    }
    // Grace 0.5 s, four tries at most until a detour is taken, twice: from the old owner, then from all hosts.
    world.lasts(ms(4000));
    for id in world.running() {
        assert!(!world.nodes[&id].directory.is_locked(), "{id} is still locked");
    }

    let mut wanted = Vec::new();
    for n in 0..ACTORS {
        for at in world.running() {
            wanted.push(world.request(at, actor(n)));
        }
    }
    world.lasts(ms(3000));
    for id in &wanted {
        assert!(world.served.contains(id), "request {id} was not served");
    }
    agrees(&world);

    for id in world.running() {
        world.deactivate(id);
    }
    world.lasts(ms(40_000));
    for id in world.running() {
        let directory = &world.nodes[&id].directory;
        assert_eq!(directory.hosted_count(), 0);
        assert_eq!(directory.entry_count(), 0, "{id} keeps entries of what ended");
        assert_eq!(directory.next_deadline(), None, "{id} has nothing left to do");
        assert!(directory.is_drained() && directory.released.is_empty() && directory.held.is_empty());
    }
}

/// Every actor has one entry, and it says where the actor runs.
fn agrees(world: &World) {
    let mut entries = Vec::new();
    let mut hosted = Vec::new();
    for id in world.running() {
        let directory = &world.nodes[&id].directory;
        entries.extend(directory.entries().map(|(a, p)| (a.clone(), p.silo, p.registration)));
        hosted.extend(directory.hosted_actors().map(|(a, r)| (a.clone(), id, r)));
    }
    entries.sort();
    hosted.sort();
    assert_eq!(entries, hosted);
    assert_eq!(entries.len() as u64, ACTORS);
}

fn network() -> impl Strategy<Value = Network> {
    (0_u64..30, 0_u64..20, prop_oneof![Just(2_u64), Just(50), Just(600)]).prop_map(
        |(loss, duplicates, delay_ms)| Network { loss, duplicates, delay_ms, cut: Default::default() },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_actor_runs_once_and_every_lock_is_released(
        seed in any::<u64>(), network in network(), elsewhere in prop_oneof![Just(0_u64), Just(50)],
        cut in any::<bool>(),
    ) {
        storm(seed, network, elsewhere, cut);
    }
}

#[test]
fn the_clock_of_the_world_stands_at_the_end_of_a_run() {
    let network = Network { loss: 0, duplicates: 0, delay_ms: 1, cut: Default::default() };
    let mut world = World::new(1, network, 0);
    world.run(Instant(2_000_000_000));
    assert_eq!(world.now, Instant(2_000_000_000));
}

#[test]
fn storms_reach_the_rare_branches() {
    for seed in 0..60 {
        let network = Network { loss: 15, duplicates: 10, delay_ms: 50, cut: Default::default() };
        storm(seed, network, 50, true);
    }
    let reached = crate::probe::snapshot();
    for probe in [
        "directory.assignment_refused",
        "directory.dead_refused",
        "directory.entry_draining",
        "directory.handover_superseded",
        "directory.host_floor_raised",
        "directory.page_duplicate",
        "directory.reclaimed",
        "directory.relayed",
        "directory.request_held",
        "directory.requester_behind",
        "directory.source_died",
        "directory.stopped",
        "directory.transfer_fell_back",
    ] {
        assert!(reached.contains_key(probe), "no storm has come to {probe}");
    }
}
