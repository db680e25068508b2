//! `quark sim story`: a run in prose.

use super::Source;
use crate::travel::print::{folded, hanging, verdict};
use crate::travel::show_moment;
use quark_core::Instant;
use quark_testkit::telling::{Band, EntryKind, Fate, Telling};
use serde_json::json;
use std::collections::BTreeMap;

/// Tells a run in prose. `true` if it was good.
///
/// Errors: there is no such file or story, or the story is not deterministic.
pub fn story(source: &Source, json: bool) -> Result<bool, String> {
    let telling = source.tell()?.telling;
    if json {
        println!("{}", as_json(&telling));
    } else {
        print!("{}", in_prose(&telling));
    }
    Ok(telling.report.violations.is_empty())
}

/// How many violations are explained; the rest is counted.
const VIOLATIONS_SHOWN: usize = 5;
/// How many events that led to one are told.
const CAUSES_SHOWN: usize = 16;
/// How many faults are told of.
const FAULTS_SHOWN: usize = 40;

/// The run in lines of at most eighty columns.
pub(super) fn in_prose(telling: &Telling) -> String {
    let mut text = format!("{}, seed {}\n{}\n", telling.story, telling.seed, folded(&telling.premise, 4));
    let silos: Vec<&str> =
        telling.lanes.iter().filter(|lane| lane.is_silo).map(|lane| lane.name.as_str()).collect();
    let clients = telling.lanes.len() - silos.len();
    let cast = format!(
        "On stage: silos {}, {clients} clients, {} actors; {} events and {} frames in {}.",
        silos.join(" "),
        telling.actors.len(),
        telling.events.len(),
        telling.frames.len(),
        show_moment(Instant::ZERO + telling.report.simulated),
    );
    text += &folded(&cast, 0);
    text += "\nWHAT HAPPENED\n\n";
    text += &acts(telling);
    if telling.report.violations.is_empty() {
        text += "\nEvery promise held.\n";
    } else {
        text += "\nWHAT BROKE\n";
        (0..telling.report.violations.len().min(VIOLATIONS_SHOWN))
            .for_each(|at| text += &violation(telling, at));
        let more = telling.report.violations.len().saturating_sub(VIOLATIONS_SHOWN);
        if more > 0 {
            text += &format!("\n{more} more violations follow from the same run\n");
        }
    }
    text += "\n";
    text += &folded(&verdict(&telling.report), 0);
    text + &commands(telling)
}

/// Steps and faults in one order.
fn acts(telling: &Telling) -> String {
    let mut acts: Vec<(Instant, usize, String)> = Vec::new();
    for step in &telling.report.steps {
        let head = format!("{:>12}  {:<8} ", format!("{:?}", step.at), step.part);
        acts.push((step.at, 1, hanging(&head, &step.text, 23)));
    }
    let kinds = alike(&telling.faults);
    for bands in kinds.iter().take(FAULTS_SHOWN) {
        acts.push((bands[0].from, 0, fault(telling, bands)));
    }
    acts.sort_by_key(|(at, rank, _)| (*at, *rank));
    let mut text: String = acts.into_iter().map(|(_, _, said)| said).collect();
    if kinds.len() > FAULTS_SHOWN {
        text += &format!("{:>12}  and {} more faults\n", "", kinds.len() - FAULTS_SHOWN);
    }
    text
}

/// Faults in groups: the same was done to several at once.
fn alike(faults: &[Band]) -> Vec<Vec<&Band>> {
    let mut groups: BTreeMap<_, Vec<&Band>> = BTreeMap::new();
    for band in faults {
        groups.entry((band.from, &band.what, &band.detail, band.to)).or_default().push(band);
    }
    groups.into_values().collect()
}

/// A fault, or the same one done to several at once, and what happened while it lasted.
fn fault(telling: &Telling, bands: &[&Band]) -> String {
    let band = bands[0];
    let head = format!("{:>12}  {:<8} ", format!("{:?}", band.from), "FAULT");
    let until = match (band.is_momentary, band.end_event) {
        (true, _) => String::new(),
        (false, Some(_)) => format!(", until {:?}", band.to),
        (false, None) => ", to the end".to_owned(),
    };
    let others: Vec<String> = bands[1..].iter().map(|band| sides(band)).collect();
    let and = match others.len() {
        0 => String::new(),
        1..=3 => format!("; and {}", others.join("; ")),
        many => format!("; and {many} more like it"),
    };
    let mut text = hanging(&head, &format!("{}{and}{until}", band.words()), 23);
    let around = consequences(telling, band);
    if !around.is_empty() {
        text += &folded(&around.join("; "), 23);
    }
    text
}

/// The nodes that a fault hits.
fn sides(band: &Band) -> String {
    band.groups.iter().map(|group| group.join(" ")).collect::<Vec<_>>().join(" | ")
}

/// What a fault may have brought about: told only if it happened while it lasted, to whom it hit.
fn consequences(telling: &Telling, band: &Band) -> Vec<String> {
    let to = if band.is_momentary { Instant(band.from.0 + 1_000_000_000) } else { band.to };
    let lasts = |at: Instant| (band.from..=to).contains(&at);
    let mut said = Vec::new();
    let is_of_network = matches!(band.what.as_str(), "cut" | "clog" | "weather" | "half-open link");
    let dropped = telling.frames.iter().filter(|frame| {
        let at = frame.end.map(|end| telling.events[end as usize].at);
        !matches!(frame.fate, Fate::Delivered | Fate::UnderWay) && at.is_some_and(lasts)
    });
    let dropped = dropped.count();
    if is_of_network && dropped > 0 {
        said.push(format!("{dropped} frames are dropped"));
    }
    let mut silos: BTreeMap<EntryKind, Vec<String>> = BTreeMap::new();
    let mut unlucky = 0;
    for entry in telling.events.iter().filter(|entry| lasts(entry.at)) {
        match entry.kind {
            EntryKind::LeaseLost | EntryKind::Stopped | EntryKind::Fenced => {
                let names = silos.entry(entry.kind).or_default();
                let place = telling.place(entry);
                if !names.contains(&place) {
                    names.push(place);
                }
            }
            EntryKind::Returned => {
                let outcome = entry.data.get("outcome").and_then(|outcome| outcome.as_str());
                unlucky += usize::from(matches!(outcome, Some("Failed" | "Unknown")));
            }
            _ => {}
        }
    }
    for (kind, names) in silos {
        let what = match kind {
            EntryKind::LeaseLost => "without lease",
            EntryKind::Stopped => "stopped",
            _ => "fenced on",
        };
        said.push(format!("{what}: {}", names.join(" ")));
    }
    if unlucky > 0 {
        said.push(format!("{unlucky} calls of clients fail, or end in doubt"));
    }
    said
}

/// A violation, and what led there.
fn violation(telling: &Telling, at: usize) -> String {
    let found = &telling.report.violations[at];
    let head = format!("\n{:>12}  {}: ", format!("{:?}", found.at), found.checker);
    let mut text = hanging(&head, &found.message, 14);
    let Some(mark) = telling.marks.get(at).filter(|mark| !mark.events.is_empty()) else { return text };
    let (slice, near) = (telling.slice(&mark.events), telling.nearest_causes(&mark.events, CAUSES_SHOWN));
    text += &match slice.len() - mark.events.len() {
        0 => "    Nothing that was recorded led there; it is seen at\n".to_owned(),
        led => format!("    {led} of {} events led there; the nearest:\n", telling.events.len()),
    };
    for event in near {
        let line = telling.line(event);
        let is_marked = mark.events.contains(&event);
        let head =
            format!("{:>12} {}{:<8} ", format!("{:?}", line.at), if is_marked { "!" } else { " " }, line.on);
        text += &hanging(&head, &line.text, 23);
    }
    text
}

fn commands(telling: &Telling) -> String {
    let (story, seed) = (&telling.story, telling.seed);
    let mut text = format!("replay:  quark sim replay {story} --seed {seed}\n");
    text += &format!("see it:  quark sim view {story} --seed {seed}\n");
    if let Some(found) = telling.report.violations.first() {
        text += &format!("there:   quark sim goto {story} --seed {seed} --at {}\n", show_moment(found.at));
        text += &format!("why:     quark sim curve {story} --seed {seed}\n");
    }
    if let Some(plan) = &telling.plan {
        text +=
            &folded(&format!("the smallest run that fails has {} faults: {}", plan.faults(), plan.replay), 0);
    }
    text
}

fn as_json(telling: &Telling) -> serde_json::Value {
    let violations = telling.report.violations.iter().zip(&telling.marks).map(|(found, mark)| {
        json!({
            "checker": found.checker,
            "message": found.message,
            "at_ns": found.at.0,
            "events": mark.events.iter().map(|event| telling.line(*event)).collect::<Vec<_>>(),
            "led_there": telling.slice(&mark.events).len(),
            "nearest": telling.nearest_causes(&mark.events, CAUSES_SHOWN).into_iter()
                .map(|event| telling.line(event)).collect::<Vec<_>>(),
        })
    });
    json!({
        "story": telling.story,
        "premise": telling.premise,
        "seed": telling.seed,
        "trace": format!("{:016x}", telling.report.hash.0),
        "good": telling.report.violations.is_empty(),
        "steps": telling.report.steps,
        "faults": telling.faults.iter().map(|band| json!({
            "fault": band, "around": consequences(telling, band),
        })).collect::<Vec<_>>(),
        "violations": violations.collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_told_in_eighty_columns() {
        let source = Source::Seed { story: "zombie-silo".into(), seed: 3 };
        let telling = source.tell().expect("it is told").telling;
        let text = in_prose(&telling);
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        for said in [
            "FAULT    pause: e",
            "it knows that it is dead",
            "Every promise held.",
            "On stage: silos a b c d e",
        ] {
            assert!(text.contains(said), "`{said}` in\n{text}");
        }
    }
}
