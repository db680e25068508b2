//! The shared store: its verbs, and what it hides.

use quark_core::{Version, WriteId};
use quark_env::Store;
use quark_env::store::{Batch, Expect, Partition, RecordKey, ScanRange, StoreError};
use quark_sim::{Config, StoreConfig, World};
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn batch(write_id: u128) -> Batch {
    Batch::new("p", WriteId(write_id))
}

fn world(config: Config) -> (World, quark_sim::Host) {
    let world = World::new(config);
    let node = world.add_node("a");
    let host = world.host(node);
    (world, host)
}

#[test]
fn versions_count_the_partitions_commits_and_are_never_reissued() {
    let (mut world, store) = world(Config::new(1));
    let key = RecordKey::new("p", "x");
    world.block_on(async {
        assert_eq!(store.read(&key).await, Ok(None));
        assert_eq!(
            store.commit(batch(1).expect_absent("x").put("x", "one")).await.expect("absent").version,
            Version(1)
        );
        assert_eq!(store.commit(batch(2).put("y", "other")).await.expect("unchecked").version, Version(2));
        assert_eq!(store.commit(batch(3).delete("x")).await.expect("unchecked").version, Version(3));
        assert_eq!(store.commit(batch(4).put("x", "two")).await.expect("unchecked").version, Version(4));
        let stale = store.commit(batch(5).expect_version("x", Version(1)).put("x", "three")).await;
        let conflict = StoreError::Conflict {
            partition: "p".into(),
            row: "x".into(),
            expected: Expect::Version(Version(1)),
            found: Some(Version(4)),
        };
        assert_eq!(stale, Err(conflict), "delete and re-create do not fool a check");
        let again = store.commit(batch(2).put("y", "other")).await.expect("known write id");
        assert_eq!(again.version, Version(2), "a retry gets the first outcome");
        let record = store.read(&key).await.expect("readable").expect("there");
        assert_eq!(
            (&record.value[..], record.version, record.write_id),
            (&b"two"[..], Version(4), WriteId(4))
        );
        let rows = store.scan(ScanRange::prefix("p", ""), 10).await.expect("readable");
        assert_eq!(rows.iter().map(|r| &*r.key.row).collect::<Vec<_>>(), ["x", "y"]);
        assert_eq!(store.scan(ScanRange::prefix("p", ""), 1).await.expect("readable").len(), 1);
        let long = "n".repeat(2000);
        assert!(matches!(store.commit(batch(6).put(&long, "")).await, Err(StoreError::TooLarge { .. })));
    });
    assert_eq!(world.meters().store.repeats, 1);
    assert_eq!(world.partitions(), [Partition::from("p")]);
}

#[test]
fn an_outage_is_unavailable_or_unknown_and_ends() {
    let (mut world, store) = world(Config::new(2));
    let handle = world.handle();
    world.block_on(async {
        handle.begin_store_outage();
        let mut unknown = 0;
        for n in 0..50 {
            match store.commit(batch(n).put("x", "y")).await {
                Err(StoreError::Unavailable(_)) => {}
                Err(StoreError::Indeterminate(_)) => unknown += 1,
                other => panic!("{other:?}"),
            }
            assert!(matches!(store.read(&RecordKey::new("p", "x")).await, Err(StoreError::Unavailable(_))));
        }
        assert!((1..50).contains(&unknown), "both answers occur: {unknown}");
        handle.end_store_outage();
        assert_eq!(store.commit(batch(100).put("x", "y")).await.expect("well again").version, Version(1));
    });
}

#[test]
fn a_hidden_outcome_is_settled_by_a_retry() {
    let config = StoreConfig { indeterminate_ppm: 400_000, ..StoreConfig::default() };
    let (mut world, store) = world(Config { store: config, ..Config::new(3) });
    world.block_on(async {
        for n in 0..200u64 {
            let attempt = batch(n.into()).put("count", n.to_string());
            let committed = loop {
                match store.commit(attempt.clone()).await {
                    Ok(committed) => break committed,
                    Err(StoreError::Indeterminate(_)) => {}
                    Err(other) => panic!("{other}"),
                }
            };
            assert_eq!(committed.version, Version(n + 1), "each batch took effect exactly once");
        }
    });
    let meters = world.meters().store;
    assert!(meters.hidden_applied > 20 && meters.hidden_lost > 20 && meters.repeats > 20, "{meters:?}");
}

#[test]
fn what_has_left_a_node_is_not_called_back_by_its_death() {
    let mut applied = 0;
    for seed in 0..40 {
        let mut world = World::new(Config::new(seed));
        let node = world.add_node("a");
        let store = world.host(node);
        world.spawn(node, "writer", async move {
            store.commit(batch(1).put("x", "y")).await.expect("healthy store");
        });
        let seen = Arc::new(Mutex::new(Vec::new()));
        let into = seen.clone();
        world.watch_commits(move |commit| into.lock().expect("lock").push(commit.node));
        world.run_for(Duration::from_micros(100));
        world.crash(node);
        let before = seen.lock().expect("lock").len();
        world.run_for(Duration::from_secs(1));
        let after = seen.lock().expect("lock").len();
        assert_eq!(after, 1, "the request was on the wire");
        assert_eq!(world.peek(&RecordKey::new("p", "x")).expect("readable").is_some(), after == 1);
        applied += after - before;
    }
    assert!(applied > 10, "many took effect after the crash: {applied}");
}

#[test]
fn a_corrupt_record_says_so_until_it_is_written_again() {
    let (mut world, store) = world(Config::new(4));
    let handle = world.handle();
    let key = RecordKey::new("p", "x");
    world.block_on(async {
        store.commit(batch(1).put("x", "y")).await.expect("healthy");
        assert!(handle.corrupt_record(&key, "bad checksum"));
        assert!(matches!(store.read(&key).await, Err(StoreError::Corrupt { .. })));
        assert!(matches!(store.scan(ScanRange::prefix("p", ""), 9).await, Err(StoreError::Corrupt { .. })));
        let checked = store.commit(batch(2).expect_version("x", Version(1)).put("x", "z")).await;
        assert!(matches!(checked, Err(StoreError::Corrupt { .. })));
        store.commit(batch(3).put("x", "z")).await.expect("unchecked");
        assert!(store.read(&key).await.expect("readable").is_some());
        assert!(!handle.corrupt_record(&RecordKey::new("p", "none"), "no such row"));
    });
}

#[test]
fn one_node_may_lose_the_store_alone() {
    let mut world = World::new(Config::new(5));
    let (a, b) = (world.add_node("a"), world.add_node("b"));
    let (lost, well) = (world.host(a), world.host(b));
    world.cut_store(a);
    let key = RecordKey::new("p", "x");
    world.block_on(async {
        assert!(lost.read(&key).await.is_err());
        assert!(well.read(&key).await.is_ok());
    });
    world.heal_store();
    world.block_on(async { assert!(lost.read(&key).await.is_ok()) });
}

#[test]
fn a_full_store_refuses_what_it_would_have_to_write_and_nothing_else() {
    let (mut world, store) = world(Config::new(6));
    let handle = world.handle();
    let key = RecordKey::new("p", "x");
    world.block_on(async {
        let first = store.commit(batch(1).put("x", "y")).await.expect("room");
        handle.set_store_full(true);
        let refused = store.commit(batch(2).put("x", "z")).await;
        assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
        assert_eq!(store.commit(batch(1).put("x", "y")).await, Ok(first), "it is there already");
        let stale = store.commit(batch(3).expect_absent("x").put("x", "z")).await;
        assert!(matches!(stale, Err(StoreError::Conflict { .. })), "{stale:?}");
        assert_eq!(store.read(&key).await.expect("readable").expect("there").value, "y");
        handle.set_store_full(false);
        assert_eq!(store.commit(batch(2).put("x", "z")).await.expect("room again").version, Version(2));
    });
    assert_eq!(world.meters().store.no_room, 1);
}

fn with_replica(lag: Duration) -> Config {
    let config = Config::calm(1);
    Config { store: StoreConfig { replica_lag: Some(lag), ..config.store }, ..config }
}

#[test]
fn a_replica_that_takes_over_lacks_the_last_commits_and_gives_out_no_version_again() {
    let (mut world, store) = world(with_replica(Duration::from_secs(1)));
    let stranger = world.host(world.add_node("b"));
    let handle = world.handle();
    let key = RecordKey::new("p", "x");
    let put = |id: u128| batch(id).put("x", id.to_string());
    world.block_on(async {
        for id in 1..=2 {
            store.commit(put(id)).await.expect("unchecked");
        }
        handle.sleep(Duration::from_secs(2)).await;
        for id in 3..=5 {
            store.commit(put(id)).await.expect("unchecked");
        }
        let other = Batch::new("q", WriteId(6)).put("x", "kept");
        assert_eq!(store.commit(other).await.expect("unchecked").version, Version(1));
        let lost = handle.fail_over_store(|partition| *partition == "p".into());
        let versions: Vec<u64> = lost.iter().map(|lost| lost.version.0).collect();
        assert_eq!(versions, [3, 4, 5]);
        assert!(lost.iter().all(|lost| lost.found == Version(2) && lost.told == [store.node()]));
        let went_back = StoreError::WentBack { partition: "p".into(), seen: Version(5), found: Version(2) };
        assert_eq!(store.read(&key).await, Err(went_back), "whoever was told notices");
        let record = store.read(&key).await.expect("it is told once").expect("there");
        assert_eq!((record.version, &record.value[..]), (Version(2), &b"2"[..]));
        let again = store.commit(put(2)).await.expect("known write id");
        assert_eq!(again.version, Version(2), "what the replica had, it remembers");
        let version = stranger.commit(put(7)).await.expect("it was told nothing").version;
        assert!(version.0 >= 1 << 20, "{version:?} may have been given out before");
        let kept = store.read(&RecordKey::new("q", "x")).await.expect("not of that server");
        assert_eq!(kept.expect("there").version, Version(1));
    });
    assert_eq!((world.meters().store.lost, world.meters().store.went_back), (3, 1));
}

#[test]
fn a_commit_on_lost_ground_writes_nothing_and_is_told_so() {
    let (mut world, store) = world(with_replica(Duration::from_secs(1)));
    let handle = world.handle();
    world.block_on(async {
        let version = store.commit(batch(1).put("x", "one")).await.expect("unchecked").version;
        handle.fail_over_store(|_| true);
        let next = batch(2).expect_version("x", version).put("x", "two");
        let went_back = StoreError::WentBack { partition: "p".into(), seen: version, found: Version(0) };
        assert_eq!(store.commit(next.clone()).await, Err(went_back));
        assert!(matches!(store.commit(next).await, Err(StoreError::Conflict { found: None, .. })));
    });
}

#[test]
fn reads_of_the_replica_are_as_old_as_it_is_behind() {
    let (mut world, store) = world(with_replica(Duration::from_secs(30)));
    let reader = world.host(world.add_node("b"));
    let handle = world.handle();
    let key = RecordKey::new("p", "x");
    world.block_on(async {
        handle.set_store_stale(reader.node(), true);
        let version = store.commit(batch(1).put("x", "one")).await.expect("unchecked").version;
        assert_eq!(reader.read(&key).await, Ok(None));
        let create = batch(2).expect_absent("x").put("x", "two");
        assert!(
            matches!(reader.commit(create).await, Err(StoreError::Conflict { .. })),
            "it goes to the primary"
        );
        handle.sleep(Duration::from_secs(31)).await;
        assert_eq!(reader.read(&key).await.expect("readable").expect("there").version, version);
        handle.heal_store();
        store.commit(batch(3).put("x", "three")).await.expect("unchecked");
        let record = reader.read(&key).await.expect("readable").expect("there");
        assert_eq!(&record.value[..], b"three");
    });
    assert_eq!(world.meters().store.stale_reads, 2);
}
