//! The store of the little world: the rows of the membership table, and how it loses its newest commits.

use super::super::table::{Change, LeaseRow, Row, RowKey, StoreFault, Table, TableEntry, Written};
use crate::{SiloName, Version};
use std::collections::BTreeMap;
use std::sync::Arc;

#[derive(Clone, Hash, Default)]
pub struct Store {
    rows: BTreeMap<RowKey, (Row, Version)>,
    commits: u64,
    /// Whether it remembers how to lose its newest commits.
    pub forgetful: bool,
    /// The rows before each commit.
    past: Vec<BTreeMap<RowKey, (Row, Version)>>,
}

impl Store {
    pub fn commit(&mut self, change: &Change) -> Result<Version, StoreFault> {
        let found = |key| self.rows.get(key).map(|(_, version)| *version);
        if change.expects.iter().any(|(key, expected)| found(key) != *expected) {
            return Err(StoreFault::Conflict);
        }
        if self.forgetful {
            self.past.push(self.rows.clone());
        }
        self.commits += 1;
        let version = Version(self.commits);
        for put in &change.puts {
            let put = match put.clone() {
                Row::View(row) => Row::View(row.written_at(version)),
                Row::Silo(row) => Row::Silo(row.written_at(version)),
                Row::Lease(name, row) => Row::Lease(name, row.written_at(version)),
            };
            self.rows.insert(put.key(), (put, version));
        }
        for key in &change.deletes {
            self.rows.remove(key);
        }
        Ok(version)
    }

    /// How many there are to lose.
    pub fn commits(&self) -> usize {
        self.past.len()
    }

    /// Loses the newest commits. None of their versions is given out again.
    pub fn lose(&mut self, commits: usize) {
        let kept = self.past.len().saturating_sub(commits);
        if let Some(rows) = self.past.drain(kept..).next() {
            self.rows = rows;
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
            _ => panic!("a lease row is a lease row"),
        }
    }
}
