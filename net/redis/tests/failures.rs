//! Servers hang, die, forget and come back.

mod server;

use quark_core::{Version, WriteId};
use quark_env::Store;
use quark_env::store::{Batch, RecordKey, StoreError};
use quark_redis::{ConnectionState, Options, RedisStore};
use quark_testkit::store_conformance::block_on;
use server::proxy::Proxy;
use server::{Server, until};
use std::time::{Duration, Instant};

fn open(server: &Server, options: Options) -> RedisStore {
    RedisStore::open(&server.url(), options).unwrap()
}

fn hasty() -> Options {
    Options {
        request_timeout: Duration::from_millis(300),
        connect_timeout: Duration::from_millis(300),
        backoff_max: Duration::from_millis(100),
        ..Options::default()
    }
}

fn put(number: u128, row: &str) -> Batch {
    Batch::new("p", WriteId(number)).put(row, number.to_string())
}

fn read(store: &RedisStore, row: &str) -> Option<String> {
    let record = block_on(store.read(&RecordKey::new("p", row))).unwrap()?;
    Some(String::from_utf8(record.value.to_vec()).unwrap())
}

/// Retries one batch until its outcome is known.
fn surely(store: &RedisStore, batch: &Batch) -> Version {
    until("a commit", || block_on(store.commit(batch.clone())).ok()).version
}

#[test]
fn a_server_that_hangs_leaves_the_outcome_unknown_in_bounded_time() {
    let server = Server::start(&[]);
    let store = open(&server, hasty());
    block_on(store.commit(put(1, "row"))).unwrap();
    server.freeze();
    let started = Instant::now();
    let outcome = block_on(store.commit(put(2, "row")));
    assert!(matches!(&outcome, Err(StoreError::Indeterminate(why)) if why.contains("300ms")), "{outcome:?}");
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    // What can no longer be sent did not happen. The first of these may wait for the attempt to reconnect.
    let outcome = block_on(store.commit(put(3, "other")));
    assert!(matches!(outcome, Err(StoreError::Unavailable(_))), "{outcome:?}");
    assert_ne!(store.health().state, ConnectionState::Up);
    server.thaw();
    let version = surely(&store, &put(2, "row"));
    assert_eq!(version, Version(2), "applied once, whether the hanging server woke up to it or not");
    assert_eq!(read(&store, "other"), None, "what was said not to have happened");
}

#[test]
fn a_commit_of_unknown_outcome_does_not_happen_after_a_read_has_settled_it() {
    let server = Server::start(&[]);
    let proxy = Proxy::to(server.port);
    let url = format!("redis://127.0.0.1:{}", proxy.port);
    let store = RedisStore::open(&url, Options { connections: 1, ..hasty() }).unwrap();
    for round in 0..3_u128 {
        let row = format!("row {round}");
        let key = RecordKey::new("p", &row);
        proxy.hold();
        let outcome = block_on(store.commit(put(round, &row)));
        assert!(matches!(outcome, Err(StoreError::Indeterminate(_))), "{outcome:?}");
        let settled = until("a read through a new connection", || block_on(store.read(&key)).ok());
        assert_eq!(settled, None, "the network still has it");
        proxy.release();
        // What it kept reaches a server that has closed that connection, or is carried out before long.
        for _ in 0..200 {
            server.ask(&["PING"]);
            assert_eq!(block_on(store.read(&key)).unwrap(), None, "round {round}");
        }
    }
}

#[test]
fn a_killed_server_is_found_again_by_itself() {
    let mut server = Server::start(&["--appendonly", "yes", "--appendfsync", "always"]);
    let store = open(&server, hasty());
    assert_eq!(store.health().state, ConnectionState::Up);
    block_on(store.commit(put(1, "row"))).unwrap();
    server.kill();
    let outcome = until("the loss is noticed", || block_on(store.commit(put(2, "row"))).err());
    let lost = matches!(outcome, StoreError::Unavailable(_) | StoreError::Indeterminate(_));
    assert!(lost, "{outcome:?}");
    until("it is down", || (store.health().state == ConnectionState::Down).then_some(()));
    // An attempt to connect that the server cut short in its death may be the last that is known for a moment.
    until("it is said why", || {
        let outcome = block_on(store.commit(put(3, "row"))).unwrap_err();
        let StoreError::Unavailable(why) = &outcome else { panic!("it cannot have happened: {outcome:?}") };
        assert!(why.contains("nobody listens") || why.contains("closed the connection"), "{why}");
        why.contains("nobody listens").then_some(())
    });
    server.restart();
    until("it is up again, though nobody asks", || {
        (store.health().state == ConnectionState::Up).then_some(())
    });
    assert_eq!(read(&store, "row").as_deref(), Some("1"), "the append-only file had it");
    let version = surely(&store, &put(4, "row"));
    let health = store.health();
    assert!(health.reconnects >= 2 && health.last_error.is_some(), "{health:?}");
    assert!(
        version.0 >= health.history_broken_at << 20 && health.history_broken_at > 0,
        "{version:?} {health:?}"
    );
    assert_eq!(read(&store, "row").as_deref(), Some("4"));
}

#[test]
fn commits_that_are_under_way_when_the_server_dies_are_whole_or_absent() {
    let mut server = Server::start(&["--appendonly", "yes", "--appendfsync", "always"]);
    let store = open(&server, hasty());
    let commits: Vec<_> = (1..=2000).map(|n| store.commit(put(n, &n.to_string()))).collect();
    let mut outcomes = Vec::new();
    for (at, commit) in commits.into_iter().enumerate() {
        outcomes.push(block_on(commit));
        if at == 100 {
            server.kill();
        }
    }
    server.restart();
    until("it is up", || (store.health().state == ConnectionState::Up).then_some(()));
    for (outcome, row) in outcomes.iter().zip(1..) {
        let found = until("a read", || block_on(store.read(&RecordKey::new("p", &row.to_string()))).ok());
        match outcome {
            Ok(committed) => assert_eq!(found.unwrap().version, committed.version, "row {row}"),
            Err(StoreError::Unavailable(_)) => assert_eq!(found, None, "row {row}"),
            Err(StoreError::Indeterminate(_)) => {}
            Err(error) => panic!("row {row}: {error}"),
        }
    }
    assert!(outcomes[..=100].iter().all(Result::is_ok) && outcomes.iter().any(Result::is_err));
}

#[test]
fn a_server_that_forgets_the_scripts_is_given_them_again_in_order() {
    let server = Server::start(&[]);
    let store = open(&server, Options::default());
    for round in 0..20 {
        server.ask(&["SCRIPT", "FLUSH"]);
        // Unconditional: only their order decides which of them stands in the end.
        let commits: Vec<_> = (0..300).map(|n| store.commit(put(round * 1000 + n, "row"))).collect();
        let versions: Vec<_> = commits.into_iter().map(|c| block_on(c).unwrap().version.0).collect();
        assert!(versions.is_sorted(), "round {round}: {versions:?}");
        assert_eq!(read(&store, "row"), Some((round * 1000 + 299).to_string()));
    }
    server.ask(&["SCRIPT", "FLUSH"]);
    let found = block_on(store.scan(quark_env::store::ScanRange::prefix("p", ""), 9)).unwrap();
    assert_eq!(found.len(), 1);
}

#[test]
fn a_commit_whose_caller_is_gone_still_happens() {
    let server = Server::start(&[]);
    let store = open(&server, Options::default());
    (1..=500).for_each(|number| drop(store.commit(put(number, &number.to_string()))));
    drop(store); // works its queue off
    let store = open(&server, Options::default());
    assert_eq!(block_on(store.commit(put(501, "row"))).unwrap().version, Version(501));
}

#[test]
fn a_full_queue_is_an_answer() {
    let server = Server::start(&[]);
    let store = open(&server, Options { queue_requests_max: 10, connections: 1, ..Options::default() });
    server.freeze();
    let commits: Vec<_> = (1..=50).map(|number| store.commit(put(number, "row"))).collect();
    server.thaw();
    let outcomes: Vec<_> = commits.into_iter().map(block_on).collect();
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 10, "{outcomes:?}");
    for error in outcomes.into_iter().filter_map(Result::err) {
        assert!(matches!(&error, StoreError::Unavailable(why) if why.contains("wait for an answer already")));
    }
    assert_eq!(
        block_on(store.commit(put(51, "row"))).unwrap().version,
        Version(11),
        "the rest did not happen"
    );
}

#[test]
fn clones_share_the_configured_connections() {
    let server = Server::start(&[]);
    let store = open(&server, Options { connections: 3, ..Options::default() });
    let clones: Vec<_> = (0..5).map(|_| store.clone()).collect();
    for (number, clone) in clones.iter().enumerate() {
        block_on(clone.commit(Batch::new(&*format!("p{number}"), WriteId(1)))).unwrap();
    }
    let list = server.text(&["CLIENT", "LIST"]);
    let ours = list.lines().filter(|line| !line.contains("cmd=client|list")).count();
    assert_eq!(ours, 3, "{list}");
    assert_eq!(store.health().connections_up, 3);
}

#[test]
fn what_the_server_refuses_did_not_happen_and_says_why() {
    let server = Server::start(&[]);
    let store = open(&server, Options::default());
    block_on(store.commit(put(1, "row"))).unwrap();
    let refused = |expected: &str| {
        let outcome = block_on(store.commit(put(2, "row"))).unwrap_err();
        assert!(matches!(&outcome, StoreError::Unavailable(why) if why.contains(expected)), "{outcome:?}");
        assert_eq!(read(&store, "row").as_deref(), Some("1"));
    };
    server.ask(&["CONFIG", "SET", "min-replicas-to-write", "1"]);
    refused("too few replicas are connected");
    server.ask(&["CONFIG", "SET", "min-replicas-to-write", "0"]);
    server.ask(&["CONFIG", "SET", "maxmemory", "1000000"]);
    server.ask(&["DEBUG", "SET-ACTIVE-EXPIRE", "0"]);
    refused("out of memory");
    server.ask(&["CONFIG", "SET", "maxmemory", "0"]);
    assert_eq!(block_on(store.commit(put(2, "row"))).unwrap().version, Version(2));
}

#[test]
fn a_commit_that_too_few_replicas_confirm_is_of_unknown_outcome() {
    let server = Server::start(&[]);
    let port = server.port.to_string();
    let options =
        || Options { wait_replicas: 1, wait_timeout: Duration::from_millis(50), ..Options::default() };
    let store = open(&server, options());
    let outcome = block_on(store.commit(put(1, "row"))).unwrap_err();
    assert!(
        matches!(&outcome, StoreError::Indeterminate(why) if why.contains("0 of 1 replicas")),
        "{outcome:?}"
    );
    assert_eq!(read(&store, "row").as_deref(), Some("1"), "the primary has it");
    let replica = Server::start(&["--replicaof", "127.0.0.1", &port]);
    replica.wait_in_step();
    assert_eq!(surely(&store, &put(1, "row")), Version(1), "a retry finds it confirmed");
}

#[test]
fn garbage_under_our_keys_is_corrupt_and_nothing_else_is() {
    let server = Server::start(&[]);
    let store = open(&server, Options::default());
    for name in ["a", "b", "c", "d"] {
        block_on(store.commit(Batch::new(name, WriteId(1)).put("row", "value"))).unwrap();
    }
    server.ask(&["HSET", "quark:p{.a}", "rrow", "garbage of more than twenty-eight bytes"]);
    server.ask(&["HSET", "quark:p{.b}", "v", "bad"]);
    server.ask(&["DEL", "quark:p{.c}"]);
    server.ask(&["SET", "quark:p{.c}", "a string"]);
    let corrupt = |outcome: Result<(), StoreError>, of: &str| {
        let right = matches!(&outcome, Err(StoreError::Corrupt { partition, .. }) if &*partition.0 == of);
        assert!(right, "{of}: {outcome:?}");
    };
    for name in ["a", "b", "c"] {
        corrupt(block_on(store.read(&RecordKey::new(name, "row"))).map(drop), name);
        corrupt(block_on(store.scan(quark_env::store::ScanRange::prefix(name, ""), 9)).map(drop), name);
    }
    for name in ["b", "c"] {
        corrupt(block_on(store.commit(Batch::new(name, WriteId(2)))).map(drop), name);
    }
    assert!(block_on(store.read(&RecordKey::new("d", "row"))).unwrap().is_some());
}
