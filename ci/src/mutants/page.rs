//! The table of docs/mutants.md: which story catches which planted bug, and how small the run is that shows it.
//!
//! `cargo ci mutants --shrink` over all bugs writes everything below the page's last heading anew; what is above it is by
//! hand. Seconds are those of one processor, and differ from machine to machine; everything else is a function of the tree.

use super::gate::Fate;
use super::{Killer, Mutant};
use crate::harness::Shrunk;
use anyhow::{Context, Result, ensure};
use std::fmt::Write;
use std::path::Path;

const PAGE: &str = "docs/mutants.md";
const HEADING: &str = "## The table\n";

/// Writes the table of these rows into the page.
///
/// Errors: the page is not there, has no such heading, or cannot be written.
pub fn write(rows: &[(&Mutant, Fate)], budget_s: u64) -> Result<()> {
    let page = Path::new(PAGE);
    let text = std::fs::read_to_string(page).with_context(|| format!("cannot read {PAGE}"))?;
    let text = rewritten(&text, rows, budget_s)?;
    std::fs::write(page, text).with_context(|| format!("cannot write {PAGE}"))?;
    eprintln!("  the table of {PAGE} was written anew");
    Ok(())
}

fn rewritten(text: &str, rows: &[(&Mutant, Fate)], budget_s: u64) -> Result<String> {
    let end = text.find(HEADING).map(|at| at + HEADING.len());
    ensure!(end.is_some(), "{PAGE} has no heading `{}` to write below", HEADING.trim());
    let head = &text[..end.unwrap_or_default()];
    Ok(format!("{head}\n{}", table(rows, budget_s)))
}

fn table(rows: &[(&Mutant, Fate)], budget_s: u64) -> String {
    let mut text = format!(
        "Written by `cargo ci mutants --shrink {budget_s}`. `faults` and `operations` are those of the whole run and of the \
         small one; `minimal` says that without any one of its faults it is good.\n\n\
         | id | what is wrong | caught by | seed | checker | faults | operations | runs | CPU s | minimal |\n\
         | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n"
    );
    let mut small = Vec::new();
    for (Mutant { id, what, killer, .. }, fate) in rows {
        let is_story = matches!(killer, Killer::Story { .. });
        let cells = match fate {
            Fate::Survived { seeds } => format!("nobody, in {seeds} seeds | | | | | | |"),
            Fate::Caught { by, .. } if !is_story => format!("the test {by} | | | | | | |"),
            Fate::Caught { by, seeds, checker, small: None } => {
                format!("{by} | {} | {checker} | | | | |", seeds - 1)
            }
            Fate::Caught { by, seeds, checker, small: Some(found) } => {
                small.push(*found);
                format!("{by} | {} | {checker} | {}", seeds - 1, of_small(found))
            }
        };
        writeln!(text, "| {id} | {what} | {cells} |").expect("a text takes everything");
    }
    text + &sum(&small)
}

fn of_small(small: &Shrunk) -> String {
    format!(
        "{} > {} | {} > {} | {} | {:.1} | {}",
        small.faults_before,
        small.faults,
        small.operations_before,
        small.operations,
        small.runs,
        small.cpu_seconds,
        if small.is_minimal { "yes" } else { "no: the time was up" }
    )
}

fn sum(small: &[Shrunk]) -> String {
    if small.is_empty() {
        return String::new();
    }
    let middle = |of: fn(&Shrunk) -> f64| {
        let mut all: Vec<f64> = small.iter().map(of).collect();
        all.sort_by(f64::total_cmp);
        (all[all.len() / 2], all[all.len() - 1])
    };
    let (faults, faults_max) = middle(|small| small.faults as f64);
    let (seconds, seconds_max) = middle(|small| small.cpu_seconds);
    let minimal = small.iter().filter(|small| small.is_minimal).count();
    format!(
        "\nOf {} small runs {minimal} are minimal. Faults left: median {faults}, at most {faults_max}. CPU seconds: median \
         {seconds:.1}, at most {seconds_max:.1}.\n",
        small.len()
    )
}

#[cfg(test)]
mod tests {
    use super::super::REGISTRY;
    use super::*;

    #[test]
    fn what_is_above_the_table_stays_and_what_is_below_goes() {
        let small = Shrunk {
            faults_before: 17,
            faults: 2,
            operations_before: 40,
            operations: 1,
            runs: 99,
            seconds: 8.0,
            cpu_seconds: 4.0,
            is_minimal: true,
        };
        let by = "zombie-silo".to_owned();
        let caught = Fate::Caught { by, seeds: 13, checker: "P1".into(), small: Some(small) };
        let rows = [(&REGISTRY[0], caught), (&REGISTRY[1], Fate::Survived { seeds: 200 })];
        let text = rewritten("# By hand\n\n## The table\nold\n", &rows, 60).expect("it has the heading");
        assert!(
            text.starts_with("# By hand\n\n## The table\n\nWritten by") && !text.contains("old"),
            "{text}"
        );
        assert!(text.contains("| zombie-silo | 12 | P1 | 17 > 2 | 40 > 1 | 99 | 4.0 | yes |"), "{text}");
        assert!(text.contains("| nobody, in 200 seeds |"), "{text}");
        assert!(text.contains("Of 1 small runs 1 are minimal. Faults left: median 2"), "{text}");
        for line in text.lines().filter(|line| line.starts_with('|')) {
            assert_eq!(line.matches('|').count(), 11, "{line}");
        }
        assert!(rewritten("# No table\n", &rows, 60).is_err());
    }
}
