//! The membership table in a [`Store`]: one reading of it, one lease row, one change.

use super::shared_tables;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use quark_core::membership::rows::{self, RowError};
use quark_core::membership::table::{
    Change, LeaseRow, PARTITION, Row, RowKey, SiloRow, StoreFault, Table, TableEntry, ViewRow,
};
use quark_core::{SiloName, Version, ViewVersion};
use quark_env::store::{Batch, Record, RecordKey, ScanRange, StoreError};
use quark_env::{Entropy, EntropyExt, Store};
use std::sync::Arc;

/// Reads and writes the table. Cheap to clone.
#[derive(Clone)]
pub(super) struct TableStore {
    store: Arc<dyn Store>,
    entropy: Arc<dyn Entropy>,
    /// The last reading: rows that have not changed since need not be decoded again.
    last: Arc<Mutex<Option<Arc<Table>>>>,
}

impl TableStore {
    pub(super) fn new(store: Arc<dyn Store>, entropy: Arc<dyn Entropy>) -> Self {
        Self { store, entropy, last: Arc::default() }
    }

    /// Reads the table; `Ok(None)` if it still has the version `known`, or if there is none yet.
    ///
    /// All rows are of one version: a single scan is atomic, and of several, the first and the last must have seen
    /// the same row `view`.
    pub(super) fn read(
        &self,
        known: Option<ViewVersion>,
    ) -> BoxFuture<'static, Result<Option<Arc<Table>>, StoreFault>> {
        let this = self.clone();
        Box::pin(async move {
            for _ in 0..READINGS_MAX {
                match this.read_once(known).await {
                    Ok(Some(reading)) => return Ok(reading),
                    Ok(None) => quark_core::reached!("membership.table.changed_while_read"),
                    // The store has lost what we read before, and says so once: what is there now?
                    Err(StoreFault::Conflict) => quark_core::reached!("membership.table.read_after_loss"),
                    Err(fault) => return Err(fault),
                }
            }
            Err(StoreFault::Unavailable("the table kept changing while it was read".into()))
        })
    }

    /// `None` if the table changed between two pages.
    async fn read_once(&self, known: Option<ViewVersion>) -> Result<Option<Option<Arc<Table>>>, StoreFault> {
        if let Some(known) = known
            && self.read_view().await?.is_some_and(|view| ViewVersion(view.0) == known)
        {
            return Ok(Some(None));
        }
        self.read_rows().await
    }

    async fn read_view(&self) -> Result<Option<Version>, StoreFault> {
        let key = RecordKey::new(PARTITION, &RowKey::View.to_string());
        Ok(self.store.read(&key).await.map_err(fault)?.map(|record| record.version))
    }

    /// `None` if the table changed between two pages; `Some(None)` if there is no table.
    async fn read_rows(&self) -> Result<Option<Option<Arc<Table>>>, StoreFault> {
        let mut records = self.scan(SILOS_FROM).await?;
        let mut first_view = None;
        let mut page = records.len();
        while page == PAGE {
            if first_view.is_none() {
                // More than one page after all: begin again, so that we know the version before the first.
                first_view = Some(self.read_view().await?);
                records.clear();
            }
            let from = records.last().map_or(SILOS_FROM.to_owned(), |r: &Record| format!("{}\0", r.key.row));
            let more = self.scan(&from).await?;
            page = more.len();
            records.extend(more);
        }
        let Some(table) = shared_tables::find_or_decode(&records, || self.decode(&records))? else {
            return Ok(if records.is_empty() { Some(None) } else { None });
        };
        if first_view.is_some_and(|version| version != Some(table.view_version)) {
            return Ok(None);
        }
        *self.last.lock() = Some(table.clone());
        Ok(Some(Some(table)))
    }

    async fn scan(&self, from: &str) -> Result<Vec<Record>, StoreFault> {
        let range = ScanRange { partition: PARTITION.into(), from: from.into(), to: VIEW_TO.into() };
        self.store.scan(range, PAGE).await.map_err(fault)
    }

    fn decode(&self, records: &[Record]) -> Result<Option<Table>, StoreFault> {
        let last = self.last.lock().clone();
        let mut known = last.as_ref().map_or(&[][..], |table| &table.entries).iter().peekable();
        let (mut view, mut entries) = (None, Vec::with_capacity(records.len()));
        for record in records {
            let row = record.key.row.as_ref();
            if row == "view" {
                let row = rows::decode::<ViewRow>(&record.value, record.version).map_err(unusable)?;
                view = Some((row, record.version));
            } else if let Some(name) = row.strip_prefix(SILOS_FROM) {
                // Both are sorted by name.
                while known.next_if(|entry| entry.row.id.name.as_str() < name).is_some() {}
                let is_known = |entry: &&TableEntry| {
                    entry.version == record.version && entry.row.id.name.as_str() == name
                };
                entries.push(match known.next_if(is_known) {
                    Some(entry) => entry.clone(),
                    None => decode_entry(name, record)?,
                });
            }
        }
        Ok(view.map(|(view, view_version)| Table::new(view, view_version, entries)))
    }

    /// Reads a lease row.
    pub(super) fn read_lease(
        &self,
        name: SiloName,
    ) -> BoxFuture<'static, Result<Option<(LeaseRow, Version)>, StoreFault>> {
        let read = self.store.read(&RecordKey::new(PARTITION, &RowKey::Lease(name).to_string()));
        Box::pin(async move {
            let Some(record) = read.await.map_err(fault)? else { return Ok(None) };
            Ok(Some((rows::decode(&record.value, record.version).map_err(unusable)?, record.version)))
        })
    }

    /// Commits a change, as a new attempt.
    pub(super) fn commit(&self, change: &Change) -> BoxFuture<'static, Result<Version, StoreFault>> {
        let write_id = quark_core::WriteId(self.entropy.u128("membership"));
        let mut batch = Batch::new(PARTITION, write_id);
        for (row, expected) in &change.expects {
            batch = match expected {
                Some(version) => batch.expect_version(&row.to_string(), *version),
                None => batch.expect_absent(&row.to_string()),
            };
        }
        for put in &change.puts {
            let value = match put {
                Row::View(row) => rows::encode(row),
                Row::Silo(row) => rows::encode(row),
                Row::Lease(_, row) => rows::encode(row),
            };
            batch = batch.put(&put.key().to_string(), value);
        }
        for row in &change.deletes {
            batch = batch.delete(&row.to_string());
        }
        let commit = self.store.commit(batch);
        Box::pin(async move { commit.await.map(|committed| committed.version).map_err(fault) })
    }
}

fn decode_entry(name: &str, record: &Record) -> Result<TableEntry, StoreFault> {
    let row: SiloRow = rows::decode(&record.value, record.version).map_err(unusable)?;
    if row.id.name.as_str() != name {
        let reason = format!("the row of silo `{name}` is about `{}`", row.id.name);
        return Err(StoreFault::Unusable(reason));
    }
    Ok(TableEntry { row, version: record.version })
}

fn unusable(error: RowError) -> StoreFault {
    StoreFault::Unusable(error.to_string())
}

fn fault(error: StoreError) -> StoreFault {
    match error {
        // Both say that what was read before does not hold: the table is read again.
        StoreError::Conflict { .. } | StoreError::WentBack { .. } => StoreFault::Conflict,
        StoreError::Unavailable(reason) => StoreFault::Unavailable(reason),
        StoreError::Indeterminate(reason) => StoreFault::Indeterminate(reason),
        error @ (StoreError::TooLarge { .. } | StoreError::Corrupt { .. }) => {
            StoreFault::Unusable(error.to_string())
        }
    }
}

/// The rows of the silos begin here, and the row `view` comes after them: one scan reads both.
const SILOS_FROM: &str = "silo/";
const VIEW_TO: &str = "view!";
/// Larger than any cluster we know of, so that one scan is enough.
const PAGE: usize = 2048;
const READINGS_MAX: usize = 5;
