//! What stands in the way of a store, in words that help.

mod server;

use quark_core::WriteId;
use quark_env::Store;
use quark_env::store::{Batch, RecordKey, ScanRange, StoreError};
use quark_redis::{OpenError, Options, RedisStore, Secret};
use quark_testkit::store_conformance::block_on;
use server::pretender::{old_server, pretender};
use server::tls::Certificates;
use server::{Server, free_port};
use std::time::Duration;

fn hasty() -> Options {
    Options { connect_timeout: Duration::from_millis(500), ..Options::default() }
}

fn refused(url: &str, options: Options) -> OpenError {
    let error = RedisStore::open(url, options).expect_err(url);
    assert!(!format!("{error:?} {error}").contains("hunter2"), "{error:?}");
    error
}

fn works(store: &RedisStore) {
    block_on(store.commit(Batch::new("p", WriteId(1)).put("row", "value"))).unwrap();
    let record = block_on(store.read(&RecordKey::new("p", "row"))).unwrap().unwrap();
    assert_eq!(record.value, "value");
}

#[test]
fn a_password_must_be_right() {
    let server = Server::start(&["--requirepass", "hunter2"]);
    let url = |user: &str| format!("redis://{user}127.0.0.1:{}", server.port);
    for user in ["", ":wrong-hunter2@", "somebody:hunter2@"] {
        let error = refused(&url(user), Options::default());
        assert!(matches!(error, OpenError::Authentication { .. }), "{user}: {error:?}");
    }
    works(&RedisStore::open(&url(":hunter2@"), Options::default()).unwrap());
    let options = Options { password: Some(Secret::from("hunter2")), ..Options::default() };
    assert!(!format!("{options:?}").contains("hunter2"));
    let store = RedisStore::open(&url(""), options).unwrap();
    works(&store);
    assert!(!format!("{store:?}").contains("hunter2"));
}

#[test]
fn the_documented_rights_are_enough_and_fewer_are_named() {
    let server = Server::start(&[]);
    let mut rights = vec!["ACL", "SETUSER", "quark", "on", ">hunter2", "~quark:*"];
    rights.extend("+evalsha +eval +script|load +hmget +hset +hdel +hget +zadd +zrem +zrangebylex".split(' '));
    rights.extend("+info +time +client|kill +client|info +select +hello +ping +wait".split(' '));
    server.ask(&rights);
    let url = format!("redis://quark:hunter2@127.0.0.1:{}", server.port);
    let store = RedisStore::open(&url, Options::default()).unwrap();
    works(&store);
    block_on(store.commit(Batch::new("p", WriteId(2)).delete("row").put("other", "1"))).unwrap();
    assert_eq!(block_on(store.scan(ScanRange::prefix("p", ""), 9)).unwrap().len(), 1);
    let error = refused(&format!("{url}?prefix=other"), Options::default());
    assert!(matches!(error, OpenError::NotPermitted { .. }), "{error:?}");
    server.ask(&["ACL", "SETUSER", "quark", "-script|load"]);
    let error = refused(&url, Options::default());
    assert!(
        matches!(&error, OpenError::NotPermitted { reason, .. } if reason.contains("script")),
        "{error:?}"
    );
}

#[test]
fn nobody_there_is_not_the_same_as_no_such_host() {
    let error = refused(&format!("redis://127.0.0.1:{}", free_port()), hasty());
    assert!(matches!(error, OpenError::Refused { .. }), "{error:?}");
    let error = refused("redis+unix:///nowhere/redis.sock", hasty());
    assert!(matches!(error, OpenError::Refused { .. }), "{error:?}");
    let error = refused("redis://no-such-host.invalid", Options::default());
    assert!(matches!(error, OpenError::UnknownHost { .. } | OpenError::TimedOut { .. }), "{error:?}");
    assert!(matches!(refused("redis://a:b", hasty()), OpenError::Url(_)));
}

#[test]
fn a_server_that_is_too_old_is_told_by_its_version() {
    let error = refused(&old_server(), hasty());
    assert!(matches!(&error, OpenError::OldServer { found, .. } if found == "6.2.0"), "{error:?}");
    let url = pretender(|line| match line {
        "HELLO" => Some("-ERR unknown command `HELLO`, with args beginning with: `3`, \r\n"),
        "SETINFO" => Some("+OK\r\n"),
        _ => Some(""),
    });
    assert!(matches!(refused(&url, hasty()), OpenError::OldServer { .. }));
}

#[test]
fn what_is_no_redis_is_noticed() {
    let error = refused(&pretender(|_| Some("HTTP/1.1 400 Bad Request\r\n")), hasty());
    assert!(matches!(error, OpenError::NotRedis { .. }), "{error:?}");
    let error = refused(&pretender(|_| None), hasty());
    assert!(matches!(error, OpenError::Closed { .. }), "{error:?}");
    let error = refused(&pretender(|_| Some("")), hasty());
    assert!(matches!(error, OpenError::TimedOut { .. }), "{error:?}");
}

#[test]
fn a_server_that_would_lose_records_is_refused() {
    let server = Server::start(&["--maxmemory-policy", "allkeys-lru"]);
    let error = refused(&server.url(), Options::default());
    assert!(matches!(&error, OpenError::Evicts { policy, .. } if policy == "allkeys-lru"), "{error:?}");
    server.ask(&["CONFIG", "SET", "maxmemory-policy", "volatile-lru"]);
    works(&RedisStore::open(&server.url(), Options::default()).unwrap());
    let error = refused(&server.url(), Options { min_replicas: 2, ..Options::default() });
    assert!(matches!(error, OpenError::FewReplicas { found: 0, wanted: 2, .. }), "{error:?}");
    server.ask(&["CONFIG", "SET", "min-replicas-to-write", "2"]);
    let store = RedisStore::open(&server.url(), Options { min_replicas: 2, ..Options::default() }).unwrap();
    let outcome = block_on(store.commit(Batch::new("p", WriteId(2)).put("row", "2")));
    assert!(matches!(&outcome, Err(StoreError::Unavailable(why)) if why.contains("replicas")), "{outcome:?}");
}

#[test]
fn a_replica_names_its_primary() {
    let server = Server::start(&[]);
    let port = server.port.to_string();
    let replica = Server::start(&["--replicaof", "127.0.0.1", &port]);
    let error = refused(&replica.url(), Options::default());
    let primary = format!("127.0.0.1:{port}");
    assert!(matches!(&error, OpenError::Replica { primary: named, .. } if *named == primary), "{error:?}");
}

#[test]
fn the_wrong_arrangement_names_the_right_scheme() {
    let alone = Server::start(&[]);
    let bus = free_port().to_string();
    let node = Server::start(&["--cluster-enabled", "yes", "--cluster-port", &bus]);
    let sentinel = Server::sentinel(alone.port, 1);
    let cases = [
        (node.url(), "redis-cluster://"),
        (sentinel.url(), "redis+sentinel://"),
        (alone.url().replace("redis://", "redis-cluster://"), "redis://"),
    ];
    for (url, expected) in cases {
        let error = refused(&url, Options::default());
        assert!(matches!(&error, OpenError::Mode { scheme, .. } if *scheme == expected), "{url}: {error:?}");
    }
    let error = refused(&node.url().replace("redis://", "redis-cluster://"), Options::default());
    assert!(matches!(error, OpenError::ClusterIncomplete { .. }), "{error:?}");
    let url = sentinel.url().replace("redis://", "redis+sentinel://");
    let error = refused(&format!("{url}/other"), Options::default());
    assert!(matches!(&error, OpenError::UnknownPrimary { primary, .. } if primary == "other"), "{error:?}");
    works(&RedisStore::open(&format!("{url}/main"), Options::default()).unwrap());
}

#[test]
fn clusters_share_a_server_only_under_prefixes_of_their_own() {
    let server = Server::start(&[]);
    let as_cluster = |id: &str, prefix: &str| {
        let options = Options { cluster_id: Some(id.into()), prefix: prefix.into(), ..Options::default() };
        RedisStore::open(&server.url(), options)
    };
    let first = as_cluster("first", "quark").unwrap();
    works(&first);
    let error = as_cluster("second", "quark").unwrap_err();
    let (found, given) = ("first", "second");
    assert!(
        matches!(&error, OpenError::OtherCluster { found: f, given: g, .. } if f == found && g == given),
        "{error:?}"
    );
    let second = as_cluster("second", "other").unwrap();
    assert_eq!(block_on(second.read(&RecordKey::new("p", "row"))).unwrap(), None);
    assert!(as_cluster("first", "{quark}").is_err());
}

#[test]
fn a_newer_format_is_left_alone() {
    let server = Server::start(&[]);
    drop(RedisStore::open(&server.url(), Options::default()).unwrap());
    server.ask(&["HSET", "quark:mark", "format", "2"]);
    let error = refused(&server.url(), Options::default());
    let right = matches!(&error, OpenError::NewerFormat { found, supported: 1, .. } if found == "2");
    assert!(right, "{error:?}");
    server.ask(&["SET", "other:mark", "of another program"]);
    let error = refused(&server.url(), Options { prefix: "other".into(), ..Options::default() });
    assert!(matches!(error, OpenError::Foreign { .. }), "{error:?}");
}

#[test]
fn tls_trusts_the_authority_that_it_is_given() {
    let certificates = Certificates::of(&["localhost"]);
    let (server, port) = certificates.server(&[]);
    let trusting = || Options { ca_file: Some(certificates.path("ca.pem").into()), ..Options::default() };
    let url = format!("rediss://localhost:{port}");
    works(&RedisStore::open(&url, trusting()).unwrap());
    let in_url = format!("{url}?prefix=other&ca={}", certificates.path("ca.pem"));
    works(&RedisStore::open(&in_url, Options::default()).unwrap());
    for (url, options) in [
        (url.clone(), Options::default()), // an authority that nobody knows
        (format!("rediss://127.0.0.1:{port}"), trusting()), // a name that is not in the certificate
        (format!("rediss://localhost:{}", server.port), trusting()), // no TLS there
    ] {
        let error = refused(&url, options);
        // A server that speaks no TLS waits for the rest of what it takes for a command.
        let waits = url.ends_with(&server.port.to_string()) && matches!(error, OpenError::TimedOut { .. });
        assert!(waits || matches!(error, OpenError::Tls { .. }), "{url}: {error:?}");
    }
    let options = Options { ca_file: Some(certificates.path("key.pem").into()), ..Options::default() };
    assert!(matches!(refused(&url, options), OpenError::CaFile { .. }));
    let options = Options { ca_file: Some("/nowhere.pem".into()), ..Options::default() };
    assert!(matches!(refused(&url, options), OpenError::CaFile { .. }));
}

#[test]
fn sentinels_have_a_password_of_their_own() {
    let primary = Server::start(&[]);
    let sentinel = Server::sentinel_with(primary.port, 1, "requirepass hunter2");
    let url = format!("redis+sentinel://127.0.0.1:{}/main", sentinel.port);
    for url in [url.clone(), format!("{url}?sentinel_password=wrong-hunter2")] {
        let error = refused(&url, Options::default());
        assert!(matches!(error, OpenError::Authentication { .. }), "{error:?}");
    }
    works(&RedisStore::open(&format!("{url}?sentinel_password=hunter2"), Options::default()).unwrap());
}

#[test]
fn what_the_url_asks_for_wins_over_the_options() {
    let server = Server::start(&[]);
    let error = refused(&format!("{}?min_replicas=2", server.url()), Options::default());
    assert!(matches!(error, OpenError::FewReplicas { found: 0, wanted: 2, .. }), "{error:?}");
    let options = Options { min_replicas: 2, wait_replicas: 1, ..Options::default() };
    let url = format!("{}?min_replicas=0&wait_replicas=0", server.url());
    works(&RedisStore::open(&url, options).unwrap());
    let store = RedisStore::open(&format!("{}?wait_replicas=1", server.url()), Options::default()).unwrap();
    let outcome = block_on(store.commit(Batch::new("p", WriteId(2)).put("row", "2")));
    let alone = matches!(&outcome, Err(StoreError::Indeterminate(why)) if why.contains("0 of 1 replicas"));
    assert!(alone, "{outcome:?}");
}
