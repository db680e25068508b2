//! The causality curve: how likely a failure is, given the past until a moment. Where it jumps, something was decided.

use crate::case::Case;
use crate::machine::{self, MachineError};
use crate::runner::Report;
use crate::story::Scenario;
use quark_core::Instant;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How likely the failure was, given the past until each of some moments.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Curve {
    /// What counts as the failure: the checker that failed first. `None` if the run was good: then any violation counts.
    pub checker: Option<String>,
    /// In order of time.
    pub points: Vec<Point>,
    /// Between which two of them it jumps most, if it jumps at all.
    pub jump: Option<Jump>,
}

/// The futures of one moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Point {
    /// Until when everything is as the seed has it.
    #[serde(rename = "at_ns")]
    pub at: Instant,
    /// How many futures were told.
    pub futures: u64,
    /// How many of them failed alike.
    pub failed: u64,
    /// How many failed otherwise.
    pub failed_otherwise: u64,
}

/// Where the curve jumps.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Jump {
    /// The last moment before it.
    #[serde(rename = "from_ns")]
    pub from: Instant,
    /// The first one after it.
    #[serde(rename = "to_ns")]
    pub to: Instant,
    /// The share of futures that failed before and after, in parts per million.
    pub failed_ppm: (u64, u64),
}

/// How a curve is measured.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sampling {
    /// At how many moments, evenly spaced until the failure was seen.
    pub moments: u32,
    /// How many futures of each are told.
    pub futures: u64,
    /// How narrow the window around the jump is to become.
    pub window: Duration,
    /// How many futures are told at a time.
    pub jobs: usize,
}

impl Default for Sampling {
    fn default() -> Self {
        Self { moments: 16, futures: 24, window: Duration::from_millis(40), jobs: 2 }
    }
}

/// A smaller difference between two moments than this, in parts per million, may be chance.
const JUMP_MIN_PPM: u64 = 200_000;

impl Point {
    /// The share that failed alike, in parts per million.
    pub fn failed_ppm(&self) -> u64 {
        (self.failed * 1_000_000).checked_div(self.futures).unwrap_or(0)
    }
}

impl Curve {
    /// Measures the curve of a run, whole or what a case has left of one. `on_point` is called with each moment when its futures have been told.
    ///
    /// The futures of a moment are those of seeds after the run's own, the same at every moment: two moments between which
    /// nothing is drawn give the same count. In a case, what was taken away stays away: its futures differ in what is left to
    /// chance. The jump is halved until it is as narrow as was asked for.
    ///
    /// Errors: this process has several threads, or the system makes no copies of it.
    pub fn measure(
        scenario: &Scenario,
        case: Option<&Case>,
        run: &Report,
        sampling: Sampling,
        mut on_point: impl FnMut(&Point),
    ) -> Result<Self, MachineError> {
        let first = run.violations.first();
        let checker = first.map(|violation| violation.checker.clone());
        let end = Instant::ZERO + run.simulated;
        let end = first.map_or(end, |violation| violation.at.min(end));
        let mut measured = |at| {
            let point = futures_of(scenario, case, run.seed, at, sampling, checker.as_deref())?;
            on_point(&point);
            Ok::<_, MachineError>(point)
        };
        let steps = u64::from(sampling.moments.max(2) - 1);
        let mut points = Vec::new();
        for step in 0..=steps {
            let at = Instant(
                u64::try_from(u128::from(end.0) * u128::from(step) / u128::from(steps)).unwrap_or(end.0),
            );
            points.push(measured(at)?);
        }
        while let Some((at, _)) = steepest(&points) {
            let (from, to) = (points[at].at.0, points[at + 1].at.0);
            if to - from <= sampling.window.as_nanos() as u64 {
                break;
            }
            points.insert(at + 1, measured(Instant(from + (to - from) / 2))?);
        }
        let jump = steepest(&points).map(|(at, _)| Jump {
            from: points[at].at,
            to: points[at + 1].at,
            failed_ppm: (points[at].failed_ppm(), points[at + 1].failed_ppm()),
        });
        Ok(Self { checker, points, jump })
    }
}

/// Between which point and the next it rises most, and by how much; the later of equals.
fn steepest(points: &[Point]) -> Option<(usize, u64)> {
    let rises = points.windows(2).map(|pair| pair[1].failed_ppm().saturating_sub(pair[0].failed_ppm()));
    rises.enumerate().filter(|(_, rise)| *rise >= JUMP_MIN_PPM).max_by_key(|(_, rise)| *rise)
}

fn futures_of(
    scenario: &Scenario,
    case: Option<&Case>,
    seed: u64,
    at: Instant,
    sampling: Sampling,
    checker: Option<&str>,
) -> Result<Point, MachineError> {
    let seeds = seed + 1..seed + 1 + sampling.futures;
    let jobs = sampling.jobs;
    let ends = match case {
        Some(case) => machine::branch_case(scenario, case, at, seeds, jobs, |_, _| ())?,
        None => machine::branch_many(scenario, seed, at, seeds, jobs, |_, _| ())?,
    };
    let is_bad = |report: &Report| !report.violations.is_empty();
    let is_alike = |report: &Report| match checker {
        Some(checker) => report.violations.iter().any(|violation| violation.checker == checker),
        None => is_bad(report),
    };
    let failed = ends.iter().filter(|(_, report)| is_alike(report)).count() as u64;
    let bad = ends.iter().filter(|(_, report)| is_bad(report)).count() as u64;
    Ok(Point { at, futures: ends.len() as u64, failed, failed_otherwise: bad - failed })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(failed: &[u64]) -> Vec<Point> {
        let point = |(at, failed): (u64, &u64)| Point {
            at: Instant(at),
            futures: 10,
            failed: *failed,
            failed_otherwise: 0,
        };
        (0..).zip(failed).map(point).collect()
    }

    #[test]
    fn the_steepest_rise_is_found_and_noise_is_not() {
        assert_eq!(steepest(&points(&[0, 1, 0, 7, 10])), Some((2, 700_000)));
        assert_eq!(steepest(&points(&[0, 3, 3, 6])), Some((2, 300_000)));
        assert_eq!(steepest(&points(&[0, 1, 2, 1, 2])), None);
        assert_eq!(steepest(&[]), None);
    }
}
