//! What is put is what is read.

use super::scope::Scope;
use bytes::Bytes;
use quark_env::store::VALUE_BYTES_MAX;

pub(super) async fn an_absent_row_reads_as_none(s: Scope) {
    assert_eq!(s.read("p", "row").await, None, "{s}: of a partition that does not exist");
    s.put("p", "other", "value").await;
    assert_eq!(s.read("p", "row").await, None, "{s}: of a partition that exists");
}

pub(super) async fn what_was_put_is_read_back(s: Scope) {
    s.put("p", "row", "first").await;
    assert_eq!(s.value("p", "row").await, "first", "{s}");
    s.put("p", "row", "second").await;
    assert_eq!(s.value("p", "row").await, "second", "{s}");
    let record = s.read("p", "row").await.expect("it was just read");
    assert_eq!((&*record.key.row, &record.key.partition), ("row", &s.partition("p")), "{s}");
    s.commit(s.batch("p").delete("row")).await;
    assert_eq!(s.read("p", "row").await, None, "{s}");
}

pub(super) async fn values_are_binary_and_may_be_empty(s: Scope) {
    let every_byte: Vec<u8> = (0..=255).collect();
    s.commit(s.batch("p").put("binary", every_byte.clone()).put("empty", Bytes::new())).await;
    assert_eq!(s.value("p", "binary").await, every_byte, "{s}");
    assert_eq!(s.value("p", "empty").await, Bytes::new(), "{s}: empty is not absent");
}

pub(super) async fn a_value_of_one_mebibyte_survives(s: Scope) {
    let value: Vec<u8> = (0..VALUE_BYTES_MAX).map(|at| (at * 31 / 7) as u8).collect();
    s.commit(s.batch("p").put("large", value.clone()).put("small", "beside it")).await;
    assert!(s.value("p", "large").await == value, "{s}: the large value changed");
    let records = s.all("p").await;
    assert!(records.len() == 2 && records[0].value == value, "{s}: a scan changed the large value");
    s.put("p", "large", "small now").await;
    assert_eq!(s.value("p", "large").await, "small now", "{s}");
}

/// A NUL, quotes and wildcards, two spellings of one letter, four-byte characters, nothing at all.
const NAMES: [&str; 12] =
    ["", "a", "a\0b", "a%", "a_", "A", "'; --", "é", "e\u{301}", "日本", "🦀", "row with spaces\n"];

pub(super) async fn row_names_are_any_text(s: Scope) {
    for name in NAMES {
        s.put("p", name, name).await;
    }
    for name in NAMES {
        assert_eq!(s.value("p", name).await, name, "{s}: row {name:?}");
    }
    let mut expected = NAMES;
    expected.sort_unstable();
    let found = s.all("p").await;
    assert!(found.iter().map(|r| &*r.key.row).eq(expected), "{s}: names or their order changed: {found:?}");
}

pub(super) async fn partitions_do_not_see_one_another(s: Scope) {
    // Joined, the names of partition and row are the same text.
    let names = [("a", "b/c"), ("a/b", "c"), ("", "a/b/c"), ("A", "b/c")];
    for (partition, row) in names {
        assert_eq!(s.put(partition, row, partition).await.0, 1, "{s}: each partition counts for itself");
    }
    for (partition, row) in names {
        assert_eq!(s.value(partition, row).await, partition, "{s}");
        assert_eq!(s.all(partition).await.len(), 1, "{s}: a scan stays in its partition");
    }
    s.commit(s.batch("a").delete("b/c").delete("c")).await;
    assert_eq!(s.all("a").await, [], "{s}");
    assert_eq!(s.value("a/b", "c").await, "a/b", "{s}: a delete stays in its partition");
}
