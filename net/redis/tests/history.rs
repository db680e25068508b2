//! Servers that go back in time.

mod server;

use quark_core::{Version, WriteId};
use quark_env::Store;
use quark_env::store::{Batch, Partition, RecordKey, ScanRange, StoreError};
use quark_redis::{ConnectionState, Options, RedisStore};
use quark_testkit::store_conformance::block_on;
use server::{Server, until};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

fn open(url: &str) -> RedisStore {
    let options = Options {
        request_timeout: Duration::from_millis(500),
        connect_timeout: Duration::from_millis(500),
        health_interval: Duration::from_millis(50),
        backoff_max: Duration::from_millis(100),
        ..Options::default()
    };
    RedisStore::open(url, options).unwrap()
}

fn put(store: &RedisStore, partition: &str, number: u128) -> Result<Version, StoreError> {
    let batch = Batch::new(partition, WriteId(number)).put("row", number.to_string());
    Ok(block_on(store.commit(batch))?.version)
}

fn went_back(partition: &str, seen: u64, found: u64) -> StoreError {
    StoreError::WentBack { partition: Partition::from(partition), seen: Version(seen), found: Version(found) }
}

/// Both stores have seen version 5 of `p` and of `q`; then version 3 comes back under the running server.
fn rolled_back() -> (Server, [RedisStore; 2]) {
    let server = Server::start(&[]);
    let stores = [(); 2].map(|()| open(&server.url()));
    for partition in ["p", "q"] {
        for number in 1..=3 {
            put(&stores[0], partition, number).unwrap();
        }
    }
    server.ask(&["SELECT", "0"]);
    for partition in ["p", "q"] {
        for kind in ["p", "o"] {
            let (key, copy) = (format!("quark:{kind}{{.{partition}}}"), format!("{kind}-{partition}"));
            server.ask(&["COPY", &key, &copy]);
        }
        for number in 4..=5 {
            put(&stores[0], partition, number).unwrap();
        }
        for store in &stores {
            block_on(store.read(&RecordKey::new(partition, "row"))).unwrap().unwrap();
        }
        for kind in ["p", "o"] {
            let (key, copy) = (format!("quark:{kind}{{.{partition}}}"), format!("{kind}-{partition}"));
            server.ask(&["COPY", &copy, &key, "REPLACE"]);
        }
    }
    (server, stores)
}

#[test]
fn a_commit_on_lost_ground_is_refused_and_no_version_is_given_out_twice() {
    let (_server, stores) = rolled_back();
    assert_eq!(put(&stores[0], "p", 6), Err(went_back("p", 5, 3)));
    let record = block_on(stores[0].read(&RecordKey::new("p", "row"))).unwrap().unwrap();
    assert_eq!((record.version, &*record.value), (Version(3), &b"3"[..]), "nothing was written");
    assert_eq!(put(&stores[0], "p", 7), Ok(Version(6)), "4 and 5 were given out before");
    // The other one remembers 5, which is no longer ahead; its check on 5 fails all the same.
    let batch = Batch::new("p", WriteId(8)).expect_version("row", Version(5)).put("row", "8");
    assert!(matches!(block_on(stores[1].commit(batch)), Err(StoreError::Conflict { .. })));
}

#[test]
fn a_read_or_a_scan_reports_the_loss_once_and_the_next_commit_leaps_over_it() {
    let (_server, stores) = rolled_back();
    let key = |partition: &str| RecordKey::new(partition, "row");
    assert_eq!(block_on(stores[0].read(&key("p"))), Err(went_back("p", 5, 3)));
    assert_eq!(block_on(stores[0].read(&key("p"))).unwrap().unwrap().version, Version(3));
    assert_eq!(put(&stores[0], "p", 6), Ok(Version(6)));
    assert_eq!(block_on(stores[1].scan(ScanRange::prefix("q", ""), 9)), Err(went_back("q", 5, 3)));
    assert_eq!(block_on(stores[1].scan(ScanRange::prefix("q", ""), 9)).unwrap().len(), 1);
    assert_eq!(put(&stores[1], "q", 6), Ok(Version(6)));
}

#[test]
fn a_remembered_write_is_recognised_across_a_leap() {
    let (_server, stores) = rolled_back();
    assert_eq!(put(&stores[0], "p", 6), Err(went_back("p", 5, 3)));
    assert_eq!(put(&stores[0], "p", 7), Ok(Version(6)));
    assert_eq!(put(&stores[0], "p", 3), Ok(Version(3)), "a retry from before");
    assert_eq!(put(&stores[0], "p", 7), Ok(Version(6)), "and one from after");
}

#[test]
fn a_server_that_comes_back_empty_gives_out_no_version_again() {
    let mut server = Server::start(&[]);
    let (store, other) = (open(&server.url()), open(&server.url()));
    for number in 1..=5 {
        put(&store, "p", number).unwrap();
        put(&store, "forgotten", number).unwrap();
    }
    server.kill();
    server.restart();
    for store in [&store, &other] {
        let up = || store.health().connections_up == 2 && store.health().history_broken_at > 0;
        until("it is up and has noticed", || up().then_some(()));
    }
    let floor = store.health().history_broken_at << 20;
    assert_eq!(
        store.history(),
        store.health().history_broken_at,
        "who has it in memory is told to ask again"
    );
    assert_eq!(put(&store, "p", 6), Err(went_back("p", 5, 0)));
    let version = put(&store, "p", 7).unwrap();
    assert!(version.0 >= floor, "{version:?} {floor}");
    // Nobody remembers this one: the other store never touched it.
    let version = put(&other, "forgotten", 6).unwrap();
    assert!(version.0 >= floor, "{version:?} {floor}");
    assert_eq!(put(&other, "forgotten", 7).unwrap().0, version.0 + 1, "one by one from there");
}

#[test]
fn a_restart_is_noticed_by_those_who_were_not_there() {
    let mut server = Server::start(&["--appendonly", "yes", "--appendfsync", "always"]);
    put(&open(&server.url()), "p", 1).unwrap();
    server.kill();
    server.restart();
    let store = open(&server.url());
    let health = store.health();
    assert!(health.history_broken_at > 0, "{health:?}");
    assert!(put(&store, "p", 2).unwrap().0 >= health.history_broken_at << 20);
    // Once noticed, it is over.
    assert_eq!(open(&server.url()).health().history_broken_at, health.history_broken_at);
}

#[test]
fn a_sentinel_fail_over_loses_nothing_confirmed_and_no_version_repeats() {
    let mut primary = Server::start(&[]);
    let port = primary.port.to_string();
    let replicas = [(); 2].map(|()| Server::start(&["--replicaof", "127.0.0.1", &port]));
    replicas.iter().for_each(Server::wait_in_step);
    let sentinels = [(); 3].map(|()| Server::sentinel(primary.port, 2));
    for sentinel in &sentinels {
        sentinel.wait_for_times("+slave slave", 2);
        sentinel.wait_for_times("+sentinel sentinel", 2);
    }
    let hosts: Vec<_> = sentinels.iter().map(|s| format!("127.0.0.1:{}", s.port)).collect();
    let url = format!("redis+sentinel://{}/main", hosts.join(","));
    let options = Options {
        request_timeout: Duration::from_millis(500),
        connect_timeout: Duration::from_millis(500),
        backoff_max: Duration::from_millis(100),
        wait_replicas: 1,
        ..Options::default()
    };
    let store = RedisStore::open(&url, options).unwrap();

    let mut acknowledged: BTreeMap<String, Version> = BTreeMap::new();
    let mut newest = [Version(0); 4];
    let (mut killed_at, mut after) = (None, 0);
    for number in 1_u128.. {
        let at = number as usize % 4;
        let row = format!("row {number}");
        let batch = Batch::new(&*format!("p{at}"), WriteId(number)).put(&row, number.to_string());
        match block_on(store.commit(batch)) {
            Ok(committed) => {
                assert!(committed.version > newest[at], "{:?} after {:?}", committed.version, newest[at]);
                newest[at] = committed.version;
                acknowledged.insert(format!("p{at}/{row}"), committed.version);
                after += u32::from(killed_at.is_some());
            }
            Err(StoreError::Unavailable(_) | StoreError::Indeterminate(_)) if killed_at.is_some() => {
                let _ = sentinels[0].text(&["PING"]); // not more often than somebody answers
            }
            Err(error) => panic!("{error}"),
        }
        if number == 400 {
            primary.kill();
            killed_at = Some(number);
        }
        if after == 400 {
            break;
        }
    }
    for (name, version) in &acknowledged {
        let (partition, row) = name.split_once('/').unwrap();
        let record = block_on(store.read(&RecordKey::new(partition, row))).unwrap();
        assert_eq!(record.map(|record| record.version), Some(*version), "{name} was confirmed by a replica");
    }
    let health = store.health();
    assert!(health.history_broken_at > 0 && health.state == ConnectionState::Up, "{health:?}");
    assert!(newest.iter().all(|version| version.0 >= health.history_broken_at << 20), "{newest:?}");
}

#[test]
fn a_cluster_that_promotes_a_replica_loses_nothing_but_what_it_reports() {
    let mut cluster = server::Cluster::with_replicas(1);
    let store = open(&cluster.url());
    let names: Vec<_> = (0..60).map(|n| format!("p{n}")).collect();
    let mut acknowledged: BTreeMap<(String, String), Version> = BTreeMap::new();
    let mut newest = [Version(0); 60];
    let (mut since, mut refused, mut reported) = (BTreeSet::new(), 0, Vec::new());
    let is_primary = |node: &Server| node.info("role") == "master";
    let victim = cluster.nodes.iter().position(is_primary).expect("three are");
    // What tells its histories apart has to be there as well: a node that knows nothing has none.
    cluster.nodes[victim].wait_for_its_replica();
    for number in 0_u128.. {
        let at = number as usize % names.len();
        let row = format!("row {number}");
        let is_dead = number > 600;
        match block_on(store.commit(Batch::new(&*names[at], WriteId(number)).put(&row, "1"))) {
            Ok(committed) => {
                assert!(committed.version > newest[at], "{:?} after {:?}", committed.version, newest[at]);
                newest[at] = committed.version;
                acknowledged.insert((names[at].clone(), row), committed.version);
                if is_dead {
                    since.insert(at);
                }
            }
            Err(StoreError::WentBack { partition, seen, found }) if is_dead => {
                assert_eq!(seen, newest[at], "what this client was told");
                acknowledged.retain(|(name, _), version| **name != *partition.0 || *version <= found);
                reported.push(partition);
            }
            Err(StoreError::Unavailable(_) | StoreError::Indeterminate(_)) if is_dead => {
                refused += 1;
                // Not more often than somebody answers.
                let _ = cluster.nodes[(victim + 1) % cluster.nodes.len()].text(&["PING"]);
            }
            Err(error) => panic!("{error}"),
        }
        if number == 600 {
            cluster.nodes[victim].kill();
        }
        if since.len() == names.len() {
            break;
        }
    }
    for ((partition, row), version) in &acknowledged {
        let record = block_on(store.read(&RecordKey::new(partition.as_str(), row))).unwrap();
        assert_eq!(record.map(|record| record.version), Some(*version), "{partition}/{row}");
    }
    println!("{refused} commits were refused meanwhile; losses were reported of {reported:?}");
    assert!(refused > 0, "nobody noticed that a third of the cluster was gone");
    let health = store.health();
    assert!(health.history_broken_at > 0 && health.state == ConnectionState::Up, "{health:?}");
}

#[test]
fn slots_that_move_between_nodes_lose_nothing_and_keep_their_order() {
    let cluster = server::Cluster::start();
    // No server is silent here. On a machine with much else to do one may be slow, which is another story: a commit that
    // gets no answer in time has an unknown outcome, and neither is lost nor keeps its place.
    let patient = Duration::from_secs(30);
    let options = Options { request_timeout: patient, connect_timeout: patient, ..Options::default() };
    let store = RedisStore::open(&cluster.url(), options).unwrap();
    let names: Vec<_> = (0..60).map(|n| format!("p{n}")).collect();
    let mut number = 0;
    let mut round = || {
        let commits: Vec<_> = (0..5)
            .flat_map(|_| &names)
            .map(|name| {
                number += 1;
                (name, store.commit(Batch::new(&**name, WriteId(number)).put("row", number.to_string())))
            })
            .collect();
        let mut newest: BTreeMap<&String, Version> = BTreeMap::new();
        for (name, commit) in commits {
            let version = block_on(commit).unwrap_or_else(|error| panic!("{name}: {error}")).version;
            assert!(
                newest.insert(name, version).is_none_or(|before| before < version),
                "{name}: {version:?}"
            );
        }
        newest.into_values().map(|version| version.0).max().unwrap()
    };
    assert_eq!(round(), 5);
    // Thousands of slots change hands while commits go on.
    let id = |node: &Server| node.text(&["CLUSTER", "MYID"]);
    let (from, to) = (id(&cluster.nodes[0]), id(&cluster.nodes[1]));
    let mut moving = std::process::Command::new("redis-cli");
    moving.args(["--cluster", "reshard", &format!("127.0.0.1:{}", cluster.nodes[0].port)]);
    moving.args(["--cluster-from", &from, "--cluster-to", &to, "--cluster-slots", "4000", "--cluster-yes"]);
    let mut moving = moving.stdout(std::process::Stdio::null()).spawn().unwrap();
    let mut rounds = 1;
    while moving.try_wait().unwrap().is_none() {
        rounds += 1;
        assert_eq!(round(), rounds * 5, "each commit once");
    }
    assert!(moving.wait().unwrap().success() && rounds > 2, "{rounds}");
    assert_eq!(round(), (rounds + 1) * 5);
}
