//! What one short run costs: how many a core tells in a minute, and what share of it the checkers take.
//!
//! Method: one thread, the processor's time of this thread as the kernel counts it (others on the machine do not count),
//! the system's allocator, release. The seeds are told one after the other, several times round; of each figure the best
//! round counts, because a shared machine can only slow one down.
//!
//! - *told*: once, every checker reading the history: what a search over seeds does.
//! - *told twice*: as `quark sim run` does, the second time for its hash alone.
//! - *checkers*: all of them on the histories of some of these runs, in the processor's time; and one by one in real time, of
//!   which only the proportions count.
//!
//! `short_runs [--story NAME] [--seeds A..B] [--rounds N] [--once] [--json]`; with `--once` each seed is told once and
//! nothing is printed but one line: what a profiler wants to see.

use quark_bench::processor;
use quark_scenarios::cli::parse_seeds;
use quark_scenarios::stories;
use quark_testkit::case::Case;
use quark_testkit::checkers::{always_on, check_all};
use quark_testkit::history::History;
use quark_testkit::runner::{self, Report};
use quark_testkit::story::Scenario;
use serde_json::json;
use std::collections::BTreeMap;
use std::ops::Range;
use std::time::{Duration, Instant};

/// Of so many seeds one is looked at for what each checker costs.
const CHECKED_EVERY: usize = 5;
const TRIES: usize = 3;

struct Arguments {
    story: Scenario,
    seeds: Range<u64>,
    rounds: u64,
    is_once: bool,
    is_json: bool,
}

fn main() {
    let arguments = arguments();
    let Arguments { story, seeds, .. } = &arguments;
    std::panic::set_hook(Box::new(|_| {}));
    if arguments.is_once {
        let events: u64 = seeds.clone().map(|seed| runner::tell(story, seed).hash.1).sum();
        println!("{events} events");
        return;
    }
    let mut told: Option<Round> = None;
    for _ in 0..arguments.rounds {
        let round = Round::of(seeds.clone(), |seed| runner::tell(story, seed));
        told = Some(told.map_or_else(|| round.clone(), |best| best.min(round.clone())));
    }
    let told = told.expect("at least one round");
    let twice = Round::of(seeds.clone(), |seed| runner::check(story, seed));
    let checkers = checkers(story, seeds.clone());
    if arguments.is_json {
        print_json(story, &told, &twice, &checkers);
    } else {
        print_text(story, &told, &twice, &checkers);
    }
}

fn arguments() -> Arguments {
    let mut parsed = Arguments {
        story: stories::named("short-swarm").expect("it is among the stories"),
        seeds: 0..200,
        rounds: 3,
        is_once: false,
        is_json: false,
    };
    let mut given = std::env::args().skip(1);
    while let Some(flag) = given.next() {
        let mut value = || given.next().unwrap_or_else(|| panic!("`{flag}` wants a value"));
        match flag.as_str() {
            "--story" => {
                let name = value();
                parsed.story = stories::named(&name).unwrap_or_else(|| panic!("there is no story `{name}`"));
            }
            "--seeds" => parsed.seeds = parse_seeds(&value()).expect("seeds as in 0..200"),
            "--rounds" => parsed.rounds = value().parse().expect("a number of rounds"),
            "--once" => parsed.is_once = true,
            "--json" => parsed.is_json = true,
            _ => panic!("unknown flag `{flag}`: see the head of this program"),
        }
    }
    parsed
}

/// All seeds told once round.
#[derive(Clone)]
struct Round {
    runs: u64,
    failed: u64,
    processor_ns: u64,
    slowest_ns: u64,
    simulated_s: f64,
    events: u64,
    delivered: u64,
}

impl Round {
    fn of(seeds: Range<u64>, tell: impl Fn(u64) -> Report) -> Self {
        let mut round = Self {
            runs: 0,
            failed: 0,
            processor_ns: 0,
            slowest_ns: 0,
            simulated_s: 0.0,
            events: 0,
            delivered: 0,
        };
        for seed in seeds {
            let before = processor::of_first_thread();
            let report = tell(seed);
            let took = processor::of_first_thread() - before;
            round.runs += 1;
            round.failed += u64::from(!report.violations.is_empty());
            round.processor_ns += took;
            round.slowest_ns = round.slowest_ns.max(took);
            round.simulated_s += report.simulated.as_secs_f64();
            round.events += report.hash.1;
            round.delivered += report.delivered;
        }
        round
    }

    fn min(self, other: Self) -> Self {
        if other.processor_ns < self.processor_ns { other } else { self }
    }

    fn per_core_minute(&self) -> f64 {
        self.runs as f64 * 60e9 / self.processor_ns as f64
    }

    fn run_ms(&self) -> f64 {
        self.processor_ns as f64 / 1e6 / self.runs as f64
    }

    fn each(&self, sum: u64) -> u64 {
        sum / self.runs.max(1)
    }
}

/// What the checkers cost.
struct Checkers {
    /// Processor time of all together.
    processor_ns: u64,
    /// Real time of each by name, and of the index that they share.
    ns: BTreeMap<String, u64>,
    runs: u64,
    records: u64,
}

impl Checkers {
    fn run_ms(&self) -> f64 {
        self.processor_ns as f64 / 1e6 / self.runs.max(1) as f64
    }
}

fn checkers(story: &Scenario, seeds: Range<u64>) -> Checkers {
    let mut costs = Checkers { processor_ns: 0, ns: BTreeMap::new(), runs: 0, records: 0 };
    for seed in seeds.step_by(CHECKED_EVERY) {
        let told = runner::tell_in_full(story, &Case::of(story.name, seed), None);
        let history = &told.history;
        costs.runs += 1;
        costs.records += history.records().len() as u64;
        let mut note = |name: &str, work: &mut dyn FnMut() -> Duration| {
            // The kernel counts a thread's time too coarsely for one of them: the best of a few.
            let took = (0..TRIES).map(|_| work()).min().unwrap_or_default();
            *costs.ns.entry(name.to_owned()).or_default() += took.as_nanos() as u64;
        };
        let fresh = || History::new(told.history.records().to_vec(), told.history.dropped());
        // Each has an index of its own to make, as after a run.
        let histories: Vec<History> = (0..TRIES).map(|_| fresh()).collect();
        let before = processor::of_first_thread();
        histories.iter().for_each(|history| drop(check_all(history, &always_on())));
        costs.processor_ns += (processor::of_first_thread() - before) / TRIES as u64;
        note("(index)", &mut || {
            let history = fresh();
            timed(|| assert!(history.world_events().next().is_some(), "a run has a world"))
        });
        for checker in always_on() {
            note(checker.name(), &mut || timed(|| drop(checker.check(history))));
        }
    }
    costs
}

fn timed(work: impl FnOnce()) -> Duration {
    let started = Instant::now();
    work();
    started.elapsed()
}

fn print_text(story: &Scenario, told: &Round, twice: &Round, checkers: &Checkers) {
    println!("{}: {} runs, {} failed, of each:", story.name, told.runs, told.failed);
    println!("  simulated       {:>10.1} s", told.simulated_s / told.runs as f64);
    println!("  events          {:>10}", told.each(told.events));
    println!("  frames          {:>10}", told.each(told.delivered));
    println!("  records         {:>10}", checkers.records / checkers.runs.max(1));
    println!(
        "told              {:>10.1} ms a run, the slowest {:.1}: {:.0} runs a core-minute (target 2 000), {:.0} events/s",
        told.run_ms(),
        told.slowest_ns as f64 / 1e6,
        told.per_core_minute(),
        told.events as f64 * 1e9 / told.processor_ns as f64,
    );
    println!(
        "told twice        {:>10.1} ms a seed: {:.0} seeds a core-minute",
        twice.run_ms(),
        twice.per_core_minute()
    );
    println!(
        "checkers          {:>10.2} ms a run: {:.1} % of telling (target 10)",
        checkers.run_ms(),
        100.0 * checkers.run_ms() / told.run_ms()
    );
    let mut by_cost: Vec<_> = checkers.ns.iter().collect();
    by_cost.sort_by_key(|(_, ns)| std::cmp::Reverse(**ns));
    for (name, ns) in by_cost {
        println!(
            "  {name:<18}{:>8.1} % of them",
            100.0 * *ns as f64 / checkers.ns.values().sum::<u64>() as f64
        );
    }
}

fn print_json(story: &Scenario, told: &Round, twice: &Round, checkers: &Checkers) {
    println!(
        "{}",
        json!({
            "story": story.name, "runs": told.runs, "failed": told.failed,
            "run_ms": told.run_ms(), "slowest_ms": told.slowest_ns as f64 / 1e6,
            "runs_per_core_minute": told.per_core_minute() as u64,
            "seeds_twice_per_core_minute": twice.per_core_minute() as u64,
            "simulated_s": told.simulated_s / told.runs as f64,
            "events": told.each(told.events), "delivered": told.each(told.delivered),
            "checkers_ms": checkers.run_ms(), "checkers_share": checkers.run_ms() / told.run_ms(),
        })
    );
}
