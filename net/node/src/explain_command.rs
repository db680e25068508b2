//! `quark sim record`, `view`, `story`, `diff` and `curve`: one run, explained.

use clap::{Args, Subcommand};
use quark_scenarios::explain::{self, CurvePlan, Sampling, Source, ViewPlan};
use std::path::PathBuf;

/// What explains a run.
#[derive(Subcommand, Debug)]
pub enum ExplainCommand {
    /// Tell one seed of a story again and write down everything that can be looked at, as JSON
    Record {
        /// The story
        #[arg(value_name = "STORY")]
        story: String,
        /// The seed
        #[arg(long, value_name = "N")]
        seed: u64,
        /// Where to
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// A fault plan that was made smaller, to be kept with it
        #[arg(long, value_name = "FILE")]
        plan: Option<PathBuf>,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Draw a run: one HTML file with a timeline, which needs nothing else
    View {
        #[command(flatten)]
        telling: TellingArgs,
        /// Where to [default: beside the file, or STORY-N.html]
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// A fault plan that was made smaller, to be shown with it
        #[arg(long, value_name = "FILE")]
        plan: Option<PathBuf>,
        /// Measure how likely the failure was at each moment, and draw that too
        #[arg(long)]
        curve: bool,
        /// How many futures at a time, for --curve
        #[arg(long, value_name = "N", default_value_t = 2)]
        jobs: usize,
    },
    /// Tell a run in prose: what was given, what went wrong, what broke, and what led there
    Story {
        #[command(flatten)]
        telling: TellingArgs,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Compare two runs: the first event that differs, and what they count up to. Ends with 1 if they differ
    Diff {
        /// A recorded file, a case, or STORY:SEED
        #[arg(value_name = "A", value_parser = Source::parse)]
        one: Source,
        /// Another
        #[arg(value_name = "B", value_parser = Source::parse)]
        two: Source,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Find the moment that decided a failure: how likely it was, given the past until each moment
    Curve {
        #[command(flatten)]
        telling: TellingArgs,
        /// At how many moments to begin with
        #[arg(long, value_name = "K", default_value_t = 16)]
        moments: u32,
        /// How many futures of each moment
        #[arg(long, value_name = "M", default_value_t = 24)]
        futures: u64,
        /// How narrow the window around the jump is to become, in milliseconds
        #[arg(long, value_name = "MS", default_value_t = 40)]
        window_ms: u64,
        /// How many futures at a time
        #[arg(long, value_name = "N", default_value_t = 2)]
        jobs: usize,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
}

/// Which telling.
#[derive(Args, Clone, Debug)]
pub struct TellingArgs {
    /// A recorded file, or a story with --seed
    #[arg(value_name = "FILE|STORY", required_unless_present = "case")]
    what: Option<String>,
    /// The seed of a story
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// A run that was made smaller, as `quark sim shrink` has written it
    #[arg(long, value_name = "FILE", conflicts_with_all = ["what", "seed"])]
    case: Option<PathBuf>,
}

impl TellingArgs {
    fn source(&self) -> Result<Source, String> {
        Source::of(self.what.as_deref(), self.seed, self.case.as_deref())
    }
}

/// `true` if the run was good, or the two were the same.
///
/// Errors: a sentence that says why it could not be explained.
pub fn run(command: ExplainCommand) -> Result<bool, String> {
    match command {
        ExplainCommand::Record { story, seed, out, plan, json } => {
            explain::record(&story, seed, &out, plan.as_deref(), json)
        }
        ExplainCommand::View { telling, out, plan, curve, jobs } => {
            explain::view(&ViewPlan { source: telling.source()?, out, plan, with_curve: curve, jobs })
        }
        ExplainCommand::Story { telling, json } => explain::story(&telling.source()?, json),
        ExplainCommand::Diff { one, two, json } => explain::diff(&one, &two, json),
        ExplainCommand::Curve { telling, moments, futures, window_ms, jobs, json } => {
            let window = std::time::Duration::from_millis(window_ms);
            let sampling = Sampling { moments, futures, window, jobs };
            explain::curve(&CurvePlan { source: telling.source()?, sampling, json })
        }
    }
}
