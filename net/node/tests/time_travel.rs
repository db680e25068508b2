//! `quark sim goto`, `branch` and `travel`: going back gives what telling the story from its start would have given, and
//! leaves no process behind.

use quark_core::Instant;
use quark_scenarios::cli::select;
use quark_scenarios::travel::{parse_moment, show_moment};
use quark_testkit::story::Scenario;
use quark_testkit::{machine, runner};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Output, Stdio};

fn quark(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quark"));
    command.arg("sim").args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn output(arguments: &[&str]) -> Output {
    quark(arguments).output().expect("it starts")
}

/// What a conversation says, from its first line to its last.
fn travel(story: &str, seed: u64, lines: &str) -> (Option<i32>, String, String) {
    let mut child = quark(&["travel", story, "--seed", &seed.to_string()])
        .stdin(Stdio::piped())
        .spawn()
        .expect("it starts");
    child.stdin.take().expect("piped").write_all(lines.as_bytes()).expect("it listens");
    let output = child.wait_with_output().expect("it ends");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn story(name: &str) -> Scenario {
    select(&[name.to_owned()]).expect("it exists")[0]
}

/// Every hash that a text shows, in order.
fn traces(text: &str) -> Vec<String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let after = words.windows(2).filter(|pair| pair[0] == "trace");
    after.map(|pair| pair[1].trim_end_matches(',').to_owned()).collect()
}

fn hex(hash: (u64, u64)) -> String {
    format!("{:016x}", hash.0)
}

const STORIES: [&str; 4] = ["zombie-silo", "crash-no-leave", "reminder-owner-change", "clean-partition"];

#[test]
fn a_moment_gone_back_to_is_the_moment_told_from_the_start() {
    for name in STORIES {
        for seed in [1, 7] {
            let told = story(name);
            let whole = runner::tell(&told, seed);
            let end = whole.simulated.as_nanos() as u64;
            // Back and forth, at no round number, at the start, in the last nanosecond, and one of them twice.
            let moments = [end / 2, end / 7, end - 1, 0, end / 3 * 2, end / 7, 1].map(Instant);
            let lines: String = moments.iter().map(|at| format!("goto {}\n", show_moment(*at))).collect();
            let (code, said, complaints) = travel(name, seed, &lines);
            assert_eq!((code, complaints.as_str()), (Some(0), ""), "{name}, seed {seed}: {said}");
            let from_the_start = |at: &Instant| {
                let scene = machine::visit(&told, seed, *at).expect("it is before the end");
                assert_eq!(scene.at, *at);
                hex(scene.hash)
            };
            let expected: Vec<String> =
                std::iter::once(hex(whole.hash)).chain(moments.iter().map(from_the_start)).collect();
            assert_eq!(traces(&said), expected, "{name}, seed {seed}");
        }
    }
}

#[test]
fn a_future_told_from_a_copy_is_the_future_told_from_the_start() {
    for name in STORIES {
        let (seed, told) = (3, story(name));
        let whole = runner::tell(&told, seed);
        let at = Instant(whole.simulated.as_nanos() as u64 / 3);
        let moment = show_moment(at);
        let (code, said, _) = travel(name, seed, &format!("goto {moment}\nbranch 3\nbranch 40..42\n"));
        assert_eq!(code, Some(0), "{said}");
        let future = |seed| hex(runner::tell_branched(&told, 3, at, seed).hash);
        let expected = [hex(whole.hash), future(40), future(41)];
        assert_eq!(traces(&said)[2..], expected, "{name}: the same seed goes on as before");
        assert_ne!(expected[0], expected[1]);

        let many = output(&["branch", name, "--seed", "3", "--at", &moment, "--reseed", "40..42", "--json"]);
        let many: Value = serde_json::from_slice(&many.stdout).expect("one JSON object");
        let hashes: Vec<_> = many["futures"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|future| future["trace"].as_str().expect("a hash").to_owned())
            .collect();
        assert_eq!(hashes, expected[1..], "{name}");
    }
}

#[test]
fn the_past_of_a_branch_is_that_of_the_run() {
    let told = story("zombie-silo");
    let at = parse_moment("10s").expect("a moment");
    let trunk = runner::tell(&told, 5);
    let branch = runner::tell_branched(&told, 5, at, 6);
    let before = |report: &runner::Report| {
        report.steps.iter().filter(|step| step.at < at).cloned().collect::<Vec<_>>()
    };
    assert_eq!(before(&trunk), before(&branch));
    assert!(before(&trunk).len() > 2);
    assert_ne!(trunk.hash, branch.hash);
}

#[test]
fn a_moment_is_shown_in_eighty_columns_and_as_data() {
    let shown = output(&["goto", "zombie-silo", "--seed", "3", "--at", "10s"]);
    let text = String::from_utf8(shown.stdout).expect("text");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    for said in ["paused", "e#1", "frames under way", "calls without an outcome", "e freezes"] {
        assert!(text.contains(said), "`{said}` in\n{text}");
    }
    let data = output(&["goto", "zombie-silo", "--seed", "3", "--at", "10s", "--json"]);
    let data: Value = serde_json::from_slice(&data.stdout).expect("one JSON object");
    assert_eq!(data["at_ns"], 10_000_000_000u64);
    assert_eq!(data["trace"], traces(&text)[0].as_str());
    let paused: Vec<_> = data["nodes"]
        .as_array()
        .expect("a list")
        .iter()
        .filter(|node| node["pauses"] != 0)
        .map(|node| node["name"].as_str())
        .collect();
    assert_eq!(paused, [Some("e")]);
}

#[test]
fn what_cannot_be_done_is_named_and_ends_with_two() {
    let cases: [(&[&str], &[&str]); 7] = [
        (
            &["goto", "zombie-silo", "--seed", "3", "--at", "10h"],
            &["`36000s`", "is over at 98.", "until then"],
        ),
        (&["goto", "zombie-silo", "--seed", "3", "--at", "31.4"], &["`31.4` has no unit", "31.4s"]),
        (&["goto", "zombie-silo", "--seed", "3", "--at", "3 weeks"], &["weeks", "is no unit", "units:"]),
        (&["goto", "zombi", "--seed", "3", "--at", "3s"], &["no story `zombi`", "zombie-silo"]),
        (&["branch", "zombie-silo", "--seed", "3", "--at", "10h", "--reseed", "1"], &["`36000s`", "over at"]),
        (
            &["branch", "zombie-silo", "--seed", "3", "--at", "10h", "--reseed", "0..9"],
            &["`36000s`", "over at"],
        ),
        (&["branch", "zombie-silo", "--seed", "3", "--at", "1s", "--reseed", "5..5"], &["`5..5`", "empty"]),
    ];
    for (arguments, expected) in cases {
        let output = output(arguments);
        let said = String::from_utf8(output.stderr).expect("text");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(expected.iter().all(|text| said.contains(text)), "{arguments:?}: {said}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
}

#[test]
fn a_conversation_goes_on_after_a_line_that_cannot_be_obeyed() {
    let (code, said, complaints) =
        travel("zombie-silo", 3, "goto 2h\nback 1s\nfly\ngoto 5s\nback 1s\non 500ms\nstory 1\n");
    assert_eq!(code, Some(2), "{said}");
    for expected in [
        "error: `7200s` is after the end",
        "error: `back 1s` from 0s is before the start",
        "error: `fly` is nothing that can be done",
        "at 5s:",
        "at 4s:",
        "at 4.5s:",
        "its last 1 of 3 lines",
    ] {
        assert!(said.contains(expected), "`{expected}` in\n{said}");
    }
    assert!(complaints.contains("3 of the lines"), "{complaints}");
    let (code, ..) = travel("zombie-silo", 3, "goto 5s\nquit\nfly\n");
    assert_eq!(code, Some(0), "nothing is read after `quit`");
}

/// A conversation that has told its story and waits for a line.
fn waiting_conversation() -> (std::process::Child, BufReader<std::process::ChildStdout>) {
    let mut child =
        quark(&["travel", "zombie-silo", "--seed", "3"]).stdin(Stdio::piped()).spawn().expect("it starts");
    let mut lines = BufReader::new(child.stdout.take().expect("piped"));
    let mut line = String::new();
    while !line.contains("moments of it are kept") {
        line.clear();
        assert_ne!(lines.read_line(&mut line).expect("text"), 0, "it says how many moments it keeps");
    }
    let kept: usize = line
        .split_whitespace()
        .filter_map(|word| word.parse().ok())
        .next_back()
        .unwrap_or_else(|| panic!("a number in `{line}`"));
    assert_eq!(children_of(child.id()).len(), kept, "one process for each");
    assert!((16..=32).contains(&kept), "bounded, and no fewer than half of that: {kept}");
    (child, lines)
}

/// The processes whose parent is this one.
fn children_of(parent: u32) -> Vec<Pid> {
    let is_child = |pid: &i32| {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        status.lines().any(|line| line.split_whitespace().eq(["PPid:", &parent.to_string()]))
    };
    std::fs::read_dir("/proc")
        .expect("there is /proc")
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok())
        .filter(is_child)
        .filter_map(Pid::from_raw)
        .collect()
}

#[test]
fn no_copy_outlives_a_parent_that_was_killed() {
    let (mut child, _lines) = waiting_conversation();
    let copies = children_of(child.id());
    let watched: Vec<_> = copies
        .iter()
        .map(|pid| pidfd_open(*pid, PidfdFlags::empty()).expect("it lives until its parent ends"))
        .collect();
    let pid = Pid::from_raw(child.id().cast_signed()).expect("a process");
    kill_process(pid, Signal::KILL).expect("it runs");
    for copy in &watched {
        // Readable once the process has ended; without that, this test never ends.
        poll(&mut [PollFd::new(copy, PollFlags::IN)], None).expect("it can be waited for");
    }
    child.wait().expect("it was killed");
}

#[test]
fn no_copy_outlives_the_end_of_the_conversation() {
    let (mut child, _lines) = waiting_conversation();
    let copies = children_of(child.id());
    let watched: Vec<_> =
        copies.iter().map(|pid| pidfd_open(*pid, PidfdFlags::empty()).expect("it lives")).collect();
    drop(child.stdin.take());
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
    for copy in &watched {
        let mut ends = [PollFd::new(copy, PollFlags::IN)];
        let none = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
        assert_eq!(poll(&mut ends, Some(&none)).expect("it can be asked"), 1, "gone before its parent");
    }
}
