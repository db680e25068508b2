//! `quark sim`: the stories, from the same binary that runs the real cluster.

use crate::cli::{RunFlags, SimCommand};
use quark_scenarios::cli::{self, Plan};
use quark_scenarios::corpus::Keep;
use quark_scenarios::search::{self, SearchPlan};
use quark_scenarios::shrink::{self, Case, ShrinkPlan};
use quark_scenarios::travel::{self, BranchPlan};
use quark_scenarios::{Verdict, audit, explore, new_scenario};
use std::process::ExitCode;

/// Ends with the code of the worst that was found (see [`Verdict`]), 2 when it could not do what it was asked.
pub fn run(command: SimCommand) -> ExitCode {
    let outcome = match command {
        SimCommand::Run { stories, seeds, shard, jobs, fail_fast, json } => {
            let corpus = seeds.end - seeds.start > 1;
            cli::run(&Plan { stories, seeds, shard, corpus, jobs, fail_fast, json })
        }
        SimCommand::Replay { run, json } => case(run).and_then(|case| cli::replay(&case, json)),
        SimCommand::Search { stories, budget, stable, from, uniform, json } => {
            let (budget, runs_max, is_uniform) = (budget.0, u64::MAX, uniform);
            search::search(&SearchPlan { stories, from, budget, runs_max, stable, is_uniform, json })
                .map(Verdict::from)
        }
        SimCommand::Shrink { run, out, name, because, budget, json } => {
            let keep = name.map(|name| Keep { name, because, mutant: None });
            case(run)
                .and_then(|case| shrink::shrink(&ShrinkPlan { case, out, keep, budget: budget.0, json }))
                .map(Verdict::from)
        }
        SimCommand::Goto { story, seed, at, json } => travel::goto(&story, seed, at, json).map(Verdict::from),
        SimCommand::Branch { story, seed, at, reseed, jobs, json } => {
            travel::branch(&BranchPlan { story, seed, at, reseed, jobs, json }).map(Verdict::from)
        }
        SimCommand::Travel { story, seed } => travel::travel(&story, seed).map(Verdict::from),
        SimCommand::Explain(command) => crate::explain_command::run(command).map(Verdict::from),
        SimCommand::Explore(arguments) => explore::run(&arguments),
        SimCommand::Audit(arguments) => audit::run(&arguments),
        SimCommand::NewScenario { name, dir } => new_scenario::run(&name, &dir).map(|()| Verdict::Good),
        SimCommand::List { json } => {
            cli::list(json);
            Ok(Verdict::Good)
        }
    };
    match outcome {
        Ok(verdict) => verdict.into(),
        Err(reason) => {
            eprintln!("error: {reason}");
            ExitCode::from(2)
        }
    }
}

/// The run that the flags name.
fn case(flags: RunFlags) -> Result<Case, String> {
    match (flags.case, flags.story, flags.seed) {
        (Some(path), ..) => shrink::read_case(&path),
        (None, Some(story), Some(seed)) => Ok(Case { schedule: flags.schedule, ..Case::of(&story, seed) }),
        (None, ..) => Err("name a story and its --seed, or a --case".into()),
    }
}
