//! What can be wrong with a Redis: each a clear error with its remedy, exit code 1, no process left behind, no password
//! shown.

use crate::harness::{Up, ends_with, processes_with, signal, wait_gone};
use crate::server::pretender::{old_server, pretender};
use crate::server::tls::Certificates;
use crate::server::{Server, free_port};

/// Runs `quark up` with this store and checks that it ends, and says all of these.
fn refuses(store: &str, parts: &[&str]) {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().to_str().expect("text");
    let up = ["up", "--silos", "1", "--http-port", "0", "--data", data];
    // By flag, and as a password should be given: by the environment.
    let by_flag = ends_with(&[&up[..], &["--store", store]].concat(), &[]);
    let by_variable = ends_with(&up, &[("QUARK_STORE", store)]);
    for (code, text) in [by_flag, by_variable] {
        assert_eq!(code, Some(1), "{store}: {text}");
        for part in parts {
            assert!(text.contains(part), "{store} should name `{part}`:\n{text}");
        }
        assert!(text.starts_with("error: ") && text.lines().count() == 1, "one line: {text}");
        assert!(!text.contains("hunter2"), "the password is shown: {text}");
    }
    assert_eq!(processes_with(data), Vec::<u64>::new(), "left behind");
    let entries = std::fs::read_dir(folder.path()).expect("a folder").flatten();
    let names: Vec<_> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    assert!(!names.iter().any(|name| name.starts_with("silo-")), "no silo was started: {names:?}");
}

#[test]
fn a_wrong_url_is_named() {
    for (url, parts) in [
        ("http://u:hunter2@h", &["`http`", "redis://"][..]),
        ("redis:/u:hunter2@h", &["`redis:..@h`", "redis://", "`sqlite`"]),
        ("u:hunter2@h:6379", &["`u:..@h:6379`", "redis://"]),
        ("redis://u:hunter2@", &["a host is missing", "redis://localhost:6379"]),
        ("redis://u:hunter2@h:port", &["`port`", "1 to 65535"]),
        ("redis://u:hunter2?@h:0", &["`0`", "1 to 65535"]),
        ("redis://u:hunter2%@h", &["the password", "%25"]),
        ("redis://h/first", &["`first`", "/0"]),
        ("redis://h?color=red", &["`color`", "`prefix`"]),
        ("redis://h?prefix={x}", &["`{x}`", "1 to 64"]),
        ("redis://h?ca=/etc/ca.pem", &["`ca`", "rediss://"]),
        ("redis://h?sentinel_password=hunter2", &["`sentinel_password`", "redis+sentinel://"]),
        ("redis://h?wait_replicas=one", &["`one`", "`wait_replicas`", "0 to 99"]),
        ("redis://h?min_replicas=-1", &["`-1`", "`min_replicas`", "0 to 99"]),
        ("redis+sentinel://h", &["name-of-the-primary"]),
        ("redis-cluster://h/3", &["database 3", "?prefix="]),
    ] {
        refuses(url, parts);
    }
}

#[test]
fn nobody_listening_is_named_with_host_and_port() {
    let port = free_port();
    let store = format!("redis://u:hunter2@127.0.0.1:{port}");
    refuses(&store, &[&format!("nobody listens at 127.0.0.1:{port}"), "start the server"]);
}

#[test]
fn a_wrong_password_is_refused_and_not_repeated() {
    let server = Server::start(&["--requirepass", "right"]);
    let port = server.port;
    for user in ["", ":wrong-hunter2@", "somebody:hunter2@"] {
        refuses(&format!("redis://{user}127.0.0.1:{port}"), &["password", "correct"]);
    }
}

#[test]
fn a_read_only_replica_names_its_primary() {
    let server = Server::start(&[]);
    let port = server.port.to_string();
    let replica = Server::start(&["--replicaof", "127.0.0.1", &port]);
    refuses(&replica.url(), &["read-only replica", &format!("127.0.0.1:{port}"), "name the primary"]);
}

#[test]
fn a_server_that_evicts_is_refused() {
    let server = Server::start(&["--maxmemory-policy", "allkeys-lru"]);
    refuses(&server.url(), &["allkeys-lru", "noeviction"]);
}

#[test]
fn an_old_server_is_told_to_be_upgraded() {
    refuses(&old_server(), &["6.2.0", "7.0", "upgrade the server"]);
}

#[test]
fn what_is_no_redis_is_refused() {
    refuses(&pretender(|_| Some("HTTP/1.1 400 Bad Request\r\n")), &["no Redis server", "host and port"]);
}

#[test]
fn a_tls_server_that_nobody_vouches_for_is_refused() {
    let certificates = Certificates::of(&["localhost"]);
    let (_server, port) = certificates.server(&[]);
    let store = format!("rediss://localhost:{port}");
    refuses(&store, &["no TLS with", "?ca="]);
    refuses(&format!("{store}?ca=/nowhere/ca.pem"), &["/nowhere/ca.pem", "PEM file of the authorities"]);
    refuses(&format!("{store}?ca={}", certificates.path("key.pem")), &["key.pem", "no certificate in it"]);
}

#[test]
fn a_server_that_takes_writes_alone_is_refused_if_replicas_are_asked_for() {
    let server = Server::start(&[]);
    let parts = &["min-replicas-to-write 0", "1 is asked for", "lower `min_replicas`"];
    refuses(&format!("{}?min_replicas=1", server.url()), parts);
}

#[test]
fn a_prefix_of_another_cluster_is_refused() {
    let server = Server::start(&[]);
    let folder = tempfile::tempdir().expect("a folder");
    let store = server.url();
    let arguments = ["--silos", "1", "--rate", "0", "--cluster", "one", "--store", &store];
    let mut up = Up::start_in(folder.path(), &arguments);
    up.wait_healthy();
    assert_eq!(up.interrupt().0, Some(0));
    refuses(&store, &["`one`", "`quark`", "prefix"]);
}

#[test]
fn a_second_cluster_of_the_same_name_is_refused_while_the_first_one_lives() {
    let server = Server::start(&[]);
    let (folder, other) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let store = server.url();
    let arguments = ["--silos", "1", "--rate", "0", "--store", &store];
    let mut first = Up::start_in(folder.path(), &arguments);
    first.wait_healthy();
    refuses(&store, &["silo-1 of the cluster `quark`", "127.0.0.1:", "--cluster", "?prefix="]);
    assert_eq!(first.silo("silo-1")["generation"], 1, "nobody has superseded it");
    // Killed without a word, its silo is still active in the table, and renews its lease no more.
    let silos = first.silo_pids();
    signal("KILL", first.pid());
    silos.iter().for_each(|pid| signal("KILL", *pid));
    wait_gone(&silos);
    let mut second = Up::start_in(other.path(), &arguments);
    second.wait_healthy();
    assert_eq!(second.silo("silo-1")["generation"], 2);
    assert_eq!(second.interrupt().0, Some(0));
}
