//! Our simulator beside turmoil, madsim and moonpool: one exchange, and how long each takes to find three planted bugs.
//!
//! Method: there is one program for each engine in `bin`, which says what is measured and what is not the same. This builds
//! them in release, madsim's with the flag that it wants of a whole build, and runs them one after another, on one core each,
//! in one run. *Runs until found* is the median of the searches that found it.
//!
//! `cargo run --release --manifest-path benches/engines/Cargo.toml [-- --json]` prints the figures; with `QUARK_BLESS=1` it also writes their table into `docs/engines.md`.

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A program, and the flags that it is built with.
const PROGRAMS: [(&str, &str); 4] =
    [("on-sim", ""), ("on-turmoil", ""), ("on-madsim", "--cfg madsim"), ("on-moonpool", "")];

fn main() -> Result<()> {
    let is_json = std::env::args().any(|argument| argument == "--json");
    let reports: Vec<Value> = PROGRAMS.iter().map(|(name, flags)| run(name, flags)).collect::<Result<_>>()?;
    if is_json {
        println!("{}", json!(reports));
    } else {
        print(&reports);
    }
    if std::env::var_os("QUARK_BLESS").is_some() {
        publish(&table(&reports))?;
    }
    Ok(())
}

/// Writes the table into the page, between its marks.
fn publish(table: &str) -> Result<()> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/engines.md");
    let mut page = std::fs::read_to_string(&path).with_context(|| format!("cannot read {path:?}"))?;
    let (begin, end) = ("<!-- cost -->\n", "<!-- end of cost -->");
    let marks = page.find(begin).map(|at| at + begin.len()).zip(page.find(end));
    let (from, to) =
        marks.with_context(|| format!("{path:?} has lost the marks `cost` and `end of cost`"))?;
    page.replace_range(from..to, table);
    std::fs::write(&path, page).with_context(|| format!("cannot write {path:?}"))
}

/// The figures for the page: a column for each engine.
fn table(reports: &[Value]) -> String {
    let engines: Vec<_> = reports.iter().map(|report| text(&report["engine"])).collect();
    let mut table = format!("| | {} |\n|{}\n", engines.join(" | "), " --- |".repeat(engines.len() + 1));
    let mut row = |name: &str, cell: &dyn Fn(&Value) -> String| {
        let cells: Vec<_> = reports.iter().map(cell).collect();
        writeln!(table, "| {name} | {} |", cells.join(" | ")).expect("a string can be written to");
    };
    row("ping-pong, round trips a second", &|report| rounded(number(&report["round_trips_per_s"])));
    for at in 0..3 {
        let bug = text(&reports[0]["bugs"][at]["bug"]);
        row(&format!("{bug}: found, median runs, seconds until found"), &|report| {
            let hunt = Hunt::of(&report["bugs"][at]);
            format!("{}, {}, {}", hunt.found, hunt.median, hunt.seconds_until_found)
        });
        row(&format!("{bug}: runs a second"), &|report| rounded(Hunt::of(&report["bugs"][at]).runs_per_s));
    }
    table
}

/// Three digits: the rest is the machine's.
fn rounded(figure: f64) -> String {
    let unit = 10_f64.powf(figure.log10().floor() - 2.0).max(1.0);
    let digits = ((figure / unit).round() * unit).to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(' ');
        }
        grouped.push(digit);
    }
    grouped
}

/// One search, in the words of the table.
struct Hunt {
    found: String,
    median: String,
    seconds_until_found: String,
    runs_per_s: f64,
}

impl Hunt {
    fn of(hunt: &Value) -> Self {
        let runs = hunt["runs"].as_array().map_or(&[][..], Vec::as_slice);
        let (seconds, all) = (number(&hunt["seconds"]), number(&hunt["runs_all"]));
        let found = runs.len() as f64;
        Self {
            found: format!("{}/{}", hunt["found"][0], hunt["found"][1]),
            median: runs.get(runs.len() / 2).map_or("-".into(), |median| number(median).to_string()),
            seconds_until_found: if runs.is_empty() { "-".into() } else { format!("{:.4}", seconds / found) },
            runs_per_s: all / seconds,
        }
    }
}

fn run(name: &str, flags: &str) -> Result<Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    // A target of its own for each set of flags, or they would build one another's anew.
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or(folder.join("target"), PathBuf::from);
    let target = if flags.is_empty() { target } else { target.join("madsim") };
    let output = Command::new(env!("CARGO"))
        .args(["run", "--release", "--quiet", "--bin", name])
        .current_dir(folder)
        .env("CARGO_TARGET_DIR", target)
        .env("RUSTFLAGS", flags)
        .output()
        .with_context(|| format!("cannot start cargo for `{name}`"))?;
    if !output.status.success() {
        bail!("`{name}` failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    serde_json::from_slice(&output.stdout).with_context(|| format!("`{name}` printed no report"))
}

fn print(reports: &[Value]) {
    println!("{:<22}{:>16}", "engine", "round trips/s");
    for report in reports {
        println!("{:<22}{:>16.0}", text(&report["engine"]), number(&report["round_trips_per_s"]));
    }
    println!(
        "\n{:<22}{:<22}{:>8}{:>12}{:>14}{:>10}",
        "bug", "engine", "found", "runs", "s until found", "runs/s"
    );
    for at in 0..3 {
        for report in reports {
            let Hunt { found, median, seconds_until_found, runs_per_s } = Hunt::of(&report["bugs"][at]);
            let (bug, engine) = (text(&report["bugs"][at]["bug"]), text(&report["engine"]));
            println!(
                "{bug:<22}{engine:<22}{found:>8}{median:>12}{seconds_until_found:>14}{runs_per_s:>10.0}"
            );
        }
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("?")
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or(f64::NAN)
}
