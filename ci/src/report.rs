//! Checks, what they found, and how that is shown: to a person at 80 columns, or to a program as JSON.

use anyhow::Result;
use serde_json::{Value, json};
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// A check found something.
pub const EXIT_FOUND: u8 = 1;
/// A check could not be done (a tool is broken, an argument makes no sense).
pub const EXIT_UNABLE: u8 = 2;

/// One thing that is wrong: where, what, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// A path in the repository, with `:line` where there is one.
    pub place: String,
    /// What is wrong there.
    pub message: String,
    /// What to do about it.
    pub remedy: String,
}

impl Finding {
    /// Joins the three parts.
    pub fn new(place: impl Into<String>, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { place: place.into(), message: message.into(), remedy: remedy.into() }
    }
}

/// How one check ended.
pub enum Check {
    /// Nothing found. The note is for the reader ("50 seeds of 14 scenarios").
    Passed(String),
    /// Something found, or a tool said no.
    Failed(Vec<Finding>),
    /// Not done, and why. Never silent: the summary counts it.
    Skipped(String),
}

impl Check {
    /// Passed if nothing was found.
    pub fn of(mut findings: Vec<Finding>) -> Self {
        if findings.is_empty() {
            return Self::Passed(String::new());
        }
        findings.sort();
        Self::Failed(findings)
    }
}

/// The checks of one invocation, in the order they ran.
pub struct Report {
    json: bool,
    done: Vec<(&'static str, Result<Check>, Duration)>,
}

impl Report {
    /// A report without checks. With `json`, progress goes to standard error alone.
    pub fn new(json: bool) -> Self {
        Self { json, done: Vec::new() }
    }

    /// Runs one check with a line before and after. A failed check does not stop the ones behind it: one run
    /// tells everything.
    pub fn run(&mut self, name: &'static str, check: impl FnOnce() -> Result<Check>) {
        self.say(&format!("{} {name}", paint("1", "▸")));
        let started = Instant::now();
        let outcome = check();
        let took = started.elapsed();
        self.say(&outcome_text(name, &outcome, took));
        self.done.push((name, outcome, took));
    }

    /// 0, or the worst thing that happened.
    pub fn exit_code(&self) -> u8 {
        let code = |outcome: &Result<Check>| match outcome {
            Ok(Check::Failed(_)) => EXIT_FOUND,
            Ok(_) => 0,
            Err(_) => EXIT_UNABLE,
        };
        self.done.iter().map(|(_, outcome, _)| code(outcome)).max().unwrap_or(0)
    }

    /// Prints the summary, or the whole report as JSON.
    pub fn print(&self, json: bool, took: Duration) {
        let text = if json { format!("{:#}", self.to_json(took)) } else { self.summary(took) };
        if !text.is_empty() {
            let _ = writeln!(io::stdout(), "{text}");
        }
    }

    /// One line a check. Nothing for a single one, whose line stands just above.
    fn summary(&self, took: Duration) -> String {
        if self.done.len() < 2 {
            return String::new();
        }
        let mut text = format!("\n{}\n", "─".repeat(40));
        for (name, outcome, took) in &self.done {
            text += &format!("{} {name:<12} {:>8}\n", mark(outcome), seconds(*took));
        }
        let count = |wanted: fn(&Result<Check>) -> bool| self.done.iter().filter(|d| wanted(&d.1)).count();
        let failed = count(|o| matches!(o, Ok(Check::Failed(_)) | Err(_)));
        let skipped = count(|o| matches!(o, Ok(Check::Skipped(_))));
        let passed = self.done.len() - failed - skipped;
        text + &format!("{passed} passed, {failed} failed, {skipped} skipped in {}", seconds(took))
    }

    fn to_json(&self, took: Duration) -> Value {
        let checks: Vec<Value> = self
            .done
            .iter()
            .map(|(name, outcome, took)| {
                let (status, note, findings) = match outcome {
                    Ok(Check::Passed(note)) => ("passed", note.clone(), vec![]),
                    Ok(Check::Failed(findings)) => ("failed", String::new(), findings.clone()),
                    Ok(Check::Skipped(why)) => ("skipped", why.clone(), vec![]),
                    Err(error) => ("unable", format!("{error:#}"), vec![]),
                };
                let findings: Vec<Value> = findings
                    .iter()
                    .map(|f| json!({ "place": f.place, "message": f.message, "remedy": f.remedy }))
                    .collect();
                json!({
                    "name": name, "status": status, "note": note,
                    "seconds": took.as_secs_f64(), "findings": findings,
                })
            })
            .collect();
        json!({ "ok": self.exit_code() == 0, "seconds": took.as_secs_f64(), "checks": checks })
    }

    fn say(&self, text: &str) {
        // Whoever reads us may have seen enough (`cargo ci | head`): that is no reason to stop checking.
        let _ = if self.json { writeln!(io::stderr(), "{text}") } else { writeln!(io::stdout(), "{text}") };
    }
}

/// Minutes and seconds, or seconds with a tenth: what a person wants to know of a wait.
pub fn seconds(took: Duration) -> String {
    let whole = took.as_secs();
    if whole >= 60 {
        format!("{}m{:02}s", whole / 60, whole % 60)
    } else {
        format!("{:.1}s", took.as_secs_f64())
    }
}

fn outcome_text(name: &str, outcome: &Result<Check>, took: Duration) -> String {
    let head = format!("{} {name} {}", mark(outcome), seconds(took));
    match outcome {
        Ok(Check::Passed(note)) if note.is_empty() => head,
        Ok(Check::Passed(note)) => format!("{head}: {note}"),
        Ok(Check::Skipped(why)) => wrap(&format!("{head}: skipped, {why}"), 2),
        Err(error) => format!("{head}: could not be done\n  {error:#}"),
        Ok(Check::Failed(findings)) => {
            let mut text = head;
            for finding in findings {
                text += &format!("\n  {}\n", paint("1", &finding.place));
                text += &format!("    {}", wrap(&finding.message, 4));
                if !finding.remedy.is_empty() {
                    text += &format!("\n    {}", wrap(&format!("remedy: {}", finding.remedy), 6));
                }
            }
            text
        }
    }
}

fn mark(outcome: &Result<Check>) -> String {
    match outcome {
        Ok(Check::Passed(_)) => paint("32", "✓"),
        Ok(Check::Skipped(_)) => paint("33", "–"),
        Ok(Check::Failed(_)) | Err(_) => paint("31", "✗"),
    }
}

fn paint(code: &str, text: &str) -> String {
    let plain = !io::stdout().is_terminal() || std::env::var_os("NO_COLOR").is_some();
    if plain { text.to_owned() } else { format!("\u{1b}[{code}m{text}\u{1b}[0m") }
}

/// Breaks at spaces so that no line passes column 80; later lines are indented. Lines that are there stay.
fn wrap(text: &str, indent: usize) -> String {
    let mut lines = Vec::new();
    for given in text.lines() {
        let mut line = String::new();
        for word in given.split(' ') {
            if !line.is_empty() && indent + line.chars().count() + 1 + word.chars().count() > COLUMNS {
                lines.push(std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        lines.push(line);
    }
    lines.join(&format!("\n{}", " ".repeat(indent)))
}

const COLUMNS: usize = 80;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_outcome_decides_the_exit_code() {
        let mut report = Report::new(true);
        assert_eq!(report.exit_code(), 0);
        report.run("good", || Ok(Check::of(vec![])));
        report.run("absent", || Ok(Check::Skipped("not installed".into())));
        assert_eq!(report.exit_code(), 0);
        report.run("bad", || Ok(Check::of(vec![Finding::new("a.rs:1", "wrong", "mend it")])));
        assert_eq!(report.exit_code(), EXIT_FOUND);
        report.run("broken", || anyhow::bail!("no such tool"));
        assert_eq!(report.exit_code(), EXIT_UNABLE);
        let json = report.to_json(Duration::from_secs(1));
        assert_eq!(json["ok"], false);
        assert_eq!(json["checks"][1]["status"], "skipped");
        assert_eq!(json["checks"][2]["findings"][0]["remedy"], "mend it");
        assert_eq!(json["checks"][3]["note"], "no such tool");
    }

    #[test]
    fn a_finding_fits_eighty_columns() {
        let finding = Finding::new("a.rs", "long ".repeat(60), "word ".repeat(60));
        let text = outcome_text("tidy", &Ok(Check::of(vec![finding])), Duration::ZERO);
        assert!(text.lines().all(|l| l.chars().count() <= COLUMNS), "{text}");
    }
}
