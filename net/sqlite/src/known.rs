//! What the writer knows of partitions, so that it need not ask for it again.
//!
//! Two of the four statements of a commit only ask: what the partition's counter is, and what version the checked row has.
//! Mostly this writer has written both. What it remembers holds for as long as nobody else has committed, which SQLite tells
//! (`PRAGMA data_version`), and as its own commits have gone well: after any that has not, all is forgotten.

use crate::schema::{self, Recent};
use quark_env::store::Partition;
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::HashMap;
use std::sync::Arc;

/// A partition as the transaction under way sees it.
pub(crate) struct PartitionState {
    /// `None` until its first commit.
    pub(crate) id: Option<i64>,
    pub(crate) version: u64,
    pub(crate) recent: Recent,
    /// The versions of some of its rows; `None` of one that does not exist.
    rows: Vec<(Arc<str>, Option<u64>)>,
}

/// Partitions by name. Bounded.
#[derive(Default)]
pub(crate) struct Known {
    partitions: HashMap<Partition, PartitionState>,
    /// What SQLite counts the commits of others with.
    data_version: Option<i64>,
}

impl Known {
    /// Forgets all if somebody else has committed. To be called in a transaction, whose snapshot it is about.
    pub(crate) fn refresh(&mut self, connection: &Connection) -> Result<(), rusqlite::Error> {
        let mut statement = connection.prepare_cached("PRAGMA data_version")?;
        let data_version = Some(statement.query_row([], |row| row.get(0))?);
        if data_version != self.data_version {
            self.forget();
            self.data_version = data_version;
        }
        Ok(())
    }

    /// What it knows may not be so.
    pub(crate) fn forget(&mut self) {
        self.partitions.clear();
        self.data_version = None;
    }

    /// The partition, from memory or from the file.
    pub(crate) fn find(
        &mut self,
        connection: &Connection,
        name: &Partition,
    ) -> Result<&mut PartitionState, rusqlite::Error> {
        // Looked up twice when it is known: what is borrowed and returned cannot also be added to.
        if !self.partitions.contains_key(name) {
            let state = read(connection, name)?;
            if self.partitions.len() >= PARTITIONS_MAX {
                quark_core::reached!("sqlite.known.full");
                self.partitions.clear();
            }
            self.partitions.insert(name.clone(), state);
        }
        Ok(self.partitions.get_mut(name).expect("it was there, or is now"))
    }
}

fn read(connection: &Connection, name: &Partition) -> Result<PartitionState, rusqlite::Error> {
    let found = connection
        .prepare_cached(schema::FIND_PARTITION)?
        .query_row([&*name.0], |row| Ok((row.get(0)?, row.get(1)?, Recent(row.get(2)?))))
        .optional()?;
    let (id, version, recent) = match found {
        Some((id, version, recent)) => (Some(id), version, recent),
        None => (None, 0, Recent(Vec::new())),
    };
    Ok(PartitionState { id, version, recent, rows: Vec::new() })
}

impl PartitionState {
    /// The version of a row, from memory or from the file.
    pub(crate) fn version_of(
        &mut self,
        connection: &Connection,
        row: &Arc<str>,
    ) -> Result<Option<u64>, rusqlite::Error> {
        if let Some(known) = self.known(row) {
            return Ok(known);
        }
        let found = match self.id {
            None => None,
            Some(id) => {
                let mut statement = connection.prepare_cached(schema::FIND_VERSION)?;
                statement.query_row(params![id, &**row], |row| row.get(0)).optional()?
            }
        };
        self.note(row, found);
        Ok(found)
    }

    /// The version of a row, if it is remembered.
    pub(crate) fn known(&self, row: &str) -> Option<Option<u64>> {
        self.rows.iter().find(|(name, _)| **name == *row).map(|(_, version)| *version)
    }

    /// A row has this version now.
    pub(crate) fn note(&mut self, row: &Arc<str>, version: Option<u64>) {
        if let Some((_, known)) = self.rows.iter_mut().find(|(name, _)| name == row) {
            *known = version;
            return;
        }
        if self.rows.len() >= ROWS_MAX {
            self.rows.clear();
        }
        self.rows.push((row.clone(), version));
    }
}

/// More are not remembered at once. Each has a kilobyte or little more.
const PARTITIONS_MAX: usize = 16_384;
/// An actor's rows: its owner, its state, some letters and reminders.
const ROWS_MAX: usize = 8;
