//! Taking a name in the table, before anything else starts.

use super::table_store::TableStore;
use quark_core::membership::Config;
use quark_core::membership::join::{OtherCluster, reserve};
use quark_core::membership::table::StoreFault;
use quark_core::{Instant, SiloId, SiloName};
use quark_env::{Clock, Entropy, EntropyExt, Store};
use std::sync::Arc;
use std::time::Duration;

/// Who wants to join.
#[derive(Clone, Debug)]
pub struct Newcomer {
    /// Its name: for one process at a time.
    pub name: SiloName,
    /// Where its transport will listen. Bind it first, so that two processes cannot take one name and address.
    pub address: String,
    /// The digest of the contracts that it serves.
    pub contract_digest: u64,
}

/// Why a silo cannot join.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JoinError {
    /// The database is another cluster's. Nothing was written; a retry does not help.
    #[error(transparent)]
    OtherCluster(#[from] OtherCluster),
    /// The table is of a newer schema, or broken. Nothing was written; a retry does not help.
    #[error("{0}")]
    Unusable(String),
    /// The store did not answer for [`JOIN_TRIES_FOR`]. A reservation may have been written, which does no harm: the
    /// next try takes the next generation. Retry when the store is back.
    #[error("the store could not be reached for {}s: {reason}", JOIN_TRIES_FOR.as_secs())]
    Store {
        /// What it said last.
        reason: String,
    },
}

/// How long [`join_identity`] keeps trying a store that does not answer.
pub const JOIN_TRIES_FOR: Duration = Duration::from_secs(30);

/// Reserves the next generation of a name as `Joining`, superseding any earlier one.
///
/// Retries conflicts with others that join, and a store that is out for less than [`JOIN_TRIES_FOR`].
pub async fn join_identity(
    clock: &Arc<dyn Clock>,
    entropy: &Arc<dyn Entropy>,
    store: &Arc<dyn Store>,
    config: &Config,
    newcomer: &Newcomer,
) -> Result<SiloId, JoinError> {
    let table_store = TableStore::new(store.clone(), entropy.clone());
    let give_up = clock.now() + JOIN_TRIES_FOR;
    let mut pause = PAUSE_MIN;
    loop {
        let reason = match try_once(&table_store, config, newcomer).await? {
            Ok(id) => return Ok(id),
            Err(StoreFault::Unusable(reason)) => return Err(JoinError::Unusable(reason)),
            Err(fault) => {
                if fault == StoreFault::Conflict {
                    pause = PAUSE_MIN;
                }
                fault.to_string()
            }
        };
        if clock.now() >= give_up {
            return Err(JoinError::Store { reason });
        }
        clock.sleep_until(within(clock.now(), pause, entropy.as_ref())).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

async fn try_once(
    table_store: &TableStore,
    config: &Config,
    newcomer: &Newcomer,
) -> Result<Result<SiloId, StoreFault>, OtherCluster> {
    let table = match table_store.read(None).await {
        Ok(table) => table,
        Err(fault) => return Ok(Err(fault)),
    };
    let (address, contract) = (newcomer.address.as_str(), newcomer.contract_digest);
    let reservation = reserve(table.as_deref(), config, newcomer.name, address, contract)?;
    Ok(table_store.commit(&reservation.change).await.map(|_| reservation.id))
}

/// A moment between half a pause and a whole one from now, so that many that join do not collide again.
fn within(now: Instant, pause: Duration, entropy: &dyn Entropy) -> Instant {
    let half = pause / 2;
    now + half + Duration::from_nanos(entropy.u64("membership") % half.as_nanos().max(1) as u64)
}

const PAUSE_MIN: Duration = Duration::from_millis(20);
const PAUSE_MAX: Duration = Duration::from_secs(2);
