//! Two `quark up` of one cluster's name on one server, by mistake: their silos have the same names, and each that starts
//! supersedes the other's, for ever. A data folder has a lock against that; a server has none, but the membership table.

use crate::settings::Settings;
use crate::storage;
use anyhow::{Context, Result, bail};
use quark_core::Version;
use quark_core::membership::rows;
use quark_core::membership::table::{PARTITION, RowKey, SiloRow};
use quark_core::view::Status;
use quark_env::Store;
use quark_env::store::RecordKey;
use std::sync::Arc;

/// A silo that the table calls active: its row, and the version of its lease.
type Active = (SiloRow, Version);

/// Makes sure that none of the silos that are about to be started runs already.
///
/// One that is active in the table may have died without a word: whether it lives is seen by its lease, which it would renew
/// twice in the time that this takes. Where none is active, which is usual, nobody waits.
///
/// Errors: one of them lives; the text says where, and what to do. Or the store cannot be read.
pub async fn refuse(node: &Settings, names: &[String]) -> Result<()> {
    let store = storage::open(node).await?;
    let before = active(&store, names).await?;
    let mut after = Vec::new();
    if !before.is_empty() {
        tokio::time::sleep(node.membership.renew_every * 2).await;
        after = active(&store, names).await?;
    }
    // Closing it waits for its threads.
    let _ = tokio::task::spawn_blocking(move || drop(store)).await;
    let lives = |(row, lease): &&Active| before.iter().any(|(b, l)| b.id == row.id && l < lease);
    match after.iter().find(lives) {
        None => Ok(()),
        Some((row, _)) => bail!(
            "{} of the cluster `{}` runs on this store already, at {}: stop the `quark up` that has started it, or give \
             this one a cluster of its own, by another --cluster and another ?prefix= in the URL of --store",
            row.id.name.as_str(),
            node.cluster,
            row.address
        ),
    }
}

async fn active(store: &Arc<dyn Store>, names: &[String]) -> Result<Vec<Active>> {
    let mut active = Vec::new();
    for name in names {
        let name = quark_core::SiloName::new(name)?;
        let read = |row: RowKey| store.read(&RecordKey::new(PARTITION, &row.to_string()));
        let Some(record) = read(RowKey::Silo(name)).await? else { continue };
        let row: SiloRow =
            rows::decode(&record.value, record.version).context("the membership table cannot be read")?;
        if row.status == Status::Active
            && let Some(lease) = read(RowKey::Lease(name)).await?
        {
            active.push((row, lease.version));
        }
    }
    Ok(active)
}
