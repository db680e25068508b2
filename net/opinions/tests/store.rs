//! The store's contract, kept by the real Redis client over simulated TCP, and what it makes of a server and a network that
//! fail it.

use quark_core::{Version, WriteId};
use quark_env::Store;
use quark_env::store::{Batch, RecordKey, StoreError};
use quark_opinions::redis::{HOST, Mischief, Redis};
use quark_opinions::{Lab, Place};
use quark_redis::{Options, RedisStore};
use quark_testkit::store_conformance::cases;
use std::sync::Arc;
use std::time::Duration;

const URL: &str = "redis://redis:6379/0?prefix=lab";

async fn open(lab: &Lab) -> RedisStore {
    let place = Place::dialling(lab, "driver");
    RedisStore::open_over(URL, options(), place).await.expect("the server is up")
}

fn options() -> Options {
    let time = Duration::from_millis(500);
    Options { request_timeout: time, connect_timeout: time, ..Options::default() }
}

/// Runs a test against a server, and sees to it that it was asked nothing that it does not know.
fn with_redis<F>(seed: u64, test: impl FnOnce(Lab, Redis, RedisStore) -> F + Send + 'static)
where
    F: Future<Output = ()> + Send + 'static,
{
    Lab::run(seed, move |lab| {
        Box::pin(async move {
            let redis = Redis::default();
            redis.start(&lab).await;
            let store = open(&lab).await;
            test(lab, redis.clone(), store).await;
            assert_eq!(redis.refused(), Vec::<String>::new());
        })
    });
}

fn put(number: u128, row: &str) -> Batch {
    Batch::new("p", WriteId(number)).put(row, number.to_string())
}

async fn value(store: &RedisStore, row: &str) -> Option<String> {
    let record = store.read(&RecordKey::new("p", row)).await.expect("it can be read")?;
    Some(String::from_utf8(record.value.to_vec()).expect("a number"))
}

/// Retries one batch until its outcome is known.
async fn surely(lab: &Lab, store: &RedisStore, batch: &Batch) -> Result<Version, StoreError> {
    loop {
        match store.commit(batch.clone()).await {
            Ok(committed) => return Ok(committed.version),
            Err(StoreError::Indeterminate(_) | StoreError::Unavailable(_)) => {}
            Err(error) => return Err(error),
        }
        assert!(lab.elapsed() < Duration::from_secs(600), "it stays unavailable");
        lab.sleep(Duration::from_millis(50)).await;
    }
}

#[test]
fn the_contract_holds_for_any_seed() {
    for seed in 0..4 {
        with_redis(seed, move |_, _, store| async move {
            let store: Arc<dyn Store> = Arc::new(store);
            for case in cases() {
                case.run(store.clone(), seed).await;
            }
        });
    }
}

#[test]
fn the_contract_holds_when_every_request_travels_alone() {
    with_redis(7, |lab, _, _| async move {
        let options = Options { pipeline_max: 1, connections: 1, ..options() };
        let store = RedisStore::open_over(URL, options, Place::dialling(&lab, "alone")).await;
        let store: Arc<dyn Store> = Arc::new(store.expect("the server is up"));
        for case in cases() {
            case.run(store.clone(), 70).await;
        }
    });
}

#[test]
fn a_commit_into_a_cut_has_an_unknown_outcome_in_bounded_time_and_none_after_a_read() {
    for seed in 0..10 {
        with_redis(seed, |lab, _, store| async move {
            store.commit(put(1, "row")).await.expect("all is well");
            lab.cut("driver", HOST);
            let began = lab.elapsed();
            let outcome = store.commit(put(2, "row")).await;
            assert!(matches!(outcome, Err(StoreError::Indeterminate(_))), "{outcome:?}");
            assert!(lab.elapsed() - began < Duration::from_secs(1), "{:?}", lab.elapsed() - began);
            let outcome = store.commit(put(3, "other")).await;
            assert!(matches!(outcome, Err(StoreError::Unavailable(_))), "{outcome:?}");
            lab.mend("driver", HOST);
            assert_eq!(surely(&lab, &store, &put(2, "row")).await.expect("it is mended"), Version(2));
            assert_eq!(value(&store, "other").await, None, "what was said not to have happened");
        });
    }
}

/// A cut that swallows the answer: the commit stands, and a retry with its write id finds it.
#[test]
fn a_commit_whose_answer_is_cut_off_stands_and_is_not_done_twice() {
    for seed in 0..10 {
        with_redis(seed, |lab, _, store| async move {
            lab.cut(HOST, "driver");
            let outcome = store.commit(put(1, "row")).await;
            assert!(matches!(outcome, Err(StoreError::Indeterminate(_))), "{outcome:?}");
            lab.mend("driver", HOST);
            assert_eq!(surely(&lab, &store, &put(1, "row")).await.expect("it is mended"), Version(1));
            assert_eq!(surely(&lab, &store, &put(2, "row")).await.expect("it is mended"), Version(2));
        });
    }
}

#[test]
fn what_the_network_held_back_is_never_carried_out_after_a_read_has_settled_it() {
    for seed in 0..10 {
        with_redis(seed, |lab, _, store| async move {
            lab.hold("driver", HOST);
            let outcome = store.commit(put(1, "row")).await;
            assert!(matches!(outcome, Err(StoreError::Indeterminate(_))), "{outcome:?}");
            lab.release("driver", HOST);
            // The first read that is answered says what has become of it, for good.
            let settled = loop {
                match store.read(&RecordKey::new("p", "row")).await {
                    Ok(record) => break record,
                    Err(_) => lab.sleep(Duration::from_millis(5)).await,
                }
            };
            for _ in 0..100 {
                lab.sleep(Duration::from_millis(20)).await;
                let found = store.read(&RecordKey::new("p", "row")).await.expect("it is up");
                assert_eq!(found, settled, "it happened after it was settled");
            }
        });
    }
}

#[test]
fn a_connection_that_ends_before_the_answer_leaves_the_outcome_unknown_and_a_retry_finds_it() {
    for mischief in [Mischief::HangUp, Mischief::Swallow] {
        with_redis(3, move |lab, redis, store| async move {
            redis.plan(mischief);
            let outcome = store.commit(put(1, "row")).await;
            assert!(matches!(outcome, Err(StoreError::Indeterminate(_))), "{mischief:?}: {outcome:?}");
            assert!(redis.is_done());
            assert_eq!(surely(&lab, &store, &put(1, "row")).await.expect("it is up"), Version(1));
        });
    }
}

#[test]
fn a_server_that_comes_back_has_forgotten_the_scripts_and_has_another_history() {
    with_redis(4, |lab, redis, store| async move {
        store.commit(put(1, "row")).await.expect("all is well");
        let before = store.history();
        redis.crash(&lab, 0).await;
        let outcome = store.commit(put(2, "row")).await;
        assert!(outcome.is_err(), "nobody is there: {outcome:?}");
        redis.start(&lab).await;
        let version = surely(&lab, &store, &put(3, "row")).await.expect("it is up");
        assert!(version > Version(1 << 20), "beyond all that was ever given out: {version:?}");
        assert_eq!(value(&store, "row").await.as_deref(), Some("3"));
        assert!(store.history() > before, "a restart may have lost commits, and is said to");
    });
}

#[test]
fn a_server_that_has_lost_acknowledged_commits_is_found_out() {
    with_redis(5, |lab, redis, store| async move {
        redis.may_lose();
        for number in 1..=5 {
            store.commit(put(number, "row")).await.expect("all is well");
        }
        redis.crash(&lab, 2).await;
        redis.start(&lab).await;
        let outcome = surely(&lab, &store, &put(6, "row")).await;
        assert!(
            matches!(outcome, Err(StoreError::WentBack { seen: Version(5), found: Version(3), .. })),
            "{outcome:?}"
        );
        assert_eq!(value(&store, "row").await.as_deref(), Some("3"), "the loss cannot be undone here");
        let version = surely(&lab, &store, &put(7, "row")).await.expect("it goes on");
        assert!(version > Version(5), "no version is given out twice: {version:?}");
    });
}
