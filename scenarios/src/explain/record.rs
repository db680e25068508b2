//! `quark sim record`: one telling as a file.

use super::Source;
use quark_chaos::FaultPlan;
use quark_testkit::telling::{Minimised, Telling};
use serde::Deserialize;
use serde_json::json;
use std::fs;
use std::path::Path;

/// Tells a story and writes down everything that can be looked at; with a fault plan that was made smaller, if there is one.
/// `true` if the run was good.
///
/// Errors: there is no such story, it is not deterministic, or a file cannot be read or written.
pub fn record(story: &str, seed: u64, out: &Path, plan: Option<&Path>, json: bool) -> Result<bool, String> {
    let mut telling = Source::Seed { story: story.into(), seed }.tell()?.telling;
    telling.plan = plan.map(|path| read_plan(path, &telling)).transpose()?;
    let bytes = telling.to_bytes();
    write(out, &bytes)?;
    let is_good = telling.report.violations.is_empty();
    if json {
        let (hash, traced) = telling.report.hash;
        println!(
            "{}",
            json!({
                "story": story, "seed": seed, "file": out, "bytes": bytes.len(), "good": is_good,
                "trace": format!("{hash:016x}"), "traced": traced,
                "events": telling.events.len(), "frames": telling.frames.len(), "faults": telling.faults.len(),
            })
        );
    } else {
        println!(
            "{}: {} events, {} frames, {} faults in {:.1} MB; the same trace as without: {:016x}",
            out.display(),
            telling.events.len(),
            telling.frames.len(),
            telling.faults.len(),
            bytes.len() as f64 / 1e6,
            telling.report.hash.0,
        );
        println!("look at it: quark sim view {}", out.display());
    }
    Ok(is_good)
}

/// Writes a file.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), String> {
    fs::write(path, bytes).map_err(|error| format!("cannot write {}: {error}", path.display()))
}

/// A plan with the command that carries it out, or a plan alone.
#[derive(Deserialize)]
#[serde(untagged)]
enum PlanFile {
    Minimised(Minimised),
    Plan(FaultPlan),
}

/// A fault plan that was made smaller, from a file.
pub(super) fn read_plan(path: &Path, telling: &Telling) -> Result<Minimised, String> {
    let name = path.display();
    let bytes = fs::read(path).map_err(|error| format!("cannot read {name}: {error}"))?;
    match serde_json::from_slice(&bytes) {
        Ok(PlanFile::Minimised(found)) => Ok(found),
        Ok(PlanFile::Plan(plan)) => {
            let replay = format!("quark sim replay {} --seed {}", telling.story, telling.seed);
            Ok(Minimised { replay, plan, others: Vec::new() })
        }
        Err(error) => Err(format!("{name} holds no fault plan ({error}): it wants `version` and `events`")),
    }
}
