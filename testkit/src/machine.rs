//! Rewinding: a story told once, and kept at many of its moments, so that any other moment is near one of them.
//!
//! A [`TimeMachine`] tells a story to its end, and every few simulated seconds leaves a copy of the whole process behind
//! (see [`quark_sim::fork`]). Asked for a moment, it lets the last copy before it make a copy of itself, which goes on
//! from there to the moment, or draws another future, answers, and ends. The copies that were left behind are never
//! used up. What they answer is what telling the story from its beginning would have given, to the last bit of its hash.
//!
//! All of this needs a process with one thread.

mod checkpoint;
mod fan;

pub use fan::{branch_case, branch_many};

use crate::runner::{self, Report};
use crate::scene::Scene;
use crate::story::{Scenario, Story};
use checkpoint::Checkpoint;
use quark_core::Instant;
use quark_sim::fork::{self, ForkError, Side};
use quark_sim::{Branch, Next};
use serde::{Deserialize, Serialize};
use std::io;
use std::os::unix::net::UnixStream;
use std::time::Duration;
use thiserror::Error;

/// Why a moment could not be visited.
#[derive(Debug, Error)]
pub enum MachineError {
    /// The story is over by then.
    #[error("the run ends at {}, before {}: ask for a moment until then", seconds(.end), seconds(.at))]
    AfterTheEnd {
        /// The moment that was asked for.
        at: Instant,
        /// When the story is over.
        end: Instant,
    },
    /// No copy of the process was made.
    #[error(transparent)]
    Fork(#[from] ForkError),
    /// A copy ended without an answer.
    #[error("the copy of the process that went back to {} ended without an answer: {reason}", seconds(.at))]
    Lost {
        /// The moment that was asked for.
        at: Instant,
        /// What is known of its end.
        reason: String,
    },
    /// The socket to a copy failed.
    #[error("a copy of the process does not listen: {0}")]
    Socket(#[from] io::Error),
}

/// As people write it: `31.4 s`.
fn seconds(at: &Instant) -> String {
    format!("{} s", at.0 as f64 / 1e9)
}

/// What a copy is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
enum Order {
    /// What does it look like then?
    Look { at: Instant },
    /// How does it end, if choices are drawn from this seed from then on?
    Branch { at: Instant, seed: u64 },
}

impl Order {
    fn at(self) -> Instant {
        match self {
            Self::Look { at } | Self::Branch { at, .. } => at,
        }
    }

    fn seed(self) -> u64 {
        match self {
            Self::Look { .. } => 0,
            Self::Branch { seed, .. } => seed,
        }
    }
}

/// What a copy answers.
#[derive(Debug, Serialize, Deserialize)]
enum Answer {
    /// The moment.
    Scene(Box<Scene>),
    /// How it ended: the other future, or the story itself if it was over before the moment.
    End(Box<Report>),
}

/// What this process is.
enum Role {
    /// The one that tells the story for the first time, and makes copies.
    Keeper,
    /// A copy that carries an order out, and where it answers.
    Worker { order: Order, socket: UnixStream },
}

/// How many copies are kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Spacing {
    /// How much simulated time lies between two copies at first. Doubles whenever there are too many of them.
    pub every: Duration,
    /// How many are kept at most; beyond that every other one goes. At least 2.
    pub kept_max: usize,
}

impl Default for Spacing {
    fn default() -> Self {
        Self { every: Duration::from_secs(1), kept_max: 32 }
    }
}

/// A story that has been told, any moment of which can be visited.
pub struct TimeMachine {
    report: Report,
    /// In order of their moments; the first is at zero.
    checkpoints: Vec<Checkpoint>,
}

impl TimeMachine {
    /// Tells a story to its end, and leaves copies behind.
    ///
    /// Errors: this process has several threads, or the system makes no copies.
    pub fn record(scenario: &Scenario, seed: u64, spacing: Spacing) -> Result<Self, MachineError> {
        let mut recording = Recording {
            role: Role::Keeper,
            checkpoints: Vec::new(),
            every: spacing.every,
            kept_max: spacing.kept_max.max(2),
            failure: None,
        };
        let world = scenario.config(seed);
        let told = runner::tell_with_pauses(scenario, world, |story| recording.pause(story));
        match (recording.role, told, recording.failure) {
            (Role::Worker { mut socket, .. }, Some(report), _) => {
                checkpoint::answer(&mut socket, &Answer::End(Box::new(report)))
            }
            // A worker has answered before it abandons anything.
            (Role::Worker { .. }, None, _) => fork::leave(),
            (Role::Keeper, _, Some(failure)) => Err(failure.into()),
            (Role::Keeper, None, None) => unreachable!("only a failure abandons the recording"),
            (Role::Keeper, Some(report), None) => Ok(Self { report, checkpoints: recording.checkpoints }),
        }
    }

    /// How the story ended.
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// When it ended.
    pub fn end(&self) -> Instant {
        Instant::ZERO + self.report.simulated
    }

    /// The moments at which copies are kept.
    pub fn checkpoints(&self) -> Vec<Instant> {
        self.checkpoints.iter().map(|checkpoint| checkpoint.at).collect()
    }

    /// The processes in which they are kept.
    pub fn processes(&self) -> Vec<u32> {
        self.checkpoints.iter().map(Checkpoint::pid).collect()
    }

    /// What the story looks like at a moment, before anything that is due then happens.
    ///
    /// Errors: the story is over by then, or a copy failed.
    pub fn goto(&mut self, at: Instant) -> Result<Scene, MachineError> {
        match self.ask(Order::Look { at })? {
            Answer::Scene(scene) => Ok(*scene),
            // It ends only later, so something went wrong on the way, or while looking.
            Answer::End(report) => {
                let reason = report.violations.first().map_or_else(String::new, |v| v.message.clone());
                Err(MachineError::Lost { at, reason })
            }
        }
    }

    /// How the story ends if choices are drawn from another seed from a moment on.
    ///
    /// Errors: the story is over by then, or a copy failed.
    pub fn branch(&mut self, at: Instant, seed: u64) -> Result<Report, MachineError> {
        match self.ask(Order::Branch { at, seed })? {
            Answer::End(report) => Ok(*report),
            Answer::Scene(_) => Err(MachineError::Lost { at, reason: "it answered another question".into() }),
        }
    }

    fn ask(&mut self, order: Order) -> Result<Answer, MachineError> {
        let (at, end) = (order.at(), self.end());
        if at > end {
            return Err(MachineError::AfterTheEnd { at, end });
        }
        let last = self.checkpoints.partition_point(|checkpoint| checkpoint.at <= at);
        let nearest = last.checked_sub(1).and_then(|last| self.checkpoints.get_mut(last));
        nearest.expect("the first is at zero").ask(order)
    }
}

/// What a story looks like at a moment, told from its beginning in this process: what takes [`TimeMachine::goto`] for one
/// moment, without copies.
///
/// Errors: the story is over by then.
pub fn visit(scenario: &Scenario, seed: u64, at: Instant) -> Result<Scene, MachineError> {
    let mut scene = None;
    let told = runner::tell_with_pauses(scenario, scenario.config(seed), |story| {
        if story.world.now_true() < at {
            return Next::Until(at);
        }
        scene = Some(Scene::of(story));
        Next::Abandon
    });
    match (scene, told) {
        (Some(scene), _) => Ok(scene),
        (None, told) => {
            let end = told.map_or(Duration::ZERO, |report| report.simulated);
            Err(MachineError::AfterTheEnd { at, end: Instant::ZERO + end })
        }
    }
}

/// The story while it is told for the first time, or again in a copy.
struct Recording {
    role: Role,
    checkpoints: Vec<Checkpoint>,
    every: Duration,
    kept_max: usize,
    failure: Option<ForkError>,
}

impl Recording {
    fn pause(&mut self, story: &Story) -> Next {
        let now = story.world.now_true();
        if let Role::Keeper = self.role {
            match fork::fork() {
                Ok(Side::Parent(copy)) => {
                    self.keep(Checkpoint::new(now, copy));
                    return Next::Until(now + self.every);
                }
                Ok(Side::Child(socket)) => {
                    // The others are not its own: it closes its ends of their sockets.
                    self.checkpoints.clear();
                    self.role = checkpoint::serve(socket);
                }
                Err(failure) => {
                    self.failure = Some(failure);
                    return Next::Abandon;
                }
            }
        }
        self.role.pause(story)
    }

    /// Keeps a copy. When there are too many, every other one goes, and the next ones come half as often.
    fn keep(&mut self, kept: Checkpoint) {
        self.checkpoints.push(kept);
        if self.checkpoints.len() > self.kept_max {
            let mut position = 0;
            self.checkpoints.retain(|_| {
                position += 1;
                position % 2 == 1
            });
            self.every *= 2;
        }
    }
}

impl Role {
    /// What a worker does when the story stands still: goes on until its moment, and then what it was asked for.
    fn pause(&mut self, story: &Story) -> Next {
        let Role::Worker { order, socket } = self else { return Next::ToTheEnd };
        if story.world.now_true() < order.at() {
            return Next::Until(order.at());
        }
        match *order {
            Order::Branch { at, seed } => {
                story.world.branch(Branch { at_ns: at.0, seed });
                Next::ToTheEnd
            }
            Order::Look { .. } => checkpoint::answer(socket, &Answer::Scene(Box::new(Scene::of(story)))),
        }
    }
}
