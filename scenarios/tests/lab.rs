//! What is wrong on purpose is noticed, named and told, through the program as people and scripts use it.

use serde_json::Value;
use std::process::{Command, Output};

fn lab(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lab")).args(arguments).output().expect("the program is built")
}

fn text(output: &Output) -> String {
    let both = [&output.stdout, &output.stderr];
    both.map(|bytes| String::from_utf8_lossy(bytes).into_owned()).join("\n")
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", text(output)))
}

#[test]
fn a_canary_that_falls_at_one_seed_of_a_hundred_is_reported_with_its_seeds() {
    let told = lab(&["run", "planted-canary", "--seeds", "0..300"]);
    let text = text(&told);
    assert_eq!(told.status.code(), Some(1), "{text}");
    assert!(text.contains("300 seeds, 3 failed"), "{text}");
    for seed in [0, 100, 200] {
        assert!(text.contains(&format!("replay: quark sim replay planted-canary --seed {seed}\n")), "{text}");
    }
    let told = lab(&["run", "planted-canary", "--seeds", "0..300", "--json"]);
    let report = json(&told);
    let seeds: Vec<u64> = report["failures"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|failure| failure["seed"].as_u64().expect("a seed"))
        .collect();
    assert_eq!(seeds, [0, 100, 200]);
    assert_eq!(
        (&report["failures"][1]["checker"], &report["verdict"]),
        (&"canary".into(), &"violation".into())
    );
    assert_eq!(told.status.code(), Some(1));
}

#[test]
fn a_canary_that_does_not_fall_is_good() {
    let told = lab(&["run", "planted-canary", "--seeds", "1..100"]);
    // Fifty seeds and more must also reach what the story names; the canary names nothing.
    assert_eq!(told.status.code(), Some(0), "{}", text(&told));
}

#[test]
fn every_class_of_failure_has_its_code() {
    let code = |story: &str, seeds: &str| {
        let told = lab(&["run", story, "--seeds", seeds, "--json"]);
        let verdict = json(&told)["verdict"].as_str().expect("a word").to_owned();
        (told.status.code().expect("it ends by itself"), verdict)
    };
    assert_eq!(code("planted-deadlock", "1..2"), (3, "deadlock".into()));
    assert_eq!(code("planted-real-clock", "1..2"), (4, "nondeterminism".into()));
    assert_eq!(code("planted-vacuous", "0..50"), (5, "vacuous".into()));
    let told = lab(&["run", "no-such-story"]);
    assert_eq!(told.status.code(), Some(2), "{}", text(&told));
    let told = lab(&["audit", "--help"]);
    assert!(text(&told).contains("4 nondeterminism"), "the codes are told: {}", text(&told));
}

#[test]
fn a_read_of_the_real_clock_is_named_by_its_call_and_its_place() {
    let text = text(&lab(&["run", "planted-real-clock", "--seeds", "1"]));
    assert!(text.contains("`clock_gettime` of the real system"), "{text}");
    assert!(text.contains("planted::real_clock"), "the backtrace names the caller: {text}");
}

#[test]
fn an_order_that_comes_from_a_map_is_found_in_fresh_processes_at_its_first_event() {
    let told = lab(&["audit", "planted-hash-order", "--seeds", "7"]);
    let text = text(&told);
    assert_eq!(told.status.code(), Some(4), "{text}");
    assert_first_difference_is_behind_the_beginning(&text);
}

#[test]
fn an_order_that_comes_from_addresses_is_found_in_fresh_processes_at_its_first_event() {
    let told = lab(&["audit", "planted-address-order", "--seeds", "7"]);
    let text = text(&told);
    assert_eq!(told.status.code(), Some(4), "{text}");
    assert_first_difference_is_behind_the_beginning(&text);
}

/// The planted stories note a text just before the first difference, which is a note as well.
fn assert_first_difference_is_behind_the_beginning(text: &str) {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let one = lines.iter().find(|line| line.starts_with("> one")).unwrap_or_else(|| panic!("{text}"));
    let other = lines.iter().find(|line| line.starts_with("> other")).unwrap_or_else(|| panic!("{text}"));
    let before = lines.iter().rfind(|line| line.starts_with("both")).unwrap_or_else(|| panic!("{text}"));
    let number = |line: &str| {
        let digits = line.split('#').nth(1).and_then(|rest| rest.split(' ').next());
        digits.and_then(|digits| digits.parse::<u64>().ok()).unwrap_or_else(|| panic!("{line}"))
    };
    assert!(one.contains(" Note ") && other.contains(" Note "), "{text}");
    assert_ne!(one.rsplit(' ').next(), other.rsplit(' ').next(), "{text}");
    assert_eq!(number(one), number(other), "{text}");
    assert_eq!(number(before) + 1, number(one), "{text}");
    assert!(before.contains(" Note "), "{text}");
    assert!(text.contains("replay: quark sim replay planted-"), "{text}");
}

#[test]
fn a_story_that_is_a_function_of_its_seed_passes_the_audit() {
    let told = lab(&["audit", "first-call-race", "--seeds", "3..5", "--json"]);
    let report = json(&told);
    assert_eq!((told.status.code(), &report["runs"]), (Some(0), &2.into()), "{}", text(&told));
}

#[test]
fn a_hash_that_is_not_the_files_is_reported_with_the_events_among_which_it_parts() {
    let file = std::env::temp_dir().join(format!("quark-lab-{:?}.toml", std::thread::current().id()));
    let path = file.to_str().expect("a path without surprises");
    let written = lab(&["audit", "first-call-race", "--seeds", "3", "--write", path]);
    assert_eq!(written.status.code(), Some(0), "{}", text(&written));
    let same = lab(&["audit", "--against", path]);
    let kept = std::fs::read_to_string(&file).expect("it was written");
    let marks = kept.lines().find(|line| line.starts_with("marks")).expect("it has marks").to_owned();
    let third = marks.split(' ').nth(4).expect("it has several").to_owned();
    let hash = kept.lines().find(|line| line.starts_with("hash")).expect("it has a hash").to_owned();
    let other = kept.replace(&third, "00000000").replace(&hash, "hash = \"0000000000000000\"");
    std::fs::write(&file, other).expect("it can be written");
    let differs = lab(&["audit", "--against", path]);
    std::fs::remove_file(&file).expect("it was written");
    assert_eq!(same.status.code(), Some(0), "{}", text(&same));
    assert_eq!(differs.status.code(), Some(4), "{}", text(&differs));
    assert!(
        text(&differs).contains("this build agrees with itself and not with the file"),
        "{}",
        text(&differs)
    );
    assert!(text(&differs).contains("part between events"), "{}", text(&differs));
}

#[test]
fn a_small_world_prints_its_numbers() {
    let told = lab(&["explore", "membership", "--steps", "3", "--by-hand", "0", "--json"]);
    let report = json(&told);
    assert_eq!(told.status.code(), Some(0), "{}", text(&told));
    assert!(report["states"].as_u64().is_some_and(|states| states > 20), "{report}");
    assert_eq!(report["complete"], true);
    let told = lab(&["explore", "directory", "--nodes", "9"]);
    assert_eq!(told.status.code(), Some(2), "{}", text(&told));
}

/// Placement draws from a map: the tripwire sees nothing of it, since the keys were drawn before.
#[cfg(feature = "mutants")]
#[test]
fn m27_a_placement_in_the_order_of_a_map_is_found_by_the_audit() {
    let healthy = lab(&["audit", "stale-routes", "--seeds", "0..2"]);
    assert_eq!(healthy.status.code(), Some(0), "{}", text(&healthy));
    let told = lab(&["audit", "stale-routes", "--seeds", "0..2", "--mutant", "m27"]);
    let text = text(&told);
    assert_eq!(told.status.code(), Some(4), "{text}");
    assert!(text.contains("> one") && text.contains("> other"), "{text}");
}
