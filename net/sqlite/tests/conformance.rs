//! The store contract, on a file.

use quark_sqlite::{Durability, Options, SqliteStore};
use quark_testkit::store_conformance::{block_on, cases};
use std::sync::Arc;

#[test]
fn the_contract_holds() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(SqliteStore::open(folder.path().join("quark.db"), Options::default()).unwrap());
    for case in cases() {
        block_on(case.run(store.clone(), 1));
    }
}

#[test]
fn the_contract_holds_for_any_seed() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { durability: Durability::Normal, ..Options::default() };
    let store = Arc::new(SqliteStore::open(folder.path().join("quark.db"), options).unwrap());
    for case in cases() {
        for seed in 2..12 {
            block_on(case.run(store.clone(), seed));
        }
    }
}
