//! A scan finds the rows of a range, in byte order.

use super::scope::Scope;
use quark_env::store::{Record, ScanRange};

fn rows(records: &[Record]) -> Vec<&str> {
    records.iter().map(|r| &*r.key.row).collect()
}

async fn fill(s: &Scope, names: &[&str]) {
    s.commit(names.iter().fold(s.batch("p"), |batch, row| batch.put(row, row.to_string()))).await;
}

pub(super) async fn a_scan_is_in_byte_order(s: Scope) {
    // Neither the order of writing, nor numbers, nor any alphabet: bytes.
    let names = ["b", "10", "9", "a", "B", "aa", "a/b", "ä", "z", "\u{10000}", "\u{ffff}"];
    for name in names {
        s.put("p", name, "value").await;
    }
    let mut expected = names;
    expected.sort_unstable_by_key(|name| name.as_bytes());
    assert_eq!(rows(&s.all("p").await), expected, "{s}");
}

pub(super) async fn a_scan_includes_from_and_excludes_to(s: Scope) {
    fill(&s, &["a", "b", "c", "d"]).await;
    let table: [(&str, &str, &[&str]); 8] = [
        ("b", "d", &["b", "c"]),
        ("b", "c", &["b"]),
        ("b", "", &["b", "c", "d"]),
        ("", "c", &["a", "b"]),
        ("", "", &["a", "b", "c", "d"]),
        ("aa", "cc", &["b", "c"]),
        ("e", "", &[]),
        ("", "a", &[]),
    ];
    for (from, to, expected) in table {
        let found = s.scan(s.range("p", from, to), 100).await;
        assert_eq!(rows(&found), expected, "{s}: from {from:?} to {to:?}");
    }
}

pub(super) async fn a_scan_stops_at_its_limit(s: Scope) {
    fill(&s, &["a", "b", "c", "d", "e"]).await;
    for limit in [0, 1, 4, 5, 6, usize::MAX] {
        let expected = &["a", "b", "c", "d", "e"][..limit.min(5)];
        assert_eq!(rows(&s.scan(s.range("p", "", ""), limit).await), expected, "{s}: limit {limit}");
    }
    assert_eq!(rows(&s.scan(s.range("p", "b", "e"), 2).await), ["b", "c"], "{s}: limit and bounds");
}

pub(super) async fn a_prefix_finds_exactly_its_rows(s: Scope) {
    fill(&s, &["job", "job/", "job/1", "job/10", "job/~", "job0", "jobs", "jo", "JOB/1"]).await;
    let prefix = |text| ScanRange::prefix(s.partition("p"), text);
    let found = s.scan(prefix("job/"), 100).await;
    assert_eq!(rows(&found), ["job/", "job/1", "job/10", "job/~"], "{s}");
    assert_eq!(rows(&s.scan(prefix("job/1"), 100).await), ["job/1", "job/10"], "{s}");
    assert_eq!(s.scan(prefix(""), 100).await.len(), 9, "{s}: the empty prefix is everything");
    assert_eq!(s.scan(prefix("x"), 100).await, [], "{s}");
}

pub(super) async fn an_empty_range_has_no_rows(s: Scope) {
    assert_eq!(s.all("nothing").await, [], "{s}: a partition that does not exist");
    fill(&s, &["a", "b", "c"]).await;
    for (from, to) in [("b", "b"), ("c", "a"), ("b", "a")] {
        assert_eq!(s.scan(s.range("p", from, to), 100).await, [], "{s}: from {from:?} to {to:?}");
    }
    s.commit(s.batch("p").delete("a").delete("b").delete("c")).await;
    assert_eq!(s.all("p").await, [], "{s}: after deletes");
}

pub(super) async fn a_scan_shows_whole_records(s: Scope) {
    fill(&s, &["a", "b"]).await;
    s.put("p", "b", "later").await;
    let mut read = Vec::new();
    for row in ["a", "b"] {
        read.extend(s.read("p", row).await);
    }
    assert_eq!(s.all("p").await, read, "{s}: a scan and a read tell the same");
}
