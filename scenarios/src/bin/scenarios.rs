//! Runs stories: the program behind `cargo ci seeds`, `seed` and `mutants`.

use clap::Parser;
use quark_scenarios::cli::{self, Plan};
use std::ops::Range;
use std::process::ExitCode;

/// Runs stories over a range of seeds.
#[derive(Parser)]
struct Arguments {
    /// The stories; none for all.
    stories: Vec<String>,
    /// Which seeds, as in 0..50.
    #[arg(long, default_value = "0..50", value_parser = cli::parse_seeds)]
    seeds: Range<u64>,
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
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
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
    let result = if arguments.replay {
        match arguments.stories.first() {
            Some(story) => cli::replay(story, arguments.seeds.start, arguments.json),
            None => Err("name the story to replay".into()),
        }
    } else {
        cli::run(&Plan {
            stories: arguments.stories,
            // A bug planted on purpose has to be found by seeds that were not chosen.
            corpus: !arguments.no_corpus
                && arguments.mutant.is_none()
                && arguments.seeds.end - arguments.seeds.start > 1,
            seeds: arguments.seeds,
            jobs: arguments.jobs,
            fail_fast: arguments.fail_fast,
            json: arguments.json,
        })
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(reason) => {
            eprintln!("{reason}");
            ExitCode::from(2)
        }
    }
}
