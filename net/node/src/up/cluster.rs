//! What the supervisor knows of its silos, told by their reports.

use crate::report::{Counters, Report};
use crate::settings::UpSettings;
use parking_lot::Mutex;
use quark_core::SiloId;
use quark_core::view::{Status, View};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::time::Instant;

/// Shared by the supervisor, the view and HTTP.
pub struct Cluster {
    /// What it was told to be.
    pub settings: UpSettings,
    inner: Mutex<Inner>,
}

struct Inner {
    slots: Vec<Slot>,
    /// The newest view that any silo has told of.
    view: View,
    is_stopping: bool,
    events: VecDeque<String>,
    events_told: u64,
}

/// One silo's place: the process in it changes, its name does not.
#[derive(Clone, Debug)]
pub struct Slot {
    /// The silo's name.
    pub name: String,
    /// The process, if one runs.
    pub pid: Option<u32>,
    /// Who it is, once it serves.
    pub id: Option<SiloId>,
    /// Where it listens.
    pub address: String,
    /// Its numbers, as last told.
    pub counters: Counters,
    /// Turns per second between the last two reports that were a while apart.
    pub turns_per_second: f64,
    /// How often its process was started again.
    pub restarts: u32,
    /// The state of its process.
    pub process: Process,
    counted: Option<(Instant, u64)>,
}

/// The state of a silo's process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Process {
    /// It has not said yet that it serves.
    Starting,
    /// It serves.
    Running,
    /// It was told to stop.
    Stopping,
    /// It left in order.
    Left,
    /// It ended by itself, or was killed; it is started again after a pause.
    Down,
}

impl Process {
    fn word(self) -> &'static str {
        match self {
            Process::Starting => "starting",
            Process::Running => "running",
            Process::Stopping => "stopping",
            Process::Left => "left",
            Process::Down => "down",
        }
    }
}

impl Slot {
    /// Its status in one word: what the view says of it if it runs, what its process does if not.
    pub fn status(&self, view: &View) -> &'static str {
        if self.process != Process::Running {
            return self.process.word();
        }
        if !self.counters.lease_valid {
            return "no lease";
        }
        match self.id.and_then(|id| view.member(id)).map(|member| member.status) {
            Some(status) => status_word(status),
            None => self.process.word(),
        }
    }
}

/// The names of so many silos.
pub fn names(silos: u16) -> Vec<String> {
    (1..=silos).map(name_of).collect()
}

fn name_of(number: u16) -> String {
    format!("silo-{number}")
}

impl Cluster {
    /// A cluster of which nothing runs yet.
    pub fn new(settings: UpSettings) -> Self {
        let slots = (1..=settings.silos).map(|number| Slot {
            name: name_of(number),
            pid: None,
            id: None,
            address: String::new(),
            counters: Counters::default(),
            turns_per_second: 0.0,
            restarts: 0,
            process: Process::Starting,
            counted: None,
        });
        let inner = Inner {
            slots: slots.collect(),
            view: View::default(),
            is_stopping: false,
            events: VecDeque::new(),
            events_told: 0,
        };
        Self { settings, inner: Mutex::new(inner) }
    }

    /// The silos, as they are now, and the newest view.
    pub fn snapshot(&self) -> (Vec<Slot>, View) {
        let inner = self.inner.lock();
        (inner.slots.clone(), inner.view.clone())
    }

    /// The name of the silo in a slot.
    pub fn name(&self, slot: usize) -> String {
        self.inner.lock().slots[slot].name.clone()
    }

    /// A process was started in a slot.
    pub fn spawned(&self, slot: usize, pid: Option<u32>) {
        let mut inner = self.inner.lock();
        let slot = &mut inner.slots[slot];
        (slot.pid, slot.id, slot.process) = (pid, None, Process::Starting);
        (slot.counters, slot.counted, slot.turns_per_second) = (Counters::default(), None, 0.0);
    }

    /// The silo in a slot has something to tell. Returns its id and address when it has just started to serve.
    pub fn reported(&self, slot: usize, report: &Report) -> Option<(SiloId, String)> {
        let mut inner = self.inner.lock();
        match report {
            Report::Started { id, address } => {
                let slot = &mut inner.slots[slot];
                (slot.id, slot.address, slot.process) = (Some(*id), address.clone(), Process::Running);
                Some((*id, address.clone()))
            }
            Report::Status { counters, view } => {
                inner.slots[slot].count(*counters);
                if view.version > inner.view.version {
                    inner.view_changed(view.clone());
                }
                None
            }
            Report::Listening { .. } | Report::Failed { .. } | Report::Left => None,
        }
    }

    /// A slot's process goes into another state.
    pub fn process(&self, slot: usize, process: Process) {
        let mut inner = self.inner.lock();
        let slot = &mut inner.slots[slot];
        slot.process = process;
        if matches!(process, Process::Down | Process::Left) {
            (slot.pid, slot.turns_per_second) = (None, 0.0);
            slot.counters = Counters::default();
        }
        if process == Process::Down {
            slot.restarts += 1;
        }
    }

    /// Something happened that a person wants to know.
    pub fn event(&self, text: String) {
        self.inner.lock().event(text);
    }

    /// The events since number `seen`, and the number of the last.
    pub fn events_since(&self, seen: u64) -> (Vec<String>, u64) {
        let inner = self.inner.lock();
        let new = (inner.events_told - seen).min(inner.events.len() as u64) as usize;
        (inner.events.iter().skip(inner.events.len() - new).cloned().collect(), inner.events_told)
    }

    /// From now on, silos that end are expected to.
    pub fn stopping(&self) {
        self.inner.lock().is_stopping = true;
    }

    /// Whether the whole cluster is being stopped.
    pub fn is_stopping(&self) -> bool {
        self.inner.lock().is_stopping
    }

    /// How many silos serve calls.
    pub fn serving(&self) -> usize {
        let inner = self.inner.lock();
        let serves = |slot: &&Slot| slot.process == Process::Running && slot.counters.serving;
        inner.slots.iter().filter(serves).count()
    }

    /// The cluster as JSON.
    pub fn to_json(&self) -> Value {
        let (slots, view) = self.snapshot();
        let silos: Vec<Value> = slots.iter().map(|slot| silo_json(slot, &view)).collect();
        let members = view.members.iter().map(|member| {
            json!({
                "name": member.id.name.as_str(),
                "generation": member.id.generation.0,
                "address": member.address,
                "status": status_word(member.status),
            })
        });
        json!({
            "cluster": self.settings.node.cluster,
            "view": view.version.0,
            "silos": silos,
            "members": members.collect::<Vec<_>>(),
        })
    }
}

impl Inner {
    fn event(&mut self, text: String) {
        if self.events.len() == EVENTS_MAX {
            self.events.pop_front();
        }
        self.events.push_back(text);
        self.events_told += 1;
    }

    /// Says what is new in a view.
    fn view_changed(&mut self, new: View) {
        for member in &new.members {
            let before = self.view.named(member.id.name);
            if before.is_some_and(|b| b.id == member.id && b.status == member.status) {
                continue;
            }
            let ended_badly = !self.is_stopping && member.status == Status::Dead;
            let what = match member.status {
                Status::Joining => "is joining",
                Status::Active => "is active",
                Status::Draining => "is draining",
                Status::Dead if ended_badly => "is dead: its accounts reopen elsewhere",
                Status::Dead => "has left",
            };
            // A row that was dead before we looked is no news.
            if before.is_some() || member.status != Status::Dead {
                self.event(format!("view {}: {} {what}", new.version, member.id));
            }
        }
        self.view = new;
    }
}

impl Slot {
    fn count(&mut self, counters: Counters) {
        let now = Instant::now();
        match self.counted {
            // Reports come more often when views change; too short a time says nothing about a rate.
            Some((at, turns)) => {
                let seconds = now.duration_since(at).as_secs_f64();
                if seconds >= 0.5 {
                    self.turns_per_second = counters.turns.saturating_sub(turns) as f64 / seconds;
                    self.counted = Some((now, counters.turns));
                }
            }
            None => self.counted = Some((now, counters.turns)),
        }
        self.counters = counters;
    }
}

/// A silo as JSON.
pub fn silo_json(slot: &Slot, view: &View) -> Value {
    json!({
        "name": slot.name,
        "pid": slot.pid,
        "generation": slot.id.map(|id| id.generation.0),
        "address": slot.address,
        "status": slot.status(view),
        "restarts": slot.restarts,
        "calls_per_second": slot.turns_per_second.round(),
        "counters": slot.counters,
    })
}

fn status_word(status: Status) -> &'static str {
    match status {
        Status::Joining => "joining",
        Status::Active => "active",
        Status::Draining => "draining",
        Status::Dead => "dead",
    }
}

const EVENTS_MAX: usize = 1000;
