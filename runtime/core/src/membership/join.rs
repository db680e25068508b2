//! Taking a name: the plan that reserves a generation before the transport starts.
//!
//! Straight-line work, so it is a pure function on the table: read, [`reserve`], commit, and from the start on a
//! conflict. The reserved row is `Joining`; the core makes it active once the silo has been heard by another.

use super::config::{Config, with_margin};
use super::table::{Change, ELDERS_KEPT, Row, RowKey, SiloRow, THIS, Table, Tenure, ViewRow, holds_lease};
use crate::view::Status;
use crate::{Generation, SiloId, SiloName, ViewVersion};
use std::sync::Arc;

/// A reservation to commit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reservation {
    /// Who the silo is, once the change is committed.
    pub id: SiloId,
    /// What to commit.
    pub change: Change,
}

/// The table belongs to another cluster. Nothing was written. Point this silo to its own database, or correct its
/// cluster id.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "this database belongs to cluster `{found}`, this silo to `{ours}`: give the silo that cluster id, or its own \
     database"
)]
pub struct OtherCluster {
    /// The cluster id of this silo.
    pub ours: String,
    /// The cluster id in the table.
    pub found: String,
}

/// Plans to take `name`: its next generation, which supersedes any earlier one in one commit.
///
/// An earlier generation that held leases may still run for one lease. It cannot run in the dark for longer, because
/// a name is for one process at a time: whoever starts a process under a name promises that the earlier one is gone
/// or about to be told so (promise P1 holds even if that is broken).
pub fn reserve(
    table: Option<&Table>,
    config: &Config,
    name: SiloName,
    address: &str,
    contract: u64,
) -> Result<Reservation, OtherCluster> {
    let elder = table.and_then(|table| table.named(name));
    let (mut change, floor) = match table {
        None => (first_change(config), Generation(0)),
        Some(table) if table.view.cluster_id != config.cluster_id => {
            let found = table.view.cluster_id.clone();
            return Err(OtherCluster { ours: config.cluster_id.clone(), found });
        }
        Some(table) => (Change::of_membership(table), table.view.generation_floor),
    };
    let id = SiloId::new(name, elder.map_or(floor, |e| e.row.id.generation.max(floor)).next());
    change.expects.push((RowKey::Silo(name), elder.map(|entry| entry.version)));
    let mut row = SiloRow {
        id,
        address: Arc::from(address),
        status: Status::Joining,
        grace: std::time::Duration::ZERO,
        contract,
        tenure: None,
        elders: Vec::new(),
        before: None,
    };
    if let Some(elder) = elder.map(|entry| &entry.row) {
        if holds_lease(elder.status) {
            crate::reached!("membership.join.superseded");
        }
        row.grace = elder.grace.max(if holds_lease(elder.status) {
            with_margin(config.lease)
        } else {
            std::time::Duration::ZERO
        });
        row.elders = elder.tenures().map(|t| Tenure { left: t.left.or(Some(THIS)), ..t }).collect();
        // There is no room for more: of what came before, only the beginning is kept.
        let blurred = row.elders.drain(row.elders.len().min(ELDERS_KEPT)..).next_back();
        row.before = elder.before.or(blurred.map(|tenure| tenure.since));
    }
    change.puts.push(Row::Silo(row));
    Ok(Reservation { id, change })
}

/// Notes that tenures which ended at this version are no longer in the table.
pub(super) fn forget(view: &mut ViewRow, left: Option<ViewVersion>) {
    view.forgotten = view.forgotten.max(left.unwrap_or_default());
}

fn first_change(config: &Config) -> Change {
    let view = ViewRow {
        cluster_id: config.cluster_id.clone(),
        version: THIS,
        generation_floor: Generation(0),
        forgotten: ViewVersion(0),
    };
    Change { expects: vec![(RowKey::View, None)], puts: vec![Row::View(view)], deletes: Vec::new() }
}
