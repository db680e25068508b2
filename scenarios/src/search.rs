//! `quark sim search`: looks for trouble where there is most to be found.
//!
//! A range of seeds gives every story the same share. A search gives more to those in which rare paths are still being
//! reached for the first time: probes are its fuel, a bandit its steering. Every third run of a story has another order of
//! its tasks than the story says. A run that reaches a path that hardly any run has reached is told again from that moment
//! on, with other futures: whatever is needed to get there has been found once and need not be found again.
//!
//! Orders were arms of their own once, and what an arm paid was divided by what it cost: both found planted bugs later than
//! taking the stories in turn. docs/laboratory.md has the figures.

use crate::cli::{Clock, cpu_time, quiet_panics, select};
use quark_chaos::Bandit;
use quark_core::{Instant, probe};
use quark_sim::Next;
use quark_testkit::case::{Case, Schedule};
use quark_testkit::runner::{self, Report};
use quark_testkit::story::Scenario;
use serde_json::json;
use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::time::Duration;

/// What to search, and for how long.
#[derive(Clone, Debug)]
pub struct SearchPlan {
    /// Names of stories; empty for all that are not heavy.
    pub stories: Vec<String>,
    /// The seed from which the seeds of the runs are counted.
    pub from: u64,
    /// How long, in real time.
    pub budget: Duration,
    /// At most so many runs.
    pub runs_max: u64,
    /// Give up when so many runs have reached nothing new.
    pub stable: u64,
    /// Every story in its turn, and no other futures: to compare with.
    pub is_uniform: bool,
    /// Print one JSON object instead of text.
    pub json: bool,
}

/// One thing to try: a story.
struct Arm {
    scenario: Scenario,
    next_seed: u64,
    reached: u64,
}

/// How long a run waits between two looks at which paths it has reached.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A path is rare as long as no more runs than this have reached it.
const RARE: u64 = 2;
/// How many other futures a run has that reached a rare path.
const FUTURES: u64 = 4;
/// How tasks are picked in the runs of a story, in turn: mostly as it has it, sometimes by priorities that change at a few
/// random points, or in order of waiting.
const ORDERS: [Option<Schedule>; 6] =
    [None, None, Some(Schedule::Pct { depth: 3 }), None, None, Some(Schedule::Fifo)];

/// A run that did not hold what it promised.
struct Found {
    scenario: &'static str,
    report: Report,
    replay: String,
}

struct Search<'a> {
    plan: &'a SearchPlan,
    arms: Vec<Arm>,
    bandit: Bandit,
    /// How many runs have reached each path.
    known: BTreeMap<&'static str, u64>,
    runs: u64,
    futures: u64,
    last_new: u64,
}

/// Searches; `true` if nothing was found.
///
/// Errors: there is no such story.
pub fn search(plan: &SearchPlan) -> Result<bool, String> {
    let stories = select(&plan.stories)?;
    quiet_panics();
    let arm = |scenario: &Scenario| Arm { scenario: *scenario, next_seed: plan.from, reached: 0 };
    let arms: Vec<Arm> = stories.iter().map(arm).collect();
    let bandit = Bandit::new(arms.len());
    let mut search = Search { plan, arms, bandit, known: BTreeMap::new(), runs: 0, futures: 0, last_new: 0 };
    let clock = Clock::start();
    let found = search.run(&clock);
    let took = clock.elapsed();
    if plan.json {
        println!("{}", search.as_json(found.as_ref(), took));
    } else {
        print!("{}", search.shown(found.as_ref(), took));
    }
    Ok(found.is_none())
}

impl Search<'_> {
    fn run(&mut self, clock: &Clock) -> Option<Found> {
        let shows = !self.plan.json && std::io::stderr().is_terminal();
        let mut found = None;
        while found.is_none()
            && self.runs < self.plan.runs_max
            && clock.elapsed() < self.plan.budget
            && self.runs - self.last_new < self.plan.stable
        {
            let at = if self.plan.is_uniform {
                self.runs as usize % self.arms.len()
            } else {
                self.bandit.choose()
            };
            if shows {
                eprint!(
                    "\r\x1b[K{} runs, {} paths, {}",
                    self.runs,
                    self.known.len(),
                    self.arms[at].scenario.name
                );
                let _ = std::io::stderr().flush();
            }
            found = self.pull(at);
        }
        if shows {
            eprint!("\r\x1b[K");
        }
        found
    }

    /// One run of an arm, and its other futures if it got somewhere rare.
    fn pull(&mut self, at: usize) -> Option<Found> {
        let arm = &mut self.arms[at];
        let (scenario, seed) = (arm.scenario, arm.next_seed);
        let turn = (seed - self.plan.from) as usize % ORDERS.len();
        let schedule = ORDERS[turn].filter(|_| !self.plan.is_uniform);
        arm.next_seed += 1;
        let case = Case { schedule, ..Case::of(scenario.name, seed) };
        let (report, reached) = watched(&scenario, &case);
        let (reward, rare_at) = self.learn(at, &reached);
        self.runs += 1;
        self.bandit.pays(at, reward);
        if !report.violations.is_empty() {
            let flag = schedule.map_or_else(String::new, |order| format!(" --schedule {order}"));
            let replay = format!("quark sim replay {} --seed {seed}{flag}", scenario.name);
            return Some(Found { scenario: scenario.name, report, replay });
        }
        let rare_at = rare_at.filter(|_| !self.plan.is_uniform && schedule.is_none())?;
        self.other_futures(at, seed, rare_at)
    }

    fn other_futures(&mut self, at: usize, seed: u64, from: Instant) -> Option<Found> {
        let scenario = self.arms[at].scenario;
        for future in 0..FUTURES {
            let reseed = quark_core::hash::mix(seed ^ future << 32);
            let before = probe::snapshot();
            let report = runner::tell_branched(&scenario, seed, from, reseed);
            let reached = since(&before).into_iter().map(|name| (name, from)).collect();
            self.learn(at, &reached);
            self.runs += 1;
            self.futures += 1;
            if !report.violations.is_empty() {
                let replay = format!(
                    "quark sim branch {} --seed {seed} --at {}ns --reseed {reseed}",
                    scenario.name, from.0
                );
                return Some(Found { scenario: scenario.name, report, replay });
            }
        }
        None
    }

    /// What a run was worth, and when it first got where hardly any had been.
    fn learn(&mut self, at: usize, reached: &BTreeMap<&'static str, Instant>) -> (f64, Option<Instant>) {
        let (mut reward, mut rare_at) = (0.0, None);
        for (name, when) in reached {
            let count = self.known.entry(name).or_default();
            if *count == 0 {
                self.last_new = self.runs;
                self.arms[at].reached += 1;
            }
            if *count < RARE {
                rare_at = Some(rare_at.map_or(*when, |earlier: Instant| earlier.min(*when)));
            }
            reward += 1.0 / ((*count + 1) as f64).powi(2);
            *count += 1;
        }
        // The very first runs reach everything that is common: that is no reason to go back in them.
        (reward, rare_at.filter(|_| self.runs >= self.arms.len() as u64))
    }

    fn shown(&self, found: Option<&Found>, took: Duration) -> String {
        let mut text = format!("{:<34} {:>6} {:>10}\n", "story", "runs", "first here");
        let mut order: Vec<usize> = (0..self.arms.len()).filter(|at| self.bandit.pulls(*at) > 0).collect();
        order.sort_by_key(|at| std::cmp::Reverse(self.bandit.pulls(*at)));
        for at in order.iter().take(LISTED_MAX) {
            let arm = &self.arms[*at];
            text += &format!("{:<34} {:>6} {:>10}\n", arm.scenario.name, self.bandit.pulls(*at), arm.reached);
        }
        if order.len() > LISTED_MAX {
            text += &format!("and {} more\n", order.len() - LISTED_MAX);
        }
        text += &format!(
            "\n{} runs in {:.1} s, {} of them other futures; {} paths reached, the last new one at run {}\n",
            self.runs,
            took.as_secs_f64(),
            self.futures,
            self.known.len(),
            self.last_new
        );
        match found.and_then(|found| Some((found, found.report.violations.first()?))) {
            Some((found, violation)) => {
                text +=
                    &format!("\n{}: {} violated at {:?}\n", found.scenario, violation.checker, violation.at);
                text += &format!("    {}\n    replay: {}\n", violation.message, found.replay);
            }
            None => text += "nothing was found\n",
        }
        text
    }

    fn as_json(&self, found: Option<&Found>, took: Duration) -> serde_json::Value {
        let arms = self.arms.iter().enumerate().map(|(at, arm)| {
            json!({ "arm": arm.scenario.name, "runs": self.bandit.pulls(at), "first_here": arm.reached })
        });
        let found = found.and_then(|found| Some((found, found.report.violations.first()?)));
        json!({
            "runs": self.runs, "futures": self.futures, "seconds": took.as_secs_f64(),
            "cpu_seconds": cpu_time().unwrap_or(took).as_secs_f64(),
            "paths": self.known, "last_new_at_run": self.last_new,
            "arms": arms.collect::<Vec<_>>(),
            "found": found.map(|(found, violation)| json!({
                "story": found.scenario, "seed": found.report.seed, "checker": violation.checker,
                "message": violation.message, "replay": found.replay,
            })),
        })
    }
}

/// How many arms are listed.
const LISTED_MAX: usize = 15;

/// Tells a run, and when it reached which path for the first time.
fn watched(scenario: &Scenario, case: &Case) -> (Report, BTreeMap<&'static str, Instant>) {
    let before = probe::snapshot();
    let mut reached = BTreeMap::new();
    let report = runner::tell_case_with_pauses(scenario, case, |story| {
        let now = story.world.now_true();
        for name in since(&before) {
            // It was reached since the last look.
            let look = Instant(now.0.saturating_sub(LOOK_EVERY.as_nanos() as u64));
            reached.entry(name).or_insert(look);
        }
        Next::Until(now + LOOK_EVERY)
    });
    for name in since(&before) {
        reached.entry(name).or_insert(Instant::ZERO + report.simulated);
    }
    (report, reached)
}

/// The paths that were reached since.
fn since(before: &BTreeMap<&'static str, u64>) -> Vec<&'static str> {
    let now = probe::snapshot();
    now.into_iter()
        .filter(|(name, hits)| hits > before.get(name).unwrap_or(&0))
        .map(|(name, _)| name)
        .collect()
}
