use super::*;
use futures_util::FutureExt;
use quark_core::{Version, WriteId};
use quark_env::store::{Batch, Committed, Op, Record, RecordKey, ScanRange, StoreError};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;

#[test]
fn the_memory_store_keeps_the_contract() {
    let store = Arc::new(MemoryStore::new());
    for seed in 0..20 {
        for case in cases() {
            block_on(case.run(store.clone(), seed));
        }
    }
}

#[test]
fn the_cases_have_distinct_names() {
    let names: std::collections::BTreeSet<_> = cases().iter().map(Case::name).collect();
    assert_eq!(names.len(), cases().len());
}

/// One way to break the contract.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Flaw {
    ChecksIgnored,
    LastCheckIgnored,
    ChecksOnlyOfWrittenRows,
    RetriesApplied,
    RetriesForgottenAfterEight,
    RetriesKnownAcrossPartitions,
    SecondPutDropped,
    OperationsReversed,
    ConflictWritesAnyway,
    LimitsIgnored,
    EmptyIsAbsent,
    ScanIncludesItsEnd,
    ScanOneTooMany,
    ScanFromExcluded,
    ScanReversed,
    StaleReads,
    TornScans,
    CheckedEarly,
    VersionOfRows,
    CaseFolded,
}

const FLAWS: [Flaw; 20] = [
    Flaw::ChecksIgnored,
    Flaw::LastCheckIgnored,
    Flaw::ChecksOnlyOfWrittenRows,
    Flaw::RetriesApplied,
    Flaw::RetriesForgottenAfterEight,
    Flaw::RetriesKnownAcrossPartitions,
    Flaw::SecondPutDropped,
    Flaw::OperationsReversed,
    Flaw::ConflictWritesAnyway,
    Flaw::LimitsIgnored,
    Flaw::EmptyIsAbsent,
    Flaw::ScanIncludesItsEnd,
    Flaw::ScanOneTooMany,
    Flaw::ScanFromExcluded,
    Flaw::ScanReversed,
    Flaw::StaleReads,
    Flaw::TornScans,
    Flaw::CheckedEarly,
    Flaw::VersionOfRows,
    Flaw::CaseFolded,
];

/// A memory store with a flaw.
struct Flawed {
    inner: MemoryStore,
    flaw: Flaw,
    /// What the flaw needs to remember: how often, under which number, or what was there before.
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    count: u128,
    commits: BTreeMap<WriteId, (u128, Result<Committed, StoreError>)>,
    old: BTreeMap<RecordKey, Option<Record>>,
    rows: BTreeMap<RecordKey, u64>,
}

impl Flawed {
    fn fresh(&self) -> WriteId {
        let mut seen = self.seen.lock().unwrap();
        seen.count += 1;
        WriteId(u128::MAX - seen.count)
    }

    fn now<T>(&self, result: BoxFuture<'static, Result<T, StoreError>>) -> Result<T, StoreError> {
        block_on(result)
    }
}

impl Store for Flawed {
    fn read(&self, key: &RecordKey) -> BoxFuture<'static, Result<Option<Record>, StoreError>> {
        let mut key = key.clone();
        if self.flaw == Flaw::CaseFolded {
            key.row = key.row.to_lowercase().into();
        }
        let mut found = self.now(self.inner.read(&key));
        if self.flaw == Flaw::EmptyIsAbsent {
            found = found.map(|r| r.filter(|r| !r.value.is_empty()));
        }
        if self.flaw == Flaw::StaleReads
            && let Some(old) = self.seen.lock().unwrap().old.remove(&key)
        {
            found = Ok(old); // once
        }
        if let (Flaw::VersionOfRows, Ok(Some(record))) = (self.flaw, &mut found) {
            record.version = Version(self.seen.lock().unwrap().rows[&key]);
        }
        async { found }.boxed()
    }

    fn commit(&self, mut batch: Batch) -> BoxFuture<'static, Result<Committed, StoreError>> {
        let original = batch.clone();
        match self.flaw {
            Flaw::ChecksIgnored => batch.checks.clear(),
            Flaw::LastCheckIgnored => drop(batch.checks.pop()),
            Flaw::ChecksOnlyOfWrittenRows => {
                let ops = &batch.ops;
                batch.checks.retain(|check| {
                    ops.iter().any(|op| match op {
                        Op::Put { row, .. } | Op::Delete { row } => *row == check.row,
                    })
                });
            }
            Flaw::RetriesApplied => batch.write_id = self.fresh(),
            Flaw::RetriesForgottenAfterEight | Flaw::RetriesKnownAcrossPartitions => {
                let count = {
                    let mut seen = self.seen.lock().unwrap();
                    seen.count += 1;
                    seen.count
                };
                let known = self.seen.lock().unwrap().commits.get(&batch.write_id).cloned();
                match (self.flaw, known) {
                    (Flaw::RetriesKnownAcrossPartitions, Some((_, outcome @ Ok(_)))) => {
                        return async { outcome }.boxed();
                    }
                    (Flaw::RetriesForgottenAfterEight, Some((then, _))) if count - then > 8 => {
                        batch.write_id = self.fresh();
                    }
                    _ => {}
                }
                let outcome = self.now(self.inner.commit(batch));
                let entry = (count, outcome.clone());
                self.seen.lock().unwrap().commits.insert(original.write_id, entry);
                return async { outcome }.boxed();
            }
            Flaw::SecondPutDropped if batch.ops.len() > 1 => drop(batch.ops.remove(1)),
            Flaw::OperationsReversed => batch.ops.reverse(),
            Flaw::LimitsIgnored => batch.ops.truncate(100),
            Flaw::CaseFolded => {
                for op in &mut batch.ops {
                    match op {
                        Op::Put { row, .. } | Op::Delete { row } => *row = row.to_lowercase().into(),
                    }
                }
            }
            Flaw::StaleReads | Flaw::VersionOfRows => {
                for op in &batch.ops {
                    let (Op::Put { row, .. } | Op::Delete { row }) = op;
                    let key = RecordKey { partition: batch.partition.clone(), row: row.clone() };
                    let before = self.now(self.inner.read(&key)).unwrap();
                    let mut seen = self.seen.lock().unwrap();
                    *seen.rows.entry(key.clone()).or_default() += 1;
                    seen.old.insert(key, before);
                }
            }
            Flaw::TornScans => return self.inner.commit(batch),
            Flaw::CheckedEarly => {
                // The checks are evaluated now, the writes follow a yield later.
                let checks = Batch { ops: Vec::new(), write_id: self.fresh(), ..batch.clone() };
                if let Err(error) = self.inner.snapshot().commit(&checks) {
                    return async { Err(error) }.boxed();
                }
                return self.inner.commit(Batch { checks: Vec::new(), ..batch });
            }
            _ => {}
        }
        let mut outcome = self.now(self.inner.commit(batch));
        if self.flaw == Flaw::ConflictWritesAnyway && outcome.is_err() {
            let anyway = Batch { checks: Vec::new(), ..original };
            let _ = self.now(self.inner.commit(anyway));
        } else if self.flaw == Flaw::LimitsIgnored && outcome.is_err() {
            outcome = outcome.or(Ok(Committed { version: Version(1) }));
        }
        async { outcome }.boxed()
    }

    fn scan(&self, range: ScanRange, limit: usize) -> BoxFuture<'static, Result<Vec<Record>, StoreError>> {
        let more = if self.flaw == Flaw::ScanOneTooMany { limit.saturating_add(1) } else { limit };
        let mut found = self.now(self.inner.scan(range.clone(), more)).unwrap();
        match self.flaw {
            Flaw::ScanIncludesItsEnd if !range.to.is_empty() => {
                let key = RecordKey { partition: range.partition, row: range.to };
                found.extend(self.now(self.inner.read(&key)).unwrap());
            }
            Flaw::ScanFromExcluded => found.retain(|r| r.key.row != range.from || range.from.is_empty()),
            Flaw::ScanReversed => found.reverse(),
            Flaw::TornScans => {
                // The second half of the answer is read after a yield: other callers commit in between.
                let inner = self.inner.clone();
                return async move {
                    for record in found.iter_mut().skip(1) {
                        if let Some(newer) = inner.read(&record.key).await? {
                            *record = newer;
                        }
                    }
                    Ok(found)
                }
                .boxed();
            }
            _ => {}
        }
        async { Ok(found) }.boxed()
    }
}

#[test]
fn every_flaw_is_caught() {
    for flaw in FLAWS {
        let caught: Vec<_> = cases()
            .into_iter()
            .filter(|case| {
                let store = Flawed { inner: MemoryStore::new(), flaw, seen: Mutex::default() };
                catch_unwind(AssertUnwindSafe(|| block_on(case.run(Arc::new(store), 3)))).is_err()
            })
            .collect();
        assert!(!caught.is_empty(), "no case notices {flaw:?}");
    }
}

#[test]
fn the_random_case_alone_catches_a_stale_check() {
    let random = cases().into_iter().find(|case| case.name().starts_with("random")).unwrap();
    for flaw in
        [Flaw::ChecksIgnored, Flaw::RetriesApplied, Flaw::OperationsReversed, Flaw::ConflictWritesAnyway]
    {
        let store = Flawed { inner: MemoryStore::new(), flaw, seen: Mutex::default() };
        let outcome = catch_unwind(AssertUnwindSafe(|| block_on(random.run(Arc::new(store), 3))));
        assert!(outcome.is_err(), "{flaw:?}");
    }
}

#[test]
fn a_seed_is_a_test() {
    let random = cases().into_iter().find(|case| case.name().starts_with("random")).unwrap();
    let run = |seed| {
        let store = MemoryStore::new();
        block_on(random.run(Arc::new(store.clone()), seed));
        format!("{:?}", store.snapshot())
    };
    assert_eq!(run(11), run(11));
    assert_ne!(run(11), run(12));
}
