//! A moment of a story, as data: what the world, its silos and its clients look like while time stands still.

use crate::history::SiloEvent;
use crate::story::{Step, Story, Violation};
use quark::{Silo, SiloStatus};
use quark_core::wire::CallId;
use quark_core::{Instant, SiloId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A moment of a story.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Scene {
    /// The seed with which the story began.
    pub seed: u64,
    /// When, in true time. What is due then has not happened yet.
    #[serde(rename = "at_ns")]
    pub at: Instant,
    /// The rolling hash over every event so far, and their number.
    pub hash: (u64, u64),
    /// The nodes, clients included, in order of creation.
    pub nodes: Vec<NodeScene>,
    /// The paths on which something is under way, or wrong.
    pub paths: Vec<PathScene>,
    /// Frames that were accepted and are neither delivered nor dropped yet.
    pub frames_in_flight: u64,
    /// The silos that serve, by name. One that is starting, stopped or dead has no line.
    pub silos: Vec<SiloScene>,
    /// Calls that wait for their outcome, oldest first.
    pub calls: Vec<OpenCall>,
    /// Calls of clients outside of the silos that wait for their outcome.
    pub client_calls: usize,
    /// The story so far.
    pub steps: Vec<Step>,
    /// What did not hold so far. Checkers that read the whole history speak only in the end.
    pub violations: Vec<Violation>,
}

/// A node.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct NodeScene {
    /// Its name.
    pub name: String,
    /// Whether its process runs, or is paused.
    pub is_up: bool,
    /// How many pauses are in force.
    pub pauses: u32,
    /// Which of its processes this is, or was the last; counted from 1.
    pub incarnation: u32,
    /// How far its wall clock is ahead of a right one, in nanoseconds.
    pub wall_offset_ns: i64,
    /// How much too fast its clocks run, in parts per billion.
    pub rate_ppb: i64,
    /// How many outages of the store for this node alone are in force.
    pub store_cuts: u32,
    /// How many times as long everything takes, in thousandths.
    pub slowness_milli: u32,
    /// Its tasks.
    pub tasks: usize,
    /// The sleeps that somebody on it waits for.
    pub timers: usize,
}

/// A way from one node to another.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PathScene {
    /// From this node.
    pub from: String,
    /// To that one.
    pub to: String,
    /// Cuts in force.
    pub cuts: u32,
    /// Whether the cut swallows frames; else they wait for it to heal.
    pub swallows: bool,
    /// Clogs in force.
    pub clogs: u32,
    /// Whether it has a weather of its own.
    pub has_weather: bool,
    /// Frames under way, those that wait included.
    pub frames: usize,
}

/// A silo that serves.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SiloScene {
    /// Its node.
    pub name: String,
    /// Its incarnation in the cluster: name and generation.
    pub id: String,
    /// The version of the newest view in effect there.
    pub view: u64,
    /// Who is active in that view.
    pub active: Vec<String>,
    /// Activations there.
    pub activations: usize,
    /// Directory entries kept there.
    pub entries: usize,
    /// Calls issued there that wait for their outcome.
    pub pending: usize,
    /// Turns run since its start.
    pub turns: u64,
    /// Commits since its start.
    pub commits: u64,
    /// Messages dropped with a reason since its start.
    pub dead_letters: u64,
    /// Whether turns may run there.
    pub lease_valid: bool,
    /// Whether it takes new activations.
    pub serving: bool,
}

/// A call that a silo has issued, and that has no outcome yet.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct OpenCall {
    /// Which silo issued it.
    pub from: String,
    /// The actor.
    pub actor: String,
    /// When, in true time.
    #[serde(rename = "since_ns")]
    pub since: Instant,
}

impl Scene {
    /// What a story looks like now. Looking changes nothing.
    pub fn of(story: &Story) -> Self {
        let world = &story.world;
        let name = |node| world.name(node);
        let paths = world.busy_paths().into_iter().map(|path| PathScene {
            from: name(path.from),
            to: name(path.to),
            cuts: path.cuts,
            swallows: path.swallows,
            clogs: path.clogs,
            has_weather: path.has_weather,
            frames: path.frames,
        });
        Self {
            seed: world.seed(),
            at: world.now_true(),
            hash: world.hash(),
            nodes: nodes(story),
            paths: paths.collect(),
            frames_in_flight: world.meters().network.in_flight,
            silos: story.cluster.silos().iter().map(|(name, silo)| silo_scene(name, silo)).collect(),
            calls: open_calls(story),
            client_calls: story.cluster.clients().iter().map(|client| client.pending()).sum(),
            steps: story.steps(),
            violations: story.violations(),
        }
    }
}

fn nodes(story: &Story) -> Vec<NodeScene> {
    let look = |node| {
        let look = story.world.look_at(node);
        NodeScene {
            name: look.name,
            is_up: look.is_up,
            pauses: look.pauses,
            incarnation: look.incarnation,
            wall_offset_ns: look.wall_offset_ns,
            rate_ppb: look.rate_ppb,
            store_cuts: look.store_cuts,
            slowness_milli: look.slowness_milli,
            tasks: look.tasks,
            timers: look.timers,
        }
    };
    story.world.nodes().into_iter().map(look).collect()
}

fn silo_scene(name: &str, silo: &Silo) -> SiloScene {
    let SiloStatus {
        view,
        activations,
        entries,
        pending,
        turns,
        commits,
        dead_letters,
        lease_valid,
        serving,
        ..
    } = silo.status();
    SiloScene {
        name: name.to_owned(),
        id: silo.id().to_string(),
        active: silo.view().active().map(|member| member.id.to_string()).collect(),
        view,
        activations,
        entries,
        pending,
        turns,
        commits,
        dead_letters,
        lease_valid,
        serving,
    }
}

/// What the history says of calls that have begun and not ended, on processes that still run.
fn open_calls(story: &Story) -> Vec<OpenCall> {
    let Some(recorder) = story.recorder() else { return Vec::new() };
    let running: Vec<_> = story.cluster.silos().iter().map(|(_, silo)| silo.id()).collect();
    let history = recorder.history();
    let mut open: BTreeMap<(SiloId, CallId), OpenCall> = BTreeMap::new();
    for (_, since, record) in history.silo_records() {
        match &record.event {
            SiloEvent::CallIssued { call, actor, .. } if running.contains(&record.silo) => {
                let (from, actor) = (record.silo.to_string(), actor.to_string());
                open.insert((record.silo, *call), OpenCall { from, actor, since });
            }
            SiloEvent::CallEnded { call, .. } => {
                open.remove(&(record.silo, *call));
            }
            _ => {}
        }
    }
    let mut calls: Vec<_> = open.into_values().collect();
    calls.sort_by(|a, b| (a.since, &a.from, &a.actor).cmp(&(b.since, &b.from, &b.actor)));
    calls
}
