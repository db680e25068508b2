//! `quark sim`: the stories, from the same binary that runs the real cluster.

use crate::cli::SimCommand;
use quark_scenarios::cli::{self, Plan};
use quark_scenarios::travel::{self, BranchPlan};
use std::process::ExitCode;

/// Ends with 0 when every run was good, 1 when one was not, 2 when it could not do what it was asked.
pub fn run(command: SimCommand) -> ExitCode {
    let outcome = match command {
        SimCommand::Run { stories, seeds, jobs, fail_fast, json } => {
            let corpus = seeds.end - seeds.start > 1;
            cli::run(&Plan { stories, seeds, corpus, jobs, fail_fast, json })
        }
        SimCommand::Replay { story, seed, json } => cli::replay(&story, seed, json),
        SimCommand::Goto { story, seed, at, json } => travel::goto(&story, seed, at, json),
        SimCommand::Branch { story, seed, at, reseed, jobs, json } => {
            travel::branch(&BranchPlan { story, seed, at, reseed, jobs, json })
        }
        SimCommand::Travel { story, seed } => travel::travel(&story, seed),
        SimCommand::Explain(command) => crate::explain_command::run(command),
        SimCommand::List { json } => {
            cli::list(json);
            Ok(true)
        }
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(reason) => {
            eprintln!("error: {reason}");
            ExitCode::from(2)
        }
    }
}
