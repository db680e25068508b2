//! One telling of a story, written down so that it can be looked at: every event with what caused it, every frame, every
//! fault, the clocks and queues of every node, and the verdict.
//!
//! A telling is recorded on a second run: the first one, as fast as ever, says how the story goes; the second tells it
//! again with everything being watched, and has to give the same trace hash. A file of it is JSON, with [`SCHEMA`] in it;
//! `docs/timeline.md` says what is in it and how to read the picture that [`page::render`] makes of it.
//!
//! ```no_run
//! # fn draw(scenario: &quark_testkit::story::Scenario) {
//! use quark_testkit::telling::{Telling, page};
//!
//! let telling = Telling::record(scenario, 12).expect("it is told twice alike");
//! for (violation, mark) in telling.report.violations.iter().zip(&telling.marks) {
//!     println!("{}: {} events led there", violation.checker, telling.slice(&mark.events).len());
//! }
//! std::fs::write("run.html", page::render(&telling)).expect("there is room");
//! # }
//! ```

mod anchors;
pub mod curve;
pub mod diff;
mod entry;
mod faults;
mod film;
mod head;
mod lanes;
mod linker;
pub mod page;
mod record;
mod samples;
mod silo_words;
mod slice;
mod world_words;

pub use curve::Curve;
pub use entry::{Entry, EntryKind};
pub use faults::Band;
pub use film::{Fate, Frame};
pub use lanes::{Lane, Life};
pub use record::RecordError;
pub use samples::{LaneSamples, Samples};

use crate::case::{Case, Kept};
use crate::runner::Report;
use quark_chaos::FaultPlan;
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::Path;
use thiserror::Error;

/// The version of the file's layout that is written, and the newest that is read. Fields may be added without a new one;
/// a field that changes its meaning, or goes, takes one.
pub const SCHEMA: u32 = 1;
/// What a file of a telling calls itself.
pub const FORMAT: &str = "quark-telling";

/// Everything about one telling that can be looked at.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Telling {
    /// Always [`FORMAT`].
    pub format: String,
    /// The layout: [`SCHEMA`].
    pub schema: u32,
    /// The version of the program that recorded it: another one may tell the same seed otherwise.
    pub engine: String,
    /// The story's name.
    pub story: String,
    /// What happens in it, and what is expected.
    pub premise: String,
    /// Its seed.
    pub seed: u64,
    /// Steps, violations, and the trace's hash.
    pub report: Report,
    /// The nodes, silos first, each in order of creation.
    pub lanes: Vec<Lane>,
    /// The actors by number, in order of first mention.
    pub actors: Vec<String>,
    /// What happened, in order. An event is called by its position.
    pub events: Vec<Entry>,
    /// How many events of silos and clients came after the history was full, and are missing.
    pub missing: u64,
    /// The frames, in order of sending.
    pub frames: Vec<Frame>,
    /// What was done to the world, and for how long.
    pub faults: Vec<Band>,
    /// Clocks and queues over time.
    pub samples: Samples,
    /// For each violation of the report, the events that it is about.
    pub marks: Vec<Mark>,
    /// The smallest plan of faults that still fails, if one was searched for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<Minimised>,
    /// How likely the failure was, given the past until each moment, if that was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub curve: Option<Curve>,
}

/// Where a violation is in the events.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Mark {
    /// The events that it is about, in order; the last one is where it was seen. Empty if nothing had happened.
    pub events: Vec<u32>,
}

/// A fault plan that was made smaller, and how to tell it again.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Minimised {
    /// The command.
    pub replay: String,
    /// The faults that are left of its plan.
    pub plan: FaultPlan,
    /// What else is left, in words: faults that the story itself brings about, and operations.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<String>,
}

impl Minimised {
    /// What a case has left of a run. `None` if it is the whole of it.
    pub fn of(case: &Case, replay: String) -> Option<Self> {
        let plan = case.plan.clone().unwrap_or_default();
        let said = |what: &str, kept: &Option<Vec<Kept>>| -> Vec<String> {
            kept.iter().flatten().map(|kept| format!("{what}: {}", kept.note)).collect()
        };
        let mut others = said(OWN_FAULT, &case.faults);
        others.extend(said("operation", &case.operations));
        if others.len() > OTHERS_MAX {
            let more = others.len() - OTHERS_MAX;
            others.truncate(OTHERS_MAX);
            others.push(format!("and {more} more"));
        }
        let is_whole = case.plan.is_none() && case.faults.is_none() && case.operations.is_none();
        (!is_whole).then_some(Self { replay, plan, others })
    }

    /// How many faults are left, of its plan and of the story's own.
    pub fn faults(&self) -> usize {
        let own = self.others.iter().filter(|said| said.starts_with(OWN_FAULT)).count();
        self.plan.events.len() + own
    }
}

/// How a fault of the story itself is told of; the page counts these, too.
const OWN_FAULT: &str = "fault of the story";
/// How many of the faults and operations that are left are written down.
const OTHERS_MAX: usize = 40;

/// Why a file gave no telling.
#[derive(Debug, Error)]
pub enum ReadError {
    /// It could not be read.
    #[error("cannot read {path}: {reason}")]
    File {
        /// Which file.
        path: String,
        /// What the system says.
        reason: std::io::Error,
    },
    /// It is something else.
    #[error(
        "{path} is no recorded telling ({reason}): write one with `quark sim record STORY --seed N --out {path}`"
    )]
    Content {
        /// Which file.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// A later program has written it.
    #[error(
        "{path} has schema {found}, this program reads up to {SCHEMA}: use the program that wrote it ({engine})"
    )]
    Newer {
        /// Which file.
        path: String,
        /// Its schema.
        found: u64,
        /// The version of that program.
        engine: String,
    },
}

impl Telling {
    /// Reads a file.
    ///
    /// Errors: it cannot be read, is something else, or was written by a later program.
    pub fn read(path: &Path) -> Result<Self, ReadError> {
        let name = path.display().to_string();
        let bytes = fs::read(path).map_err(|reason| ReadError::File { path: name.clone(), reason })?;
        Self::parse(&name, &bytes)
    }

    /// As [`Telling::read`], from bytes that were found under this name.
    ///
    /// Errors: they are something else, or were written by a later program.
    pub fn parse(name: &str, bytes: &[u8]) -> Result<Self, ReadError> {
        let content = |reason: String| ReadError::Content { path: name.into(), reason };
        let head: Head = serde_json::from_slice(bytes).map_err(|error| content(error.to_string()))?;
        if head.format != FORMAT {
            return Err(content(format!("its format is `{}`", head.format)));
        }
        if head.schema > u64::from(SCHEMA) {
            return Err(ReadError::Newer { path: name.into(), found: head.schema, engine: head.engine });
        }
        let telling: Self = serde_json::from_slice(bytes).map_err(|error| content(error.to_string()))?;
        telling.check().map_err(content)?;
        Ok(telling)
    }

    /// As bytes of a file, ending with a line break. The same telling gives the same bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec(self).expect("a telling is plain data with text for keys");
        bytes.push(b'\n');
        bytes
    }

    /// Everything that is a position is one, so that nobody who reads a telling has to look twice.
    fn check(&self) -> Result<(), String> {
        for (id, entry) in self.events.iter().enumerate() {
            if entry.causes.iter().any(|cause| *cause as usize >= id) {
                return Err(format!("event {id} is caused by one that is not before it"));
            }
            if entry.lane.is_some_and(|lane| lane as usize >= self.lanes.len())
                || entry.actor.is_some_and(|actor| actor as usize >= self.actors.len())
                || entry.frame.is_some_and(|frame| frame as usize >= self.frames.len())
            {
                return Err(format!("event {id} names what is not there"));
            }
        }
        let frames = self.frames.iter().flat_map(|frame| [Some(frame.sent), frame.end]).flatten();
        let marks = self.marks.iter().flat_map(|mark| mark.events.iter().copied());
        let bands = self.faults.iter().flat_map(|band| [Some(band.event), band.end_event]).flatten();
        match frames.chain(marks).chain(bands).find(|event| *event as usize >= self.events.len()) {
            Some(event) => Err(format!("event {event} is named, and not there")),
            None => Ok(()),
        }
    }
}

/// What is read first.
#[derive(Deserialize)]
struct Head {
    format: String,
    schema: u64,
    #[serde(default)]
    engine: String,
}
