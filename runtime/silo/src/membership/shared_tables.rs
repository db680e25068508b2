//! One decoded table for all silos of a process that read the same rows.
//!
//! A process with one silo gains nothing and pays a hash of what it read. A simulation of a thousand silos decodes and
//! keeps each version of the table once instead of a thousand times, and so does everything that follows from it: the
//! view, the rings. A table is a pure function of the rows, so sharing it is invisible.

use quark_core::hash;
use quark_core::membership::table::{StoreFault, Table};
use quark_env::store::Record;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// By the fingerprint of the rows that it was decoded from. The standard lock: worlds on two threads meet here, and a
/// contended `parking_lot` reads the clock, which no silo may.
static TABLES: Mutex<BTreeMap<u64, Weak<Table>>> = Mutex::new(BTreeMap::new());

/// The table of these rows if somebody holds it, else the one that `decode` makes of them.
pub(super) fn find_or_decode(
    records: &[Record],
    decode: impl FnOnce() -> Result<Option<Table>, StoreFault>,
) -> Result<Option<Arc<Table>>, StoreFault> {
    let key = fingerprint(records);
    if let Some(table) = tables().get(&key).and_then(Weak::upgrade) {
        return Ok(Some(table));
    }
    let Some(table) = decode()?.map(Arc::new) else { return Ok(None) };
    let mut tables = tables();
    tables.retain(|_, table| table.strong_count() > 0);
    tables.insert(key, Arc::downgrade(&table));
    Ok(Some(table))
}

/// A panic while the lock was held left a map that is still a map of tables.
fn tables() -> MutexGuard<'static, BTreeMap<u64, Weak<Table>>> {
    TABLES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A number that depends on every byte of the rows, their names and their versions. Of the few thousand tables that a
/// process holds at once, two meet in one of 10^12 processes; and whoever could make them meet can write the rows.
fn fingerprint(records: &[Record]) -> u64 {
    records.iter().fold(records.len() as u64, |key, record| {
        let key = hash::point_in(hash::mix(key ^ record.version.0), record.key.row.as_bytes());
        hash::point_in(key, &record.value)
    })
}
