//! Small worlds: a few silos that disagree about who owns what, one index, one truth, and everything that goes wrong.
//!
//! After every event the invariant of the index is checked, and that nothing takes effect early, twice, or after its
//! cancellation; after the faults, that everything due has been fired.

use super::*;
use crate::hash;
use std::collections::{BTreeMap, BTreeSet};

const SILOS: usize = 3;
const ACTORS: u64 = 8;
/// Faults end here, in milliseconds.
const CALM_AT: u64 = 12_000;
const END_AT: u64 = 24_000;

#[derive(Clone, Debug)]
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = hash::mix(self.0);
        self.0 % n.max(1)
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// What an actor's own partition says of its one reminder.
#[derive(Clone, Debug, Default)]
struct Truth {
    due: Option<WallTime>,
    period_ms: u64,
    /// What has been committed since it was set.
    effects: Vec<WallTime>,
    /// A registration is between its index row and its commit: no other turn runs.
    is_busy: bool,
}

#[derive(Clone, Debug)]
enum Event {
    /// An action arrives where it is performed.
    Perform { silo: usize, life: u64, action: Action },
    /// Its answer arrives back.
    Answer { silo: usize, life: u64, input: Input },
    /// A registration commits its truth.
    Commit { actor: u64, due: WallTime, period_ms: u64 },
    /// The one who registered tells the owner, until somebody acknowledges.
    Tell { message: u64, shard: Shard, due: WallTime },
    /// A silo learns what it owns.
    Learn { silo: usize, life: u64 },
    /// A silo that had crashed begins anew.
    Start { silo: usize },
    /// The clients and the faults do something.
    Disturb,
}

struct Silo {
    core: Option<Reminders>,
    life: u64,
    /// How far its wall clock is from the true time.
    skew_ms: i64,
    ticks_at_once: u32,
}

struct World {
    dice: Dice,
    config: Config,
    now_ms: u64,
    events: BTreeMap<(u64, u64), Event>,
    number: u64,
    silos: Vec<Silo>,
    owners: BTreeMap<Shard, usize>,
    index: BTreeMap<Shard, BTreeMap<RowKey, StoredRow>>,
    versions: u64,
    truths: BTreeMap<u64, Truth>,
    acknowledged: BTreeSet<u64>,
    effects: u64,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut dice = Dice(seed);
        // Half of the worlds have no belt and braces: nothing may rest on reading again without a reason.
        let recheck_every = if dice.chance(50) { Duration::MAX } else { ms(1500) };
        let config = Config {
            window_rows_max: 4 + dice.below(6) as usize,
            read_ahead: ms(dice.below(3) * 100),
            recheck_every,
            wall_recheck: ms(200),
            fires_per_second: 200,
            burst: 5,
            in_flight_max: 1 + dice.below(6) as usize,
            retry_min: ms(20),
            retry_max: ms(400),
            ..Config::default()
        };
        let silo = || Silo { core: None, life: 0, skew_ms: 0, ticks_at_once: 0 };
        let shards: BTreeSet<Shard> = (0..ACTORS).map(|n| Shard::of(&actor(n))).collect();
        let mut world = Self {
            config,
            now_ms: 100_000,
            events: BTreeMap::new(),
            number: 0,
            silos: (0..SILOS).map(|_| silo()).collect(),
            owners: shards.iter().map(|shard| (*shard, dice.below(SILOS as u64) as usize)).collect(),
            index: shards.iter().map(|shard| (*shard, BTreeMap::new())).collect(),
            versions: 0,
            truths: (0..ACTORS).map(|n| (n, Truth::default())).collect(),
            acknowledged: BTreeSet::new(),
            effects: 0,
            dice,
        };
        for silo in 0..SILOS {
            world.after(0, Event::Start { silo });
        }
        world.after(0, Event::Disturb);
        world
    }

    fn is_calm(&self) -> bool {
        self.now_ms >= 100_000 + CALM_AT
    }

    fn after(&mut self, delay_ms: u64, event: Event) {
        self.number += 1;
        self.events.insert((self.now_ms + delay_ms, self.number), event);
    }

    /// How long a message takes.
    fn latency(&mut self) -> u64 {
        if !self.is_calm() && self.dice.chance(5) { self.dice.below(1500) } else { self.dice.below(8) }
    }

    fn wall_of(&self, silo: usize) -> WallTime {
        WallTime((self.now_ms as i64 + self.silos[silo].skew_ms) * 1_000_000)
    }

    fn run(&mut self) {
        while self.now_ms < 100_000 + END_AT {
            let deadline =
                |silo: &Silo| silo.core.as_ref()?.next_deadline().map(|at| at.0.div_ceil(1_000_000));
            let tick = (0..SILOS).filter_map(|n| Some((deadline(&self.silos[n])?, n))).min();
            let event = self.events.first_key_value().map(|(key, _)| key.0).unwrap_or(u64::MAX);
            match tick {
                Some((time, silo)) if time.max(self.now_ms) < event => {
                    self.pass_to(time.max(self.now_ms));
                    self.silos[silo].ticks_at_once += 1;
                    assert!(
                        self.silos[silo].ticks_at_once < 20,
                        "a core ticks without end at {}",
                        self.now_ms
                    );
                    self.step(silo, Input::Tick);
                }
                _ => {
                    let Some((key, event)) = self.events.pop_first() else { return };
                    self.pass_to(key.0);
                    self.happen(event);
                }
            }
            self.check_index();
        }
    }

    fn pass_to(&mut self, now_ms: u64) {
        if now_ms > self.now_ms {
            self.silos.iter_mut().for_each(|silo| silo.ticks_at_once = 0);
        }
        self.now_ms = now_ms;
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Perform { silo, life, action } => self.perform(silo, life, action),
            Event::Answer { silo, life, input } => {
                if self.silos[silo].life == life {
                    self.step(silo, input);
                }
            }
            Event::Commit { actor, due, period_ms } => self.commit(actor, due, period_ms),
            Event::Tell { message, shard, due } => self.tell(message, shard, due),
            Event::Learn { silo, life } => {
                if self.silos[silo].life == life {
                    let shards = self.owners.iter().filter(|(_, owner)| **owner == silo);
                    let shards = shards.map(|(shard, _)| *shard).collect();
                    self.step(silo, Input::Owned { shards });
                }
            }
            // maybe: it has crashed twice, and runs again already.
            Event::Start { silo } if self.silos[silo].core.is_some() => {}
            Event::Start { silo } => {
                let seed = self.dice.below(u64::MAX);
                self.silos[silo].core = Some(Reminders::new(self.config.clone(), seed));
                let life = self.silos[silo].life;
                self.after(0, Event::Learn { silo, life });
            }
            Event::Disturb => {
                self.disturb();
                let delay = self.dice.below(120);
                if !self.is_calm() {
                    self.after(delay, Event::Disturb);
                } else {
                    self.heal();
                }
            }
        }
    }

    fn step(&mut self, silo: usize, input: Input) {
        let (now, wall) = (at(self.now_ms), self.wall_of(silo));
        let life = self.silos[silo].life;
        let Some(core) = &mut self.silos[silo].core else { return };
        let mut out = Vec::new();
        core.step(now, wall, input, &mut out);
        core.check();
        for action in out {
            match action {
                Action::Acknowledge { message } => {
                    self.acknowledged.insert(message);
                }
                action => {
                    if let Action::Fire { due, .. } = &action {
                        assert!(*due <= wall, "fired before its time");
                    }
                    let delay = self.latency();
                    self.after(delay, Event::Perform { silo, life, action });
                }
            }
        }
    }

    /// Performs an action, answers it, and does either badly at times.
    fn perform(&mut self, silo: usize, life: u64, action: Action) {
        let is_lost = !self.is_calm() && self.dice.chance(8);
        // Half of what is lost has happened all the same.
        let happens = !is_lost || self.dice.chance(50);
        let input = match action {
            Action::Scan { request, shard, from, limit } => {
                let rows: Vec<StoredRow> =
                    self.index[&shard].range(from..).take(limit).map(|(_, row)| row.clone()).collect();
                let more = self.index[&shard].range(from..).count() > rows.len();
                let result = if is_lost { Err(ScanFailed) } else { Ok(ScannedRows { rows, more }) };
                Input::Scanned { request, result }
            }
            Action::Fire { request, actor: ref who, due, .. } => {
                let n: u64 = who.key().parse().expect("a number");
                if self.truths[&n].is_busy {
                    // Turns are exclusive: it waits for the one that is running.
                    return self.after(1, Event::Perform { silo, life, action });
                }
                let next = if happens { self.take_turn(n, due) } else { None };
                let answer = if is_lost { Answer::Failed } else { Answer::Advanced { next } };
                Input::FireAnswered { request, answer }
            }
            Action::MoveRow { request, shard, old, version, next } => {
                let done = if happens {
                    self.move_row(shard, old, version, next)
                } else {
                    Err(MoveError::Unavailable)
                };
                let result = if is_lost { Err(MoveError::Unavailable) } else { done };
                Input::RowMoved { request, result }
            }
            Action::Acknowledge { .. } => unreachable!("taken at once"),
        };
        let delay = self.latency();
        self.after(delay, Event::Answer { silo, life, input });
    }

    /// The actor's turn: the truth decides, and is what makes the effect happen once.
    fn take_turn(&mut self, n: u64, due: WallTime) -> Option<WallTime> {
        let truth = self.truths.get_mut(&n).expect("an actor of this world");
        if truth.due == Some(due) {
            truth.effects.push(due);
            let next = WallTime(due.0 + truth.period_ms as i64 * 1_000_000);
            // No period: once.
            truth.due = (truth.period_ms > 0).then_some(next);
            self.effects += 1;
        }
        truth.due
    }

    fn move_row(
        &mut self,
        shard: Shard,
        old: RowKey,
        version: Version,
        next: Option<IndexRow>,
    ) -> Result<Version, MoveError> {
        if self.index[&shard].get(&old).is_none_or(|row| row.version != version) {
            return Err(MoveError::Conflict);
        }
        self.index.get_mut(&shard).expect("a shard of this world").remove(&old);
        self.versions += 1;
        next.into_iter().for_each(|row| self.put(shard, row));
        Ok(Version(self.versions))
    }

    fn put(&mut self, shard: Shard, row: IndexRow) {
        let (key, version) = (row.key(), Version(self.versions));
        let rows = self.index.get_mut(&shard).expect("a shard of this world");
        rows.insert(key, StoredRow { key, row, version });
    }

    /// Index row first.
    fn register(&mut self, n: u64) {
        if self.truths[&n].is_busy {
            return;
        }
        let ahead = self.dice.below(1200) as i64 - 200;
        let due = WallTime((self.now_ms as i64 + ahead) * 1_000_000 + self.dice.below(3) as i64);
        // At times the very time that it had: the row of the one is then the row of the other.
        let due = self.truths[&n]
            .due
            .or(self.truths[&n].effects.last().copied())
            .filter(|_| self.dice.chance(30))
            .unwrap_or(due);
        let period_ms = if self.dice.chance(25) { 0 } else { 150 + self.dice.below(900) };
        self.versions += 1;
        self.put(Shard::of(&actor(n)), row(n, due));
        // One in ten dies between the row and the commit: the row belongs to nothing.
        if self.dice.chance(90) {
            self.truths.get_mut(&n).expect("an actor of this world").is_busy = true;
            let delay = self.latency();
            self.after(delay, Event::Commit { actor: n, due, period_ms });
        }
    }

    /// Then the truth, then word to the owner.
    fn commit(&mut self, n: u64, due: WallTime, period_ms: u64) {
        let truth = Truth { due: Some(due), period_ms, effects: Vec::new(), is_busy: false };
        self.truths.insert(n, truth);
        self.number += 1;
        let message = self.number;
        // With re-reading, even a word that is never said may be missing.
        if self.config.recheck_every == Duration::MAX || self.dice.chance(80) {
            self.after(0, Event::Tell { message, shard: Shard::of(&actor(n)), due });
        }
    }

    fn tell(&mut self, message: u64, shard: Shard, due: WallTime) {
        if self.acknowledged.contains(&message) {
            return;
        }
        let silo = self.owners[&shard];
        if self.is_calm() || self.dice.chance(70) {
            let (delay, life) = (self.latency(), self.silos[silo].life);
            self.after(delay, Event::Answer { silo, life, input: Input::Registered { shard, due, message } });
        }
        self.after(40, Event::Tell { message, shard, due });
    }

    fn disturb(&mut self) {
        let (n, silo) = (self.dice.below(ACTORS), self.dice.below(SILOS as u64) as usize);
        match self.dice.below(10) {
            0..=4 => self.register(n),
            5 => {
                let truth = self.truths.get_mut(&n).expect("an actor of this world");
                if !truth.is_busy {
                    (truth.due, truth.effects) = (None, Vec::new());
                }
            }
            6 => self.silos[silo].skew_ms += self.dice.below(1600) as i64 - 800,
            7 | 8 => self.change_owner(),
            _ => self.crash(silo),
        }
    }

    /// Each silo learns of it in its own time: meanwhile two own the shard, or nobody.
    fn change_owner(&mut self) {
        let shards: Vec<Shard> = self.owners.keys().copied().collect();
        let shard = shards[self.dice.below(shards.len() as u64) as usize];
        self.owners.insert(shard, self.dice.below(SILOS as u64) as usize);
        for silo in 0..SILOS {
            let (delay, life) = (self.dice.below(600), self.silos[silo].life);
            self.after(delay, Event::Learn { silo, life });
        }
    }

    fn crash(&mut self, silo: usize) {
        self.silos[silo].life += 1;
        self.silos[silo].core = None;
        let delay = self.dice.below(500);
        self.after(delay, Event::Start { silo });
    }

    fn heal(&mut self) {
        for silo in 0..SILOS {
            self.silos[silo].skew_ms = 0;
            let life = self.silos[silo].life;
            self.after(0, Event::Learn { silo, life });
        }
    }

    /// For each live reminder there is at least one index row whose time is not later than what is due.
    fn check_index(&self) {
        for (n, truth) in &self.truths {
            let (Some(due), who) = (truth.due, actor(*n)) else { continue };
            let rows = &self.index[&Shard::of(&who)];
            let last = RowKey::of(&who, "r", due);
            let hint = rows.range(..=last).any(|(_, stored)| stored.row.actor == who);
            assert!(hint, "at {}: nothing will remind {who} of {due:?}", self.now_ms);
        }
    }

    /// Everything due has taken effect, each occurrence once and in order.
    fn check_end(&self) {
        for (n, truth) in &self.truths {
            for pair in truth.effects.windows(2) {
                assert_eq!(pair[1].0 - pair[0].0, truth.period_ms as i64 * 1_000_000, "actor {n} lost one");
            }
            if let Some(due) = truth.due {
                let late_ms = self.now_ms as i64 - due.0 / 1_000_000;
                assert!(late_ms < 1000, "actor {n} was due {late_ms} ms ago");
            }
        }
        for silo in &self.silos {
            let counts = silo.core.as_ref().expect("all run at the end").counts();
            assert!(counts.oldest_overdue < ms(1000), "{counts:?}");
        }
    }
}

fn run(seed: u64) -> u64 {
    let mut world = World::new(seed);
    world.run();
    world.check_end();
    world.effects
}

#[test]
fn whatever_goes_wrong_nothing_is_lost_and_nothing_happens_twice() {
    let mut effects = 0;
    for seed in 0..SEEDS {
        let found = std::panic::catch_unwind(|| run(seed));
        effects += found.unwrap_or_else(|_| panic!("seed {seed}"));
    }
    assert!(effects > SEEDS * 50, "only {effects} effects: hardly anything happened");
    let probes = crate::probe::snapshot();
    for name in [
        "reminder.rechecked",
        "reminder.written_while_read",
        "reminder.stuck_forgotten",
        "reminder.lost_while_under_way",
        "reminder.scan_failed",
        "reminder.fire_failed",
        "reminder.move_failed",
        "reminder.move_conflict",
        "reminder.retry_before_its_time",
    ] {
        assert!(probes.contains_key(name), "{name} was never reached");
    }
}

const SEEDS: u64 = 400;
