//! Many callers at once: one order of commits per partition, and everyone sees it.

use super::scope::Scope;
use bytes::Bytes;
use futures_util::future::{join, join_all};
use quark_core::Version;
use quark_env::store::StoreError;

const CALLERS: usize = 16;
const ROUNDS: usize = 8;

fn number(value: &Bytes) -> u64 {
    std::str::from_utf8(value).expect("ASCII").parse().expect("a number")
}

/// Reads, adds one, commits if nobody came between: until it worked.
async fn increment(s: &Scope) {
    // Every conflict is another caller's success, and there are only so many of those.
    for _ in 0..=CALLERS * ROUNDS {
        let found = s.read("p", "counter").await;
        let batch = match &found {
            None => s.batch("p").expect_absent("counter").put("counter", "1"),
            Some(record) => {
                let next = (number(&record.value) + 1).to_string();
                s.batch("p").expect_version("counter", record.version).put("counter", next)
            }
        };
        match s.store.commit(batch).await {
            Ok(_) => return,
            Err(StoreError::Conflict { .. }) => {}
            Err(error) => panic!("{s}: {error}"),
        }
    }
    panic!("{s}: an increment met more conflicts than there are other increments");
}

pub(super) async fn concurrent_increments_lose_nothing(s: Scope) {
    join_all((0..CALLERS).map(|_| async {
        for _ in 0..ROUNDS {
            increment(&s).await;
        }
    }))
    .await;
    let record = s.read("p", "counter").await.expect("it was put");
    let total = (CALLERS * ROUNDS) as u64;
    assert_eq!(number(&record.value), total, "{s}: an increment was lost");
    assert_eq!(record.version, Version(total), "{s}: every increment is one commit");
}

pub(super) async fn one_of_many_creators_wins(s: Scope) {
    let outcomes = join_all((0..CALLERS).map(|n| {
        let batch = s.batch("p").expect_absent("row").put("row", n.to_string());
        s.store.commit(batch)
    }))
    .await;
    let winners: Vec<_> = (0..CALLERS).filter(|n| outcomes[*n].is_ok()).collect();
    assert_eq!(winners.len(), 1, "{s}: {outcomes:?}");
    assert_eq!(number(&s.value("p", "row").await), winners[0] as u64, "{s}: a loser wrote");
    for error in outcomes.iter().filter_map(|outcome| outcome.as_ref().err()) {
        let lost_to_first = matches!(error, StoreError::Conflict { found: Some(Version(1)), .. });
        assert!(lost_to_first, "{s}: {error:?}");
    }
}

pub(super) async fn concurrent_commits_take_consecutive_versions(s: Scope) {
    let rows: Vec<_> = (0..CALLERS * ROUNDS).map(|n| format!("row {}", n % 5)).collect();
    let mut versions = join_all(rows.iter().map(|row| s.put("p", row, "value"))).await;
    versions.sort_unstable();
    let expected: Vec<_> = (1..=(CALLERS * ROUNDS) as u64).map(Version).collect();
    assert_eq!(versions, expected, "{s}: a number was skipped or given twice");
}

pub(super) async fn an_acknowledged_commit_is_seen_at_once(s: Scope) {
    let s = &s;
    join_all((0..CALLERS).map(|caller| async move {
        let row = format!("row {caller:02}");
        for round in 0..ROUNDS {
            let value = round.to_string();
            let version = s.put("p", &row, value.clone()).await;
            let read = s.read("p", &row).await.expect("it was put");
            assert_eq!((read.version, &read.value), (version, &Bytes::from(value)), "{s}: a read");
            let found = s.scan(s.range("p", &row, ""), 1).await;
            assert_eq!(found, [read], "{s}: a scan");
        }
    }))
    .await;
}

pub(super) async fn a_scan_sees_a_batch_whole_or_not_at_all(s: Scope) {
    s.commit(s.batch("p").put("a", "0").put("z", "0")).await;
    let writer = async {
        for n in 1..=CALLERS * ROUNDS {
            s.commit(s.batch("p").put("a", n.to_string()).put("z", n.to_string())).await;
        }
    };
    let scanner = async {
        let mut newest = 0;
        for _ in 0..CALLERS * ROUNDS {
            let found = s.all("p").await;
            let values: Vec<_> = found.iter().map(|record| number(&record.value)).collect();
            assert!(values.len() == 2 && values[0] == values[1], "{s}: half a batch: {found:?}");
            assert!(values[0] >= newest, "{s}: time went back from {newest} to {}", values[0]);
            newest = values[0];
        }
    };
    join(writer, join_all([scanner])).await;
}
