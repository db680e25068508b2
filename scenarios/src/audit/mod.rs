//! Whether a seed is a story: each is told in processes of their own, and all have to give the same trace.
//!
//! Two tellings in one process share too much to notice everything: the addresses of the program, the keys of standard
//! maps, what was cached before. So `quark sim audit` starts itself anew for each telling. Two must agree; or one with a
//! file, so that another machine, or another build of the program, has something to agree with.

mod golden;
mod parting;
mod told;

use crate::{Verdict, cli, stories};
use clap::Args;
use golden::{Golden, Run};
use parting::Parting;
use quark_testkit::story::Scenario;
use serde_json::{Value, json};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use told::{Program, Told};

/// What to audit, and against what.
#[derive(Args, Clone, Debug)]
#[command(after_help = crate::EXIT_CODES)]
pub struct Arguments {
    /// The stories [default: all but the heavy ones; with --against, those of the file]
    #[arg(value_name = "STORY")]
    pub stories: Vec<String>,
    /// Which seeds, as in 0..10; with --against, those of the file
    #[arg(long, value_name = "A..B", default_value = "0..2", value_parser = cli::parse_seeds)]
    pub seeds: Range<u64>,
    /// How many stories at a time
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub jobs: usize,
    /// Compare with the hashes in this file, rather than two processes with one another
    #[arg(long, value_name = "FILE")]
    pub against: Option<PathBuf>,
    /// Write the hashes of these stories and seeds into this file
    #[arg(long, value_name = "FILE", conflicts_with = "against")]
    pub write: Option<PathBuf>,
    /// Compare with this program, another build of this one, which finds the very event in which the two differ
    #[arg(long, value_name = "PROGRAM", conflicts_with = "against")]
    pub with: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
    /// Tell one seed of one story here, and print what is left of it
    #[arg(long, hide = true)]
    pub one: bool,
    /// The events to print in full
    #[arg(long, hide = true, value_parser = cli::parse_seeds)]
    pub window: Option<Range<u64>>,
    /// Switch one deliberate bug on (needs the feature `mutants`)
    #[arg(long, hide = true)]
    pub mutant: Option<String>,
}

/// What was found of one seed of a story.
struct Finding {
    story: String,
    seed: u64,
    verdict: Verdict,
    /// A sentence, and what is to be seen.
    text: String,
    told: Option<Told>,
}

/// Audits, and prints what was found.
///
/// Errors: an unknown story, a file that cannot be read or written, a process that cannot be started.
pub fn run(arguments: &Arguments) -> Result<Verdict, String> {
    switch_on(arguments.mutant.as_deref())?;
    if arguments.one {
        let story = arguments.stories.first().ok_or("--one needs a story")?;
        let told = told::tell_here(story, arguments.seeds.start, arguments.window.clone().unwrap_or(0..0))?;
        println!("{}", json!(told));
        return Ok(Verdict::Good);
    }
    let golden = arguments.against.as_deref().map(Golden::read).transpose()?;
    let tasks = tasks(arguments, golden.as_ref())?;
    if tasks.is_empty() {
        return Err("no story is in the file: there is nothing to compare".into());
    }
    let program = Program::this(arguments)?;
    let findings = in_parallel(&tasks, arguments.jobs, &|task| examine(&program, arguments, task))?;
    if let Some(file) = &arguments.write {
        let of = |f: &Finding| f.told.as_ref().map(|told| Run::of(&f.story, f.seed, told));
        let runs: Vec<Run> = findings.iter().filter_map(of).collect();
        Golden::write(file, &runs)?;
    }
    print(&findings, arguments.json);
    Ok(findings.iter().map(|finding| finding.verdict).max().unwrap_or(Verdict::Good))
}

/// Switches a deliberate bug on.
///
/// Errors: the build has none.
pub fn switch_on(mutant: Option<&str>) -> Result<(), String> {
    let Some(mutant) = mutant else { return Ok(()) };
    #[cfg(feature = "mutants")]
    {
        quark_core::mutant::activate(mutant);
        Ok(())
    }
    #[cfg(not(feature = "mutants"))]
    Err(format!("mutant `{mutant}` is not in this build: build with `--features mutants`"))
}

/// One seed of a story, and what it has to give if a file says so.
#[derive(Clone)]
struct Task {
    story: String,
    seed: u64,
    expected: Option<Run>,
}

fn tasks(arguments: &Arguments, golden: Option<&Golden>) -> Result<Vec<Task>, String> {
    let chosen = cli::select(&arguments.stories)?;
    if let Some(golden) = golden {
        for run in &golden.runs {
            stories::named(&run.story).ok_or_else(|| format!("there is no story `{}`", run.story))?;
        }
        let is_chosen = |run: &&Run| arguments.stories.is_empty() || arguments.stories.contains(&run.story);
        let task = |run: &Run| Task { story: run.story.clone(), seed: run.seed, expected: Some(run.clone()) };
        return Ok(golden.runs.iter().filter(is_chosen).map(task).collect());
    }
    let task = |story: &Scenario, seed| Task { story: story.name.into(), seed, expected: None };
    Ok(chosen.iter().flat_map(|story| arguments.seeds.clone().map(move |seed| task(story, seed))).collect())
}

/// Does something for each, some at a time; the results are in the order of the tasks.
fn in_parallel(
    tasks: &[Task],
    jobs: usize,
    action: &(dyn Fn(&Task) -> Result<Finding, String> + Sync),
) -> Result<Vec<Finding>, String> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(task) = tasks.get(at) else { return };
                    let found = action(task);
                    done.lock().expect("no panic while held").push((at, found));
                }
            });
        }
    });
    let mut done = done.into_inner().expect("no panic while held");
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, found)| found).collect()
}

fn examine(program: &Program, arguments: &Arguments, task: &Task) -> Result<Finding, String> {
    let Task { story, seed, expected } = task;
    let finding =
        |verdict, text: String, told| Finding { story: story.clone(), seed: *seed, verdict, text, told };
    let one = program.tell(story, *seed, &(0..0))?;
    if let Some((checker, message)) = &one.violation {
        let class = if checker == "tripwire" { Verdict::Nondeterminism } else { Verdict::Violation };
        return Ok(finding(class, format!("{checker} violated\n    {message}"), None));
    }
    if let Some(within) = expected.as_ref().and_then(|run| run.parts_from(&one)) {
        let text = match part(program, program, task)? {
            Some(parting) => format!("two processes of this build tell two stories\n{parting}"),
            None => differs_from_file(program, task, &one, &within)?,
        };
        return Ok(finding(Verdict::Nondeterminism, text, Some(one)));
    }
    if expected.is_some() || arguments.write.is_some() {
        return Ok(finding(Verdict::Good, String::new(), Some(one)));
    }
    let other = arguments.with.as_deref().map_or_else(|| program.clone(), |path| program.other(path));
    let two = other.tell(story, *seed, &(0..0))?;
    if parting::window(&one, &two).is_none() {
        return Ok(finding(Verdict::Good, String::new(), Some(one)));
    }
    let text = match part(program, &other, task)? {
        Some(parting) => format!("two processes tell two stories\n{parting}"),
        None => "two processes told two stories, and the next two told one: it differs now and then\n".into(),
    };
    Ok(finding(Verdict::Nondeterminism, text, Some(one)))
}

fn part(one: &Program, other: &Program, task: &Task) -> Result<Option<Parting>, String> {
    parting::find(&mut |window| {
        Ok((one.tell(&task.story, task.seed, &window)?, other.tell(&task.story, task.seed, &window)?))
    })
}

fn differs_from_file(
    program: &Program,
    task: &Task,
    told: &Told,
    within: &Range<u64>,
) -> Result<String, String> {
    let shown = within.start..(within.start + EVENTS_SHOWN).min(within.end);
    let again = program.tell(&task.story, task.seed, &shown)?;
    let expected = task.expected.as_ref().expect("called for what a file expects");
    let mut text = format!(
        "this build agrees with itself and not with the file: {:016x} over {} events, not {} over {}\n    they part \
         between events {} and {}, which begin here with\n",
        told.hash, told.events, expected.hash, expected.events, within.start, within.end
    );
    for event in &again.window {
        text += &format!("      {event}\n");
    }
    text += "    if the change is meant, write the file anew; if not, --with ANOTHER-BUILD names the event\n";
    Ok(text)
}

/// How many events are shown of a window of which nobody knows which one is the first that differs.
const EVENTS_SHOWN: u64 = 5;

fn print(findings: &[Finding], json: bool) {
    let bad: Vec<&Finding> = findings.iter().filter(|f| f.verdict != Verdict::Good).collect();
    if json {
        let list: Vec<Value> = bad
            .iter()
            .map(|f| {
                json!({ "scenario": f.story, "seed": f.seed, "verdict": f.verdict.word(), "message": f.text })
            })
            .collect();
        let worst = findings.iter().map(|f| f.verdict).max().unwrap_or(Verdict::Good);
        println!("{}", json!({ "runs": findings.len(), "failures": list, "verdict": worst.word() }));
        return;
    }
    for finding in &bad {
        println!("{}, seed {}: {}", finding.story, finding.seed, finding.text);
        println!("    replay: quark sim replay {} --seed {}\n", finding.story, finding.seed);
    }
    let events: u64 = findings.iter().filter_map(|f| f.told.as_ref()).map(|told| told.events).sum();
    println!(
        "{} seeds audited, {} events, {} of them no story of their own",
        findings.len(),
        events,
        bad.len()
    );
}
