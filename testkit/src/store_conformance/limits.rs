//! What is too large is refused, named, and leaves nothing behind.

use super::scope::Scope;
use bytes::Bytes;
use quark_core::Version;
use quark_env::store::{
    BATCH_OPS_MAX, Batch, NAME_BYTES_MAX, Partition, StoreError, VALUE_BYTES_MAX, check_limits,
};

pub(super) async fn every_limit_is_named_and_nothing_is_written(s: Scope) {
    s.put("p", "row", "value").await;
    let before = s.all("p").await;
    let long = "x".repeat(NAME_BYTES_MAX + 1);
    let many = |of: fn(Batch, &str) -> Batch| {
        (0..=BATCH_OPS_MAX).fold(s.batch("p"), |batch, n| of(batch, &format!("row {n}")))
    };
    let small = || s.batch("p").put("small", "beside it");
    let table: [(&str, usize, Batch); 9] = [
        ("operations", BATCH_OPS_MAX, many(|b, row| b.put(row, "value"))),
        ("operations", BATCH_OPS_MAX, many(|b, row| b.delete(row))),
        ("checks", BATCH_OPS_MAX, many(|b, row| b.expect_absent(row))),
        ("row name", NAME_BYTES_MAX, small().put(&long, "value")),
        ("row name", NAME_BYTES_MAX, small().delete(&long)),
        ("row name", NAME_BYTES_MAX, small().expect_absent(&long)),
        ("row name", NAME_BYTES_MAX, small().expect_version(&long, Version(1))),
        ("value", VALUE_BYTES_MAX, small().put("large", vec![0; VALUE_BYTES_MAX + 1])),
        ("partition name", NAME_BYTES_MAX, Batch::new(&*long, s.write_id()).put("row", "value")),
    ];
    for (name, expected_limit, batch) in table {
        let expected = check_limits(&batch).expect_err("the table breaks limits");
        let error = s.refused(batch).await;
        assert_eq!(error, expected, "{s}");
        let StoreError::TooLarge { what, size, limit } = error else { panic!("{s}: {name}: {error}") };
        assert!(what.contains(name), "{s}: `{what}` does not name the {name}");
        assert_eq!((size, limit), (expected_limit + 1, expected_limit), "{s}: {what}");
    }
    assert_eq!(s.all("p").await, before, "{s}: a refused batch left a trace");
    assert_eq!(s.put("p", "row", "value").await, Version(2), "{s}: a refused batch took a number");
}

pub(super) async fn what_is_exactly_at_a_limit_commits(s: Scope) {
    let full = (0..BATCH_OPS_MAX).fold(s.batch("p"), |batch, n| {
        let row = format!("row {n:03}");
        batch.expect_absent(&row).put(&row, "value")
    });
    s.commit(full).await;
    assert_eq!(s.all("p").await.len(), BATCH_OPS_MAX, "{s}");

    let value = Bytes::from(vec![7; VALUE_BYTES_MAX]);
    let row = "r".repeat(NAME_BYTES_MAX);
    let mut name = s.partition("q").0.to_string();
    name.push_str(&"p".repeat(NAME_BYTES_MAX - name.len()));
    let partition = Partition::from(name.as_str());
    let batch = Batch::new(partition.clone(), s.write_id()).expect_absent(&row).put(&row, value.clone());
    s.commit(batch).await;
    let key = quark_env::store::RecordKey::new(partition, &row);
    let record = s.store.read(&key).await.expect("readable").expect("it was put");
    assert!(record.value == value && record.key == key, "{s}: the record changed");
}

/// No limit is told for a batch's bytes: as many values of the largest size as an actor's state and its slots can be.
pub(super) async fn the_largest_state_with_all_its_slots_commits_at_once(s: Scope) {
    let value = |n: u8| Bytes::from(vec![n; VALUE_BYTES_MAX]);
    let batch = (0..=16).fold(s.batch("p"), |batch, n| batch.put(&format!("row {n:02}"), value(n)));
    let version = s.commit(batch).await;
    let all = s.all("p").await;
    let is_whole = all.len() == 17 && (0..).zip(&all).all(|(n, record)| record.value == value(n));
    assert!(is_whole && all.iter().all(|record| record.version == version), "{s}: {} rows", all.len());
}
