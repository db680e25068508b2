//! A scenario as a story: what it is called, what it expects, and the handle with which it is told.

use crate::sim::SimCluster;
use crate::stage::Stage;
use parking_lot::Mutex;
use quark::SiloBuilder;
use quark_core::Instant;
use quark_env::BoxFuture;
use quark_sim::{Config, WorldHandle};
use std::sync::Arc;
use std::time::Duration;

/// A story that can be told with any seed.
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
}

/// Something that did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which checker or promise: `I1`, `P7`, `deadlock`, `tripwire`.
    pub checker: String,
    /// What it saw, for people.
    pub message: String,
    /// When, in true time.
    pub at: Instant,
}

/// One line of the story as it was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// When, in true time.
    pub at: Instant,
    /// `given`, `when`, `then`, `finally`.
    pub part: &'static str,
    /// What.
    pub text: String,
}

#[derive(Default)]
struct Notes {
    steps: Vec<Step>,
    violations: Vec<Violation>,
}

/// The handle of a story that is being told. Cheap to clone.
#[derive(Clone)]
pub struct Story {
    /// The cluster.
    pub cluster: SimCluster,
    /// The world around it.
    pub world: WorldHandle,
    notes: Arc<Mutex<Notes>>,
}

impl Story {
    /// A story about a cluster.
    pub fn new(cluster: SimCluster) -> Self {
        Self { world: cluster.world().clone(), cluster, notes: Arc::default() }
    }

    /// The seed.
    pub fn seed(&self) -> u64 {
        self.world.seed()
    }

    /// A number below `below`, keyed by the seed and a purpose: a new draw shifts no other.
    ///
    /// Panics: if `below` is zero.
    pub fn draw(&self, purpose: &str, counter: u64, below: u64) -> u64 {
        self.world.draw(quark_core::hash::point(purpose.as_bytes()), counter) % below
    }

    /// A duration below `below`, keyed as [`Story::draw`].
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
        self.world.note(&text);
        self.notes.lock().steps.push(Step { at: self.world.now_true(), part, text });
    }

    /// Something did not hold.
    pub fn violated(&self, checker: &str, message: impl Into<String>) {
        let violation =
            Violation { checker: checker.into(), message: message.into(), at: self.world.now_true() };
        self.notes.lock().violations.push(violation);
    }

    /// Requires that something holds.
    pub fn require(&self, checker: &str, holds: bool, message: impl FnOnce() -> String) {
        if !holds {
            self.violated(checker, message());
        }
    }

    /// Waits until something holds; it must within `limit` of true time.
    pub async fn eventually(
        &self,
        checker: &str,
        what: &str,
        limit: Duration,
        mut holds: impl FnMut() -> bool,
    ) -> bool {
        let until = self.world.now_true() + limit;
        loop {
            if holds() {
                self.then(what);
                return true;
            }
            if self.world.now_true() >= until {
                self.violated(checker, format!("not within {limit:?}: {what}"));
                return false;
            }
            self.cluster.sleep(Duration::from_millis(50)).await;
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
