//! Tells a story again with everything being watched, and proves that watching changed nothing.

use super::film::Film;
use super::lanes::{Lane, fill_lives};
use super::linker::Linker;
use super::samples::{Sampler, Samples, distance};
use super::{FORMAT, SCHEMA, Telling, anchors, faults};
use crate::case::Case;
use crate::history::{History, Record, What};
use crate::recorder::Recorder;
use crate::runner::{self, Report};
use crate::story::{Scenario, Story};
use quark_core::{Instant, SiloName};
use quark_sim::{Config, Deed, Next, NodeId, WorldHandle};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;

/// Why there is no telling.
#[derive(Debug, Error)]
pub enum RecordError {
    /// Being watched changed the story, or it never is the same. A bug of the simulator, or a story that leaves it.
    #[error(
        "{story} with seed {seed} gave trace {first:016x} over {first_events} events, and {second:016x} over \
         {second_events} when it was recorded: this story is not deterministic (`quark sim run` says more)"
    )]
    Differs {
        /// The story.
        story: String,
        /// Its seed.
        seed: u64,
        /// The hash without recording.
        first: u64,
        /// Over so many events.
        first_events: u64,
        /// The hash with it.
        second: u64,
        /// Over so many events.
        second_events: u64,
    },
}

impl Telling {
    /// Tells a story with this seed, and again with everything being watched.
    ///
    /// Errors: the two runs had different trace hashes.
    pub fn record(scenario: &Scenario, seed: u64) -> Result<Self, RecordError> {
        Self::record_after(scenario, &runner::tell(scenario, seed))
    }

    /// As [`Telling::record`], if the story has been told with this seed already.
    ///
    /// Errors: this run had another trace hash than that one.
    pub fn record_after(scenario: &Scenario, first: &Report) -> Result<Self, RecordError> {
        let world = Config { log_decisions: true, ..scenario.config(first.seed) };
        let mut watch = Watch::every(distance(first.simulated));
        let report = runner::tell_with_pauses(scenario, world, |story| watch.pause(story));
        let report = report.expect("nobody abandons it");
        same(scenario, first, &report)?;
        Ok(watch.finish(scenario, report))
    }

    /// As [`Telling::record`], of what is left of a run.
    ///
    /// Errors: the two runs had different trace hashes.
    pub fn record_case(scenario: &Scenario, case: &Case) -> Result<Self, RecordError> {
        let first = runner::tell_case(scenario, case);
        let mut watch = Watch::every(distance(first.simulated));
        let report = runner::tell_case_with_pauses(scenario, case, |story| watch.pause(story));
        same(scenario, &first, &report)?;
        Ok(watch.finish(scenario, report))
    }
}

/// Whether being watched changed nothing.
fn same(scenario: &Scenario, first: &Report, second: &Report) -> Result<(), RecordError> {
    if second.hash == first.hash {
        return Ok(());
    }
    Err(RecordError::Differs {
        story: scenario.name.into(),
        seed: first.seed,
        first: first.hash.0,
        first_events: first.hash.1,
        second: second.hash.0,
        second_events: second.hash.1,
    })
}

/// Everything that watches, while the story is told.
struct Watch {
    every: Duration,
    film: Film,
    sampler: Sampler,
    /// Known from the first pause on.
    seen: Option<(WorldHandle, Arc<Recorder>)>,
}

impl Watch {
    fn every(every: Duration) -> Self {
        Self { every, film: Film::default(), sampler: Sampler::default(), seen: None }
    }

    fn pause(&mut self, story: &Story) -> Next {
        if self.seen.is_none() {
            let recorder = story.recorder().expect("the runner records every story").clone();
            recorder.keep();
            let (film, place) = (self.film.clone(), recorder.clone());
            story.world.watch_frames(move |event| film.take(event, place.records_so_far()));
            self.seen = Some((story.world.clone(), recorder));
        }
        self.sampler.look(story);
        Next::Until(story.world.now_true() + self.every)
    }

    fn finish(self, scenario: &Scenario, report: Report) -> Telling {
        let (world, recorder) = self.seen.expect("a story pauses before it begins");
        let history = recorder.kept();
        let name = |node| world.name(node);
        let nodes: Vec<String> = std::iter::once(NodeId::DRIVER).chain(world.nodes()).map(name).collect();
        let mut lanes = lanes(&nodes, &history);
        let names: Vec<String> = lanes.iter().map(|lane| lane.name.clone()).collect();
        let mut linker = Linker::new(&names, lanes.iter().filter(|lane| lane.is_silo).count(), &nodes);
        let deeds = world.deeds();
        let ids = tell_in_order(&mut linker, &history, &self.film, &deeds);
        let end = Instant::ZERO + report.simulated;
        let mut faults = faults::bands(&deeds, name, end);
        for band in &mut faults {
            band.event = ids[band.event as usize];
            band.end_event = band.end_event.map(|deed| ids[deed as usize]);
        }
        let Linker { events, frames, actors, .. } = linker;
        fill_lives(&mut lanes, &events, end);
        let samples: Samples = self.sampler.finish(names.iter().map(String::as_str));
        let marks =
            report.violations.iter().map(|found| anchors::mark(found, &events, &lanes, &actors)).collect();
        Telling {
            format: FORMAT.into(),
            schema: SCHEMA,
            engine: env!("CARGO_PKG_VERSION").into(),
            story: scenario.name.into(),
            premise: scenario.premise.into(),
            seed: report.seed,
            lanes,
            actors,
            events,
            missing: history.dropped(),
            frames,
            faults,
            samples,
            marks,
            plan: None,
            curve: None,
            report,
        }
    }
}

/// The nodes but the driver, silos first.
fn lanes(nodes: &[String], history: &History) -> Vec<Lane> {
    let silos: BTreeSet<SiloName> = history.silo_records().map(|(_, _, record)| record.silo.name).collect();
    let lane = |name: &String| {
        let is_silo = SiloName::new(name).is_ok_and(|name| silos.contains(&name));
        Lane { name: name.clone(), is_silo, lives: Vec::new() }
    };
    let mut lanes: Vec<Lane> = nodes.iter().skip(1).map(lane).collect();
    lanes.sort_by_key(|lane| !lane.is_silo);
    lanes
}

/// Hands everything to the linker in the order in which it happened. The number of each deed's event.
///
/// Frames know how many records came before them. Deeds know only their time, and come before what else happened then.
fn tell_in_order(linker: &mut Linker, history: &History, film: &Film, deeds: &[Deed]) -> Vec<u32> {
    let mut ids = Vec::with_capacity(deeds.len());
    let mut deeds = deeds.iter().peekable();
    let mut records = history.records().iter().enumerate().peekable();
    let mut done_until = |linker: &mut Linker, at: Instant| {
        while let Some(deed) = deeds.next_if(|deed| deed.at_ns <= at.0) {
            ids.push(linker.deed(deed));
        }
    };
    for shot in film.cut() {
        while let Some((_, record)) = records.next_if(|(position, _)| *position < shot.after) {
            done_until(linker, record.at);
            tell(linker, record);
        }
        done_until(linker, shot.at);
        linker.shot(shot);
    }
    for (_, record) in records {
        done_until(linker, record.at);
        tell(linker, record);
    }
    done_until(linker, Instant::NEVER);
    ids
}

fn tell(linker: &mut Linker, record: &Record) {
    match &record.what {
        What::Silo(event) => linker.silo(record.at, event),
        What::Client(event) => linker.client(record.at, event),
        What::User(event) => linker.user(record.at, event),
        What::World(event) => linker.world(record.at, event),
    }
}
