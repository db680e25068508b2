//! `quark sim curve`: the moment that decided a failure.

use super::Source;
use crate::travel::print::{folded, hanging};
use crate::travel::{explain, show_moment};
use quark_core::Instant;
use quark_testkit::case::Case;
use quark_testkit::runner::Report;
use quark_testkit::story::Scenario;
use quark_testkit::telling::Telling;
use quark_testkit::telling::curve::{Curve, Point, Sampling};
use serde_json::json;
use std::io::{IsTerminal, Write};

/// What is to be measured.
#[derive(Clone, Debug)]
pub struct CurvePlan {
    /// The run: a story and a seed, or a case.
    pub source: Source,
    /// At how many moments, with how many futures of each.
    pub sampling: Sampling,
    /// Print one JSON object instead of text.
    pub json: bool,
}

/// Measures how likely a failure was, given the past until each moment, and draws it. `true` if the run was good.
///
/// Errors: there is no such story, it is not deterministic, or the system makes no copies of this process.
pub fn curve(plan: &CurvePlan) -> Result<bool, String> {
    let told = plan.source.tell()?;
    let mut telling = told.telling;
    let scenario =
        told.scenario.ok_or_else(|| format!("this program does not know the story {}", telling.story))?;
    let measured =
        measure(&scenario, told.case.as_ref(), &telling.report, plan.sampling, plan.sampling.jobs)?;
    if plan.json {
        println!("{}", json!({ "story": telling.story, "seed": telling.seed, "curve": measured }));
    } else {
        telling.curve = Some(measured);
        print!("{}", drawn(&telling));
    }
    Ok(telling.report.violations.is_empty())
}

/// Measures the curve of a run, and says on a terminal how far it is.
pub(super) fn measure(
    scenario: &Scenario,
    case: Option<&Case>,
    run: &Report,
    sampling: Sampling,
    jobs: usize,
) -> Result<Curve, String> {
    let shows_progress = std::io::stderr().is_terminal();
    let sampling = Sampling { jobs, ..sampling };
    let mut done = 0;
    let measured = Curve::measure(scenario, case, run, sampling, |point| {
        done += 1;
        if shows_progress {
            let at = show_moment(point.at);
            eprint!(
                "\r\x1b[K{done} of about {} moments; from {at} on {} of {} fail",
                sampling.moments + 8,
                point.failed,
                point.futures
            );
            let _ = std::io::stderr().flush();
        }
    });
    if shows_progress {
        eprint!("\r\x1b[K");
    }
    measured.map_err(|error| explain(&error, scenario.name, run.seed))
}

/// How wide the bars are at most, in characters.
const BAR: u64 = 44;
/// How many of the events around the jump are listed.
const EVENTS_SHOWN: usize = 12;

fn drawn(telling: &Telling) -> String {
    let Some(curve) = &telling.curve else { return String::new() };
    let mut text = format!("{}, seed {}: ", telling.story, telling.seed);
    text += &match (&curve.checker, telling.report.violations.first()) {
        (Some(checker), Some(found)) => format!("{checker} violated at {:?}\n", found.at),
        _ => "good; how likely would any failure have been?\n".to_owned(),
    };
    text += "of the futures of each moment fail\n\n";
    curve.points.iter().for_each(|point| text += &bar(point));
    text += "\n";
    let Some(jump) = curve.jump else {
        let said = "The curve does not jump: no moment decided it, or there are too few futures to see which (--futures).";
        return text + &folded(said, 0);
    };
    let percent = |ppm: u64| format!("{} %", (ppm + 5_000) / 10_000);
    let said = format!(
        "It jumps from {} to {} between {} and {}: within these {:.1} ms it was decided.",
        percent(jump.failed_ppm.0),
        percent(jump.failed_ppm.1),
        show_moment(jump.from),
        show_moment(jump.to),
        (jump.to.0 - jump.from.0) as f64 / 1e6,
    );
    text += &folded(&said, 0);
    text + &around(telling, jump.from, jump.to)
}

fn bar(point: &Point) -> String {
    let length = (point.failed_ppm() * BAR / 1_000_000) as usize;
    let rest = BAR as usize - length;
    let others =
        if point.failed_otherwise > 0 { format!(" +{}", point.failed_otherwise) } else { String::new() };
    let at = format!("{:?}", point.at);
    format!(
        "{at:>12} {}{} {:>3}/{}{others}\n",
        "#".repeat(length),
        ".".repeat(rest),
        point.failed,
        point.futures
    )
}

/// What happened in that time, what led to the violation first.
fn around(telling: &Telling, from: Instant, to: Instant) -> String {
    let marked: Vec<u32> = telling.marks.first().map(|mark| mark.events.clone()).unwrap_or_default();
    let slice = telling.slice(&marked);
    let is_within = |event: &u32| (from..to).contains(&telling.events[*event as usize].at);
    let mut shown: Vec<u32> = slice.into_iter().filter(is_within).collect();
    let within = (0..telling.events.len() as u32).filter(is_within);
    let is_guilty = !shown.is_empty();
    if !is_guilty {
        shown = within.clone().collect();
    }
    let mut text = format!(
        "{} events happened then{}:\n",
        within.count(),
        if is_guilty { "; those that led to the violation" } else { "" }
    );
    for event in shown.iter().take(EVENTS_SHOWN) {
        let line = telling.line(*event);
        text += &hanging(&format!("{:>12}  {:<8} ", format!("{:?}", line.at), line.on), &line.text, 23);
    }
    if shown.len() > EVENTS_SHOWN {
        text += &format!("    and {} more\n", shown.len() - EVENTS_SHOWN);
    }
    text += &format!(
        "look there: quark sim goto {} --seed {} --at {}\n",
        telling.story,
        telling.seed,
        show_moment(to)
    );
    text
}
