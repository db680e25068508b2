//! `cargo ci`: everything that decides whether a change may land, in one command.
//!
//! It depends on no Quark crate, so that it still builds when they do not: it reads `cargo metadata`, the tracked
//! files and the exit codes of the tools it runs. Checks report *findings*; a finding names a place, what is wrong
//! there and the remedy. Exit codes: 0 all is well, 1 a check found something, 2 a check could not be done.

mod catches;
mod deadfiles;
mod harness;
mod hooks;
mod lab;
mod layers;
mod links;
mod metadata;
mod mutants;
mod perf;
mod report;
mod run;
mod seeds;
mod source;
mod steps;
mod tidy;
mod tree;

use anyhow::Result;
use clap::{Parser, Subcommand};
use report::{Check, Report};
use std::process::ExitCode;
use std::time::Instant;

/// Checks this repository. Without a command: everything that a pull request must pass.
#[derive(Parser)]
#[command(name = "cargo ci", bin_name = "cargo ci", max_term_width = 80, disable_help_subcommand = true)]
struct Arguments {
    /// Prints the results as one JSON object on standard output
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// What takes seconds: formatting, layers, tidy, links
    Quick,
    /// Everything: the default, plus the optimised build, docs, loom, shuttle, madsim, mutants, perf
    Full,
    /// Which crate may depend on which (the table is ci/src/layers.rs)
    Layers,
    /// Banned calls, stubs, long files, silenced lints, unsafe, stray words
    Tidy,
    /// Every relative link and every path named in a .md file exists
    Links,
    /// Licences, banned crates and duplicates, if cargo-deny is installed
    Deny,
    /// Replays one seed of one scenario and prints its story
    Seed {
        /// The seed that failed
        seed: u64,
        /// The scenario's name, as `cargo ci seeds` prints it
        scenario: String,
    },
    /// Runs every scenario for a range of seeds, or for a time
    Seeds(seeds::Arguments),
    /// Proves that the checkers find bugs: each planted one must be caught
    Mutants {
        /// Only these (`m01`); all of them without
        ids: Vec<String>,
        /// Also make each failing run small, in so many seconds at most
        #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "60")]
        shrink: Option<u64>,
    },
    /// Visits every state of the small worlds of the cores
    Explore,
    /// Tells seeds in other processes and builds: the traces must be those committed
    Audit,
    /// Model-checks the lock-free code: every interleaving, and longer runs drawn
    Loom,
    /// Runs silos on madsim, which gates nothing
    Madsim,
    /// Counts the instructions of the hot paths: within 2 % of those committed
    Perf(perf::Arguments),
    /// Installs a git pre-commit hook that runs `cargo ci quick`
    Hooks,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let started = Instant::now();
    match carry_out(&arguments) {
        Ok(report) => {
            report.print(arguments.json, started.elapsed());
            ExitCode::from(report.exit_code())
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(report::EXIT_UNABLE)
        }
    }
}

fn carry_out(arguments: &Arguments) -> Result<Report> {
    tree::enter_root()?;
    let mut report = Report::new(arguments.json);
    match &arguments.command {
        None => {
            quick(&mut report)?;
            thorough(&mut report);
        }
        Some(Command::Full) => {
            quick(&mut report)?;
            thorough(&mut report);
            report.run("audit of both builds", lab::audit_builds);
            report.run("docs", steps::docs);
            report.run("loom", steps::loom);
            report.run("shuttle", steps::shuttle);
            report.run("madsim", steps::madsim_opinion);
            report.run("mutants", || mutants::gate(&[], None));
            report.run("perf", perf::where_possible);
        }
        Some(Command::Quick) => quick(&mut report)?,
        Some(Command::Layers) => report.run("layers", layers_check),
        Some(Command::Tidy) => {
            let files = tree::files()?;
            report.run("tidy", || Ok(Check::of(tidy::findings(&files))));
        }
        Some(Command::Links) => {
            let files = tree::files()?;
            report.run("links", || Ok(Check::of(links::findings(&files))));
        }
        Some(Command::Deny) => report.run("deny", steps::deny),
        Some(Command::Seed { seed, scenario }) => {
            report.run("seed", || seeds::replay(*seed, scenario));
        }
        Some(Command::Seeds(range)) => report.run("seeds", || seeds::run(range)),
        Some(Command::Mutants { ids, shrink }) => {
            report.run("mutants", || mutants::gate(ids, *shrink));
        }
        Some(Command::Explore) => report.run("explore", lab::explore),
        Some(Command::Audit) => report.run("audit", lab::audit_builds),
        Some(Command::Loom) => {
            report.run("loom", steps::loom);
            report.run("shuttle", steps::shuttle);
        }
        Some(Command::Madsim) => report.run("madsim", steps::madsim),
        Some(Command::Perf(asked)) => report.run("perf", || perf::run(asked)),
        Some(Command::Hooks) => report.run("hooks", hooks::install),
    }
    Ok(report)
}

/// The checks that need no build: cheap enough for a commit hook.
fn quick(report: &mut Report) -> Result<()> {
    let files = tree::files()?;
    report.run("fmt", steps::fmt);
    report.run("layers", layers_check);
    report.run("tidy", || Ok(Check::of(tidy::findings(&files))));
    report.run("links", || Ok(Check::of(links::findings(&files))));
    Ok(())
}

/// The checks that build and run, ordered so that the likeliest to fail comes first.
fn thorough(report: &mut Report) {
    report.run("deny", steps::deny);
    report.run("clippy", steps::clippy);
    report.run("tests", steps::tests);
    report.run("doctests", steps::doctests);
    report.run("seeds", || seeds::run(&seeds::Arguments::pull_request()));
    report.run("explore", lab::explore);
    report.run("audit", lab::audit_gate);
}

fn layers_check() -> Result<Check> {
    let workspace = metadata::Workspace::read()?;
    Ok(Check::of(layers::findings(&workspace)))
}
