//! A cluster whose store is a Redis server.

use crate::harness::{Up, signal};
use crate::life::deposit_surely;
use crate::server::Server;
use crate::server::tls::Certificates;
use serde_json::json;
use std::path::Path;

/// A server that wants a password, and its URL.
fn guarded() -> (Server, String) {
    let server = Server::start(&["--requirepass", "hunter2"]);
    let url = format!("redis://:hunter2@127.0.0.1:{}/1?prefix=shop", server.port);
    (server, url)
}

/// Whether a process's command line, which everybody on the machine may read, says this.
fn command_line_says(pid: u64, text: &str) -> bool {
    let line = std::fs::read(format!("/proc/{pid}/cmdline")).expect("it runs");
    String::from_utf8_lossy(&line).contains(text)
}

/// The files in a data folder that say this.
fn files_that_say(folder: &Path, text: &str) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("a folder").flatten();
    let says = entries.filter(|entry| {
        let bytes = std::fs::read(entry.path()).expect("a file");
        String::from_utf8_lossy(&bytes).contains(text)
    });
    says.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn a_killed_silo_on_redis_loses_nothing() {
    let server = Server::start(&[]);
    let folder = tempfile::tempdir().expect("a folder");
    let store = format!("{}?prefix=shop", server.url());
    let mut up = Up::start_in(folder.path(), &["--store", &store, "--silos", "3", "--rate", "200"]);
    up.wait_healthy();
    let accounts: Vec<String> = (0..20).map(|number| format!("mine-{number}")).collect();
    for account in &accounts {
        assert_eq!(up.call(&format!("account/{account}/deposit"), r#"{"amount":7}"#).status, 200);
    }
    let before = up.silo("silo-2");
    signal("KILL", before["pid"].as_u64().expect("runs"));
    up.event("silo-2 was killed by signal 9");
    for account in &accounts {
        let attempts = deposit_surely(&up, account);
        let balance = up.call(&format!("account/{account}/balance"), "").json()["balance"].as_u64();
        let balance = balance.expect("a balance");
        assert!((8..=7 + attempts).contains(&balance), "{account}: {balance} after {attempts} attempts");
    }
    let generation = before["generation"].as_u64().expect("serves");
    up.eventually("silo-2 serves again", |up| {
        let silo = up.silo("silo-2");
        silo["generation"].as_u64() == Some(generation + 1) && silo["status"] == "active"
    });
    let (code, last) = up.interrupt();
    assert_eq!(code, Some(0), "{last}");
    assert!(last.contains("lost: 0") && !last.contains("twice"), "{last}");
    assert!(!folder.path().join("quark.sqlite").exists(), "all of it is in Redis");
}

#[test]
fn a_cluster_uses_tls_with_an_authority_of_its_own() {
    let certificates = Certificates::of(&["localhost"]);
    let (server, port) = certificates.server(&[]);
    let store = format!("rediss://localhost:{port}?ca={}", certificates.path("ca.pem"));
    let up = Up::serving(&["--store", &store, "--silos", "2", "--rate", "0"]);
    assert_eq!(up.call("account/alice/deposit", r#"{"amount":5}"#).json(), json!({ "balance": 5 }));
    assert_ne!(server.ask(&["DBSIZE"]), redis::Value::Int(0), "it is there");
    assert_eq!(up.interrupt().0, Some(0));
}

#[test]
fn what_no_replica_confirms_is_not_acknowledged() {
    let server = Server::start(&[]);
    let replica = Server::start(&["--replicaof", "127.0.0.1", &server.port.to_string()]);
    replica.wait_in_step();
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("quark.toml");
    let settings = "silos = 1\nrate = 0\n[silo]\ndeadline = \"2s\"";
    std::fs::write(&config, format!("store = \"{}?wait_replicas=1\"\n{settings}", server.url()))
        .expect("written");
    let mut up = Up::start_in(folder.path(), &["--config", config.to_str().expect("text")]);
    up.wait_healthy();
    assert_eq!(up.call("account/alice/deposit", r#"{"amount":5}"#).json(), json!({ "balance": 5 }));
    replica.freeze();
    let answer = up.call("account/alice/deposit", r#"{"amount":5}"#);
    assert!([503, 504].contains(&answer.status), "the primary alone has it: {answer:?}");
    replica.thaw();
    assert_eq!(up.interrupt().0, Some(0));
}

#[test]
fn balances_in_redis_are_there_the_next_time_and_the_password_is_nowhere_else() {
    let (_server, url) = guarded();
    let folder = tempfile::tempdir().expect("a folder");
    let variables = [("QUARK_STORE", url.as_str()), ("QUARK_LOG", "trace")];
    let mut up = Up::start_with(folder.path(), &["--silos", "2", "--rate", "50"], &variables);
    up.wait_healthy();
    assert_eq!(up.call("account/alice/deposit", r#"{"amount":5}"#).json(), json!({ "balance": 5 }));
    for pid in up.silo_pids().into_iter().chain([up.pid()]) {
        assert!(!command_line_says(pid, "hunter2"), "`ps` shows the password of {pid}");
    }
    let cluster = up.get("/cluster").expect("an answer").body;
    assert!(!cluster.contains("hunter2"), "{cluster}");
    assert_eq!(up.interrupt().0, Some(0));
    assert_eq!(files_that_say(folder.path(), "hunter2"), Vec::<String>::new());
    assert!(!files_that_say(folder.path(), "quark").is_empty(), "there were logs to look into");

    // Other silos, fewer of them, with another data folder: Redis has everything. The file of settings says where it is.
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("quark.toml");
    std::fs::write(&config, format!("store = \"{url}\"\nsilos = 1\nrate = 0")).expect("written");
    let data = folder.path().join("data");
    let mut up = Up::start_in(&data, &["--config", config.to_str().expect("text")]);
    up.wait_healthy();
    assert_eq!(up.call("account/alice/balance", "").json(), json!({ "balance": 5 }));
    assert_eq!(up.silo("silo-1")["generation"], 2);
    assert_eq!(up.interrupt().0, Some(0));
    assert_eq!(files_that_say(&data, "hunter2"), Vec::<String>::new());
}
