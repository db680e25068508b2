//! Running scenarios over ranges of seeds, and one seed again.

use crate::harness::{BINARY, CHECKED, FAST, Failure, Harness, Outcome, PACKAGE, SITES};
use crate::report::{Check, Finding, seconds};
use anyhow::{Context, Result, ensure};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Which seeds, of what, for how long.
#[derive(clap::Args)]
pub struct Arguments {
    /// Seeds A to B-1 of each scenario
    #[arg(value_name = "A..B", default_value = "0..50", value_parser = parse_range)]
    range: Range,
    /// Only this scenario (may be repeated)
    #[arg(long = "story", value_name = "NAME")]
    stories: Vec<String>,
    /// Goes on past B, range after range, until this time has passed
    #[arg(long)]
    minutes: Option<u64>,
    /// How many runs at once (default: what the machine has)
    #[arg(long)]
    jobs: Option<u32>,
    /// Cargo's profile: `dev` has all assertions, `quick` twice the speed
    #[arg(long, default_value = FAST)]
    profile: String,
    /// Where the failing seeds are written
    #[arg(long, value_name = "FILE", default_value = "target/ci/failing-seeds.json")]
    out: PathBuf,
}

/// Seeds from `first` up to, and without, `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    first: u64,
    end: u64,
}

impl Arguments {
    /// What a pull request runs.
    pub fn pull_request() -> Self {
        Self {
            range: Range { first: 0, end: 50 },
            stories: vec![],
            minutes: None,
            jobs: None,
            profile: CHECKED.into(),
            out: "target/ci/failing-seeds.json".into(),
        }
    }

    /// The harness's arguments for one range.
    fn of_range(&self, range: Range) -> Vec<String> {
        let mut arguments = self.stories.clone();
        arguments.extend(["--seeds".into(), format!("{}..{}", range.first, range.end)]);
        if let Some(jobs) = self.jobs {
            arguments.extend(["--jobs".into(), jobs.to_string()]);
        }
        arguments
    }
}

/// Runs the ranges. Failing seeds are findings, and are written as JSON for whoever collects them.
pub fn run(arguments: &Arguments) -> Result<Check> {
    ensure!(Harness::exists()?, "{PACKAGE} has no binary `{BINARY}`: no scenario can run");
    let harness = Harness::build(&arguments.profile, SITES)?;
    if let Some(unheard) = canary(&harness)? {
        return Ok(Check::Failed(vec![unheard]));
    }
    let started = Instant::now();
    let limit = arguments.minutes.map(|m| Duration::from_secs(m * 60));
    let mut total = Outcome::default();
    let mut range = arguments.range;
    loop {
        let outcome = harness.run(&arguments.of_range(range))?;
        ensure!(outcome.runs > 0, "no scenario ran: does the name exist?");
        total.stories = outcome.stories;
        total.runs += outcome.runs;
        total.failures.extend(outcome.failures);
        total.unreached = outcome.unreached;
        write_failures(&arguments.out, &total.failures)?;
        let spent = started.elapsed();
        match (limit, range.after()) {
            (Some(limit), Some(next)) if spent < limit => {
                eprintln!("  {} runs, {} failures, {}", total.runs, total.failures.len(), seconds(spent));
                range = next;
            }
            _ => break,
        }
    }
    Ok(verdict(&total, Range { first: arguments.range.first, end: range.end }))
}

/// The story that fails at every hundredth seed.
const CANARY: &str = "planted-canary";

/// Lets the canary fall: a seed that fails has to become a finding with the command that tells it again, or all that is green
/// here says nothing. What is wrong with that, if something is.
fn canary(harness: &Harness) -> Result<Option<Finding>> {
    let outcome = harness.run(&[CANARY.into(), "--seeds".into(), "0..101".into()])?;
    Ok(unheard(&verdict(&outcome, Range { first: 0, end: 101 })))
}

/// What is missing in the report of the canary's fall.
fn unheard(check: &Check) -> Option<Finding> {
    let expected = [0, 100].map(|seed| {
        (format!("{CANARY} seed {seed}"), format!("canary: the canary fell at seed {seed}"), seed)
    });
    let found = match check {
        Check::Failed(findings) => &findings[..],
        _ => &[],
    };
    let is_heard = found.len() == expected.len()
        && found.iter().zip(&expected).all(|(found, (place, message, seed))| {
            let remedy = format!("cargo ci seed {seed} {CANARY}");
            found.place == *place && found.message == *message && found.remedy == remedy
        });
    (!is_heard).then(|| {
        Finding::new(
            CANARY,
            format!("fails at seeds 0 and 100, and {} findings were made of that", found.len()),
            "failing seeds are not reported as they should be: mend that before anything else is believed",
        )
    })
}

/// Runs one seed of one scenario and lets it tell its story.
pub fn replay(seed: u64, scenario: &str) -> Result<Check> {
    ensure!(Harness::exists()?, "{PACKAGE} has no binary `{BINARY}`: there is nothing to replay");
    ensure!(seed < u64::MAX, "the last seed is {}", u64::MAX - 1);
    let harness = Harness::build(FAST, SITES)?;
    let good = harness.show(&[
        scenario.into(),
        "--seeds".into(),
        format!("{seed}..{}", seed + 1),
        "--replay".into(),
    ])?;
    Ok(if good {
        Check::Passed(String::new())
    } else {
        Check::Failed(vec![Finding::new(
            format!("{scenario} seed {seed}"),
            "failed; its story is above",
            "mend the code, never the checker; commit the seed with the fix",
        )])
    })
}

fn verdict(total: &Outcome, range: Range) -> Check {
    let mut findings: Vec<Finding> = total
        .failures
        .iter()
        .map(|f| {
            Finding::new(
                format!("{} seed {}", f.scenario, f.seed),
                format!("{}: {}", f.checker, f.message),
                format!("cargo ci seed {} {}", f.seed, f.scenario),
            )
        })
        .collect();
    findings.extend(total.unreached.iter().map(|probe| {
        Finding::new(
            probe,
            "no run reached this probe: what it proves has not been tested",
            "make the fault land more often, or mend the code that no longer gets there",
        )
    }));
    if !findings.is_empty() {
        return Check::Failed(findings);
    }
    Check::Passed(format!(
        "{} scenarios, seeds {}..{}, {} runs",
        total.stories, range.first, range.end, total.runs
    ))
}

fn write_failures(out: &Path, failures: &[Failure]) -> Result<()> {
    if failures.is_empty() {
        // A list from an earlier run would accuse seeds that are good now.
        if out.exists() {
            std::fs::remove_file(out).with_context(|| format!("cannot remove {}", out.display()))?;
        }
        return Ok(());
    }
    let listed: Vec<_> = failures
        .iter()
        .map(
            |f| json!({ "scenario": f.scenario, "seed": f.seed, "checker": f.checker, "message": f.message }),
        )
        .collect();
    if let Some(folder) = out.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    std::fs::write(out, format!("{:#}\n", json!(listed)))
        .with_context(|| format!("cannot write {}", out.display()))
}

fn parse_range(text: &str) -> Result<Range, String> {
    let number = |t: &str| t.parse::<u64>().map_err(|_| format!("`{t}` is no seed: a number from 0"));
    let (first, end) = text.split_once("..").ok_or("a range of seeds is written A..B, as in 0..50")?;
    let range = Range { first: number(first)?, end: number(end)? };
    if range.first < range.end {
        Ok(range)
    } else {
        Err(format!("{text} is empty: B is the first seed left out"))
    }
}

impl Range {
    /// The range of the same length behind this one, unless the numbers end there.
    fn after(self) -> Option<Self> {
        let length = self.end - self.first;
        Some(Self { first: self.end, end: self.end.checked_add(length)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_half_open_and_never_empty() {
        assert_eq!(parse_range("0..50"), Ok(Range { first: 0, end: 50 }));
        assert_eq!(Range { first: 10, end: 15 }.after(), Some(Range { first: 15, end: 20 }));
        assert_eq!(Range { first: 1, end: u64::MAX }.after(), None);
        for bad in ["5", "5..5", "6..5", "a..b", "-1..3", ".."] {
            assert!(parse_range(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_failing_seed_is_a_finding_with_its_replay() {
        let failure =
            Failure { scenario: "zombie-silo".into(), seed: 7, checker: "I1".into(), message: "two".into() };
        let total = Outcome { stories: 1, runs: 50, failures: vec![failure], unreached: vec!["a.b".into()] };
        let Check::Failed(findings) = verdict(&total, Range { first: 0, end: 50 }) else { panic!("passed") };
        assert_eq!(findings[0].remedy, "cargo ci seed 7 zombie-silo");
        assert_eq!(findings[1].place, "a.b");
        let good = Outcome { stories: 1, runs: 50, ..Outcome::default() };
        assert!(matches!(verdict(&good, Range { first: 0, end: 50 }), Check::Passed(_)));
    }

    #[test]
    fn a_canary_that_falls_unheard_is_a_finding() {
        let fell = |seed| Failure {
            scenario: CANARY.into(),
            seed,
            checker: "canary".into(),
            message: format!("the canary fell at seed {seed}"),
        };
        let told = |seeds: &[u64]| {
            let failures = seeds.iter().map(|seed| fell(*seed)).collect();
            let outcome = Outcome { stories: 1, runs: 101, failures, unreached: vec![] };
            unheard(&verdict(&outcome, Range { first: 0, end: 101 }))
        };
        assert_eq!(told(&[0, 100]).map(|finding| finding.message), None);
        for wrong in [&[][..], &[0], &[100], &[0, 50, 100], &[1, 100]] {
            let finding = told(wrong).unwrap_or_else(|| panic!("{wrong:?} passed"));
            assert!(finding.message.contains("seeds 0 and 100"), "{finding:?}");
        }
    }

    #[test]
    fn the_list_of_failing_seeds_goes_when_they_do() {
        let out = std::env::temp_dir().join(format!("quark-ci-{}", std::process::id())).join("failing.json");
        let failure = Failure { scenario: "a".into(), seed: 1, checker: "I1".into(), message: "two".into() };
        write_failures(&out, &[failure]).expect("writable");
        let text = std::fs::read_to_string(&out).expect("written");
        assert!(text.contains("\"seed\": 1"), "{text}");
        write_failures(&out, &[]).expect("removable");
        assert!(!out.exists());
        std::fs::remove_dir_all(out.parent().expect("has a folder")).expect("removable");
    }
}
