//! The store, wherever it is, and the data folder: made if it is missing, held by one `quark up` at a time.

use crate::settings::Settings;
use crate::store_choice::StoreChoice;
use anyhow::{Context, Result, anyhow, bail};
use quark_env::Store;
use quark_redis::RedisStore;
use quark_sqlite::SqliteStore;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;
use std::sync::Arc;

/// Opens the cluster's store.
///
/// On a thread of its own: a server that does not answer is waited for, and a Ctrl-C meanwhile should be heard.
///
/// Errors: name the file or the server, and the remedy.
pub async fn open(settings: &Settings) -> Result<Arc<dyn Store>> {
    let settings = settings.clone();
    let opened = tokio::task::spawn_blocking(move || open_blocking(&settings)).await;
    opened.context("the store could not be opened")?
}

/// Opens the cluster's store for its complaints alone: of another cluster, a newer schema, damage, a wrong server.
///
/// Errors: name the file or the server, and the remedy.
pub async fn check(settings: &Settings) -> Result<()> {
    let settings = settings.clone();
    // Closing it waits for its threads, so that is done there, too.
    let checked = tokio::task::spawn_blocking(move || open_blocking(&settings).map(drop)).await;
    checked.context("the store could not be checked")?
}

fn open_blocking(settings: &Settings) -> Result<Arc<dyn Store>> {
    let cluster_id = Some(settings.cluster.clone());
    Ok(match &settings.store {
        StoreChoice::Sqlite => {
            let options = quark_sqlite::Options { cluster_id, ..Default::default() };
            Arc::new(SqliteStore::open(settings.data.join(DATABASE), options)?)
        }
        StoreChoice::Redis(url) => {
            let options = quark_redis::Options { cluster_id, ..Default::default() };
            Arc::new(RedisStore::open(url, options).context("cannot use the Redis of --store")?)
        }
    })
}

/// Makes the data folder.
///
/// Errors: name the folder and the remedy.
pub fn make_folder(data: &Path) -> Result<()> {
    std::fs::create_dir_all(data).map_err(|error| {
        anyhow!(
            "cannot make the data folder {data:?} ({error}): grant write permission there, or choose another with \
             --data"
        )
    })
}

/// Holds the data folder for this process until it is dropped.
///
/// Two supervisors on one folder would start silos of the same names, which supersede each other for ever.
pub struct FolderLock(#[expect(dead_code, reason = "the lock is held for as long as the file is open")] File);

impl FolderLock {
    /// Takes the lock.
    ///
    /// Errors: another process has it (the text says which), or the folder cannot be written.
    pub fn take(data: &Path) -> Result<Self> {
        let path = data.join("up.lock");
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(|error| {
                anyhow!(
                    "cannot write to the data folder {data:?} ({error}): grant write permission, or choose another \
                     with --data"
                )
            })?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let _ = file.read_to_string(&mut holder);
                bail!(
                    "another `quark up` (process {}) runs on the data folder {data:?}: stop it, or choose another \
                     with --data",
                    holder.trim()
                );
            }
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("cannot lock {path:?}"));
            }
        }
        let written = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", std::process::id()));
        written.with_context(|| format!("cannot write {path:?}: is the disk full?"))?;
        Ok(Self(file))
    }
}

/// The name of the database in the data folder.
pub const DATABASE: &str = "quark.sqlite";
