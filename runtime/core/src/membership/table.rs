//! The membership table: its rows, one consistent reading of it, and a change to it.
//!
//! ```text
//! partition `cluster`
//!   view          schema, cluster id, the version of the table, what was forgotten
//!   silo/{name}   the newest generation of that name
//!   lease/{name}  the proof that it lives; renewed each second, without touching `view`
//! ```
//! Every change of membership checks the version of `view` and writes it anew, so the versions of the table are
//! totally ordered. A renewal checks only the silo's own two rows, so that a thousand silos renew without conflict.
//!
//! The version of the table *is* the version that the store gave to the row `view`: a store that loses acknowledged
//! commits gives out no version twice, so two tables never share a number, whatever was lost. Whoever writes a row does
//! not know that number yet and writes [`THIS`]; whoever reads it puts in the version of the record.

use super::derived::Derived;
use super::monitors::WatchRings;
use crate::view::{Member, Status, View};
use crate::{Generation, SiloId, SiloName, Version, ViewVersion};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// The partition of the store that holds the table.
pub const PARTITION: &str = "cluster";
/// The newest layout of the rows that this program understands.
///
/// 1 counted the versions of the table by itself. Its counts are below the store's versions and in the same order. Rows of
/// silos of 1 and 2 have one elder at most, and end before [`SiloRow::before`].
pub const SCHEMA: u32 = 3;
/// In a row that is written: the version that this very commit is going to have.
pub const THIS: ViewVersion = ViewVersion(0);

/// Names a row of the partition.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum RowKey {
    /// The one row that orders all changes.
    View,
    /// A silo's row.
    Silo(SiloName),
    /// A silo's lease.
    Lease(SiloName),
}

impl fmt::Display for RowKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RowKey::View => f.write_str("view"),
            RowKey::Silo(name) => write!(f, "silo/{}", name.as_str()),
            RowKey::Lease(name) => write!(f, "lease/{}", name.as_str()),
        }
    }
}

/// The row `view`.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct ViewRow {
    /// Which cluster the table belongs to.
    pub cluster_id: String,
    /// The version of the table: that of this row in the store.
    pub version: ViewVersion,
    /// The highest generation of any row that was removed. A name without a row starts above it, so that no
    /// generation is ever issued twice.
    pub generation_floor: Generation,
    /// Names whose last tenure ended at or before this version may be missing from the table.
    pub forgotten: ViewVersion,
}

/// From which version of the table on a silo held leases, and until which.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Tenure {
    /// The first version in which it was active.
    pub since: ViewVersion,
    /// The first version in which it no longer held a lease; `None` while it does.
    pub left: Option<ViewVersion>,
}

impl Tenure {
    fn written_at(self, version: ViewVersion) -> Self {
        let known = |named| if named == THIS { version } else { named };
        Self { since: known(self.since), left: self.left.map(known) }
    }

    /// Whether the silo held a lease in this version.
    pub fn covers(&self, version: ViewVersion) -> bool {
        self.since <= version && self.left.is_none_or(|left| version < left)
    }
}

/// A row `silo/{name}`.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct SiloRow {
    /// Which incarnation.
    pub id: SiloId,
    /// Where its transport listens.
    pub address: Arc<str>,
    /// Where it is in its life.
    pub status: Status,
    /// See [`Member::grace`].
    pub grace: Duration,
    /// The digest of the contracts that it serves.
    pub contract: u64,
    /// When this generation held leases; `None` if it has not become active.
    pub tenure: Option<Tenure>,
    /// When the generations before this one did, the newest first: at most [`ELDERS_KEPT`].
    pub elders: Vec<Tenure>,
    /// The first version in which a generation before those did, for a silo may restart more often. From there to the first
    /// version of the oldest elder this name held leases at times, and nobody knows when.
    pub before: Option<ViewVersion>,
}

/// How many tenures of earlier generations a row has. What it is for lasts from the last renewal of a silo that dies to its
/// eviction: some seconds, or the time for which the store was dark.
pub const ELDERS_KEPT: usize = 8;

/// Whether a name held a lease in a version of the table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Held {
    /// It did.
    Yes,
    /// It may have: the table no longer tells.
    Maybe,
    /// It did not.
    No,
}

impl SiloRow {
    /// Whether it may hold a lease: it is active or draining.
    pub fn holds_lease(&self) -> bool {
        holds_lease(self.status)
    }

    /// The tenures of this name that are known, the newest first.
    pub fn tenures(&self) -> impl Iterator<Item = Tenure> {
        self.tenure.into_iter().chain(self.elders.iter().copied())
    }

    /// Whether this name held a lease in a version of the table.
    pub fn held_lease_in(&self, version: ViewVersion) -> Held {
        if self.tenures().any(|tenure| tenure.covers(version)) {
            return Held::Yes;
        }
        let blurred = self.elders.last().is_some_and(|oldest| version < oldest.since);
        if blurred && self.before.is_some_and(|before| before <= version) { Held::Maybe } else { Held::No }
    }
}

/// A row that names versions of the table.
pub trait Written {
    /// The row as it is read, if the store gave it this version: no [`THIS`] is left in it.
    fn written_at(self, version: Version) -> Self;
}

impl Written for ViewRow {
    fn written_at(self, version: Version) -> Self {
        Self { version: ViewVersion(version.0), ..self }
    }
}

impl Written for SiloRow {
    fn written_at(self, version: Version) -> Self {
        let known = |tenure: Tenure| tenure.written_at(ViewVersion(version.0));
        let elders = self.elders.into_iter().map(known).collect();
        Self { tenure: self.tenure.map(known), elders, ..self }
    }
}

impl Written for LeaseRow {
    fn written_at(self, version: Version) -> Self {
        let view = if self.view == THIS { ViewVersion(version.0) } else { self.view };
        Self { view, ..self }
    }
}

/// Whether a silo of this status may hold a lease.
pub fn holds_lease(status: Status) -> bool {
    matches!(status, Status::Active | Status::Draining)
}

/// A row `lease/{name}`.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct LeaseRow {
    /// The generation that renewed it.
    pub generation: Generation,
    /// Grows with every attempt to renew, so that a silo recognises which of its attempts was written.
    pub seq: u64,
    /// The version of the table whose members this silo would ask to vouch for it: its electorate.
    pub view: ViewVersion,
}

impl LeaseRow {
    /// The number of the row that is written when a silo becomes active.
    pub(super) const FIRST: u64 = 1;

    /// Whether it was never renewed. Then nobody can vouch for the silo.
    pub(super) fn is_first(&self) -> bool {
        self.seq <= Self::FIRST
    }
}

/// A silo's row with its version in the store.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct TableEntry {
    /// The row.
    pub row: SiloRow,
    /// Its version.
    pub version: Version,
}

/// One consistent reading of the table.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Table {
    /// The row `view`.
    pub view: ViewRow,
    /// Its version in the store.
    pub view_version: Version,
    /// The silos' rows, sorted by name.
    pub entries: Vec<TableEntry>,
    derived: Derived,
}

impl Table {
    /// A reading: the row `view` with its version, and the silos' rows, sorted by name.
    pub fn new(view: ViewRow, view_version: Version, entries: Vec<TableEntry>) -> Self {
        debug_assert!(
            entries.is_sorted_by(|a, b| a.row.id.name < b.row.id.name),
            "one row per name, in order"
        );
        Self { view, view_version, entries, derived: Derived::default() }
    }

    /// The row of a name.
    pub fn named(&self, name: SiloName) -> Option<&TableEntry> {
        let at = self.entries.binary_search_by(|entry| entry.row.id.name.cmp(&name)).ok()?;
        Some(&self.entries[at])
    }

    /// The row of exactly this incarnation.
    pub fn entry(&self, id: SiloId) -> Option<&TableEntry> {
        self.named(id.name).filter(|entry| entry.row.id == id)
    }

    /// The rows whose silos may hold a lease.
    pub fn holders(&self) -> impl Iterator<Item = &SiloRow> {
        self.entries.iter().map(|entry| &entry.row).filter(|row| row.holds_lease())
    }

    /// The view that this table describes; all who hold the table share it.
    pub fn to_view(&self) -> Arc<View> {
        self.derived.view(|| self.describe())
    }

    /// The rings by which the silos watch one another, of which each silo has `count` watchers.
    pub(super) fn watch_rings(&self, count: usize) -> Arc<WatchRings> {
        self.derived.watch_rings(count, || WatchRings::lay(self, count))
    }

    fn describe(&self) -> View {
        let member = |entry: &TableEntry| Member {
            id: entry.row.id,
            address: entry.row.address.as_ref().to_owned(),
            status: entry.row.status,
            grace: entry.row.grace,
        };
        View { version: self.view.version, members: self.entries.iter().map(member).collect() }
    }

    /// The table after a change that was committed on it as `version`.
    pub fn after(&self, change: &Change, version: Version) -> Table {
        let mut table = self.clone();
        for put in &change.puts {
            match put {
                Row::View(view) => {
                    table.view = view.clone().written_at(version);
                    table.view_version = version;
                }
                Row::Silo(row) => {
                    let entry = TableEntry { row: row.clone().written_at(version), version };
                    match table.entries.binary_search_by(|e| e.row.id.name.cmp(&row.id.name)) {
                        Ok(at) => table.entries[at] = entry,
                        Err(at) => table.entries.insert(at, entry),
                    }
                }
                Row::Lease(..) => {}
            }
        }
        for key in &change.deletes {
            if let RowKey::Silo(name) = key {
                table.entries.retain(|entry| entry.row.id.name != *name);
            }
        }
        table
    }
}

/// A row with its content.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Row {
    /// The row `view`.
    View(ViewRow),
    /// A silo's row, under the name it carries.
    Silo(SiloRow),
    /// A lease row, of this name.
    Lease(SiloName, LeaseRow),
}

impl Row {
    /// Under which key it is stored.
    pub fn key(&self) -> RowKey {
        match self {
            Row::View(_) => RowKey::View,
            Row::Silo(row) => RowKey::Silo(row.id.name),
            Row::Lease(name, _) => RowKey::Lease(*name),
        }
    }
}

/// What to commit, all or nothing.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Change {
    /// What must hold: the version of a row, or `None` for a row that must not exist.
    pub expects: Vec<(RowKey, Option<Version>)>,
    /// Rows to write.
    pub puts: Vec<Row>,
    /// Rows to remove.
    pub deletes: Vec<RowKey>,
}

impl Change {
    /// A change of membership on top of this table: checks `view` and writes its next version.
    pub(super) fn of_membership(table: &Table) -> Self {
        let mut view = table.view.clone();
        view.version = THIS;
        Self {
            expects: vec![(RowKey::View, Some(table.view_version))],
            puts: vec![Row::View(view)],
            deletes: Vec::new(),
        }
    }

    /// The `view` row that it writes.
    ///
    /// Panics: if it is no change of membership.
    pub(super) fn view_row(&mut self) -> &mut ViewRow {
        match &mut self.puts[0] {
            Row::View(view) => view,
            row => panic!("a change of membership writes `view` first, not `{}`", row.key()),
        }
    }
}

/// Why the store did not do as asked.
#[derive(Clone, PartialEq, Eq, Hash, Debug, thiserror::Error)]
pub enum StoreFault {
    /// A check did not hold; nothing was written.
    #[error("a row has changed meanwhile")]
    Conflict,
    /// It did not happen.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// It may have happened.
    #[error("the outcome is unknown: {0}")]
    Indeterminate(String),
    /// What is stored cannot be used: another cluster's, a newer schema's, or broken.
    #[error("the membership table cannot be used: {0}")]
    Unusable(String),
}
