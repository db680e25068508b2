//! The data folder: made if it is missing, held by one `quark up` at a time, and what is in it.

use anyhow::{Context, Result, anyhow, bail};
use quark_sqlite::{Options, SqliteStore};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;

/// Opens the cluster's database in the data folder.
///
/// Errors: name the file and the remedy.
pub fn open(data: &Path, cluster: &str) -> Result<SqliteStore> {
    let options = Options { cluster_id: Some(cluster.into()), ..Options::default() };
    Ok(SqliteStore::open(data.join(DATABASE), options)?)
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
