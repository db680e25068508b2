//! A few silos, their directories, an actor or two, and views that change under their feet.
//!
//! The ring is left out: one silo owns all points, and who it is changes with the views, in any way. So nothing depends
//! on what a silo is called, and states that differ in names alone are visited once. Whatever the silos say to one
//! another waits until the explorer lets it arrive, in any order, or loses it. Each silo learns each view early, late or
//! not at all, and one that is dead runs on until its last lease must have ended.

mod eye;
mod parcel;
mod settle;
mod silo;
mod step;
mod views;

pub use step::Step;

use super::{Canonical, Renaming, World, fingerprint, renamed};
use parcel::Parcel;
use quark_core::directory::{Action, Config, Directory, Input, Resolution};
use quark_core::{ActorId, Generation, Instant, SiloId, SiloName};
use silo::Silo;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use views::{Change, Era};

/// What the world is given.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Setup {
    /// How many silos, 2 to 4: the first view has all of them.
    pub nodes: usize,
    /// How many actors.
    pub actors: usize,
    /// How many changes of the view there may be.
    pub views: u8,
    /// How many calls.
    pub calls: u8,
    /// How many activations may end.
    pub endings: u8,
    /// How many messages may be lost.
    pub losses: u8,
    /// How often time may move on to the next deadline.
    pub ticks: u8,
}

impl Setup {
    /// One actor that is called three times while the view changes twice.
    pub fn new(nodes: usize) -> Self {
        Self { nodes, actors: 1, views: 2, calls: 3, endings: 1, losses: 0, ticks: 2 }
    }
}

/// The world.
#[derive(Clone)]
pub struct DirectoryWorld {
    now: Instant,
    names: Arc<Vec<Renaming>>,
    actors: Arc<Vec<ActorId>>,
    /// Those with a process.
    silos: Vec<Arc<Silo>>,
    /// All views so far, the newest last.
    eras: Vec<Arc<Era>>,
    parcels: Vec<Arc<Parcel>>,
    /// When those whom the newest view calls dead died.
    died: BTreeMap<SiloId, Instant>,
    left: Setup,
    wrong: Option<String>,
}

/// The longest that a dead silo may run on.
const GRACE: Duration = Duration::from_secs(1);

impl DirectoryWorld {
    /// A formed cluster: everybody knows the first view, and the owner has heard of all who might host something.
    ///
    /// Panics: if there are fewer than 2 silos, or more than 4.
    pub fn new(setup: &Setup) -> Self {
        assert!((2..=4).contains(&setup.nodes), "{} silos are no small cluster", setup.nodes);
        let names: Vec<String> =
            ["a", "b", "c", "d"][..setup.nodes].iter().map(|s| (*s).to_owned()).collect();
        let id = |name: &String| SiloId::new(SiloName::new(name).expect("a letter is a name"), Generation(1));
        let ids: Vec<SiloId> = names.iter().map(id).collect();
        let actor = |n: usize| ActorId::new("thing", &n.to_string()).expect("a short key");
        let mut world = Self {
            now: Instant(1_000_000_000),
            names: Arc::new(Renaming::all(&names)),
            actors: Arc::new((0..setup.actors).map(actor).collect()),
            silos: ids.iter().map(|id| Arc::new(Silo::new(*id))).collect(),
            eras: Vec::new(),
            parcels: Vec::new(),
            died: BTreeMap::new(),
            left: setup.clone(),
            wrong: None,
        };
        let first = Era::first(&ids, &world.names);
        world.eras.push(Arc::new(first));
        for id in ids {
            world.learn(id, 0);
        }
        while let Some(parcel) = world.parcels.pop() {
            world.arrive(&parcel);
        }
        world.remember();
        world
    }

    fn newest(&self) -> &Era {
        self.eras.last().expect("there is a first one")
    }

    fn silo(&self, id: SiloId) -> Option<&Silo> {
        self.silos.iter().find(|silo| silo.id == id).map(|silo| &**silo)
    }

    /// A silo that is about to change.
    fn silo_mut(&mut self, id: SiloId) -> Option<&mut Silo> {
        let silo = self.silos.iter_mut().find(|silo| silo.id == id)?;
        let silo = Arc::make_mut(silo);
        silo.digests.clear();
        Some(silo)
    }

    /// Lets a directory do something, and performs what it asks for.
    fn with<R>(
        &mut self,
        id: SiloId,
        action: impl FnOnce(&mut Directory, Instant, &mut Vec<Action>) -> R,
    ) -> Option<R> {
        let (now, mut out) = (self.now, Vec::new());
        let result = action(&mut self.silo_mut(id)?.directory, now, &mut out);
        for action in out {
            match action {
                Action::Send { to, message } => self.post(Parcel::Said { from: id, to, message }),
                Action::Evict { actor, .. } => {
                    self.wrong.get_or_insert(format!("{id} is to end {actor}: another silo hosts it too"));
                }
                // What waits is asked for again by the explorer; views are learnt when it says so.
                Action::Unlocked { .. } | Action::ReadTable { .. } => {}
            }
        }
        Some(result)
    }

    fn input(&mut self, id: SiloId, input: Input) {
        self.with(id, |directory, now, out| directory.step(now, input, out));
    }

    fn post(&mut self, parcel: Parcel) {
        // The same words twice are one: what a repetition does, the retries show.
        if !self.parcels.iter().any(|known| **known == parcel) {
            self.parcels.push(Arc::new(parcel));
        }
    }

    /// A silo reads the table.
    fn learn(&mut self, id: SiloId, era: usize) {
        let era_there = self.eras[era].clone();
        if era_there.view.is_dead(id) {
            return self.stop(id);
        }
        if let Some(silo) = self.silo_mut(id) {
            silo.seen = Some(era);
        }
        let (view, ring) = (era_there.view.clone(), era_there.ring());
        self.input(id, Input::ViewChanged { view, ring });
    }

    /// The process of a silo ends, and what it hosted with it.
    fn stop(&mut self, id: SiloId) {
        self.silos.retain(|silo| silo.id != id);
    }

    fn arrive(&mut self, parcel: &Parcel) {
        match parcel {
            Parcel::Said { from, to, message } => {
                self.input(*to, Input::Message { from: *from, message: message.clone() });
            }
            Parcel::Call { to, actor, registration } => {
                let actor = self.actors[*actor].clone();
                self.with(*to, |directory, now, out| directory.host(now, &actor, *registration, out));
            }
        }
    }

    fn call(&mut self, at: SiloId, number: usize, on: SiloId) {
        let actor = self.actors[number].clone();
        let place = self.with(at, |directory, _, _| match directory.resolve(&actor) {
            Resolution::Vacant => directory.assign(&actor, on).ok().map(|registration| (on, registration)),
            Resolution::At { silo, registration } => Some((silo, registration)),
            _ => None,
        });
        if let Some((to, registration)) = place.flatten().filter(|(to, _)| *to != at) {
            self.post(Parcel::Call { to, actor: number, registration });
        }
    }

    fn end(&mut self, at: SiloId, number: usize) {
        let actor = self.actors[number].clone();
        self.with(at, |directory, now, _| {
            if let Some(registration) = directory.hosted(&actor) {
                directory.gone(now, &actor, registration);
            }
        });
        // So that the notice goes out without a tick.
        self.now += Duration::from_millis(5);
        self.input(at, Input::Timer);
    }

    fn change(&mut self, change: &Change) {
        let era = self.newest().after(change, &self.names);
        let at = self.now;
        let known: Vec<SiloId> = self.newest().view.members.iter().map(|m| m.id).collect();
        for id in known.into_iter().filter(|id| era.view.is_dead(*id)) {
            self.died.entry(id).or_insert(at);
        }
        if let Some(id) = change.left() {
            self.stop(id);
        }
        if let Some(id) = change.joined() {
            self.silos.push(Arc::new(Silo::new(id)));
            self.silos.sort_by_key(|silo| silo.id);
        }
        self.eras.push(Arc::new(era));
    }

    /// The next deadline of anybody, if no dead silo may still run then.
    fn next_tick(&self) -> Option<Instant> {
        let next = self.silos.iter().filter_map(|silo| silo.directory.next_deadline()).min()?;
        let next = next.max(self.now);
        let over = |id: &SiloId| self.died.get(id).is_some_and(|died| next >= *died + GRACE);
        (!self.silos.iter().any(|silo| over(&silo.id))).then_some(next)
    }

    fn tick(&mut self) {
        let Some(next) = self.next_tick() else { return };
        self.now = next;
        for id in self.silos.iter().map(|silo| silo.id).collect::<Vec<_>>() {
            let due = |silo: &Silo| silo.directory.next_deadline().is_some_and(|at| at <= next);
            if self.silo(id).is_some_and(due) {
                self.input(id, Input::Timer);
            }
        }
    }

    /// Computes what is not known of those that have changed.
    fn remember(&mut self) {
        let names = self.names.clone();
        for silo in self.silos.iter_mut().filter(|silo| silo.digests.is_empty()) {
            let digests = names.iter().map(|names| silo.digest(names)).collect();
            Arc::make_mut(silo).digests = digests;
        }
        let known: BTreeSet<SiloId> = self.silos.iter().map(|silo| silo.id).collect();
        self.died.retain(|id, _| known.contains(id));
        // What nobody can take any more is as good as lost.
        self.parcels.retain(|parcel| known.contains(&parcel.to()));
    }
}

impl World for DirectoryWorld {
    type Step = Step;

    fn steps(&self) -> Vec<Step> {
        step::offered(self)
    }

    fn take(&mut self, step: &Step) {
        step::carry_out(self, step);
        self.remember();
    }

    fn check(&self) -> Result<(), String> {
        for silo in &self.silos {
            silo.directory.check();
        }
        self.wrong.clone().map_or(Ok(()), Err)?;
        eye::look(self)
    }

    fn canonical(&self) -> Canonical {
        let oldest = self.silos.iter().filter_map(|silo| silo.seen).min().unwrap_or(0);
        let left = (self.left.views, self.left.calls, self.left.endings, self.left.losses, self.left.ticks);
        let mut hashes: Vec<u128> = Vec::with_capacity(self.names.len());
        for (at, names) in self.names.iter().enumerate() {
            let sum = |all: &mut dyn Iterator<Item = u128>| all.fold(0_u128, u128::wrapping_add);
            let silos = sum(&mut self.silos.iter().map(|silo| silo.digests[at]));
            let parcels = sum(&mut self.parcels.iter().map(|parcel| renamed(&**parcel, names)));
            let eras: Vec<u128> = self.eras[oldest..].iter().map(|era| era.digests[at]).collect();
            let died = renamed(&self.died, names);
            hashes.push(fingerprint(&(self.now, silos, parcels, eras, died, left)));
        }
        hashes.sort_unstable();
        let hash = hashes[0];
        hashes.dedup();
        Canonical { hash, namings: u32::try_from(hashes.len()).expect("there are 24 at most") }
    }

    fn settle(self) -> Result<(), String> {
        settle::settle(self)
    }
}

fn config() -> Config {
    Config::default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explore::{Bounds, Exploration, explore};

    fn explored(setup: &Setup, steps: u32) -> Exploration {
        let bounds = Bounds { steps, states_max: 100_000, settle_every: 20 };
        let found = explore(DirectoryWorld::new(setup), &bounds, |_| {});
        println!("{found:?}");
        if let Some(failure) = &found.failure {
            panic!("{}\n{}", failure.path.join("\n"), failure.message);
        }
        found
    }

    #[test]
    fn no_order_of_a_few_events_loses_an_actor_or_runs_it_twice() {
        let found = explored(&Setup::new(3), 6);
        assert!(found.states > 1000, "{} states are no exploration", found.states);
        assert!(found.symmetry() > 1.5, "silos are alike: {}", found.symmetry());
    }

    #[test]
    fn two_actors_do_not_get_into_each_others_way() {
        let found = explored(&Setup { actors: 2, ..Setup::new(2) }, 6);
        assert!(found.states > 1000, "{} states are no exploration", found.states);
    }
}
