//! Many futures of one moment: the past is told once, and copied for each of them.

use super::checkpoint::{self, hear_out, read_answer};
use super::{Answer, MachineError, Order, Role};
use crate::case::Case;
use crate::runner::{self, Report};
use crate::story::{Scenario, Story};
use quark_core::Instant;
use quark_sim::fork::{self, Child, Side};
use quark_sim::{Branch, Next};
use std::ops::Range;

/// Tells a story until a moment, and from there on once for each of these seeds, `jobs` of them at a time, each in a copy
/// of this process. `on_end` is called with each seed and its report, in the order in which they end; the result is in
/// the order of the seeds.
///
/// Errors: the story is over by then, this process has several threads, or a copy failed.
pub fn branch_many(
    scenario: &Scenario,
    seed: u64,
    at: Instant,
    seeds: Range<u64>,
    jobs: usize,
    on_end: impl FnMut(u64, &Report),
) -> Result<Vec<(u64, Report)>, MachineError> {
    let world = scenario.config(seed);
    spread(at, seeds, jobs, on_end, |pause| runner::tell_with_pauses(scenario, world, pause))
}

/// As [`branch_many`], of what a case has left of a run: what was taken away stays away in all futures.
///
/// Errors: as there.
pub fn branch_case(
    scenario: &Scenario,
    case: &Case,
    at: Instant,
    seeds: Range<u64>,
    jobs: usize,
    on_end: impl FnMut(u64, &Report),
) -> Result<Vec<(u64, Report)>, MachineError> {
    spread(at, seeds, jobs, on_end, |pause| runner::tell_case_or_abandon(scenario, case, pause))
}

/// Tells a run with pauses, and spreads its futures out from one of them.
fn spread<F: FnMut(u64, &Report)>(
    at: Instant,
    seeds: Range<u64>,
    jobs: usize,
    on_end: F,
    tell: impl FnOnce(&mut dyn FnMut(&Story) -> Next) -> Option<Report>,
) -> Result<Vec<(u64, Report)>, MachineError> {
    let mut fan =
        Fan { role: Role::Keeper, at, seeds, jobs: jobs.max(1), on_end, ends: Vec::new(), failure: None };
    let told = tell(&mut |story| fan.pause(story));
    match (fan.role, told) {
        (Role::Worker { mut socket, .. }, Some(report)) => {
            checkpoint::answer(&mut socket, &Answer::End(Box::new(report)))
        }
        (Role::Worker { .. }, None) => fork::leave(),
        (Role::Keeper, Some(report)) => {
            Err(MachineError::AfterTheEnd { at, end: Instant::ZERO + report.simulated })
        }
        (Role::Keeper, None) => {
            fan.ends.sort_by_key(|(seed, _)| *seed);
            fan.failure.map_or(Ok(fan.ends), Err)
        }
    }
}

struct Fan<F> {
    role: Role,
    at: Instant,
    seeds: Range<u64>,
    jobs: usize,
    on_end: F,
    ends: Vec<(u64, Report)>,
    failure: Option<MachineError>,
}

impl<F: FnMut(u64, &Report)> Fan<F> {
    fn pause(&mut self, story: &Story) -> Next {
        if story.world.now_true() < self.at {
            return Next::Until(self.at);
        }
        match self.spread() {
            Ok(None) => Next::Abandon,
            Ok(Some((order, socket))) => {
                story.world.branch(Branch { at_ns: self.at.0, seed: order.seed() });
                self.role = Role::Worker { order, socket };
                Next::ToTheEnd
            }
            Err(failure) => {
                self.failure = Some(failure);
                Next::Abandon
            }
        }
    }

    /// Makes a copy for each seed and hears them all out. In a copy, what it is for.
    fn spread(&mut self) -> Result<Option<(Order, std::os::unix::net::UnixStream)>, MachineError> {
        let mut running: Vec<(Order, Child)> = Vec::new();
        loop {
            while running.len() < self.jobs
                && let Some(seed) = self.seeds.next()
            {
                let order = Order::Branch { at: self.at, seed };
                match fork::fork()? {
                    Side::Parent(worker) => running.push((order, worker)),
                    Side::Child(socket) => return Ok(Some((order, socket))),
                }
            }
            if running.is_empty() {
                return Ok(None);
            }
            let first = fork::wait_for_any(&running.iter().map(|(_, worker)| worker).collect::<Vec<_>>())?;
            let (order, worker) = running.remove(first);
            let Answer::End(report) = read_answer(&hear_out(worker)?, order)? else {
                return Err(MachineError::Lost {
                    at: self.at,
                    reason: "it answered another question".into(),
                });
            };
            (self.on_end)(order.seed(), &report);
            self.ends.push((order.seed(), *report));
        }
    }
}
