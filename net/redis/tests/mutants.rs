//! The planted bug of this crate: the store contract holds on a real server, and breaks with the bug switched on.
//!
//! Run by `cargo ci mutants`: the switch is the process's.
#![cfg(feature = "mutants")]

mod server;

use quark_core::mutant;
use quark_redis::{Options, RedisStore};
use quark_testkit::store_conformance::{block_on, cases};
use server::Server;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

#[test]
fn m19_is_caught() {
    let server = Server::start(&[]);
    let store = Arc::new(
        RedisStore::open(&server.url(), Options::default()).expect("a server that has just started"),
    );
    let cases = cases();
    let contended = cases.iter().find(|case| case.name() == "concurrent_increments_lose_nothing");
    let contended = contended.expect("the contract has such a case");
    let holds =
        |seed| catch_unwind(AssertUnwindSafe(|| block_on(contended.run(store.clone(), seed)))).is_ok();
    mutant::activate("");
    assert!(holds(1), "the contract does not hold without the bug");
    mutant::activate("m19");
    let survived = (2..12).all(holds);
    mutant::activate("");
    assert!(!survived, "nobody noticed m19");
}
