//! The causality curve jumps where the failure was decided, and nowhere else.

use serde_json::Value;
use std::process::Command;

/// What the program says, as JSON, after any arguments.
fn scenarios(arguments: &[&str]) -> Value {
    let told = Command::new(env!("CARGO_BIN_EXE_scenarios"))
        .args(arguments)
        .arg("--json")
        .output()
        .expect("the program is built");
    let said = String::from_utf8_lossy(&told.stderr).into_owned();
    serde_json::from_slice(&told.stdout).unwrap_or_else(|error| panic!("{error}: {said}"))
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is no number"))
}

/// The share of futures that fail at a point of the curve, in parts per million.
fn failed_ppm(point: &Value) -> u64 {
    number(&point["failed"]) * 1_000_000 / number(&point["futures"])
}

const SECOND: u64 = 1_000_000_000;
/// How narrow the window around a jump becomes if nothing else is said.
const WINDOW: u64 = SECOND / 25;

#[test]
fn the_curve_jumps_where_it_was_decided_and_not_where_it_was_seen() {
    let told = scenarios(&["planted-decision", "--seeds", "0..40"]);
    let failures = told["failures"].as_array().expect("a list");
    assert!((2..20).contains(&failures.len()), "one in five is bad: {} of 40", failures.len());
    let seed = failures[0]["seed"].to_string();
    let measured = scenarios(&["planted-decision", "--seeds", &seed, "--curve"]);
    let curve = &measured["curve"];
    assert_eq!(curve["checker"], "decision");
    let (from, to) = (number(&curve["jump"]["from_ns"]), number(&curve["jump"]["to_ns"]));
    let decided = SECOND * 73 / 10;
    assert!(from <= decided && decided < to + WINDOW, "{from} to {to}");
    assert!(to - from <= WINDOW && to < SECOND * 8, "{from} to {to}");
    for point in curve["points"].as_array().expect("a list") {
        let (at, failed) = (number(&point["at_ns"]), failed_ppm(point));
        if at < decided {
            assert!(failed < 500_000, "{failed} ppm at {at}: nothing was decided yet");
        } else if at > decided {
            assert_eq!(failed, 1_000_000, "at {at} nothing could mend it any more");
        }
    }
}

/// A lease that is measured from its answer's arrival is wrong by as long as the answer took: that one answer is to blame.
#[cfg(feature = "mutants")]
#[test]
fn the_curve_of_a_planted_bug_jumps_before_it_is_seen() {
    let told =
        scenarios(&["clean-partition", "--seeds", "0..30", "--mutant", "m02", "--no-corpus", "--jobs", "1"]);
    let failure = &told["failures"][0];
    let seed = failure["seed"].to_string();
    let measured = scenarios(&["clean-partition", "--seeds", &seed, "--mutant", "m02", "--curve"]);
    let curve = &measured["curve"];
    let points = curve["points"].as_array().expect("a list");
    let jump = &curve["jump"];
    assert!(!jump.is_null(), "{curve}");
    let (before, after) = (number(&jump["failed_ppm"][0]), number(&jump["failed_ppm"][1]));
    let seen = number(&points.last().expect("some")["at_ns"]);
    assert!(failed_ppm(&points[0]) <= 200_000, "few futures of the beginning fail: {curve}");
    assert!(after >= before + 300_000, "from {before} to {after} ppm");
    let (from, to) = (number(&jump["from_ns"]), number(&jump["to_ns"]));
    assert!(to - from <= WINDOW && from > seen / 2 && to <= seen, "from {from} to {to}, seen at {seen}");
}
