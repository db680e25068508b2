//! A scenario as a story: what it is called, what it expects, and the handle with which it is told.

use crate::case::Case;
use crate::recorder::Recorder;
use crate::sim::{SimCluster, turn_world};
use crate::stage::Stage;
use parking_lot::Mutex;
use quark::SiloBuilder;
use quark_chaos::{FaultPlan, Knobs};
use quark_core::{Instant, hash};
use quark_env::BoxFuture;
use quark_sim::{Config, WorldHandle};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

/// A story that can be told with any seed.
///
/// Fields are added as the laboratory learns: end a literal with `..Scenario::BLANK`, and it still compiles then.
#[derive(Clone, Copy)]
pub struct Scenario {
    /// Its stable name, in kebab case.
    pub name: &'static str,
    /// What happens, and what is expected. One or two sentences.
    pub premise: &'static str,
    /// Probes that must be reached at least once over a range of seeds, or the story has not run.
    pub sometimes: &'static [&'static str],
    /// The world it plays in.
    pub world: fn(u64) -> Config,
    /// Its silos.
    pub describe: fn(SiloBuilder) -> SiloBuilder,
    /// The story.
    pub tell: fn(Story) -> BoxFuture<'static, ()>,
    /// The same story for any stage, if it needs nothing of the simulation: it is also told to real processes.
    pub anywhere: Option<fn(Tale) -> BoxFuture<'static, ()>>,
    /// Whether one seed takes so long that it is told only when it is named.
    pub heavy: bool,
    /// Whether its world and its silos are not always the same: every seed turns other knobs.
    pub swarms: bool,
}

impl Scenario {
    /// What a story has that does not say otherwise: a world as [`Config::new`] makes it, silos without actors, nothing that
    /// it has to reach. Every story has its own `name`, `premise` and `tell`.
    ///
    /// `tell` panics: a story that tells nothing would hold whatever happens.
    pub const BLANK: Self = Self {
        name: "blank",
        premise: "",
        sometimes: &[],
        world: Config::new,
        describe: |silo| silo,
        tell: |_| panic!("this story tells nothing: give it a `tell`"),
        anywhere: None,
        heavy: false,
        swarms: false,
    };

    /// The knobs that a seed turns.
    pub fn knobs(&self, seed: u64) -> Knobs {
        if self.swarms { Knobs::draw(hash::mix(seed ^ hash::point(b"knobs"))) } else { Knobs::new() }
    }

    /// The world that a seed plays in, its knobs turned.
    pub fn config(&self, seed: u64) -> Config {
        turn_world(&self.knobs(seed), (self.world)(seed))
    }
}

/// Something that did not hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violation {
    /// Which checker or promise: `I1`, `P7`, `deadlock`, `tripwire`.
    pub checker: String,
    /// What it saw, for people.
    pub message: String,
    /// When, in true time.
    pub at: Instant,
}

/// One line of the story as it was told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// When, in true time.
    pub at: Instant,
    /// `given`, `when`, `then`, `finally`.
    pub part: &'static str,
    /// What.
    pub text: String,
}

/// The parts of a story.
const PARTS: [&str; 4] = ["given", "when", "then", "finally"];

/// A step as another process has written it.
#[derive(Deserialize)]
struct Written {
    at: Instant,
    part: String,
    text: String,
}

impl<'de> Deserialize<'de> for Step {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let Written { at, part, text } = Written::deserialize(from)?;
        let known = PARTS.into_iter().find(|known| *known == part);
        let part = known.ok_or_else(|| D::Error::custom(format!("`{part}` is no part of a story")))?;
        Ok(Self { at, part, text })
    }
}

#[derive(Default)]
struct Notes {
    steps: Vec<Step>,
    violations: Vec<Violation>,
    drawn: Drawn,
    /// How many operations there were of each kind: who does them, and what it is called.
    operators: BTreeMap<u64, String>,
    /// How long the epilogue waits for an actor's answer, if not as long as usual.
    patience: Option<Duration>,
}

/// What a story drew from its seed, or was given instead.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Drawn {
    /// Its fault plan.
    pub plan: Option<FaultPlan>,
    /// Its knobs: as they were, and as they would be in the simplest run.
    pub knobs: BTreeMap<String, (u64, u64)>,
}

/// What a story needs wherever it is told: a stage, a seed, and somewhere to write. Cheap to clone.
#[derive(Clone)]
pub struct Tale {
    /// The cluster that things happen to.
    pub stage: Arc<dyn Stage>,
    seed: u64,
    /// The seed of what is drawn now: the same, but after a branch.
    seed_now: Arc<dyn Fn() -> u64 + Send + Sync>,
    recorder: Option<Arc<Recorder>>,
    notes: Arc<Mutex<Notes>>,
    /// What of the seed's run is left, if not all of it.
    case: Option<Arc<Case>>,
    /// Whether an operation is to happen: who does it, and its number.
    does: Arc<dyn Fn(u64, u64) -> bool + Send + Sync>,
}

impl Tale {
    /// A tale on this stage.
    pub fn new(stage: Arc<dyn Stage>, seed: u64, recorder: Option<Arc<Recorder>>) -> Self {
        Self {
            stage,
            seed,
            seed_now: Arc::new(move || seed),
            recorder,
            notes: Arc::default(),
            case: None,
            does: Arc::new(|_, _| true),
        }
    }

    /// The fault plan of this run: as `draw` makes it, or what a smaller run has left of it.
    pub fn faults(&self, draw: impl FnOnce() -> FaultPlan) -> FaultPlan {
        let given = self.case.as_ref().and_then(|case| case.plan.clone());
        let plan = given.unwrap_or_else(draw);
        self.notes.lock().drawn.plan = Some(plan.clone());
        plan
    }

    /// A number that the story has drawn, or what a smaller run has instead. `simplest` is what it is in the simplest run:
    /// the fewest silos, the usual lease.
    pub fn knob(&self, name: &str, drawn: u64, simplest: u64) -> u64 {
        let given = self.case.as_ref().and_then(|case| case.knobs.get(name).copied());
        let value = given.unwrap_or(drawn);
        self.notes.lock().drawn.knobs.insert(name.to_owned(), (value, simplest));
        value
    }

    /// Whether an operation of the workload is to happen: it is, but in a smaller run that leaves it out. `who` is a client,
    /// or whoever else acts; `number` counts what it does.
    pub fn does(&self, who: &str, number: u64) -> bool {
        let entity = hash::point(who.as_bytes());
        self.notes.lock().operators.entry(entity).or_insert_with(|| who.to_owned());
        (self.does)(entity, number)
    }

    /// What it drew.
    pub fn drawn(&self) -> Drawn {
        self.notes.lock().drawn.clone()
    }

    /// The names of those who did something, by their hashes.
    pub fn operators(&self) -> BTreeMap<u64, String> {
        self.notes.lock().operators.clone()
    }

    /// In the end every actor is asked whether it answers: lets each of these calls wait for so long only. A silo that passes
    /// a call on remembers it until its deadline, and the story is over once nobody remembers any.
    pub fn waits_in_the_end(&self, patience: Duration) {
        self.notes.lock().patience = Some(patience);
    }

    /// What [`Tale::waits_in_the_end`] said.
    pub(crate) fn patience(&self) -> Option<Duration> {
        self.notes.lock().patience
    }

    /// The seed with which it began.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Where the history is written, if it is.
    pub fn recorder(&self) -> Option<&Arc<Recorder>> {
        self.recorder.as_ref()
    }

    /// A number below `below`, keyed by the seed and a purpose: a new draw shifts no other. After a branch, by its seed.
    ///
    /// Panics: if `below` is zero.
    pub fn draw(&self, purpose: &str, counter: u64, below: u64) -> u64 {
        hash::mix(hash::point_in(hash::mix((self.seed_now)() ^ hash::mix(counter)), purpose.as_bytes()))
            % below
    }

    /// A duration below `below`, keyed as [`Tale::draw`].
    pub fn draw_time(&self, purpose: &str, counter: u64, below: Duration) -> Duration {
        Duration::from_nanos(self.draw(purpose, counter, below.as_nanos() as u64))
    }

    /// What the story starts from.
    pub fn given(&self, text: impl Into<String>) {
        self.note("given", text.into());
    }

    /// What happens.
    pub fn when(&self, text: impl Into<String>) {
        self.note("when", text.into());
    }

    /// What is expected of it.
    pub fn then(&self, text: impl Into<String>) {
        self.note("then", text.into());
    }

    /// What is expected in the end.
    pub fn finally(&self, text: impl Into<String>) {
        self.note("finally", text.into());
    }

    fn note(&self, part: &'static str, text: String) {
        self.notes.lock().steps.push(Step { at: self.stage.now(), part, text });
    }

    /// Something did not hold.
    pub fn violated(&self, checker: &str, message: impl Into<String>) {
        let violation = Violation { checker: checker.into(), message: message.into(), at: self.stage.now() };
        self.notes.lock().violations.push(violation);
    }

    /// Requires that something holds.
    pub fn require(&self, checker: &str, holds: bool, message: impl FnOnce() -> String) {
        if !holds {
            self.violated(checker, message());
        }
    }

    /// Starts silos all at once and waits for each. Returns whether they all serve; one that does not is a violation.
    pub async fn start_all(&self, names: &[&str]) -> bool {
        let starting: Vec<_> = names.iter().map(|name| (name, self.stage.start(name))).collect();
        let mut all_serve = true;
        for (name, started) in starting {
            if let Err(reason) = started.await {
                self.violated("start", format!("{name} did not start: {reason}"));
                all_serve = false;
            }
        }
        all_serve
    }

    /// Waits until something holds; it must within `limit`.
    pub async fn eventually(
        &self,
        checker: &str,
        what: &str,
        limit: Duration,
        mut holds: impl FnMut() -> bool,
    ) -> bool {
        self.eventually_async(checker, what, limit, || std::future::ready(holds())).await
    }

    /// As [`Tale::eventually`], for what has to be asked.
    pub async fn eventually_async<F: Future<Output = bool>>(
        &self,
        checker: &str,
        what: &str,
        limit: Duration,
        mut holds: impl FnMut() -> F,
    ) -> bool {
        let until = self.stage.now() + limit;
        loop {
            if holds().await {
                self.then(what);
                return true;
            }
            if self.stage.now() >= until {
                self.violated(checker, format!("not within {limit:?}: {what}"));
                return false;
            }
            self.stage.sleep(Duration::from_millis(50)).await;
        }
    }

    /// The steps so far.
    pub fn steps(&self) -> Vec<Step> {
        self.notes.lock().steps.clone()
    }

    /// The violations so far.
    pub fn violations(&self) -> Vec<Violation> {
        self.notes.lock().violations.clone()
    }
}

/// A tale in a simulation: all of the above, and the world behind the stage. Cheap to clone.
#[derive(Clone)]
pub struct Story {
    /// The cluster.
    pub cluster: SimCluster,
    /// The world around it.
    pub world: WorldHandle,
    tale: Tale,
}

impl Story {
    /// A story about a cluster.
    pub fn new(cluster: SimCluster) -> Self {
        let world = cluster.world().clone();
        let told = Tale::new(Arc::new(cluster.clone()), world.seed(), cluster.recorder().cloned());
        let (clock, chooser) = (world.clone(), world.clone());
        let does = Arc::new(move |who, number| chooser.does(who, number));
        let tale = Tale { seed_now: Arc::new(move || clock.seed_now()), does, ..told };
        Self { cluster, world, tale }
    }

    /// The same story, of which only what a case has left is told. Its world must be [`Case::world`]'s.
    #[must_use]
    pub fn reduced(mut self, case: Case) -> Self {
        self.tale.case = Some(Arc::new(case));
        self
    }

    /// What can be told on any stage.
    pub fn tale(&self) -> Tale {
        self.tale.clone()
    }
}

impl Deref for Story {
    type Target = Tale;

    fn deref(&self) -> &Tale {
        &self.tale
    }
}
