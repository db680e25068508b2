//! Random operations, compared with the model step by step.

use super::draws::Draws;
use super::model::ModelStore;
use super::scope::Scope;
use bytes::Bytes;
use quark_core::Version;
use quark_env::store::{Batch, Partition, RecordKey, ScanRange, WRITE_IDS_KEPT};
use std::collections::VecDeque;

/// Enough that write ids leave the window, rows die and return, and every kind of check fails and holds.
const STEPS: usize = 600;
/// How many batches may be sent again.
const SENT_KEPT: usize = 200;
const PARTITIONS: [&str; 3] = ["a", "b", "b/c"];
const ROWS: [&str; 8] = ["", "a", "a/1", "a/2", "a0", "b", "ä", "🦀"];

/// Something to ask a store.
#[derive(Clone, Debug)]
enum Ask {
    Read(RecordKey),
    Scan(ScanRange, usize),
    Commit(Batch),
}

pub(super) async fn random_operations_agree_with_the_model(s: Scope) {
    let mut plan = Plan::new(&s);
    let mut model = ModelStore::new();
    for step in 0..STEPS {
        let ask = plan.next(&model);
        let (found, expected) = match &ask {
            Ask::Read(key) => {
                (format!("{:?}", s.store.read(key).await), format!("{:?}", Ok::<_, ()>(model.read(key))))
            }
            Ask::Scan(range, limit) => {
                let found = s.store.scan(range.clone(), *limit).await;
                (format!("{found:?}"), format!("{:?}", Ok::<_, ()>(model.scan(range, *limit))))
            }
            Ask::Commit(batch) => {
                let found = s.store.commit(batch.clone()).await;
                (format!("{found:?}"), format!("{:?}", model.commit(batch)))
            }
        };
        assert_eq!(
            found, expected,
            "{s}: the store and the model part at step {step} of {STEPS} (left: store, right: model): {ask:?}"
        );
    }
    for name in PARTITIONS {
        let expected = model.scan(&s.range(name, "", ""), usize::MAX);
        assert_eq!(s.all(name).await, expected, "{s}: partition `{name}` at the end");
    }
}

/// Draws what to ask next. The plan depends on the seed alone, so a seed is a test.
struct Plan<'a> {
    scope: &'a Scope,
    draws: Draws,
    /// Batches sent lately, with the count of their partition's commits then.
    sent: VecDeque<(Batch, Version)>,
}

impl<'a> Plan<'a> {
    fn new(scope: &'a Scope) -> Self {
        Self { scope, draws: Draws::new(scope.seed), sent: VecDeque::new() }
    }

    fn next(&mut self, model: &ModelStore) -> Ask {
        match self.draws.below(100) {
            0..20 => Ask::Read(RecordKey::new(self.partition(), self.draws.pick(&ROWS))),
            20..35 => self.scan(),
            35..50 => self.retry(model).map_or_else(|| self.scan(), Ask::Commit),
            _ => {
                let batch = self.batch(model);
                self.sent.push_back((batch.clone(), model.version(&batch.partition)));
                if self.sent.len() > SENT_KEPT {
                    self.sent.pop_front();
                }
                Ask::Commit(batch)
            }
        }
    }

    fn partition(&mut self) -> Partition {
        self.scope.partition(self.draws.pick(&PARTITIONS))
    }

    fn scan(&mut self) -> Ask {
        let (from, to) = (self.draws.pick(&ROWS), self.draws.pick(&ROWS));
        let limit = if self.draws.chance(50) { 100 } else { self.draws.below(4) };
        Ask::Scan(ScanRange { partition: self.partition(), from: from.into(), to: to.into() }, limit)
    }

    /// A batch that was sent before. A store may remember more write ids than it must, so an attempt that has left
    /// the window is no longer asked about: both answers would be right.
    fn retry(&mut self, model: &ModelStore) -> Option<Batch> {
        self.sent.retain(|(batch, then)| model.version(&batch.partition).0 - then.0 <= WRITE_IDS_KEPT as u64);
        let at = self.draws.below(self.sent.len().max(1));
        self.sent.get(at).map(|(batch, _)| batch.clone())
    }

    fn batch(&mut self, model: &ModelStore) -> Batch {
        let mut batch = Batch::new(self.partition(), self.scope.write_id());
        for _ in 0..self.draws.below(3) {
            let row = self.draws.pick(&ROWS);
            let found = model.read(&RecordKey::new(batch.partition.clone(), row)).map(|r| r.version);
            batch = match (found, self.draws.below(100)) {
                // Mostly what holds, or nearly every batch would be refused.
                (None, 0..85) => batch.expect_absent(row),
                (Some(version), 0..85) => batch.expect_version(row, version),
                (_, 85..90) => batch.expect_absent(row),
                (_, _) => {
                    let commits = model.version(&batch.partition).0;
                    batch.expect_version(row, Version(self.draws.any() % (commits + 2)))
                }
            };
        }
        for _ in 0..self.draws.below(5) {
            let row = self.draws.pick(&ROWS);
            batch = if self.draws.chance(70) { batch.put(row, self.value()) } else { batch.delete(row) };
        }
        batch
    }

    fn value(&mut self) -> Bytes {
        let length = if self.draws.chance(5) { 5000 } else { self.draws.below(30) };
        (0..length).map(|_| self.draws.any() as u8).collect()
    }
}
