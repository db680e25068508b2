//! Versions count the commits of a partition, and never repeat.

use super::scope::Scope;
use quark_core::Version;

pub(super) async fn every_commit_grows_the_version_by_one(s: Scope) {
    for number in 1..=5 {
        let version = s.put("p", ["x", "y"][number as usize % 2], "value").await;
        assert_eq!(version, Version(number), "{s}: a put");
    }
    assert_eq!(s.commit(s.batch("p").delete("x")).await, Version(6), "{s}: a delete");
    assert_eq!(s.commit(s.batch("p").delete("nothing")).await, Version(7), "{s}: a delete of nothing");
    assert_eq!(s.commit(s.batch("p").expect_absent("x")).await, Version(8), "{s}: a check");
    assert_eq!(s.commit(s.batch("p")).await, Version(9), "{s}: a batch of nothing");
    s.refused(s.batch("p").expect_absent("y").put("y", "value")).await;
    assert_eq!(s.put("p", "x", "value").await, Version(10), "{s}: a refused batch takes no number");
}

pub(super) async fn all_puts_of_a_batch_share_its_version(s: Scope) {
    s.put("p", "untouched", "value").await;
    let version = s.commit(s.batch("p").put("a", "1").put("b", "2").put("c", "3")).await;
    for record in s.all("p").await {
        let expected = if &*record.key.row == "untouched" { Version(1) } else { version };
        assert_eq!(record.version, expected, "{s}: row `{}`", record.key.row);
    }
}

pub(super) async fn a_deleted_row_that_returns_has_a_new_version(s: Scope) {
    let first = s.put("p", "row", "first life").await;
    s.commit(s.batch("p").expect_version("row", first).delete("row")).await;
    let second = s.commit(s.batch("p").expect_absent("row").put("row", "second life")).await;
    assert_eq!((first, second), (Version(1), Version(3)), "{s}");
    s.refused(s.batch("p").expect_version("row", first).put("row", "from the past")).await;
    assert_eq!(s.value("p", "row").await, "second life", "{s}: an old version was taken for the new one");
}

pub(super) async fn a_partition_emptied_by_deletes_keeps_counting(s: Scope) {
    s.commit(s.batch("p").put("a", "1").put("b", "2")).await;
    s.commit(s.batch("p").delete("a").delete("b")).await;
    assert_eq!(s.all("p").await, [], "{s}");
    assert_eq!(s.put("p", "a", "again").await, Version(3), "{s}");
}

pub(super) async fn a_record_names_the_write_that_wrote_it(s: Scope) {
    let (first, second) = (s.batch("p").put("a", "1").put("b", "1"), s.batch("p").put("a", "2"));
    let ids = [second.write_id, first.write_id];
    s.commit(first).await;
    s.commit(second).await;
    let found: Vec<_> = s.all("p").await.iter().map(|r| (r.write_id, r.version)).collect();
    assert_eq!(found, [(ids[0], Version(2)), (ids[1], Version(1))], "{s}");
    assert_eq!(s.read("p", "b").await.expect("it was put").write_id, ids[1], "{s}: as read");
}
