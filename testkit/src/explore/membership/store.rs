//! The table's rows, as a store keeps them: one commit after the other, each all or nothing.

use quark_core::membership::table::{Change, LeaseRow, Row, RowKey, StoreFault, Table, TableEntry, Written};
use quark_core::{SiloName, Version};
use std::collections::BTreeMap;
use std::sync::Arc;

type Rows = Arc<BTreeMap<RowKey, (Row, Version)>>;

#[derive(Clone, Hash, Default)]
pub(super) struct Store {
    rows: Rows,
    commits: u64,
    /// The rows before the last change of the membership: what a store is left with that loses it.
    before: Option<Rows>,
}

impl Store {
    pub fn commit(&mut self, change: &Change) -> Result<Version, StoreFault> {
        let found = |key| self.rows.get(key).map(|(_, version)| *version);
        if change.expects.iter().any(|(key, expected)| found(key) != *expected) {
            return Err(StoreFault::Conflict);
        }
        if change.puts.iter().any(|row| row.key() == RowKey::View) {
            self.before = Some(self.rows.clone());
        }
        self.commits += 1;
        let version = Version(self.commits);
        let rows = Arc::make_mut(&mut self.rows);
        for put in change.puts.iter().cloned() {
            let put = match put {
                Row::View(row) => Row::View(row.written_at(version)),
                Row::Silo(row) => Row::Silo(row.written_at(version)),
                Row::Lease(name, row) => Row::Lease(name, row.written_at(version)),
            };
            rows.insert(put.key(), (put, version));
        }
        for key in &change.deletes {
            rows.remove(key);
        }
        Ok(version)
    }

    pub fn can_rewind(&self) -> bool {
        self.before.is_some()
    }

    /// Loses the last change of the membership, and whatever came after it. No version is given out twice.
    pub fn rewind(&mut self) {
        if let Some(before) = self.before.take() {
            self.rows = before;
        }
    }

    pub fn table(&self) -> Option<Arc<Table>> {
        let (Row::View(view), view_version) = self.rows.get(&RowKey::View)? else {
            panic!("the row `view` is a view row");
        };
        let entries = self.rows.values().filter_map(|(row, version)| match row {
            Row::Silo(row) => Some(TableEntry { row: row.clone(), version: *version }),
            _ => None,
        });
        Some(Arc::new(Table::new(view.clone(), *view_version, entries.collect())))
    }

    pub fn lease(&self, name: SiloName) -> Option<(LeaseRow, Version)> {
        match self.rows.get(&RowKey::Lease(name))? {
            (Row::Lease(_, row), version) => Some((row.clone(), *version)),
            (row, _) => panic!("a lease row is a lease row, and not `{}`", row.key()),
        }
    }
}
