//! Running stories from a command line: all of them over a range of seeds, or one again to read it.

use crate::travel::print;
use crate::{Verdict, corpus, meters, pairs, stories, whims};
use quark_testkit::case::Case;
pub use quark_testkit::lab::{Shard, parse_seeds};
use quark_testkit::runner::{self, Report};
use quark_testkit::story::Scenario;
use quark_testkit::whims::fired;
use serde_json::json;
use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// What to run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Names of stories; empty for all that are not heavy.
    pub stories: Vec<String>,
    /// Seeds of each.
    pub seeds: Range<u64>,
    /// Which of these runs: some machine's share.
    pub shard: Shard,
    /// First of all, tell the seeds that once failed.
    pub corpus: bool,
    /// How many at a time.
    pub jobs: usize,
    /// Stop at the first failure.
    pub fail_fast: bool,
    /// Print one JSON object instead of text.
    pub json: bool,
}

impl Plan {
    /// How many seeds of each story are told here, at the least.
    fn seeds_of_each(&self) -> u64 {
        self.shard.least_of(self.seeds.end - self.seeds.start)
    }
}

/// The stories of these names, or all that are not heavy.
///
/// Errors: a sentence that names the unknown story and those that there are.
pub fn select(names: &[String]) -> Result<Vec<Scenario>, String> {
    let all = stories::all();
    if names.is_empty() {
        return Ok(all.into_iter().filter(|s| !s.heavy).collect());
    }
    names
        .iter()
        .map(|name| {
            stories::named(name).ok_or_else(|| {
                let known: Vec<_> = all.iter().map(|s| s.name).collect();
                format!("there is no story `{name}`; there are: {}", known.join(", "))
            })
        })
        .collect()
}

/// Lists the stories.
pub fn list(json: bool) {
    for story in stories::all() {
        if json {
            println!(
                "{}",
                json!({
                    "name": story.name, "premise": story.premise, "sometimes": story.sometimes,
                    "heavy": story.heavy,
                })
            );
        } else {
            println!("{}\n    {}", story.name, story.premise);
        }
    }
}

/// Runs the plan; the worst that was found.
///
/// Errors: what was wrong with the plan.
pub fn run(plan: &Plan) -> Result<Verdict, String> {
    let stories = select(&plan.stories)?;
    let clock = Clock::start();
    let before = quark_core::probe::snapshot();
    let regressions = regressions(&stories, plan);
    let runs = || pairs::pairs(&stories, regressions.clone(), plan.seeds.clone(), plan.shard);
    let total = runs().count();
    let next = Mutex::new(runs());
    let stop = AtomicBool::new(false);
    let reports: Mutex<Vec<(&'static str, Report)>> = Mutex::default();
    let shows_progress = !plan.json && std::io::stderr().is_terminal();
    quiet_panics();
    std::thread::scope(|scope| {
        for _ in 0..plan.jobs.max(1) {
            scope.spawn(|| {
                loop {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    let pair = next.lock().expect("no panic while held").next();
                    let Some((story, seed)) = pair else { return };
                    let story = &story;
                    let report = runner::check(story, seed);
                    if !report.violations.is_empty() && plan.fail_fast {
                        stop.store(true, Ordering::Relaxed);
                    }
                    let mut reports = reports.lock().expect("no panic while held");
                    if shows_progress {
                        eprint!("\r\x1b[K{}/{total} runs, {} seed {seed}", reports.len() + 1, story.name);
                        let _ = std::io::stderr().flush();
                    }
                    reports.push((story.name, report));
                }
            });
        }
    });
    if shows_progress {
        eprint!("\r\x1b[K");
    }
    let mut reports = reports.into_inner().expect("no panic while held");
    reports.sort_by_key(|(name, report)| (*name, report.seed));
    let mut unreached = unreached(&stories, &before, plan);
    let seeds = plan.seeds_of_each();
    if seeds >= SEEDS_FOR_PROBES && !stop.load(Ordering::Relaxed) {
        unreached.extend(meters::starved(&stories, &meters::of(&reports), seeds));
    }
    let reached = reached(&before);
    if plan.corpus {
        // Last, so that no probe counts as reached because a case from long ago comes there.
        reports.extend(corpus::tell_all(&stories, |number| plan.shard.tells(number)));
    }
    let wall = clock.elapsed();
    if plan.json {
        print_json(&stories, &reports, reached, &unreached);
    } else {
        print_summary(&stories, &reports, reached, &unreached, wall);
    }
    Ok(Verdict::of(reports.iter().map(|(_, report)| report), &unreached))
}

/// The seeds outside the range at which these stories once failed.
fn regressions(stories: &[Scenario], plan: &Plan) -> Vec<(Scenario, u64)> {
    let known = |story: &Scenario| corpus::of(story.name).into_iter().map(|r| r.seed).collect::<Vec<_>>();
    stories
        .iter()
        .filter(|_| plan.corpus)
        .flat_map(|story| known(story).into_iter().map(|seed| (*story, seed)))
        .filter(|(_, seed)| !plan.seeds.contains(seed))
        .collect()
}

/// The probes that the stories name and no run reached. Only a range that is large enough can say so.
fn unreached(stories: &[Scenario], before: &BTreeMap<&'static str, u64>, plan: &Plan) -> Vec<String> {
    if plan.seeds_of_each() < SEEDS_FOR_PROBES {
        return Vec::new();
    }
    let after = quark_core::probe::snapshot();
    let hit = |probe: &str| after.get(probe).unwrap_or(&0) > before.get(probe).unwrap_or(&0);
    stories
        .iter()
        .flat_map(|s| s.sometimes.iter().map(|probe| (s.name, *probe)))
        .filter(|(_, probe)| !probe.starts_with(meters::PREFIX) && !hit(probe))
        .map(|(story, probe)| format!("{story}: {probe}"))
        .chain(whims::silent(stories, &fired()))
        .collect()
}

/// How many probes, named by a story or not, the runs have reached.
fn reached(before: &BTreeMap<&'static str, u64>) -> usize {
    let after = quark_core::probe::snapshot();
    after.iter().filter(|(probe, count)| *count > before.get(*probe).unwrap_or(&0)).count()
}

/// Fewer seeds than this cannot be expected to reach every rare path.
const SEEDS_FOR_PROBES: u64 = 50;

fn print_json(
    stories: &[Scenario],
    reports: &[(&'static str, Report)],
    reached: usize,
    unreached: &[String],
) {
    let failures: Vec<_> = failures(reports)
        .map(|(name, report, violation)| {
            json!({
                "scenario": name, "seed": report.seed,
                "checker": violation.checker, "message": violation.message,
            })
        })
        .collect();
    println!(
        "{}",
        json!({
            "stories": stories.len(), "runs": reports.len(), "failures": failures,
            "verdict": Verdict::of(reports.iter().map(|(_, r)| r), unreached).word(),
            "probes_reached": reached, "unreached": unreached, "examined": meters::of(reports),
            "simulated_s": simulated(reports).as_secs(),
            "delivered": reports.iter().map(|(_, r)| r.delivered).sum::<u64>(),
        })
    );
}

fn failures<'a>(
    reports: &'a [(&'static str, Report)],
) -> impl Iterator<Item = (&'static str, &'a Report, &'a quark_testkit::story::Violation)> {
    reports.iter().filter_map(|(name, report)| Some((*name, report, report.violations.first()?)))
}

fn simulated(reports: &[(&'static str, Report)]) -> Duration {
    reports.iter().map(|(_, r)| r.simulated).sum()
}

fn print_summary(
    stories: &[Scenario],
    reports: &[(&'static str, Report)],
    reached: usize,
    unreached: &[String],
    wall: Duration,
) {
    for story in stories {
        let runs: Vec<_> = reports.iter().filter(|(name, _)| *name == story.name).collect();
        let failed = runs.iter().filter(|(_, r)| !r.violations.is_empty()).count();
        let verdict = if failed == 0 { "ok" } else { "FAILED" };
        println!("{verdict:>6}  {:<26} {:>6} seeds, {failed} failed", story.name, runs.len());
    }
    for (name, report, violation) in failures(reports).take(FAILURES_SHOWN) {
        println!();
        println!("{name}, seed {}: {} violated at {:?}", report.seed, violation.checker, violation.at);
        println!("    {}", violation.message);
        println!("    replay: quark sim replay {name} --seed {}", report.seed);
    }
    for probe in unreached {
        println!("never reached by {probe}: the story has not run");
    }
    let simulated = simulated(reports);
    println!();
    for line in meters::lines(&meters::of(reports)) {
        print!("{}", print::hanging("examined ", &line, 10));
    }
    println!();
    println!("{reached} probes of rare paths were reached");
    println!(
        "{} runs in {:.1} s ({:.1} a second), {:.2} simulated hours ({:.0} times real time)",
        reports.len(),
        wall.as_secs_f64(),
        reports.len() as f64 / wall.as_secs_f64().max(0.001),
        simulated.as_secs_f64() / 3600.0,
        simulated.as_secs_f64() / wall.as_secs_f64().max(0.001),
    );
}

/// How many failures are described; the rest is counted.
pub(crate) const FAILURES_SHOWN: usize = 10;

/// Tells one run again, whole or made smaller, and prints it to be read.
///
/// Errors: an unknown story.
pub fn replay(case: &Case, json: bool) -> Result<Verdict, String> {
    let (story, seed) = (select(std::slice::from_ref(&case.story))?[0], case.seed);
    quiet_panics();
    let before = quark_core::probe::snapshot();
    let report = runner::tell_case(&story, case);
    if json {
        print_json(&[story], &[(story.name, report.clone())], reached(&before), &[]);
        return Ok(Verdict::of([&report], &[]));
    }
    println!("{}, seed {seed}\n{}\n", story.name, story.premise);
    for step in &report.steps {
        println!("{:>12}  {:<8} {}", format!("{:?}", step.at), step.part, step.text);
    }
    println!();
    for violation in &report.violations {
        println!(
            "{:>12}  VIOLATED {}: {}",
            format!("{:?}", violation.at),
            violation.checker,
            violation.message
        );
    }
    println!(
        "{}: trace {:016x} over {} events, {} frames delivered, {:.1} s simulated",
        if report.violations.is_empty() { "good" } else { "FAILED" },
        report.hash.0,
        report.hash.1,
        report.delivered,
        report.simulated.as_secs_f64(),
    );
    Ok(Verdict::of([&report], &[]))
}

/// Tells every named case without its planted bug and with it, and prints what is not as it has to be.
#[cfg(feature = "mutants")]
pub fn tell_kept(json: bool) -> Verdict {
    quiet_panics();
    let reports = corpus::tell_with_their_bugs();
    let verdict = Verdict::of(reports.iter().map(|(_, report)| report), &[]);
    if json {
        print_json(&[], &reports, 0, &[]);
        return verdict;
    }
    for (name, report) in &reports {
        let said = report.violations.first().map_or("holds, and fails with its bug", |found| &found.message);
        println!("{name}: {said}");
    }
    verdict
}

/// A panic inside a run becomes a violation; its text needs no second copy on the terminal.
pub(crate) fn quiet_panics() {
    std::panic::set_hook(Box::new(|_| {}));
}

/// Real time, for what is said of a run and never for what happens in one.
#[expect(clippy::disallowed_types, reason = "how long runs took in real time")]
pub(crate) struct Clock(std::time::Instant);

#[expect(clippy::disallowed_types, reason = "how long runs took in real time")]
impl Clock {
    /// It is now.
    pub(crate) fn start() -> Self {
        Self(std::time::Instant::now())
    }

    /// How long ago that was.
    pub(crate) fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// How long this program's first thread has run on a processor; what it waited for one while others ran is not in it. `None`
/// if the system does not say.
pub(crate) fn cpu_time() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/self/schedstat").ok()?;
    text.split_whitespace().next()?.parse().ok().map(Duration::from_nanos)
}
