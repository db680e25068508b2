//! A cluster of directories on a bad network, with just enough of a membership and of a silo around them.

use super::*;
use crate::Instant;
use std::collections::{BTreeMap, BTreeSet};

/// What the dice decide.
#[derive(Clone, Debug)]
pub(super) struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(hash::mix(seed))
    }

    pub fn below(&mut self, n: u64) -> u64 {
        self.0 = hash::mix(self.0);
        self.0 % n.max(1)
    }

    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

#[derive(Clone, Debug)]
pub(super) enum Event {
    Directory {
        from: SiloId,
        to: SiloId,
        message: DirectoryMessage,
    },
    Request(Request),
    ReadTable {
        silo: SiloId,
    },
    /// A membership change is committed.
    Commit {
        member: Member,
    },
    /// An evicted silo's last lease ends.
    LeaseEnds {
        silo: SiloId,
    },
    Timer {
        silo: SiloId,
    },
}

/// A call on its way to an actor.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub id: u64,
    pub actor: ActorId,
    pub at: SiloId,
    /// The owner's word to the host.
    pub registration: Option<Registration>,
    /// A host's word to the owner: this placement is refused.
    pub refused: Option<(SiloId, Registration)>,
    pub hops: u32,
}

pub(super) struct Node {
    pub directory: Directory,
    /// Runs turns: neither crashed, nor stopped by its own death, nor past its lease.
    pub runs: bool,
    /// Takes and sends messages.
    pub up: bool,
    /// This clock reads true time plus this.
    offset: u64,
    waiting: Vec<Request>,
    timer: Instant,
}

/// What the network does to directory messages.
#[derive(Clone, Debug)]
pub(super) struct Network {
    pub loss: u64,
    pub duplicates: u64,
    pub delay_ms: u64,
    pub cut: BTreeSet<(SiloName, SiloName)>,
}

pub(super) struct World {
    pub now: Instant,
    pub dice: Dice,
    pub table: Arc<View>,
    pub nodes: BTreeMap<SiloId, Node>,
    pub network: Network,
    /// Percent of placements on another silo than the owner.
    pub elsewhere: u64,
    events: BTreeMap<(Instant, u64), Event>,
    serial: u64,
    pub served: BTreeSet<u64>,
    /// By when every dead incarnation of a name has stopped.
    graces: BTreeMap<SiloName, Instant>,
    pub config: Config,
}

impl World {
    pub fn new(seed: u64, network: Network, elsewhere: u64) -> Self {
        Self {
            now: Instant(1_000_000_000),
            dice: Dice::new(seed),
            table: Arc::default(),
            nodes: BTreeMap::new(),
            network,
            elsewhere,
            events: BTreeMap::new(),
            serial: 0,
            served: BTreeSet::new(),
            graces: BTreeMap::new(),
            config: Config { chunk_entries_max: 3, ended_max: 8, ..Config::default() },
        }
    }

    pub fn at(&mut self, delay: Duration, event: Event) {
        self.serial += 1;
        self.events.insert((self.now + delay, self.serial), event);
    }

    pub fn start(&mut self, id: SiloId) {
        let offset = self.dice.below(1_000_000_000_000);
        let directory = Directory::new(id, self.config.clone());
        let node =
            Node { directory, runs: true, up: true, offset, waiting: Vec::new(), timer: Instant::NEVER };
        self.nodes.insert(id, node);
        self.at(ms(1), Event::ReadTable { silo: id });
    }

    /// Puts a row into the table; silos hear of it some time later, or not at all until they read.
    ///
    /// A row's grace covers every earlier incarnation of the name that may still run: whoever skips views sees only
    /// the last row.
    pub fn commit(&mut self, mut member: Member) {
        let mut next = (*self.table).clone();
        next.version = next.version.next();
        let newer = next.named(member.id.name).is_some_and(|m| {
            m.id.generation > member.id.generation || (m.id == member.id && m.status == Status::Dead)
        });
        if newer {
            return;
        }
        let end = self.graces.entry(member.id.name).or_default();
        *end = (self.now + member.grace).max(*end);
        member.grace = *end - self.now;
        next.members.retain(|m| m.id.name != member.id.name);
        next.members.push(member);
        next.members.sort_by_key(|m| m.id.name);
        self.table = Arc::new(next);
        for silo in self.nodes.keys().copied().collect::<Vec<_>>() {
            if !self.dice.chance(20) {
                let delay = ms(self.dice.below(300));
                self.at(delay, Event::ReadTable { silo });
            }
        }
    }

    pub fn request(&mut self, at: SiloId, actor: ActorId) -> u64 {
        self.serial += 1;
        let id = self.serial;
        self.at(
            Duration::ZERO,
            Event::Request(Request { id, actor, at, registration: None, refused: None, hops: 0 }),
        );
        id
    }

    /// Runs until nothing is left to do before `until`.
    pub fn run(&mut self, until: Instant) {
        while let Some(entry) = self.events.first_entry() {
            let ((time, _), event) = (*entry.key(), entry.get().clone());
            if time > until {
                break;
            }
            entry.remove();
            self.now = time;
            self.happen(event);
        }
        self.now = until;
    }

    pub fn end(&mut self, id: SiloId, actor: &ActorId) {
        let node = self.nodes.get_mut(&id).expect("a node");
        if let Some(registration) = node.directory.hosted(actor) {
            let now = self.now + Duration::from_nanos(node.offset);
            node.directory.gone(now, actor, registration);
            self.settle(id, Vec::new());
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Directory { from, to, message } => self.step(to, Input::Message { from, message }),
            Event::Timer { silo } => {
                if let Some(node) = self.nodes.get_mut(&silo)
                    && node.timer <= self.now
                {
                    node.timer = Instant::NEVER;
                    self.step(silo, Input::Timer);
                }
            }
            Event::ReadTable { silo } => {
                let view = self.table.clone();
                if view.is_dead(silo) {
                    // It reads its own death: it stops at once.
                    if let Some(node) = self.nodes.get_mut(&silo) {
                        node.runs = false;
                    }
                }
                let ring = SmallRing::of(&view);
                self.step(silo, Input::ViewChanged { view, ring });
            }
            Event::Commit { member } => self.commit(member),
            Event::LeaseEnds { silo } => {
                if let Some(node) = self.nodes.get_mut(&silo) {
                    node.runs = false;
                }
            }
            Event::Request(request) => self.route(request),
        }
    }

    fn step(&mut self, id: SiloId, input: Input) {
        let Some(node) = self.nodes.get_mut(&id).filter(|n| n.up) else { return };
        let now = self.now + Duration::from_nanos(node.offset);
        let mut out = Vec::new();
        node.directory.step(now, input, &mut out);
        node.directory.check();
        self.settle(id, out);
    }

    /// Performs actions and sets the timer.
    fn settle(&mut self, id: SiloId, out: Vec<Action>) {
        for action in out {
            match action {
                Action::Send { to, message } => self.send(id, to, message),
                Action::ReadTable { .. } => {
                    let delay = ms(1 + self.dice.below(20));
                    self.at(delay, Event::ReadTable { silo: id });
                }
                Action::Unlocked { spans } => {
                    let node = self.nodes.get_mut(&id).expect("it acts");
                    let (ready, wait) = std::mem::take(&mut node.waiting)
                        .into_iter()
                        .partition(|r: &Request| spans.contains(r.actor.point()));
                    node.waiting = wait;
                    for request in ready {
                        self.at(Duration::ZERO, Event::Request(request));
                    }
                }
                Action::Evict { actor, .. } => panic!("{id} must end {actor}: somebody else hosts it too"),
            }
        }
        let node = self.nodes.get_mut(&id).expect("it acts");
        if let Some(deadline) = node.directory.next_deadline() {
            let due = Instant(deadline.0.saturating_sub(node.offset)).max(self.now);
            if due < node.timer {
                node.timer = due;
                let delay = due - self.now;
                self.at(delay, Event::Timer { silo: id });
            }
        }
    }

    fn send(&mut self, from: SiloId, to: SiloId, message: DirectoryMessage) {
        assert_ne!(from, to, "no silo writes to itself");
        let cut = self.network.cut.contains(&(from.name, to.name));
        for _ in 0..if self.dice.chance(self.network.duplicates) { 2 } else { 1 } {
            if cut || self.dice.chance(self.network.loss) {
                continue;
            }
            let delay = Duration::from_micros(100 + self.dice.below(self.network.delay_ms * 1000));
            self.at(delay, Event::Directory { from, to, message: message.clone() });
        }
    }

    /// What a silo's router does with a request.
    fn route(&mut self, mut request: Request) {
        let id = request.at;
        let Some(node) = self.nodes.get_mut(&id).filter(|n| n.up && n.runs) else { return };
        let now = self.now + Duration::from_nanos(node.offset);
        let actor = request.actor.clone();
        request.hops += 1;
        if request.hops > 64 {
            return;
        }
        if node.directory.hosted(&actor).is_some() {
            self.served.insert(request.id);
            return;
        }
        if let Some((host, registration)) = request.refused.take_if(|(host, _)| *host != id) {
            node.directory.refused(host, &actor, registration);
        }
        if let Some(registration) = request.registration.take() {
            let mut out = Vec::new();
            let hosting = node.directory.host(now, &actor, registration, &mut out);
            if hosting == Hosting::Accept {
                self.served.insert(request.id);
                self.runs_alone(id, &actor);
            } else {
                request.refused = Some((id, registration));
                self.at(ms(1), Event::Request(request));
            }
            return self.settle(id, out);
        }
        match node.directory.resolve(&actor) {
            Resolution::NotOwner { owner: Some(owner) } => self.forward(request, owner),
            Resolution::NotOwner { owner: None } => {}
            Resolution::Locked | Resolution::Draining { .. } => node.waiting.push(request),
            Resolution::At { silo, registration } => {
                request.registration = Some(registration);
                self.forward(request, silo);
            }
            Resolution::Vacant => {
                let actives: Vec<SiloId> = node.directory.view.active().map(|m| m.id).collect();
                let elsewhere = self.dice.chance(self.elsewhere);
                let other = actives[self.dice.below(actives.len() as u64) as usize];
                let target = if elsewhere { other } else { id };
                let registration = node.directory.assign(&actor, target).expect("it is vacant");
                if target == id {
                    self.served.insert(request.id);
                    self.runs_alone(id, &actor);
                } else {
                    request.registration = Some(registration);
                    self.forward(request, target);
                }
            }
        }
        self.settle(id, Vec::new());
    }

    /// Requests ride other links than the directory's messages, so that only the directory's own are ever cut.
    fn forward(&mut self, mut request: Request, to: SiloId) {
        if self.dice.chance(self.network.loss) {
            return;
        }
        let copies = if self.dice.chance(self.network.duplicates) { 2 } else { 1 };
        request.at = to;
        for _ in 0..copies {
            let delay = Duration::from_micros(100 + self.dice.below(self.network.delay_ms * 1000));
            self.at(delay, Event::Request(request.clone()));
        }
    }

    /// The promise: no second silo runs the actor at this moment.
    fn runs_alone(&self, id: SiloId, actor: &ActorId) {
        for (other, node) in &self.nodes {
            if *other != id && node.runs && node.up {
                let hosted = node.directory.hosted(actor);
                assert!(hosted.is_none(), "{:?}: {actor} runs on {id} and on {other} ({hosted:?})", self.now);
            }
        }
    }
}
