//! Runs stories: the program behind `cargo ci seeds`, `seed` and `mutants`.

use clap::Parser;
use quark_core::Instant;
use quark_scenarios::Verdict;
use quark_scenarios::cli::{self, Plan};
use quark_scenarios::corpus::Keep;
use quark_scenarios::explain::{self, CurvePlan, Sampling, Source, ViewPlan};
use quark_scenarios::search::{self, SearchPlan};
use quark_scenarios::shrink::{self, ShrinkPlan};
use quark_scenarios::travel::{self, BranchPlan};
use quark_testkit::case::Case;
use std::ops::Range;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Runs stories over a range of seeds.
#[derive(Parser)]
#[command(after_help = quark_scenarios::EXIT_CODES)]
struct Arguments {
    /// The stories; none for all.
    stories: Vec<String>,
    /// Which seeds, as in 0..50.
    #[arg(long, default_value = "0..50", value_parser = cli::parse_seeds)]
    seeds: Range<u64>,
    /// Only one machine's share of the runs, as in 2/5.
    #[arg(long, value_name = "I/N", default_value = "1/1")]
    shard: cli::Shard,
    /// Only these seeds, not also those that once failed.
    #[arg(long)]
    no_corpus: bool,
    /// How many runs at a time.
    #[arg(long, default_value_t = 2)]
    jobs: usize,
    /// Switches one deliberate bug on (needs the feature `mutants`).
    #[arg(long)]
    mutant: Option<String>,
    /// Stop at the first failure.
    #[arg(long)]
    fail_fast: bool,
    /// Tell the first seed of the first story to be read.
    #[arg(long)]
    replay: bool,
    /// Make the first seed of the first story small.
    #[arg(long, conflicts_with_all = ["at", "replay"])]
    shrink: bool,
    /// How many seconds that may take.
    #[arg(long, default_value_t = 60, requires = "shrink")]
    budget: u64,
    /// Search for so many seconds instead of telling a range of seeds.
    #[arg(long, conflicts_with_all = ["at", "replay", "shrink"])]
    search: Option<u64>,
    /// Search without steering.
    #[arg(long, requires = "search")]
    uniform: bool,
    /// Where to keep what is left.
    #[arg(long, requires = "shrink")]
    out: Option<PathBuf>,
    /// Also keep it under this name, as a part of the corpus.
    #[arg(long, requires = "shrink")]
    name: Option<String>,
    /// Tell every named case of the corpus: without its planted bug it has to hold, with it to fail as it did (needs the
    /// feature `mutants`).
    #[arg(long)]
    kept: bool,
    /// A run that was made smaller, to be replayed or made smaller still, instead of a story and its first seed.
    #[arg(long, conflicts_with_all = ["stories", "at"])]
    case: Option<PathBuf>,
    /// Show the first seed of the first story at this moment, as in 31.4s; with --reseed, tell its other futures.
    #[arg(long, value_parser = travel::parse_moment)]
    at: Option<Instant>,
    /// The seeds of the futures, as in 0..100.
    #[arg(long, value_parser = cli::parse_seeds, requires = "at")]
    reseed: Option<Range<u64>>,
    /// Go back and forth in the first seed of the first story.
    #[arg(long, conflicts_with_all = ["at", "replay"])]
    travel: bool,
    /// Draw the first seed of the first story into this HTML file; with --curve, how likely its failure was, too.
    #[arg(long, value_name = "FILE")]
    view: Option<PathBuf>,
    /// Find the moment that decided the failure of the first seed of the first story.
    #[arg(long)]
    curve: bool,
    /// Tell the first seed of the first story in prose.
    #[arg(long)]
    prose: bool,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

impl Arguments {
    /// What is to be done with one story and one seed, if that is what was asked for.
    fn one_run(&self) -> Option<Result<Verdict, String>> {
        let explains = self.view.is_some() || self.curve || self.prose;
        if !self.replay && !self.travel && !self.shrink && !explains && self.at.is_none() {
            return None;
        }
        let (seed, json) = (self.seeds.start, self.json);
        let case = match (&self.case, self.stories.first()) {
            (Some(path), _) => shrink::read_case(path),
            (None, Some(story)) => Ok(Case::of(story, seed)),
            (None, None) => Err("name the story to replay, or to travel in".into()),
        };
        let case = match case {
            Ok(case) => case,
            Err(reason) => return Some(Err(reason)),
        };
        let story = &case.story;
        if explains {
            return Some(self.explained(story).map(Verdict::from));
        }
        Some(match (self.at, &self.reseed) {
            (Some(at), Some(reseed)) => travel::branch(&BranchPlan {
                story: story.clone(),
                seed,
                at,
                reseed: reseed.clone(),
                jobs: self.jobs,
                json,
            })
            .map(Verdict::from),
            (Some(at), None) => travel::goto(story, seed, at, json).map(Verdict::from),
            (None, _) if self.travel => travel::travel(story, seed).map(Verdict::from),
            (None, _) if self.shrink => shrink::shrink(&ShrinkPlan {
                case,
                out: self.out.clone(),
                keep: self.name.clone().map(|name| Keep { name, because: None, mutant: self.mutant.clone() }),
                budget: Duration::from_secs(self.budget),
                json,
            })
            .map(Verdict::from),
            (None, _) => cli::replay(&case, json),
        })
    }
}

impl Arguments {
    fn explained(&self, story: &str) -> Result<bool, String> {
        let (story, seed, jobs) = (story.to_owned(), self.seeds.start, self.jobs);
        let source = match &self.case {
            Some(path) => Source::Case(path.clone()),
            None => Source::Seed { story, seed },
        };
        match &self.view {
            Some(_) => explain::view(&ViewPlan {
                source,
                out: self.view.clone(),
                plan: None,
                with_curve: self.curve,
                jobs,
            }),
            None if self.prose => explain::story(&source, self.json),
            None => {
                let sampling = Sampling { jobs, ..Sampling::default() };
                explain::curve(&CurvePlan { source, sampling, json: self.json })
            }
        }
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some(mutant) = &arguments.mutant {
        #[cfg(feature = "mutants")]
        quark_core::mutant::activate(mutant);
        #[cfg(not(feature = "mutants"))]
        {
            eprintln!("mutant `{mutant}` is not in this build: build with `--features mutants`");
            return ExitCode::from(2);
        }
    }
    if arguments.kept {
        #[cfg(feature = "mutants")]
        return ended(Ok(cli::tell_kept(arguments.json)));
        #[cfg(not(feature = "mutants"))]
        return ended(Err("no bug is planted in this build: build with `--features mutants`".into()));
    }
    if let Some(seconds) = arguments.search {
        return ended(
            search::search(&SearchPlan {
                stories: arguments.stories,
                from: arguments.seeds.start,
                budget: Duration::from_secs(seconds),
                runs_max: u64::MAX,
                stable: u64::MAX,
                is_uniform: arguments.uniform,
                json: arguments.json,
            })
            .map(Verdict::from),
        );
    }
    let result = arguments.one_run().unwrap_or_else(|| {
        cli::run(&Plan {
            stories: arguments.stories,
            // A bug planted on purpose has to be found by seeds that were not chosen.
            corpus: !arguments.no_corpus
                && arguments.mutant.is_none()
                && arguments.seeds.end - arguments.seeds.start > 1,
            seeds: arguments.seeds,
            shard: arguments.shard,
            jobs: arguments.jobs,
            fail_fast: arguments.fail_fast,
            json: arguments.json,
        })
    });
    ended(result)
}

fn ended(result: Result<Verdict, String>) -> ExitCode {
    match result {
        Ok(verdict) => verdict.into(),
        Err(reason) => {
            eprintln!("{reason}");
            ExitCode::from(2)
        }
    }
}
