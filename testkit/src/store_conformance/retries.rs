//! A write id makes the retry of a batch harmless.

use super::scope::Scope;
use futures_util::future::join_all;
use quark_core::Version;
use quark_env::store::WRITE_IDS_KEPT;

pub(super) async fn a_retry_returns_the_first_outcome(s: Scope) {
    let batch = s.batch("p").expect_absent("row").put("row", "once");
    let first = s.commit(batch.clone()).await;
    // The check no longer holds, which is exactly why a retry must not evaluate it again.
    assert_eq!(s.commit(batch.clone()).await, first, "{s}");
    assert_eq!(s.commit(batch).await, first, "{s}: a second retry");
    assert_eq!(s.read("p", "row").await.expect("it was put").version, first, "{s}: applied twice");
    assert_eq!(s.put("p", "row", "next").await, Version(2), "{s}: a retry takes no number");

    let check_only = s.batch("p").expect_version("row", Version(2));
    let outcome = s.commit(check_only.clone()).await;
    s.put("p", "row", "moved on").await;
    assert_eq!(s.commit(check_only).await, outcome, "{s}: of a batch of checks only");
}

pub(super) async fn a_retry_is_recognised_for_sixty_four_commits(s: Scope) {
    let batches: Vec<_> =
        (0..WRITE_IDS_KEPT).map(|n| s.batch("p").put(&format!("row {n}"), "value")).collect();
    for batch in &batches {
        s.commit(batch.clone()).await;
    }
    for (n, batch) in batches.into_iter().enumerate() {
        assert_eq!(s.commit(batch).await, Version(n as u64 + 1), "{s}: the retry of commit {}", n + 1);
    }
    let next = Version(WRITE_IDS_KEPT as u64 + 1);
    assert_eq!(s.put("p", "row", "value").await, next, "{s}: a retry took a number");
}

pub(super) async fn a_retry_does_not_undo_later_writes(s: Scope) {
    let batch = s.batch("p").put("row", "old").delete("other");
    let first = s.commit(batch.clone()).await;
    s.commit(s.batch("p").put("row", "new").put("other", "new")).await;
    assert_eq!(s.commit(batch).await, first, "{s}");
    assert_eq!(s.value("p", "row").await, "new", "{s}: a retry overwrote a later write");
    assert_eq!(s.value("p", "other").await, "new", "{s}: a retry deleted a later write");
}

pub(super) async fn a_write_id_counts_in_its_partition_only(s: Scope) {
    let batch = s.batch("p").put("row", "value");
    s.put("q", "other", "value").await;
    s.commit(batch.clone()).await;
    let elsewhere = quark_env::store::Batch { partition: s.partition("q"), ..batch };
    assert_eq!(s.commit(elsewhere).await, Version(2), "{s}");
    assert_eq!(s.value("q", "row").await, "value", "{s}: taken for a retry of another partition's batch");
}

pub(super) async fn a_conflict_is_not_remembered(s: Scope) {
    let batch = s.batch("p").expect_absent("row").put("row", "mine");
    s.put("p", "row", "in the way").await;
    s.refused(batch.clone()).await;
    s.commit(s.batch("p").delete("row")).await;
    assert_eq!(s.commit(batch).await, Version(3), "{s}: nothing happened the first time, so it is no retry");
    assert_eq!(s.value("p", "row").await, "mine", "{s}");
}

pub(super) async fn concurrent_retries_apply_once(s: Scope) {
    let batch = s.batch("p").expect_absent("row").put("row", "once");
    let outcomes = join_all((0..8).map(|_| s.commit(batch.clone()))).await;
    assert_eq!(outcomes, [Version(1); 8], "{s}");
    assert_eq!(s.put("p", "row", "next").await, Version(2), "{s}: applied more than once");
}
