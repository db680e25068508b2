//! The store contract, on real servers.

mod server;

use quark_redis::{Options, RedisStore};
use quark_testkit::store_conformance::{block_on, cases};
use server::tls::Certificates;
use server::{Cluster, Server, ask};
use std::sync::Arc;

/// The whole contract, for some seeds.
fn holds(store: RedisStore, seeds: std::ops::Range<u64>) {
    let store = Arc::new(store);
    for case in cases() {
        for seed in seeds.clone() {
            block_on(case.run(store.clone(), seed));
        }
    }
}

#[test]
fn the_contract_holds_for_any_seed() {
    let server = Server::start(&[]);
    holds(RedisStore::open(&server.url(), Options::default()).unwrap(), 1..8);
}

#[test]
fn the_contract_holds_when_every_request_travels_alone() {
    let server = Server::start(&[]);
    let options = Options { pipeline_max: 1, connections: 1, ..Options::default() };
    holds(RedisStore::open(&server.url(), options).unwrap(), 11..13);
}

#[test]
fn the_contract_holds_through_a_socket_with_an_append_only_file() {
    let server = Server::start(&["--unixsocket", "redis.sock", "--appendonly", "yes"]);
    let url = format!("redis+unix://{}?db=3&prefix=a/b", server.folder.path().join("redis.sock").display());
    holds(RedisStore::open(&url, Options::default()).unwrap(), 21..23);
    assert_eq!(server.ask(&["DBSIZE"]), redis::Value::Int(0), "everything is in database 3");
}

#[test]
fn the_contract_holds_on_a_cluster() {
    let cluster = Cluster::start();
    holds(RedisStore::open(&cluster.url(), Options::default()).unwrap(), 31..33);
    for node in &cluster.nodes {
        assert_ne!(
            node.ask(&["DBSIZE"]),
            redis::Value::Int(1),
            "every node holds partitions beside the mark"
        );
    }
}

#[test]
fn the_contract_holds_through_a_sentinel_with_tls_and_passwords() {
    let certificates = Certificates::of(&["127.0.0.1"]);
    let (primary, tls) = certificates.server(&["--requirepass", "first"]);
    let further = "requirepass second\n";
    let (_sentinel, port) = certificates.sentinel(tls, further);
    let url = format!("rediss+sentinel://:first@127.0.0.1:{port}/main");
    let url = format!("{url}?ca={}&sentinel_password=second", certificates.path("ca.pem"));
    holds(RedisStore::open(&url, Options::default()).unwrap(), 51..53);
    let clients = ask(&format!("redis://:first@127.0.0.1:{}", primary.port), &["DBSIZE"]);
    assert_ne!(clients, redis::Value::Int(0), "the primary has it");
}

#[test]
fn two_stores_are_one_store() {
    let server = Server::start(&[]);
    let stores = [41, 42].map(|seed| (RedisStore::open(&server.url(), Options::default()).unwrap(), seed));
    let threads = stores.map(|(store, seed)| std::thread::spawn(move || holds(store, seed..seed + 1)));
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}
