//! One telling of a story as another process can read it, and telling it in a process of its own.

use super::Arguments;
use crate::{cli, stories};
use quark_sim::{Config, ENGINE_VERSION, Next, TraceEvent, WorldHandle};
use quark_testkit::runner;
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::ops::Range;
use std::path::Path;
use std::process::{Command, Stdio};

/// What is left of a telling.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Told {
    /// Of which simulator.
    pub engine: u32,
    /// The rolling hash over all events.
    pub hash: u64,
    /// How many events.
    pub events: u64,
    /// (events, true time in nanoseconds, hash), one after every so many events.
    pub checkpoints: Vec<(u64, u64, u64)>,
    /// The events of the window that was asked for.
    pub window: Vec<Event>,
    /// The first thing that did not hold: which checker, and what it saw.
    pub violation: Option<(String, String)>,
}

/// One traced event.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Event {
    /// Its number, from 0.
    pub number: u64,
    /// True time in nanoseconds.
    pub at_ns: u64,
    /// What kind.
    pub kind: String,
    /// Which node; 0 is the driver.
    pub node: u32,
    /// A hash of the rest.
    pub payload: u64,
}

impl From<&TraceEvent> for Event {
    fn from(event: &TraceEvent) -> Self {
        let TraceEvent { number, at_ns, kind, node, payload } = *event;
        Self { number, at_ns, kind: format!("{kind:?}"), node, payload }
    }
}

impl std::fmt::Display for Event {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let at = self.at_ns as f64 / 1e9;
        write!(f, "#{} {at:.6} s node {} {} {:016x}", self.number, self.node, self.kind, self.payload)
    }
}

/// Tells a story here and now, and prints what is left of it as one line of JSON.
pub(super) fn tell_here(name: &str, seed: u64, window: Range<u64>) -> Result<Told, String> {
    let story = stories::named(name).ok_or_else(|| format!("there is no story `{name}`"))?;
    cli::quiet_panics();
    draw_the_keys_of_maps();
    let world = Config { trace_window: window, ..story.config(seed) };
    let mut handle: Option<WorldHandle> = None;
    let report = runner::tell_with_pauses(&story, world, |told| {
        handle = Some(told.world.clone());
        Next::ToTheEnd
    });
    let (report, handle) = report.zip(handle).ok_or("the story was abandoned")?;
    let trace = handle.trace();
    Ok(Told {
        engine: ENGINE_VERSION,
        hash: report.hash.0,
        events: report.hash.1,
        checkpoints: trace.checkpoints.iter().map(|c| (c.events, c.at_ns, c.hash)).collect(),
        window: trace.window.iter().map(Event::from).collect(),
        violation: report.violations.first().map(|v| (v.checker.clone(), v.message.clone())),
    })
}

/// The standard maps of a thread draw their keys when the first of them is made, where the tripwire would stop the story.
/// Drawn here, they are another process's other keys, and an order that comes from them shows as what it is.
#[expect(clippy::disallowed_types, reason = "the keys are drawn to see whether anybody depends on them")]
fn draw_the_keys_of_maps() {
    drop(std::hash::RandomState::new());
}

/// This program as it was called, up to its command: `quark sim audit`, or `lab audit`.
#[derive(Clone, Debug)]
pub(super) struct Program {
    path: OsString,
    command: Vec<OsString>,
    mutant: Option<String>,
}

impl Program {
    /// The program that runs.
    pub fn this(arguments: &Arguments) -> Result<Self, String> {
        let path = std::env::current_exe().map_err(|error| format!("this program has no path: {error}"))?;
        let words: Vec<OsString> = std::env::args_os().skip(1).collect();
        let named =
            words.iter().position(|word| word == "audit").ok_or("this program has no command `audit`")?;
        let (command, mutant) = (words[..=named].to_vec(), arguments.mutant.clone());
        Ok(Self { path: path.into(), command, mutant })
    }

    /// Another build of it.
    pub fn other(&self, path: &Path) -> Self {
        Self { path: path.into(), ..self.clone() }
    }

    /// Tells a story in a process of its own.
    ///
    /// Errors: it cannot be started, or ends without having told its story.
    pub fn tell(&self, story: &str, seed: u64, window: &Range<u64>) -> Result<Told, String> {
        let mut command = Command::new(&self.path);
        command.args(&self.command).args([story, "--one", "--seeds", &seed.to_string()]);
        if !window.is_empty() {
            command.args(["--window", &format!("{}..{}", window.start, window.end)]);
        }
        if let Some(mutant) = &self.mutant {
            command.args(["--mutant", mutant]);
        }
        let shown = self.path.to_string_lossy();
        let done = command
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .map_err(|error| format!("`{shown}` cannot be started: {error}"))?;
        if !done.status.success() {
            return Err(format!(
                "`{shown}` did not tell {story}, seed {seed}: it ended with {}",
                done.status
            ));
        }
        serde_json::from_slice(&done.stdout).map_err(|error| {
            format!("`{shown}` told {story}, seed {seed}, and nobody understands it: {error}")
        })
    }
}
