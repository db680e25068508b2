//! The laboratory without the cluster: what `quark sim explore` and `quark sim audit` do, in a program that can have
//! deliberate bugs and is built sooner. Behind `cargo ci explore` and `cargo ci audit`.

use clap::{Parser, Subcommand};
use quark_scenarios::{audit, cli, explore};
use std::ops::Range;
use std::process::ExitCode;

#[derive(Parser)]
#[command(after_help = quark_scenarios::EXIT_CODES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Visit every state that a small world may come to
    Explore(explore::Arguments),
    /// Tell seeds in processes of their own, and demand the same trace
    Audit(audit::Arguments),
    /// Run stories, planted ones included
    Run {
        /// The stories.
        stories: Vec<String>,
        /// Which seeds, as in 0..50.
        #[arg(long, default_value = "0..50", value_parser = cli::parse_seeds)]
        seeds: Range<u64>,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Explore(arguments) => explore::run(&arguments),
        Command::Audit(arguments) => audit::run(&arguments),
        Command::Run { stories, seeds, json } => cli::run(&cli::Plan {
            stories,
            seeds,
            shard: cli::Shard::WHOLE,
            corpus: false,
            jobs: 2,
            fail_fast: false,
            json,
        }),
    };
    match done {
        Ok(verdict) => verdict.into(),
        Err(reason) => {
            eprintln!("error: {reason}");
            ExitCode::from(2)
        }
    }
}
