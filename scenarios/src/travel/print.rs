//! What a moment and a telling look like in eighty columns.

use super::show_moment;
use quark_core::Instant;
use quark_testkit::runner::Report;
use quark_testkit::scene::{NodeScene, PathScene, Scene, SiloScene};
use quark_testkit::story::{Step, Violation};
use serde_json::{Value, json};

const WIDTH: usize = 80;
/// How many paths and calls are listed; the rest is counted.
const LISTED_MAX: usize = 12;

/// A moment, with the last lines of the story before it.
pub(super) fn scene(story: &str, scene: &Scene, steps_shown: usize) -> String {
    let mut text = format!(
        "{story}, seed {}, at {}: {} events, trace {:016x}\n\n",
        scene.seed,
        show_moment(scene.at),
        scene.hash.1,
        scene.hash.0
    );
    text += &nodes(&scene.nodes);
    text += &silos(&scene.silos);
    text += &paths(scene);
    text += &calls(scene);
    text + "\n" + &story_lines(scene, steps_shown)
}

/// The last lines of the story before a moment, and what did not hold.
pub(super) fn story_lines(scene: &Scene, shown: usize) -> String {
    let skipped = scene.steps.len().saturating_sub(shown);
    let mut text = match skipped {
        0 => "the story so far\n".to_owned(),
        _ => format!("the story so far, its last {shown} of {} lines\n", scene.steps.len()),
    };
    scene.steps[skipped..].iter().for_each(|line| text += &step(line));
    if scene.steps.is_empty() {
        text += "    nothing has been told yet\n";
    }
    scene.violations.iter().for_each(|found| text += &violation(found));
    text
}

/// A story to its end, with a mark where it left another one.
pub(super) fn telling(report: &Report, branched: Option<Instant>) -> String {
    let mut text = String::new();
    let mut mark = branched;
    for line in &report.steps {
        if let Some(at) = mark.filter(|at| line.at >= *at) {
            text += &format!("{:>12}  -------- from here on, another future\n", format!("{at:?}"));
            mark = None;
        }
        text += &step(line);
    }
    text += "\n";
    report.violations.iter().for_each(|found| text += &violation(found));
    text + &verdict(report) + "\n"
}

/// How a story ended, in one line.
pub(crate) fn verdict(report: &Report) -> String {
    format!(
        "{}: trace {:016x} over {} events, {} frames delivered, {:.1} s simulated",
        if report.violations.is_empty() { "good" } else { "FAILED" },
        report.hash.0,
        report.hash.1,
        report.delivered,
        report.simulated.as_secs_f64(),
    )
}

pub(super) fn violation(found: &Violation) -> String {
    let head = format!("{:>12}  VIOLATED {}: ", format!("{:?}", found.at), found.checker);
    hanging(&head, &found.message, 14)
}

fn step(step: &Step) -> String {
    hanging(&format!("{:>12}  {:<8} ", format!("{:?}", step.at), step.part), &step.text, 23)
}

fn nodes(nodes: &[NodeScene]) -> String {
    let width = nodes.iter().map(|node| node.name.len()).max().unwrap_or(0).clamp(4, 20);
    let mut text = format!(
        "{:<width$}  {:<9} {:>7} {:>12} {:>12} {:>6} {:>7}\n",
        "node", "state", "process", "wall clock", "rate", "tasks", "sleeps"
    );
    for node in nodes {
        let state = match (node.is_up, node.pauses) {
            (false, _) => "down".to_owned(),
            (true, 0) => "up".to_owned(),
            (true, 1) => "paused".to_owned(),
            (true, many) => format!("paused x{many}"),
        };
        text += &format!(
            "{:<width$}  {state:<9} {:>7} {:>12} {:>12} {:>6} {:>7}\n",
            node.name,
            node.incarnation,
            offset(node.wall_offset_ns),
            format!("{:+.1} ppm", node.rate_ppb as f64 / 1000.0),
            node.tasks,
            node.timers,
        );
        if node.store_cuts > 0 {
            text += &format!("{:<width$}  does not reach the store\n", "");
        }
        if node.slowness_milli != 1000 {
            let times = f64::from(node.slowness_milli) / 1000.0;
            text += &format!("{:<width$}  everything takes {times} times as long\n", "");
        }
    }
    text
}

/// How far a clock is off, in the unit that shows it best.
fn offset(ns: i64) -> String {
    let size = ns.unsigned_abs();
    let (unit, name) = match size {
        0..1_000_000 => (1e3, "us"),
        1_000_000..1_000_000_000 => (1e6, "ms"),
        1_000_000_000..3_600_000_000_000 => (1e9, "s"),
        _ => (3.6e12, "h"),
    };
    format!("{:+.1} {name}", ns as f64 / unit)
}

fn silos(silos: &[SiloScene]) -> String {
    let mut text = String::from("\n");
    if silos.is_empty() {
        return text + "no silo serves\n";
    }
    let width = silos.iter().map(|silo| silo.id.len()).max().unwrap_or(0).clamp(4, 20);
    text += &format!(
        "{:<width$} {:>5} {:<7} {:>11} {:>8} {:>8} {:>8} {:>8}\n",
        "silo", "view", "lease", "activations", "entries", "pending", "turns", "commits"
    );
    for silo in silos {
        let lease = if silo.lease_valid { "valid" } else { "lost" };
        text += &format!(
            "{:<width$} {:>5} {lease:<7} {:>11} {:>8} {:>8} {:>8} {:>8}\n",
            silo.id, silo.view, silo.activations, silo.entries, silo.pending, silo.turns, silo.commits,
        );
    }
    // Silos that see the same are named together.
    let mut seen: Vec<&SiloScene> = Vec::new();
    for first in silos {
        let is_same = |other: &SiloScene| other.view == first.view && other.active == first.active;
        if seen.iter().any(|other| is_same(other)) {
            continue;
        }
        seen.push(first);
        let who: Vec<&str> =
            silos.iter().filter(|other| is_same(other)).map(|silo| silo.id.as_str()).collect();
        let said = format!("{}: {}", who.join(" "), first.active.join(" "));
        text += &hanging(&format!("view {} of ", first.view), &said, 4);
    }
    text
}

fn paths(scene: &Scene) -> String {
    let mut text = format!("\nframes under way: {}\n", scene.frames_in_flight);
    let is_wrong = |path: &&PathScene| path.cuts | path.clogs != 0 || path.has_weather;
    let (wrong, busy): (Vec<_>, Vec<_>) = scene.paths.iter().partition(is_wrong);
    let found = wrong.len() + busy.len();
    for path in wrong.into_iter().chain(busy).take(LISTED_MAX) {
        let mut said = Vec::new();
        if path.cuts > 0 {
            said.push(if path.swallows { "cut, frames vanish" } else { "cut, frames wait" });
        }
        if path.clogs > 0 {
            said.push("clogged");
        }
        if path.has_weather {
            said.push("its own weather");
        }
        text += format!("    {} -> {}: {} {}", path.from, path.to, path.frames, said.join(", ")).trim_end();
        text += "\n";
    }
    if found > LISTED_MAX {
        text += &format!("    and {} paths more\n", found - LISTED_MAX);
    }
    text
}

fn calls(scene: &Scene) -> String {
    let mut text = format!(
        "calls without an outcome: {} of silos, {} of clients\n",
        scene.silos.iter().map(|silo| silo.pending).sum::<usize>(),
        scene.client_calls
    );
    for call in scene.calls.iter().take(LISTED_MAX) {
        text += &format!("    {} from {}, since {}\n", call.actor, call.from, show_moment(call.since));
    }
    if scene.calls.len() > LISTED_MAX {
        text += &format!("    and {} calls more\n", scene.calls.len() - LISTED_MAX);
    }
    text
}

/// A moment as one JSON object.
pub(super) fn scene_as_json(story: &str, scene: &Scene) -> Value {
    let mut value = serde_json::to_value(scene).expect("a scene is plain data");
    let fields = value.as_object_mut().expect("a scene has fields");
    fields.remove("hash");
    fields.insert("story".into(), json!(story));
    fields.insert("trace".into(), json!(format!("{:016x}", scene.hash.0)));
    fields.insert("events".into(), json!(scene.hash.1));
    value
}

/// Text in lines of eighty columns, all of them indented.
pub(crate) fn folded(text: &str, indent: usize) -> String {
    hanging(&" ".repeat(indent), text, indent)
}

/// A head, and text behind it in lines of eighty columns, those after the first indented.
pub(crate) fn hanging(head: &str, text: &str, indent: usize) -> String {
    let mut lines = String::new();
    let mut line = head.to_owned();
    let mut is_fresh = true;
    for word in text.split_whitespace() {
        if !is_fresh && line.chars().count() + 1 + word.chars().count() > WIDTH {
            lines += line.trim_end();
            lines += "\n";
            line = " ".repeat(indent);
            is_fresh = true;
        }
        if !is_fresh {
            line.push(' ');
        }
        line += word;
        is_fresh = false;
    }
    lines + line.trim_end() + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_before_the_eighty_first_column() {
        let text = hanging("      1.000000s  when     ", &"word ".repeat(60), 23);
        assert!(text.lines().count() > 3);
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
        assert!(text.lines().skip(1).all(|line| line.starts_with(&" ".repeat(23))), "{text}");
    }

    #[test]
    fn a_clock_is_off_in_the_unit_that_shows_it() {
        let shown = [-1_500, 12_300_000, 61_000_000_000, -7_200_000_000_000].map(offset);
        assert_eq!(shown, ["-1.5 us", "+12.3 ms", "+61.0 s", "-2.0 h"]);
    }
}
