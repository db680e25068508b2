//! What a user can get wrong: each a clear error, an exit code that is not 0, and no process left behind.

use crate::harness::{Up, ends, processes_with, quark};
use std::net::TcpListener;

/// Runs `quark up` with wrong input and checks that it says all of these.
fn refuses(arguments: &[&str], parts: &[&str]) {
    let mut line = vec!["up", "--silos", "1", "--http-port", "0"];
    line.extend(arguments);
    let (code, text) = ends(&line);
    assert!(code.is_some_and(|code| code != 0), "{arguments:?} ended with {code:?}: {text}");
    for part in parts {
        assert!(text.contains(part), "{arguments:?} should name `{part}`:\n{text}");
    }
    assert!(!text.contains("panicked"), "{text}");
}

#[test]
fn a_port_in_use_is_named_and_nothing_is_left_behind() {
    let holder = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = holder.local_addr().expect("an address").port().to_string();
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().to_str().expect("text");
    let (code, text) = ends(&["up", "--data", data, "--http-port", &port]);
    assert_eq!(code, Some(1), "{text}");
    for part in [&format!("127.0.0.1:{port}"), "in use", "--http-port"] {
        assert!(text.contains(part), "{text}");
    }
    assert_eq!(processes_with(data), Vec::<u64>::new(), "left behind");
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("file");
    std::fs::write(&file, "in the way").expect("written");
    let below = file.join("data");
    refuses(&["--data", below.to_str().expect("text")], &[below.to_str().expect("text"), "--data"]);
    // Nobody writes there, not even root.
    refuses(&["--data", "/proc/quark-data"], &["/proc/quark-data", "--data"]);
}

#[test]
fn a_database_of_another_cluster_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().to_str().expect("text");
    let mut up = Up::start_in(folder.path(), &["--silos", "1", "--rate", "0", "--cluster", "one"]);
    up.wait_healthy();
    assert_eq!(up.interrupt().0, Some(0));
    refuses(&["--data", data, "--cluster", "two"], &["`one`", "`two`", "quark.sqlite", "cluster id"]);
}

#[test]
fn a_database_that_is_none_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let (data, file) = (folder.path().to_str().expect("text"), folder.path().join("quark.sqlite"));
    std::fs::write(&file, "a letter to my grandmother, which is no database at all").expect("written");
    refuses(&["--data", data], &["quark.sqlite", "no", "another path"]);
}

#[test]
fn a_database_of_a_newer_schema_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut up = Up::start_in(folder.path(), &["--silos", "1", "--rate", "0"]);
    up.wait_healthy();
    assert_eq!(up.interrupt().0, Some(0));
    // SQLite keeps the schema's version in its header, as four bytes from the 60th on (file format, section 1.3.14).
    let file = folder.path().join("quark.sqlite");
    let mut bytes = std::fs::read(&file).expect("it is there");
    assert_eq!(bytes[60..64], [0, 0, 0, 2], "this program's own version");
    bytes[60..64].copy_from_slice(&99_u32.to_be_bytes());
    std::fs::write(&file, bytes).expect("written");
    let data = folder.path().to_str().expect("text");
    refuses(&["--data", data], &["quark.sqlite", "version 99", "up to 2", "upgrade this program"]);
}

#[test]
fn a_second_supervisor_on_the_same_folder_is_refused() {
    let mut up = Up::start(&["--silos", "1", "--rate", "0"]);
    let data = up.folder().to_str().expect("text").to_owned();
    let pid = up.pid().to_string();
    refuses(&["--data", &data], &[&data, &format!("process {pid}"), "--data"]);
    up.wait_healthy();
}

#[test]
fn wrong_settings_are_named_with_what_is_allowed() {
    let folder = tempfile::tempdir().expect("a folder");
    let (data, file) = (folder.path().to_str().expect("text"), folder.path().join("quark.toml"));
    let config = file.to_str().expect("text");
    for (text, parts) in [
        ("silo_count = 3", &["quark.toml", "silo_count", "silos"][..]),
        ("[silo]\nshutdown_timeout = \"30sec\"", &["shutdown_timeout", "`30sec`", "`ms`"]),
        ("[silo]\nshutdown_timeout = 30", &["shutdown_timeout", "30", "`ms`"]),
    ] {
        std::fs::write(&file, text).expect("written");
        refuses(&["--data", data, "--config", config], parts);
    }
    refuses(&["--data", data, "--config", "/nowhere.toml"], &["/nowhere.toml", "--config"]);
    refuses(&["--data", data, "--rate", "fast"], &["'fast'", "--rate"]);
    refuses(&["--data", data, "--store", "oracle"], &["`oracle`", "`sqlite`", "redis://"]);
    refuses(&["--data", data, "--cluster", ""], &["cluster name", "1 to 64"]);
    let (code, text) = ends(&["up", "--silos", "0", "--data", data]);
    assert!(code == Some(1) && text.contains("`silos` is 0") && text.contains("1 to 64"), "{text}");
    let (code, text) = ends(&["down"]);
    assert!(code == Some(2) && text.contains("'down'"), "{text}");
}

#[test]
fn the_environment_counts_less_than_a_flag() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().to_str().expect("text");
    let run = |arguments: &[&str]| {
        let out = quark(arguments).env("QUARK_SILOS", "99").output().expect("it runs");
        String::from_utf8(out.stderr).expect("text")
    };
    assert!(run(&["up", "--data", data]).contains("`silos` is 99"), "the environment is read");
    assert!(run(&["up", "--data", data, "--silos", "77"]).contains("`silos` is 77"), "the flag wins");
}

#[test]
fn help_and_version_are_there() {
    let (code, text) = ends(&["--version"]);
    assert!(code == Some(0) && text.starts_with("quark 0."), "{text}");
    let (code, text) = ends(&["up", "--help"]);
    assert_eq!(code, Some(0));
    for part in
        ["--silos", "--data", "--store", "redis-cluster://", "--http-port", "--rate", "--json", "Ctrl-C"]
    {
        assert!(text.contains(part), "{text}");
    }
    let (code, text) = ends(&["--help"]);
    assert!(code == Some(0) && text.contains("up") && !text.contains("silo process; "), "{text}");
}
