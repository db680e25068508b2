//! Our simulator beside turmoil, madsim and moonpool: one exchange, and how long each takes to find three planted bugs.
//!
//! Method: `benches/engines` has one program for each engine, which says what is measured and what is not the same. They
//! are in a workspace of their own, because madsim wants a flag of the whole build; this builds them in release and runs
//! them one after another, on one core each, in one run. *Runs until found* is the median of the searches that found it.
//!
//! `engines [--json]`

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::path::Path;
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
    Ok(())
}

fn run(name: &str, flags: &str) -> Result<Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("engines");
    // A target of its own for each set of flags, or they would build one another's anew.
    let target = folder.join("../../target/engines").join(if flags.is_empty() { "plain" } else { "madsim" });
    let output = Command::new(env!("CARGO"))
        .args(["run", "--release", "--quiet", "--bin", name])
        .current_dir(&folder)
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
            let hunt = &report["bugs"][at];
            let runs = hunt["runs"].as_array().map_or(&[][..], Vec::as_slice);
            let median = runs.get(runs.len() / 2).map_or("-".into(), |runs| number(runs).to_string());
            let (seconds, all) = (number(&hunt["seconds"]), number(&hunt["runs_all"]));
            let until =
                if runs.is_empty() { "-".into() } else { format!("{:.4}", seconds / runs.len() as f64) };
            let found = format!("{}/{}", hunt["found"][0], hunt["found"][1]);
            let (bug, engine) = (text(&hunt["bug"]), text(&report["engine"]));
            println!("{bug:<22}{engine:<22}{found:>8}{median:>12}{until:>14}{:>10.0}", all / seconds);
        }
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("?")
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or(f64::NAN)
}
