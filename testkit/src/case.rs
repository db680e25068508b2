//! A run as data: which story, which seed, and what of it is left.
//!
//! A seed says everything that happens in a run. A case says a seed and then takes away: faults, operations, surprises of
//! the schedule. Because every choice has a name of its own (`quark_sim::Purpose`), what is left stays what it was. Cases are
//! what the minimiser makes, what is kept of a failure, and what is told again.

use crate::sim::turn_world;
use crate::story::Scenario;
use quark_chaos::{FaultPlan, Knobs};
use quark_sim::{Config, ENGINE_VERSION, Purpose, Replay, Scheduler};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// The version of the format that this crate writes, and the newest it reads.
///
/// 2 says of which engine the case is; 1 did not.
pub const CASE_VERSION: u32 = 2;

/// A run as data. What is `None` is as the seed has it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// The format's version.
    pub version: u32,
    /// The simulator in which it was told: in another one the same choices are another run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<u32>,
    /// The story, by name.
    pub story: String,
    /// The seed.
    pub seed: u64,
    /// The fault plan, where the story draws one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<FaultPlan>,
    /// What is left of the faults that the story itself brings about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub faults: Option<Vec<Kept>>,
    /// What is left of the operations of its workload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operations: Option<Vec<Kept>>,
    /// Numbers that the story would draw: how many silos, how long a lease.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub knobs: BTreeMap<String, u64>,
    /// The knobs of its world and its silos, where the seed turns some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turned: Option<Knobs>,
    /// Who runs next, if not whom the story's world picks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Schedule>,
    /// Who runs next: only these are not first in, first out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deviations: Option<Vec<Deviation>>,
    /// Whether polls, frames and the store all take the time that they take on average.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_even: bool,
}

/// A choice that is left: a fault or an operation.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    /// Whom it is about: a hash of its name.
    pub entity: u64,
    /// Which one of these.
    pub counter: u64,
    /// What it is, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
}

/// A pick that is not first in, first out.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deviation {
    /// The node whose task is picked; 0 for the pick of a node.
    pub node: u64,
    /// Which pick.
    pub pick: u64,
    /// Which one of those that could run, counted from 0, which is the first.
    pub chosen: u32,
}

/// Who runs next among those that could.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// Whoever waits longest.
    Fifo,
    /// Anyone.
    Random,
    /// Random priorities that change at a few random points, see [`Scheduler::Pct`].
    Pct {
        /// How many steps have to be in the wrong order for the bug.
        depth: u32,
    },
}

impl From<Schedule> for Scheduler {
    fn from(schedule: Schedule) -> Self {
        match schedule {
            Schedule::Fifo => Scheduler::Fifo,
            Schedule::Random => Scheduler::Random,
            Schedule::Pct { depth } => Scheduler::Pct { depth },
        }
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Schedule::Fifo => f.write_str("fifo"),
            Schedule::Random => f.write_str("random"),
            Schedule::Pct { depth } => write!(f, "pct{depth}"),
        }
    }
}

impl FromStr for Schedule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let depth = |text: &str| text.parse().ok().filter(|depth| (1..=100).contains(depth));
        match (text, text.strip_prefix("pct").map(depth)) {
            ("fifo", _) => Ok(Schedule::Fifo),
            ("random", _) => Ok(Schedule::Random),
            (_, Some(Some(depth))) => Ok(Schedule::Pct { depth }),
            _ => Err(format!("`{text}` is no schedule: write fifo, random, or pct3 for a depth of 1 to 100")),
        }
    }
}

/// Why a case cannot be told.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CaseError {
    /// It is no case at all.
    #[error("this is no case: {0}; `quark sim shrink STORY --seed N --out FILE` writes one")]
    Malformed(String),
    /// It was written by a newer version.
    #[error(
        "the case has version {found}, this program reads up to {CASE_VERSION}: tell it with the newer one"
    )]
    Newer {
        /// Its version.
        found: u32,
    },
    /// It was told in another simulator, in which its choices are another run: it would prove nothing.
    #[error(
        "the case is of simulator {found}, this program has {ENGINE_VERSION}: tell it with the program that wrote it, or \
         make `{story}` fail again and small anew (`quark sim shrink {story} --seed {seed}`)"
    )]
    OtherEngine {
        /// Its simulator.
        found: u32,
        /// Its story.
        story: String,
        /// Its seed.
        seed: u64,
    },
    /// It is about a story that there is not.
    #[error(
        "the case is about the story `{0}`, which this program does not have: if the story was renamed, write its new \
         name into the case; if it is gone, the case goes with it"
    )]
    UnknownStory(String),
}

impl Case {
    /// The whole run of a seed.
    pub fn of(story: &str, seed: u64) -> Self {
        Self {
            version: CASE_VERSION,
            engine: Some(ENGINE_VERSION),
            story: story.to_owned(),
            seed,
            plan: None,
            faults: None,
            operations: None,
            knobs: BTreeMap::new(),
            turned: None,
            schedule: None,
            deviations: None,
            is_even: false,
        }
    }

    /// Reads one.
    ///
    /// Errors: it is malformed, newer than this program, or of another simulator.
    ///
    /// ```
    /// use quark_testkit::case::Case;
    ///
    /// let case = Case::of("swarm", 7);
    /// assert_eq!(Case::from_json(&case.to_json()), Ok(case));
    /// let error = Case::from_json(r#"{"version": 99, "story": "swarm", "seed": 7}"#).unwrap_err();
    /// assert!(error.to_string().contains("version 99"));
    /// ```
    pub fn from_json(text: &str) -> Result<Self, CaseError> {
        let malformed = |error: serde_json::Error| CaseError::Malformed(error.to_string());
        let value: serde_json::Value = serde_json::from_str(text).map_err(malformed)?;
        // First, so that a field that only a newer program knows is not what is complained about.
        let version = value.get("version").and_then(serde_json::Value::as_u64).unwrap_or(0);
        if version > CASE_VERSION.into() {
            return Err(CaseError::Newer { found: u32::try_from(version).unwrap_or(u32::MAX) });
        }
        let case: Self = serde_json::from_value(value).map_err(malformed)?;
        match case.engine {
            Some(found) if found != ENGINE_VERSION => {
                Err(CaseError::OtherEngine { found, story: case.story, seed: case.seed })
            }
            _ => Ok(case),
        }
    }

    /// As it is kept in a file.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("a case is plain data") + "\n"
    }

    /// The world of a story's run, with what this case takes away.
    pub fn world_of(&self, scenario: &Scenario) -> Config {
        let turned = self.turned.clone().unwrap_or_else(|| scenario.knobs(self.seed));
        self.world(turn_world(&turned, (scenario.world)(self.seed)))
    }

    /// The world of the whole run, with what this case takes away.
    pub fn world(&self, whole: Config) -> Config {
        let mut reduced = BTreeMap::new();
        let list = |kept: &[Kept]| kept.iter().map(|kept| ((kept.entity, kept.counter), 1)).collect();
        if let Some(faults) = &self.faults {
            reduced.insert(Purpose::Fault, list(faults));
        }
        if let Some(operations) = &self.operations {
            reduced.insert(Purpose::Operation, list(operations));
        }
        let mut world = Config { seed: self.seed, ..whole };
        if let Some(schedule) = self.schedule {
            world.scheduler = schedule.into();
        }
        if let Some(deviations) = &self.deviations {
            let (nodes, tasks): (Vec<&Deviation>, Vec<&Deviation>) =
                deviations.iter().partition(|deviation| deviation.node == 0);
            let picks =
                |list: Vec<&Deviation>| list.into_iter().map(|d| ((d.node, d.pick), d.chosen)).collect();
            reduced.insert(Purpose::PickNode, picks(nodes));
            reduced.insert(Purpose::PickTask, picks(tasks));
            world.scheduler = Scheduler::Fifo;
        }
        if self.is_even {
            let even = Config::calm(self.seed);
            world.cost = even.cost;
            world.store.latency = even.store.latency;
            world.network.conditions.latency = even.network.conditions.latency;
        }
        if !reduced.is_empty() {
            world.replay = Replay::Reduced(reduced);
        }
        world
    }

    /// How many faults are left, where it says so: of its plan, and of the story's own.
    pub fn faults_left(&self) -> Option<usize> {
        let planned = self.plan.as_ref().map(|plan| plan.events.len());
        let own = self.faults.as_ref().map(Vec::len);
        (planned.is_some() || own.is_some()).then(|| planned.unwrap_or(0) + own.unwrap_or(0))
    }

    /// A time limit for its worlds: leaving something out must not make it wait for ever.
    pub(crate) fn limit(mut world: Config, whole_run: Duration) -> Config {
        world.time_limit = world.time_limit.min(whole_run * 2 + Duration::from_secs(600));
        world
    }
}
