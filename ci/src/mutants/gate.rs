//! Runs each planted bug against whoever has to notice it.

use super::{Killer, Mutant, REGISTRY, is_planted, page, summary};
use crate::harness::{BINARY, FAST, Failure, Harness, PACKAGE, Shrunk};
use crate::report::{Check, Finding};
use crate::run::{cargo, line, output};
use crate::{steps, tree};
use anyhow::{Context, Result, ensure};
use std::collections::BTreeSet;
use std::process::Command;

/// How one bug fared.
pub(super) enum Fate {
    /// Noticed by this story or test, on this seed of it (counted from 1), by this checker.
    Caught { by: String, seeds: u64, checker: String, small: Option<Shrunk> },
    /// Nobody noticed within the budget.
    Survived { seeds: u64 },
}

/// Runs these bugs, or all of them, and prints who caught which after how many seeds; with a budget, also how small the run
/// is that shows it.
///
/// Errors: when an id is unknown, or the stories fail without any bug: then a failure proves nothing.
pub fn gate(ids: &[String], shrink_s: Option<u64>) -> Result<Check> {
    for id in ids {
        ensure!(REGISTRY.iter().any(|m| m.id == id), "`{id}` is no mutant: they are {}", known());
    }
    let chosen: Vec<&Mutant> =
        REGISTRY.iter().filter(|m| ids.is_empty() || ids.iter().any(|id| id == m.id)).collect();
    let needs_harness = chosen.iter().any(|m| matches!(m.killer, Killer::Story { .. }));
    ensure!(
        !needs_harness || Harness::exists()?,
        "{PACKAGE} has no binary `{BINARY}`: no story can catch a mutant"
    );

    let files = tree::files()?;
    let (planted, missing): (Vec<&Mutant>, Vec<&Mutant>) =
        chosen.into_iter().partition(|m| is_planted(m, &files));
    let mut findings: Vec<Finding> = missing.into_iter().map(absent).collect();

    let harness = if needs_harness { Some(Harness::build(FAST, "buggify,mutants")?) } else { None };
    if let Some(harness) = &harness {
        baseline(harness, &planted)?;
        if ids.is_empty() {
            findings.extend(kept(harness)?);
        }
    }
    let tail = if shrink_s.is_some() { "faults   ops left" } else { "what" };
    eprintln!("  {:<4} {:<22} {:>5}  {:<10} {tail}", "id", "caught by", "seeds", "checker");
    let (mut caught, mut fates) = (Vec::new(), Vec::new());
    for mutant in planted {
        let fate = match &mutant.killer {
            Killer::Story { names, .. } => {
                let harness = harness.as_ref().context("a story needs the harness")?;
                hunt(harness, mutant, names, shrink_s)?
            }
            Killer::Test { package, filter } => {
                test(cargo, &["-p", package, "--lib", "--tests"], filter, &format!("{package} {filter}"))?
            }
            Killer::Loom { target, filter } => {
                let (what, name) =
                    (["-p", "quark-core", "--release", "--test", target], format!("{target} {filter}"));
                test(steps::loom_cargo, &what, filter, name.trim_end())?
            }
        };
        eprintln!("{}", row(mutant, &fate));
        match fate {
            Fate::Survived { seeds } => findings.push(survivor(mutant, seeds)),
            Fate::Caught { seeds, small, .. } if matches!(mutant.killer, Killer::Story { .. }) => {
                caught.push((seeds, small));
            }
            Fate::Caught { .. } => {}
        }
        fates.push((mutant, fate));
    }
    if let Some(budget_s) = shrink_s.filter(|_| ids.is_empty()) {
        page::write(&fates, budget_s)?;
    }
    summary::print(&caught);
    if ids.is_empty() {
        findings.extend(summary::slower(&caught));
    }
    Ok(Check::of(findings))
}

/// The stories must be green without a bug over the same seeds, or a red one proves nothing.
fn baseline(harness: &Harness, planted: &[&Mutant]) -> Result<()> {
    let mut names = BTreeSet::new();
    let mut seeds = 0;
    for mutant in planted {
        if let Killer::Story { names: stories, .. } = &mutant.killer {
            names.extend(stories.iter().map(|s| (*s).to_owned()));
            seeds = seeds.max(mutant.seeds);
        }
    }
    if names.is_empty() {
        return Ok(());
    }
    let mut arguments: Vec<String> = names.into_iter().collect();
    arguments.extend(["--seeds".into(), format!("0..{seeds}"), "--fail-fast".into()]);
    let outcome = harness.run(&arguments)?;
    ensure!(outcome.runs > 0, "none of the stories that should catch mutants ran");
    if let Some(failure) = outcome.failures.first() {
        anyhow::bail!(
            "{} fails seed {} with no bug planted ({}: {}): mend that first",
            failure.scenario,
            failure.seed,
            failure.checker,
            failure.message
        );
    }
    Ok(())
}

/// The small runs of the corpus that show planted bugs: each fails with its bug as it did, and holds without it.
fn kept(harness: &Harness) -> Result<Vec<Finding>> {
    let outcome = harness.run(&["--kept".into()])?;
    ensure!(outcome.runs > 0, "there is no small run of a planted bug in scenarios/cases");
    let stale = |failure: &Failure| {
        Finding::new(&failure.scenario, &failure.message, "a case that shows nothing any more guards nothing")
    };
    Ok(outcome.failures.iter().map(stale).collect())
}

/// Runs the stories in order until one notices.
fn hunt(harness: &Harness, mutant: &Mutant, stories: &[&str], shrink_s: Option<u64>) -> Result<Fate> {
    for story in stories {
        let outcome = harness.run(&[
            (*story).to_owned(),
            "--seeds".into(),
            format!("0..{}", mutant.seeds),
            "--mutant".into(),
            mutant.id.into(),
            "--fail-fast".into(),
        ])?;
        if let Some(failure) = outcome.failures.first() {
            let (by, seeds) = ((*story).to_owned(), failure.seed + 1);
            let small = match shrink_s {
                Some(budget_s) => Some(harness.shrink(story, failure.seed, mutant.id, budget_s)?),
                None => None,
            };
            return Ok(Fate::Caught { by, seeds, checker: failure.checker.clone(), small });
        }
    }
    Ok(Fate::Survived { seeds: mutant.seeds })
}

/// Runs the test that has to notice. It passes when it does.
///
/// It is built on its own first: a test that does not compile must not pass for a bug that was caught.
fn test(cargo: fn() -> Command, what: &[&str], filter: &str, name: &str) -> Result<Fate> {
    let mut command = cargo();
    command.args(["test", "--quiet", "--locked", "--features", "mutants"]).args(what).arg("--no-run");
    output(&mut command)?;
    let mut command = cargo();
    command.args(["test", "--locked", "--features", "mutants", "--no-fail-fast"]).args(what);
    command.args((!filter.is_empty()).then_some(filter)).args(["--", "--test-threads=1"]);
    let shown = line(&command);
    let done = command.output().with_context(|| format!("`{shown}` cannot be started"))?;
    let text = String::from_utf8_lossy(&done.stdout);
    let ran = text.lines().filter(|l| l.starts_with("test ") && l.contains(" ... ")).count();
    ensure!(ran > 0, "`{shown}` ran no test: the one that has to notice is gone");
    if done.status.success() {
        return Ok(Fate::Caught { by: name.to_owned(), seeds: 1, checker: "test".into(), small: None });
    }
    eprint!("{text}");
    Ok(Fate::Survived { seeds: 1 })
}

fn row(mutant: &Mutant, fate: &Fate) -> String {
    let what: String = mutant.what.chars().take(30).collect();
    match fate {
        Fate::Caught { by, seeds, checker, small } => {
            let other = match &mutant.killer {
                Killer::Story { checker: expected, .. } if expected != checker => "*",
                _ => "",
            };
            let tail = small.map_or(what, |small| summary::small(&small));
            format!("  {:<4} {by:<22} {seeds:>5}  {:<10} {tail}", mutant.id, format!("{checker}{other}"))
        }
        Fate::Survived { seeds } => {
            format!("  {:<4} {:<22} {seeds:>5}  {:<10} {what}", mutant.id, "SURVIVED", "-")
        }
    }
}

fn survivor(mutant: &Mutant, seeds: u64) -> Finding {
    let expected = match &mutant.killer {
        Killer::Story { names, checker } => format!("{} by {checker}", names.join(" or ")),
        Killer::Test { package, filter } => format!("the test {filter} of {package}"),
        Killer::Loom { target, filter } => format!("some interleaving of {target} {filter}"),
    };
    Finding::new(
        mutant.id,
        format!("survived {seeds} seeds of each: {}; expected to be caught in {expected}", mutant.what),
        "the checkers cannot find this bug: make the story hit it, never raise the budget",
    )
}

fn absent(mutant: &Mutant) -> Finding {
    Finding::new(
        mutant.id,
        format!("no `mutant!(\"{}\")` stands below {}: {}", mutant.id, mutant.site, mutant.what),
        "plant it there, or mend the row in ci/src/mutants.rs",
    )
}

fn known() -> String {
    REGISTRY.iter().map(|m| m.id).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_fits_eighty_columns_and_marks_a_stranger() {
        let caught = |checker: &str| Fate::Caught {
            by: "zombie-silo".into(),
            seeds: 12,
            checker: checker.into(),
            small: None,
        };
        for mutant in REGISTRY {
            assert!(row(mutant, &caught("I1")).chars().count() <= 80);
            assert!(row(mutant, &Fate::Survived { seeds: 400 }).contains("SURVIVED"));
        }
        assert!(row(&REGISTRY[0], &caught("I7")).contains("I7*"));
        assert!(!row(&REGISTRY[0], &caught("I1")).contains('*'));
    }

    #[test]
    fn a_survivor_names_who_should_have_noticed() {
        let finding = survivor(&REGISTRY[0], 200);
        assert!(finding.message.contains("first-call-race or directory-owner-dies by I1"), "{finding:?}");
    }

    #[test]
    fn an_unknown_id_is_refused_with_the_known_ones() {
        let Err(error) = gate(&["m99".into()], None) else { panic!("accepted") };
        assert!(error.to_string().contains("m01, m02"), "{error}");
    }
}
