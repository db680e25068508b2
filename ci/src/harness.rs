//! The program that runs scenarios, as seen from outside: the binary `scenarios` of quark-scenarios.
//!
//! ```text
//! scenarios [STORY…] --seeds A..B [--jobs N] [--mutant mNN] [--fail-fast] [--replay] [--json]
//! ```
//! Without a story it runs all of them, seeds A to B-1 of each. It ends with 0 when every run was good, with 1 when
//! one was not, and with anything else when it could not do what it was asked. With `--json` it prints one object:
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

    /// Builds it, optimised but without link-time optimisation, with or without the planted bugs.
    pub fn build(with_mutants: bool) -> Result<Self> {
        let mut command = cargo();
        command.args(["build", "--profile", "quick", "--locked", "-p", PACKAGE, "--bin", BINARY]);
        command.arg("--message-format=json-render-diagnostics");
        // The sites of `buggify!` are there in every run of seeds; they do nothing in stories that do not turn them on.
        command.args(["--features", if with_mutants { "buggify,mutants" } else { "buggify" }]);
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
            matches!(done.status.code(), Some(0 | 1)),
            "`{shown}` ended with {}: neither a good run nor a failed one",
            done.status
        );
        let text = String::from_utf8(done.stdout).with_context(|| format!("`{shown}` printed no UTF-8"))?;
        let outcome = parse(&text).with_context(|| format!("`{shown}` printed what is no report"))?;
        if done.status.success() && !outcome.failures.is_empty() {
            bail!("`{shown}` reports a failure and ends with 0");
        }
        if !done.status.success() && outcome.failures.is_empty() && outcome.unreached.is_empty() {
            bail!("`{shown}` reports no failure and ends with 1");
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
        ensure!(matches!(status.code(), Some(0 | 1)), "the harness ended with {status}");
        Ok(status.success())
    }
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
    fn a_report_without_its_counts_is_refused() {
        assert!(parse("").is_err());
        assert!(parse(r#"{ "stories": 2, "runs": 1 }"#).is_err());
        assert!(parse(r#"{ "stories": 2, "failures": [] }"#).is_err());
        assert!(parse(r#"{ "stories": 2, "runs": 1, "failures": [{ "scenario": "a" }] }"#).is_err());
    }
}
