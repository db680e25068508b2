//! Every order in which few things can happen: three silos, one actor, a few changes of the view.
//!
//! Any message may overtake any other, each silo may learn each view early, late or never, and a dead silo may run on
//! until its grace is over. The promise is checked in every state; the number of states is printed.

use super::*;
use crate::Instant;
use std::collections::{BTreeSet, hash_map::DefaultHasher};
use std::hash::{Hash, Hasher};

/// What views there will be, and what may happen besides.
struct Script {
    name: &'static str,
    /// The members and the owner of everything, view by view.
    views: &'static [(&'static str, &'static str)],
    /// Who calls the actor, once each.
    callers: &'static str,
    /// Whom a call's owner places on; itself when empty.
    place_on: &'static str,
    /// How often a host may end its activation.
    endings: u8,
    /// How often the clock may go on to the next deadline.
    ticks: u8,
    /// How many messages may get lost.
    losses: u8,
}

const SCRIPTS: &[Script] = &[
    Script {
        name: "an owner comes and goes",
        views: &[("a b c", "a"), ("a b c", "b"), ("a b c", "a")],
        callers: "abc",
        place_on: "",
        endings: 0,
        ticks: 1,
        losses: 0,
    },
    Script {
        name: "the range walks on before it has arrived",
        views: &[("a b c", "a"), ("a b c", "b"), ("a b c", "c")],
        callers: "abc",
        place_on: "",
        endings: 0,
        ticks: 1,
        losses: 0,
    },
    Script {
        name: "an owner comes and goes twice",
        views: &[("a b", "a"), ("a b", "b"), ("a b", "a"), ("a b", "b")],
        callers: "ab",
        place_on: "",
        endings: 1,
        ticks: 0,
        losses: 1,
    },
    Script {
        name: "the range goes to a newcomer whom the silo in between does not know",
        views: &[("a b", "a"), ("a b", "b"), ("a b c", "c")],
        callers: "abc",
        place_on: "",
        endings: 0,
        ticks: 0,
        losses: 0,
    },
    Script {
        name: "the owner has missed a view in which another owned",
        views: &[("a c", "a"), ("a b c", "b"), ("a b c", "a"), ("a b c", "c")],
        callers: "ab",
        place_on: "c",
        endings: 0,
        ticks: 0,
        losses: 0,
    },
    Script {
        name: "the owner dies, and runs on for a while",
        views: &[("a b c", "a"), ("a- b c", "b"), ("a- b c", "c")],
        callers: "abc",
        place_on: "",
        endings: 0,
        ticks: 2,
        losses: 1,
    },
    Script {
        name: "a silo is reborn and takes back what it had",
        views: &[("a b c", "a"), ("a2+ b c", "a2")],
        callers: "abd",
        place_on: "",
        endings: 1,
        ticks: 2,
        losses: 0,
    },
    Script {
        name: "activations live elsewhere and end",
        views: &[("a b c", "a"), ("a b c", "b")],
        callers: "ac",
        place_on: "c",
        endings: 2,
        ticks: 1,
        losses: 0,
    },
    Script {
        name: "messages get lost",
        views: &[("a b c", "a"), ("a b c", "b")],
        callers: "ab",
        place_on: "c",
        endings: 1,
        ticks: 2,
        losses: 1,
    },
];

/// Something on its way to a silo.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Parcel {
    Said {
        from: SiloId,
        to: SiloId,
        message: DirectoryMessage,
    },
    /// The owner sends a call to the host.
    Call {
        to: SiloId,
        registration: Registration,
    },
}

#[derive(Clone, Hash)]
struct State {
    now: Instant,
    silos: Vec<(SiloId, Directory)>,
    /// Silos whose last lease has ended, or that have read of their death.
    stopped: BTreeSet<SiloId>,
    /// A set: the network may repeat anything, and what is delivered twice is explored as delivered twice by retries.
    parcels: Vec<Parcel>,
    called: BTreeSet<SiloId>,
    /// The newest view that anybody has seen.
    newest: usize,
    endings: u8,
    ticks: u8,
    losses: u8,
}

impl State {
    fn directory(&mut self, id: SiloId) -> &mut Directory {
        &mut self.silos.iter_mut().find(|(silo, _)| *silo == id).expect("a silo of the script").1
    }

    fn has(&self, id: SiloId) -> bool {
        self.silos.iter().any(|(silo, _)| *silo == id) && !self.stopped.contains(&id)
    }

    fn step(&mut self, id: SiloId, input: Input) {
        let (now, mut out) = (self.now, Vec::new());
        self.directory(id).step(now, input, &mut out);
        self.directory(id).check();
        self.perform(id, out);
    }

    fn perform(&mut self, from: SiloId, out: Vec<Action>) {
        for action in out {
            match action {
                Action::Send { to, message } => self.post(Parcel::Said { from, to, message }),
                Action::Evict { .. } => panic!("two hosts of one actor were found"),
                Action::Unlocked { .. } | Action::ReadTable { .. } => {}
            }
        }
    }

    fn post(&mut self, parcel: Parcel) {
        if !self.parcels.contains(&parcel) {
            self.parcels.push(parcel);
            // One order for equal sets, so that equal states are found equal.
            self.parcels.sort_by_cached_key(digest);
        }
    }

    /// The promise.
    fn check(&self, actor: &ActorId, script: &Script) {
        let running: Vec<_> = self
            .silos
            .iter()
            .filter(|(id, d)| !self.stopped.contains(id) && d.hosted(actor).is_some())
            .map(|(id, d)| (*id, d.hosted(actor)))
            .collect();
        assert!(running.len() <= 1, "{}: {running:?} run one actor", script.name);
    }
}

fn digest(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// Whether a silo that the table calls dead at `upto` is past its grace only when it has stopped.
fn may_tick(state: &State, views: &[(Arc<View>, Arc<dyn Owners>)]) -> bool {
    let (table, _) = &views[state.newest];
    state.silos.iter().all(|(id, _)| !table.is_dead(*id) || state.stopped.contains(id))
}

/// All states that one more event leads to.
fn successors(
    state: &State,
    script: &Script,
    views: &[(Arc<View>, Arc<dyn Owners>)],
    actor: &ActorId,
) -> Vec<State> {
    let mut next = Vec::new();
    let ids: Vec<SiloId> = state.silos.iter().map(|(id, _)| *id).collect();
    for id in ids.iter().copied() {
        let known = state.silos.iter().find(|(silo, _)| *silo == id).expect("listed").1.view_version();
        for (at, (view, ring)) in views.iter().enumerate() {
            if view.version > known && at <= state.newest + 1 {
                let mut then = state.clone();
                then.newest = then.newest.max(at);
                if view.is_dead(id) {
                    then.stopped.insert(id);
                }
                then.step(id, Input::ViewChanged { view: view.clone(), ring: ring.clone() });
                next.push(then);
            }
        }
        if views[state.newest].0.is_dead(id) && !state.stopped.contains(&id) {
            let mut then = state.clone();
            then.stopped.insert(id);
            next.push(then);
        }
        if state.stopped.contains(&id) {
            continue;
        }
        if script.callers.contains(id.name.as_str()) && !state.called.contains(&id) {
            let mut then = state.clone();
            if call(&mut then, id, script, actor) {
                next.push(then);
            }
        }
        let hosted = state.silos.iter().find(|(silo, _)| *silo == id).expect("listed").1.hosted(actor);
        if let Some(registration) = hosted.filter(|_| state.endings < script.endings) {
            let mut then = state.clone();
            then.endings += 1;
            let now = then.now;
            then.directory(id).gone(now, actor, registration);
            // So that its notice goes out without a tick.
            then.now += ms(5);
            then.step(id, Input::Timer);
            next.push(then);
        }
    }
    for at in 0..state.parcels.len() {
        let mut then = state.clone();
        let parcel = then.parcels.remove(at);
        if state.losses < script.losses {
            let mut lost = then.clone();
            lost.losses += 1;
            next.push(lost);
        }
        match parcel {
            Parcel::Said { from, to, message } if then.has(to) => {
                then.step(to, Input::Message { from, message });
            }
            Parcel::Call { to, registration } if then.has(to) => {
                let (now, mut out) = (then.now, Vec::new());
                then.directory(to).host(now, actor, registration, &mut out);
                then.perform(to, out);
            }
            _ => {}
        }
        next.push(then);
    }
    let deadline = state.silos.iter().filter(|(id, _)| !state.stopped.contains(id));
    let deadline = deadline.filter_map(|(_, d)| d.next_deadline()).min();
    if let Some(deadline) = deadline.filter(|_| state.ticks < script.ticks && may_tick(state, views)) {
        let mut then = state.clone();
        then.ticks += 1;
        then.now = then.now.max(deadline);
        for id in ids.iter().filter(|id| !state.stopped.contains(id)) {
            then.step(*id, Input::Timer);
        }
        next.push(then);
    }
    next
}

/// A silo that can decide where the actor goes decides it.
fn call(state: &mut State, id: SiloId, script: &Script, actor: &ActorId) -> bool {
    let resolution = state.directory(id).resolve(actor);
    match resolution {
        Resolution::Vacant => {
            let target = if script.place_on.is_empty() { id } else { silo(script.place_on) };
            let registration = state.directory(id).assign(actor, target).expect("vacant");
            if target != id {
                state.post(Parcel::Call { to: target, registration });
            }
        }
        Resolution::At { silo, registration } if silo != id => {
            state.post(Parcel::Call { to: silo, registration });
        }
        _ => return false,
    }
    state.called.insert(id);
    true
}

fn explore(script: &Script, states_max: usize) -> usize {
    let actor = actor(1);
    let views: Vec<(Arc<View>, Arc<dyn Owners>)> = script
        .views
        .iter()
        .enumerate()
        .map(|(at, (members, owner))| (view(at as u64 + 1, members), SmallRing::single(silo(owner))))
        .collect();
    let ids: BTreeSet<SiloId> = views.iter().flat_map(|(v, _)| v.members.iter().map(|m| m.id)).collect();
    let mut first = State {
        now: Instant(1_000_000_000),
        silos: ids.iter().map(|id| (*id, Directory::new(*id, Config::default()))).collect(),
        stopped: BTreeSet::new(),
        parcels: Vec::new(),
        called: BTreeSet::new(),
        newest: 0,
        endings: 0,
        ticks: 0,
        losses: 0,
    };
    // The cluster has formed: everybody knows the first view and has recovered from everybody.
    for id in ids.iter().filter(|id| views[0].0.member(**id).is_some()) {
        first.step(*id, Input::ViewChanged { view: views[0].0.clone(), ring: views[0].1.clone() });
    }
    while let Some(parcel) = first.parcels.pop() {
        let Parcel::Said { from, to, message } = parcel else { unreachable!("nobody has called yet") };
        first.step(to, Input::Message { from, message });
    }
    let mut seen = BTreeSet::from([digest(&first)]);
    let mut frontier = vec![first];
    while let Some(state) = frontier.pop() {
        for then in successors(&state, script, &views, &actor) {
            then.check(&actor, script);
            if seen.len() < states_max && seen.insert(digest(&then)) {
                frontier.push(then);
            }
        }
    }
    seen.len()
}

#[test]
fn no_order_of_events_runs_an_actor_twice() {
    for script in SCRIPTS {
        let states = explore(script, 3_000_000);
        println!("{:>9} states: {}", states, script.name);
        assert!(states > 1000, "{}: {states} states are no exploration", script.name);
    }
}
