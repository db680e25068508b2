//! `quark sim record`, `view`, `story`, `diff` and `curve`, from the command line.

use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};
use tempfile::TempDir;

fn sim(folder: &Path, arguments: &[&str]) -> Output {
    let binary = env!("CARGO_BIN_EXE_quark");
    Command::new(binary).arg("sim").args(arguments).current_dir(folder).output().expect("it starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}

#[test]
fn a_recorded_run_is_the_run_and_draws_the_same_page() {
    let folder = TempDir::new().expect("there is room");
    let run = |arguments: &[&str]| sim(folder.path(), arguments);
    let recorded = run(&["record", "crash-no-leave", "--seed", "3", "--out", "run.json", "--json"]);
    assert_eq!(recorded.status.code(), Some(0), "{}", text(&recorded.stderr));
    let recorded: Value = serde_json::from_slice(&recorded.stdout).expect("one JSON object");
    let replayed = text(&run(&["replay", "crash-no-leave", "--seed", "3"]).stdout);
    let trace = recorded["trace"].as_str().expect("a hash");
    assert!(replayed.contains(&format!("trace {trace} over {} events", recorded["traced"])), "{replayed}");

    assert_eq!(run(&["view", "run.json", "--out", "one.html"]).status.code(), Some(0));
    assert_eq!(run(&["view", "crash-no-leave", "--seed", "3", "--out", "two.html"]).status.code(), Some(0));
    let read = |name: &str| std::fs::read(folder.path().join(name)).expect("it was written");
    assert!(read("one.html") == read("two.html"), "the page of a file is that of its seed");
    assert!(read("one.html").starts_with(b"<!DOCTYPE html>"));

    let same = run(&["diff", "run.json", "crash-no-leave:3"]);
    assert_eq!(same.status.code(), Some(0), "{}", text(&same.stdout));
    let other = run(&["diff", "run.json", "crash-no-leave:4", "--json"]);
    assert_eq!(other.status.code(), Some(1));
    let other: Value = serde_json::from_slice(&other.stdout).expect("one JSON object");
    assert!(other["first"].is_u64() && other["one"][0] != other["two"][0], "{other}");
}

#[test]
fn a_run_is_told_in_eighty_columns_and_as_data() {
    let folder = TempDir::new().expect("there is room");
    let told = sim(folder.path(), &["story", "zombie-silo", "--seed", "3"]);
    let said = text(&told.stdout);
    assert!(said.lines().all(|line| line.chars().count() <= 80), "{said}");
    assert!(said.contains("FAULT    pause: ") && said.contains("Every promise held."), "{said}");
    let data = sim(folder.path(), &["story", "zombie-silo", "--seed", "3", "--json"]);
    let data: Value = serde_json::from_slice(&data.stdout).expect("one JSON object");
    assert_eq!((&data["good"], &data["story"]), (&Value::Bool(true), &Value::from("zombie-silo")));
    assert!(data["faults"].as_array().is_some_and(|faults| !faults.is_empty()));
}

#[test]
fn a_run_that_is_good_whatever_chance_does_has_a_flat_curve() {
    let folder = TempDir::new().expect("there is room");
    let few = ["curve", "crash-no-leave", "--seed", "3", "--moments", "3", "--futures", "2", "--json"];
    let measured = sim(folder.path(), &few);
    assert_eq!(measured.status.code(), Some(0), "{}", text(&measured.stderr));
    let measured: Value = serde_json::from_slice(&measured.stdout).expect("one JSON object");
    let points = measured["curve"]["points"].as_array().expect("a list");
    assert_eq!(points.len(), 3);
    assert!(points.iter().all(|point| point["futures"] == 2 && point["failed"] == 0), "{points:?}");
    assert_eq!(measured["curve"]["jump"], Value::Null);
}

/// What is left of a run: nobody deposits anything any more.
const CASE: &str = r#"{"version": 2, "story": "zombie-silo", "seed": 3, "operations": []}"#;

#[test]
fn a_case_is_drawn_told_and_compared_as_a_run_is() {
    let folder = TempDir::new().expect("there is room");
    std::fs::write(folder.path().join("small.json"), CASE).expect("there is room");
    let run = |arguments: &[&str]| sim(folder.path(), arguments);
    let drawn = run(&["view", "--case", "small.json"]);
    assert_eq!(drawn.status.code(), Some(0), "{}", text(&drawn.stderr));
    let page = std::fs::read_to_string(folder.path().join("small.html")).expect("beside the case");
    assert!(page.contains("\"replay\":\"quark sim replay --case small.json\""), "the command is in the page");

    let told = text(&run(&["story", "--case", "small.json"]).stdout);
    assert!(told.contains("quark sim replay --case small.json"), "{told}");
    let replayed = text(&run(&["replay", "--case", "small.json"]).stdout);
    let whole = text(&run(&["replay", "zombie-silo", "--seed", "3"]).stdout);
    let trace = |said: &str| said.split("trace ").nth(1).map(|rest| rest[..16].to_owned()).expect("a hash");
    assert_ne!(trace(&replayed), trace(&whole));
    let compared = run(&["diff", "small.json", "zombie-silo:3", "--json"]);
    assert_eq!(compared.status.code(), Some(1), "{}", text(&compared.stderr));
    let compared: Value = serde_json::from_slice(&compared.stdout).expect("one JSON object");
    assert_eq!(compared["hashes"], serde_json::json!([trace(&replayed), trace(&whole)]), "{compared}");

    let few = ["curve", "--case", "small.json", "--moments", "2", "--futures", "2", "--json"];
    let measured = run(&few);
    let curve: Value = serde_json::from_slice(&measured.stdout).expect("one JSON object");
    assert_eq!(curve["curve"]["points"].as_array().map(Vec::len), Some(2), "{curve}");
}

#[test]
fn a_case_that_is_stale_says_so_and_what_to_do() {
    let folder = TempDir::new().expect("there is room");
    for (name, case, complaint) in [
        ("other.json", CASE.replace("\"story\"", "\"engine\": 99, \"story\""), "of simulator 99"),
        ("gone.json", CASE.replace("zombie-silo", "vampire-silo"), "about the story `vampire-silo`"),
        ("newer.json", CASE.replace(": 2", ": 77"), "has version 77"),
    ] {
        std::fs::write(folder.path().join(name), case).expect("there is room");
        for command in ["replay", "view", "story", "curve", "shrink"] {
            let refused = sim(folder.path(), &[command, "--case", name]);
            let said = text(&refused.stderr);
            assert_eq!(refused.status.code(), Some(2), "{command} {name}: {said}");
            assert!(said.contains(complaint), "{command} {name}: {said}");
        }
    }
}

#[test]
fn a_case_is_kept_under_a_name_only_where_the_corpus_is() {
    let folder = TempDir::new().expect("there is room");
    let keep = ["shrink", "planted-canary", "--seed", "100", "--name", "canary", "--because", "it fell"];
    let nowhere = sim(folder.path(), &keep);
    assert!(text(&nowhere.stderr).contains("no folder scenarios/cases here"), "{}", text(&nowhere.stderr));
    std::fs::create_dir_all(folder.path().join("scenarios/cases")).expect("there is room");
    let kept = sim(folder.path(), &keep);
    assert_eq!(kept.status.code(), Some(1), "it fails, small or not: {}", text(&kept.stderr));
    let file = folder.path().join("scenarios/cases/canary.json");
    let named: Value =
        serde_json::from_slice(&std::fs::read(&file).expect("it was written")).expect("one JSON object");
    assert_eq!((&named["because"], &named["failed"]["promise"]), (&"it fell".into(), &"canary".into()));
    assert_eq!(named["case"]["seed"], 100);
    let told = sim(folder.path(), &["replay", "--case", "scenarios/cases/canary.json"]);
    assert!(text(&told.stdout).contains("the canary fell at seed 100"), "{}", text(&told.stdout));
    let again = sim(folder.path(), &keep);
    assert!(text(&again.stderr).contains("is not written over"), "{}", text(&again.stderr));
    let wrong = sim(folder.path(), &["shrink", "planted-canary", "--seed", "100", "--name", "../canary"]);
    assert!(text(&wrong.stderr).contains("`../canary` is no name"), "{}", text(&wrong.stderr));
}

#[test]
fn what_is_no_run_is_named() {
    let folder = TempDir::new().expect("there is room");
    std::fs::write(folder.path().join("letter.json"), "{\"dear\": \"reader\"}").expect("there is room");
    let newer = "{\"format\": \"quark-telling\", \"schema\": 99, \"engine\": \"7.0\"}";
    std::fs::write(folder.path().join("newer.json"), newer).expect("there is room");
    for (arguments, complaint) in [
        (&["view", "nothing.json"][..], "cannot read nothing.json"),
        (&["view", "letter.json"][..], "letter.json is no recorded telling"),
        (&["story", "newer.json"][..], "newer.json has schema 99"),
        (&["story", "zombie-silo"][..], "which seed of zombie-silo?"),
        (&["record", "no-such-story", "--seed", "1", "--out", "x"][..], "there is no story `no-such-story`"),
    ] {
        let refused = sim(folder.path(), arguments);
        let said = text(&refused.stderr);
        assert_eq!(refused.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(complaint), "{arguments:?}: {said}");
    }
}
