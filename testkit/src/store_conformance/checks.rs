//! A batch commits only if every check holds.

use super::scope::Scope;
use quark_core::Version;
use quark_env::store::{Expect, StoreError};

pub(super) async fn absent_holds_only_without_the_row(s: Scope) {
    s.commit(s.batch("p").expect_absent("row").put("row", "created")).await;
    s.refused(s.batch("p").expect_absent("row").put("row", "created again")).await;
    s.commit(s.batch("p").delete("row")).await;
    s.commit(s.batch("p").expect_absent("row").put("row", "created after a delete")).await;
    assert_eq!(s.value("p", "row").await, "created after a delete", "{s}");
}

pub(super) async fn a_version_holds_only_exactly(s: Scope) {
    s.refused(s.batch("p").expect_version("row", Version(0)).put("row", "of nothing")).await;
    s.put("p", "row", "1").await;
    s.put("p", "row", "2").await;
    for wrong in [0, 1, 3, u64::MAX] {
        s.refused(s.batch("p").expect_version("row", Version(wrong)).put("row", "stale")).await;
        s.refused(s.batch("p").expect_version("row", Version(wrong)).delete("row")).await;
    }
    assert_eq!(s.value("p", "row").await, "2", "{s}");
    s.commit(s.batch("p").expect_version("row", Version(2)).put("row", "3")).await;
    assert_eq!(s.value("p", "row").await, "3", "{s}");
}

pub(super) async fn a_row_that_is_only_read_can_be_checked(s: Scope) {
    let fence = s.put("p", "fence", "epoch 1").await;
    s.commit(s.batch("p").expect_version("fence", fence).put("state", "by epoch 1")).await;
    let record = s.read("p", "fence").await.expect("it was put");
    assert_eq!(record.version, fence, "{s}: a check does not write the row");
    s.commit(s.batch("p").expect_absent("elsewhere").put("state", "still epoch 1")).await;

    s.put("p", "fence", "epoch 2").await;
    s.refused(s.batch("p").expect_version("fence", fence).put("state", "by a zombie")).await;
    assert_eq!(s.value("p", "state").await, "still epoch 1", "{s}: a fenced write went through");
}

pub(super) async fn checks_see_the_state_before_the_batch(s: Scope) {
    s.commit(s.batch("p").put("row", "new").expect_absent("row")).await;
    s.commit(s.batch("p").expect_version("row", Version(1)).delete("row").put("row", "newer")).await;
    s.refused(s.batch("p").delete("row").expect_absent("row")).await;
    assert_eq!(s.value("p", "row").await, "newer", "{s}");
}

pub(super) async fn a_conflict_names_the_first_failed_check(s: Scope) {
    s.commit(s.batch("p").put("a", "1").put("b", "1")).await;
    let first = Version(1);
    let conflict = |row: &str, expected, found| StoreError::Conflict {
        partition: s.partition("p"),
        row: row.into(),
        expected,
        found,
    };
    let batch = s.batch("p").expect_version("a", first).expect_absent("b").expect_absent("a");
    assert_eq!(s.refused(batch).await, conflict("b", Expect::Absent, Some(first)), "{s}");

    let wanted = Version(9);
    let batch = s.batch("p").expect_version("a", wanted);
    assert_eq!(s.refused(batch).await, conflict("a", Expect::Version(wanted), Some(first)), "{s}");

    let batch = s.batch("p").expect_version("none", wanted);
    assert_eq!(s.refused(batch).await, conflict("none", Expect::Version(wanted), None), "{s}");

    let nowhere = s.refused(s.batch("q").expect_version("none", wanted)).await;
    assert!(
        matches!(&nowhere, StoreError::Conflict { partition, found: None, .. } if *partition == s.partition("q")),
        "{s}: in a partition that does not exist: {nowhere:?}"
    );
}

pub(super) async fn checks_without_operations_commit(s: Scope) {
    let version = s.put("p", "row", "value").await;
    let batch = s.batch("p").expect_version("row", version).expect_absent("other");
    assert_eq!(s.commit(batch).await, Version(2), "{s}");
    s.refused(s.batch("p").expect_absent("row")).await;
    assert_eq!(s.read("p", "row").await.expect("it was put").version, version, "{s}");
    assert_eq!(s.commit(s.batch("new").expect_absent("row")).await, Version(1), "{s}: in a new partition");
}

pub(super) async fn operations_without_checks_overwrite(s: Scope) {
    s.put("p", "row", "first").await;
    s.put("p", "row", "second").await;
    assert_eq!(s.value("p", "row").await, "second", "{s}");
    s.commit(s.batch("p").delete("row")).await;
    s.put("p", "row", "third").await;
    assert_eq!(s.value("p", "row").await, "third", "{s}");
}
