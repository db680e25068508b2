//! All of a batch or nothing, in order.

use super::scope::Scope;
use quark_core::Version;

pub(super) async fn a_failed_check_writes_nothing(s: Scope) {
    s.commit(s.batch("p").put("a", "1").put("b", "1").put("c", "1")).await;
    let before = s.all("p").await;
    let batch = s.batch("p").put("a", "2").delete("b").put("d", "2");
    s.refused(batch.clone().expect_version("a", Version(1)).expect_version("c", Version(7))).await;
    s.refused(batch.expect_absent("c")).await;
    assert_eq!(s.all("p").await, before, "{s}: a refused batch left a trace");
    s.refused(s.batch("new").put("a", "1").expect_version("b", Version(1))).await;
    assert_eq!(s.all("new").await, [], "{s}: a refused batch left a trace in a new partition");
}

pub(super) async fn operations_run_in_order_and_the_last_wins(s: Scope) {
    s.put("p", "kept", "old").await;
    let batch = s
        .batch("p")
        .put("twice", "first")
        .put("twice", "second")
        .put("gone", "put, then deleted")
        .delete("gone")
        .delete("kept")
        .put("kept", "deleted, then put");
    let version = s.commit(batch).await;
    let found: Vec<_> =
        s.all("p").await.into_iter().map(|r| (r.key.row.to_string(), r.value, r.version)).collect();
    let expected = [("kept", "deleted, then put"), ("twice", "second")]
        .map(|(row, value)| (row.to_string(), bytes::Bytes::from(value), version));
    assert_eq!(found, expected, "{s}");
}

pub(super) async fn deleting_an_absent_row_is_no_error(s: Scope) {
    s.commit(s.batch("p").delete("nothing")).await;
    s.commit(s.batch("p").put("row", "value").delete("nothing")).await;
    assert_eq!(s.value("p", "row").await, "value", "{s}");
}

pub(super) async fn a_commit_whose_future_is_never_awaited_is_whole_or_absent(s: Scope) {
    // A store may commit when asked, when awaited, or a little later; what it may not do is half of it.
    drop(s.store.commit(s.batch("p").put("a", "1").put("b", "1")));
    let version = s.put("p", "c", "1").await;
    let rows: Vec<_> = s.all("p").await.iter().map(|r| r.key.row.to_string()).collect();
    let (whole, absent) = (rows == ["a", "b", "c"], rows == ["c"] && version == Version(1));
    assert!(whole || absent, "{s}: {rows:?} at {version:?}");
}
