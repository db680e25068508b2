//! The program that runs scenarios, as seen from outside: the binary `scenarios` of quark-scenarios.
//!
//! ```text
//! scenarios [STORY…] --seeds A..B [--jobs N] [--mutant mNN] [--fail-fast] [--replay] [--json]
//! ```
//! Without a story it runs all of them, seeds A to B-1 of each. It ends with 0 when every run was good, with 1, 3, 4 or
//! 5 when one was not (a violation, a deadlock, nondeterminism, or a story that never came to what it is about), and with
//! anything else when it could not do what it was asked. With `--json` it prints one object:
//! ```text
//! { "stories": 14, "runs": 700, "failures": [{ "scenario", "seed", "checker", "message" }], "unreached": ["probe"] }
//! ```
//! `unreached` lists the probes that a story names and that no run of this range reached, where the range is large
//! enough for that to mean something.

use crate::metadata::Workspace;
use crate::run::{cargo, line};
use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// The package of the harness.
pub const PACKAGE: &str = "quark-scenarios";
/// Its binary.
pub const BINARY: &str = "scenarios";

/// Cargo's profile for many seeds: optimised, but without link-time optimisation.
pub const FAST: &str = "quick";
/// Cargo's profile for the gate: all assertions, and the dependencies are those that the tests were built with. Fifty seeds
/// of everything take no longer than building it all once more would.
pub const CHECKED: &str = "dev";
/// The sites of `buggify!` are there in every run of seeds; they do nothing in stories that do not turn them on.
pub const SITES: &str = "buggify";

/// The codes with which it ends when it has done what it was asked.
const ENDS: [Option<i32>; 5] = [Some(0), Some(1), Some(3), Some(4), Some(5)];

/// The built program.
pub struct Harness {
    program: PathBuf,
}

/// One bad run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Which scenario.
    pub scenario: String,
    /// Which seed.
    pub seed: u64,
    /// Which checker said no: `I1`, `tripwire`, `deadlock` and so on.
    pub checker: String,
    /// What it saw.
    pub message: String,
}

/// What a range of seeds gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// How many scenarios ran.
    pub stories: u64,
    /// How many (scenario, seed) pairs ran.
    pub runs: u64,
    /// The bad ones, by scenario and seed.
    pub failures: Vec<Failure>,
    /// Probes that should have been reached and were not.
    pub unreached: Vec<String>,
}

impl Harness {
    /// Whether the workspace has the program at all.
    pub fn exists() -> Result<bool> {
        let workspace = Workspace::read()?;
        Ok(workspace.package(PACKAGE).is_some_and(|p| p.binaries.iter().any(|b| b == BINARY)))
    }

    /// Builds it in a profile of Cargo's, with these features.
    pub fn build(profile: &str, features: &str) -> Result<Self> {
        let mut command = cargo();
        command.args(["build", "--profile", profile, "--locked", "-p", PACKAGE, "--bin", BINARY]);
        command.args(["--message-format=json-render-diagnostics", "--features", features]);
        eprintln!("  $ {}", line(&command));
        let printed = crate::run::output(&mut command)?;
        let program = printed
            .lines()
            .filter_map(|l| serde_json::from_str::<Value>(l).ok())
            .filter(|message| message["target"]["name"] == BINARY)
            .find_map(|message| message["executable"].as_str().map(PathBuf::from))
            .context("cargo built the harness and did not say where it is")?;
        Ok(Self { program })
    }

    /// Runs it with these arguments and reads its JSON.
    ///
    /// Errors: when it cannot be started, ends in a way it never should, or prints what it never promised.
    pub fn run(&self, arguments: &[String]) -> Result<Outcome> {
        let mut command = Command::new(&self.program);
        command.args(arguments).arg("--json").stdin(Stdio::null()).stderr(Stdio::inherit());
        let shown = line(&command);
        let done = command.output().with_context(|| format!("`{shown}` cannot be started"))?;
        ensure!(
            ENDS.contains(&done.status.code()),
            "`{shown}` ended with {}: neither a good run nor a failed one",
            done.status
        );
        let text = String::from_utf8(done.stdout).with_context(|| format!("`{shown}` printed no UTF-8"))?;
        let outcome = parse(&text).with_context(|| format!("`{shown}` printed what is no report"))?;
        if done.status.success() && !outcome.failures.is_empty() {
            bail!("`{shown}` reports a failure and ends with 0");
        }
        if !done.status.success() && outcome.failures.is_empty() && outcome.unreached.is_empty() {
            bail!("`{shown}` reports no failure and ends with {}", done.status);
        }
        Ok(outcome)
    }

    /// Runs it with these arguments and lets it speak to the terminal. Returns whether the run was good.
    pub fn show(&self, arguments: &[String]) -> Result<bool> {
        let mut command = Command::new(&self.program);
        let status = command
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(std::io::stderr())
            .status()
            .with_context(|| format!("`{}` cannot be started", self.program.display()))?;
        ensure!(ENDS.contains(&status.code()), "the harness ended with {status}");
        Ok(status.success())
    }
}

/// A failing run made small.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shrunk {
    /// Faults of the whole run.
    pub faults_before: u64,
    /// Faults that are left.
    pub faults: u64,
    /// Operations of the whole run.
    pub operations_before: u64,
    /// Operations that are left.
    pub operations: u64,
    /// Runs that it took.
    pub runs: u64,
    /// Seconds that it took.
    pub seconds: f64,
    /// Seconds of one processor that it took: less on a machine that has others to serve.
    pub cpu_seconds: f64,
    /// Whether no single fault can go.
    pub is_minimal: bool,
}

impl Harness {
    /// Makes one failing run small, in so many seconds at most.
    ///
    /// Errors: the run is good, or what is printed is no such report.
    pub fn shrink(&self, story: &str, seed: u64, mutant: &str, budget_s: u64) -> Result<Shrunk> {
        let mut command = Command::new(&self.program);
        command.args([story, "--seeds", &seed.to_string(), "--mutant", mutant, "--shrink", "--json"]);
        command.args(["--budget", &budget_s.to_string()]).stdin(Stdio::null()).stderr(Stdio::inherit());
        let shown = line(&command);
        let done = command.output().with_context(|| format!("`{shown}` cannot be started"))?;
        ensure!(done.status.code() == Some(1), "`{shown}` ended with {}: a failing run is 1", done.status);
        let text = String::from_utf8(done.stdout).with_context(|| format!("`{shown}` printed no UTF-8"))?;
        shrunk(&text).with_context(|| format!("`{shown}` printed what is no report"))
    }
}

fn shrunk(text: &str) -> Result<Shrunk> {
    let json: Value = serde_json::from_str(text).context("no JSON")?;
    let number = |of: &Value, key: &str| of[key].as_u64().with_context(|| format!("no number `{key}`"));
    Ok(Shrunk {
        faults_before: number(&json["whole"], "faults")?,
        faults: number(&json["left"], "faults")?,
        operations_before: number(&json["whole"], "operations")?,
        operations: number(&json["left"], "operations")?,
        runs: number(&json, "runs")?,
        seconds: json["seconds"].as_f64().context("no number `seconds`")?,
        cpu_seconds: json["cpu_seconds"].as_f64().context("no number `cpu_seconds`")?,
        is_minimal: json["is_minimal"].as_bool().context("no `is_minimal`")?,
    })
}

/// Reads the harness's report.
pub fn parse(text: &str) -> Result<Outcome> {
    let json: Value = serde_json::from_str(text).context("no JSON")?;
    let number = |key: &str| json[key].as_u64().with_context(|| format!("no number `{key}`"));
    let listed = json["failures"].as_array().context("no list `failures`")?;
    let mut failures = listed
        .iter()
        .map(|f| {
            let text = |key: &str| {
                f[key].as_str().map(str::to_owned).with_context(|| format!("a failure without `{key}`"))
            };
            Ok(Failure {
                scenario: text("scenario")?,
                seed: f["seed"].as_u64().context("a failure without `seed`")?,
                checker: text("checker")?,
                message: text("message")?,
            })
        })
        .collect::<Result<Vec<_>>>()?;
    failures.sort_by(|a, b| (&a.scenario, a.seed).cmp(&(&b.scenario, b.seed)));
    let unreached = json["unreached"].as_array().map_or(&[][..], Vec::as_slice);
    let unreached = unreached.iter().filter_map(|p| p.as_str().map(str::to_owned)).collect();
    Ok(Outcome { stories: number("stories")?, runs: number("runs")?, failures, unreached })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_read_in_order() {
        let outcome = parse(
            r#"{ "stories": 2, "runs": 100, "failures": [
                 { "scenario": "b", "seed": 7, "checker": "I1", "message": "two" },
                 { "scenario": "a", "seed": 9, "checker": "I5", "message": "none" }],
                 "unreached": ["x.y"] }"#,
        )
        .expect("well formed");
        assert_eq!((outcome.stories, outcome.runs), (2, 100));
        assert_eq!(outcome.failures[0].scenario, "a");
        assert_eq!(outcome.failures[1].seed, 7);
        assert_eq!(outcome.unreached, ["x.y"]);
    }

    #[test]
    fn a_small_run_is_read() {
        let text = r#"{ "whole": { "faults": 60, "operations": 7 }, "left": { "faults": 2, "operations": 1 },
                        "runs": 70, "seconds": 1.5, "cpu_seconds": 1.2, "is_minimal": true }"#;
        let small = shrunk(text).expect("well formed");
        assert_eq!((small.faults_before, small.faults, small.operations, small.runs), (60, 2, 1, 70));
        assert!(small.is_minimal && shrunk(r#"{ "whole": {}, "left": {} }"#).is_err());
    }

    #[test]
    fn a_report_without_its_counts_is_refused() {
        assert!(parse("").is_err());
        assert!(parse(r#"{ "stories": 2, "runs": 1 }"#).is_err());
        assert!(parse(r#"{ "stories": 2, "failures": [] }"#).is_err());
        assert!(parse(r#"{ "stories": 2, "runs": 1, "failures": [{ "scenario": "a" }] }"#).is_err());
    }
}
