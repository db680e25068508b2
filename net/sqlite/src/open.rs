//! From a path to a connection, or to a clear reason why not.
//!
//! The file is never opened but by SQLite, not even to look at its first bytes: closing a file drops every POSIX lock
//! that the process holds on it, also those of SQLite's other connections (<https://sqlite.org/howtocorrupt.html>
//! section 2.2).

use crate::options::{Durability, Options};
use crate::schema::{APPLICATION_ID, CREATE, SCHEMA_VERSION, STATEMENTS, UPGRADE_1_TO_2};
use crate::verify;
use crate::{era, fault};
use rusqlite::{Connection, Error, ErrorCode, MAIN_DB, OpenFlags};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Why a file could not be opened as a store. Nothing was changed in it.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder does not exist.
    #[error("the folder {folder:?} does not exist: create it, or choose another path for the database")]
    MissingFolder {
        /// The folder of the path that was given.
        folder: PathBuf,
    },
    /// The path is not a file.
    #[error("{path:?} is a folder: give the path of the database file in it, such as {:?}", .path.join("quark.db"))]
    IsFolder {
        /// The path that was given.
        path: PathBuf,
    },
    /// The folder takes no new files; SQLite needs two beside the database (`-wal`, `-shm`).
    #[error(
        "this user cannot create files in the folder {folder:?} ({reason}): grant write permission, free space, or choose another folder"
    )]
    FolderNotWritable {
        /// The folder.
        folder: PathBuf,
        /// What SQLite says.
        reason: String,
    },
    /// The file can be read only.
    #[error(
        "this user cannot write to {path:?}: grant write permission on the file and its folder, or choose another path"
    )]
    FileNotWritable {
        /// The file.
        path: PathBuf,
    },
    /// Not an SQLite file.
    #[error("{path:?} is not a database: choose another path, or move that file away")]
    NotADatabase {
        /// The file.
        path: PathBuf,
    },
    /// An SQLite file of another program.
    #[error(
        "{path:?} belongs to another program (application id {application_id:#x}, ours is {APPLICATION_ID:#x}): choose another path"
    )]
    Foreign {
        /// The file.
        path: PathBuf,
        /// Its mark; 0 if it has none, but tables of its own.
        application_id: i64,
    },
    /// Written by a newer version of Quark.
    #[error(
        "{path:?} has schema version {found}, this program knows versions up to {supported}: upgrade this program, or restore a backup from before the upgrade"
    )]
    NewerSchema {
        /// The file.
        path: PathBuf,
        /// Its schema version.
        found: i64,
        /// The newest that this program knows.
        supported: i64,
    },
    /// The file belongs to another cluster.
    #[error(
        "{path:?} belongs to cluster `{found}`, not to `{given}`: give this cluster a path of its own, or correct its cluster id"
    )]
    OtherCluster {
        /// The file.
        path: PathBuf,
        /// The cluster that it is marked with.
        found: String,
        /// The cluster id in the options.
        given: String,
    },
    /// The file is damaged.
    #[error("{path:?} is damaged ({reason}): restore a backup, or rescue what can be read with `sqlite3 {} .recover`", .path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        reason: String,
    },
    /// Another process holds its lock.
    #[error(
        "{path:?} was locked by another process for {waited:?}: end the program that holds it, or wait longer"
    )]
    Busy {
        /// The file.
        path: PathBuf,
        /// The time-out.
        waited: Duration,
    },
    /// The file system cannot share memory between processes.
    #[error(
        "{path:?} lies on a file system without shared memory (journal mode `{mode}` instead of `wal`), such as a network share: choose a local disk"
    )]
    NoSharedMemory {
        /// The file.
        path: PathBuf,
        /// The journal mode that SQLite fell back to.
        mode: String,
    },
    /// Anything else.
    #[error("{path:?} cannot be opened: {reason}")]
    Other {
        /// The file.
        path: PathBuf,
        /// What SQLite or the operating system says.
        reason: String,
    },
}

/// Opens a file for writing; creates it, or its tables, if they do not exist. Also the least version that may be given out.
pub(crate) fn open_first(path: &Path, options: &Options) -> Result<(Connection, u64), OpenError> {
    check_path(path)?;
    let explain = |error| explain(path, options, error);
    let connection = connect(path).map_err(explain)?;
    if connection.is_readonly(MAIN_DB).map_err(explain)? {
        return Err(OpenError::FileNotWritable { path: path.into() });
    }
    configure(&connection, options).map_err(explain)?;
    // Before anything is changed: the file may not be ours. In one transaction, or another process that is just
    // creating its tables might show us the tables and not its mark.
    connection.execute_batch("BEGIN").map_err(explain)?;
    let recognised = recognise(&connection, path, options);
    recognised.and(connection.execute_batch("ROLLBACK").map_err(explain))?;
    use_log(&connection, path, options)?;
    // An era must not be lost, or the next one would know of none.
    connection.pragma_update(None, "synchronous", "FULL").map_err(explain)?;
    let floor = create_or_check(&connection, path, options)?;
    synchronise(&connection, options).map_err(explain)?;
    if options.verify_on_open
        && let Some(reason) = verify::damage(&connection).map_err(explain)?
    {
        return Err(OpenError::Corrupt { path: path.into(), reason });
    }
    connection.pragma_update(None, "wal_autocheckpoint", options.checkpoint_pages).map_err(explain)?;
    // The writer asks for the lock itself, more often than SQLite would.
    connection.busy_timeout(Duration::ZERO).map_err(explain)?;
    Ok((connection, floor))
}

/// Opens a further connection to a file that is open.
pub(crate) fn open_further(path: &Path, options: &Options) -> Result<Connection, OpenError> {
    let connection = connect(path).and_then(|connection| {
        configure(&connection, options)?;
        connection.pragma_update(None, "query_only", true)?;
        Ok(connection)
    });
    connection.map_err(|error| explain(path, options, error))
}

fn check_path(path: &Path) -> Result<(), OpenError> {
    let folder = folder_of(path);
    if !folder.is_dir() {
        return Err(OpenError::MissingFolder { folder });
    }
    if path.is_dir() {
        return Err(OpenError::IsFolder { path: path.into() });
    }
    Ok(())
}

fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.into(),
        _ => PathBuf::from("."),
    }
}

fn connect(path: &Path) -> Result<Connection, Error> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(path, flags)
}

fn configure(connection: &Connection, options: &Options) -> Result<(), Error> {
    connection.busy_timeout(options.busy_timeout)?;
    connection.set_prepared_statement_cache_capacity(32);
    synchronise(connection, options)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    connection.pragma_update(None, "journal_size_limit", LOG_BYTES_KEPT)
}

fn synchronise(connection: &Connection, options: &Options) -> Result<(), Error> {
    let synchronous = match options.durability {
        Durability::Full => "FULL",
        Durability::Normal => "NORMAL",
    };
    connection.pragma_update(None, "synchronous", synchronous)
}

/// Whether the file is empty (false) or ours (true).
fn recognise(connection: &Connection, path: &Path, options: &Options) -> Result<bool, OpenError> {
    let number = |sql| {
        connection
            .query_row(sql, [], |row| row.get::<_, i64>(0))
            .map_err(|error| explain(path, options, error))
    };
    let (application_id, version) = (number("PRAGMA application_id")?, number("PRAGMA user_version")?);
    if application_id == APPLICATION_ID {
        if version > SCHEMA_VERSION {
            let (found, supported) = (version, SCHEMA_VERSION);
            return Err(OpenError::NewerSchema { path: path.into(), found, supported });
        }
        return Ok(true);
    }
    let tables = number("SELECT count(*) FROM sqlite_schema")?;
    if application_id != 0 || version != 0 || tables != 0 {
        return Err(OpenError::Foreign { path: path.into(), application_id });
    }
    Ok(false)
}

/// Switches the file to the write-ahead log. That needs the file for itself for a moment, and SQLite does not wait
/// for it on every path: so we ask again.
fn use_log(connection: &Connection, path: &Path, options: &Options) -> Result<(), OpenError> {
    let deadline = Instant::now() + options.busy_timeout;
    loop {
        let mode = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get::<_, String>(0));
        match mode {
            Ok(mode) if mode == "wal" => return Ok(()),
            Ok(mode) => return Err(OpenError::NoSharedMemory { path: path.into(), mode }),
            Err(error) if fault::is_busy(&error) && Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(2));
            }
            Err(error) => return Err(explain(path, options, error)),
        }
    }
}

/// Creates the tables, or brings them up to this version, or finds them in order; marks the file with the cluster, or finds
/// the mark; begins an era if it is time for one. The least version that may be given out.
fn create_or_check(connection: &Connection, path: &Path, options: &Options) -> Result<u64, OpenError> {
    let explain = |error| explain(path, options, error);
    connection.execute_batch("BEGIN IMMEDIATE").map_err(explain)?;
    let outcome = (|| {
        // Again, now that nobody else can: another process may have created the tables in between.
        let is_new = !recognise(connection, path, options)?;
        if is_new {
            connection.execute_batch(CREATE).map_err(explain)?;
            connection.pragma_update(None, "application_id", APPLICATION_ID).map_err(explain)?;
            connection.pragma_update(None, "user_version", SCHEMA_VERSION).map_err(explain)?;
        } else if schema_version(connection).map_err(explain)? == 1 {
            quark_core::reached!("sqlite.upgraded");
            connection.execute_batch(UPGRADE_1_TO_2).map_err(explain)?;
            connection.pragma_update(None, "user_version", SCHEMA_VERSION).map_err(explain)?;
        }
        // Touches every tree, so that a file without its first pages is noticed here.
        for table in ["partitions", "records"] {
            let first = format!("SELECT count(*) FROM (SELECT 1 FROM {table} LIMIT 1)");
            connection.query_row(&first, [], |row| row.get::<_, i64>(0)).map_err(explain)?;
        }
        // A schema in which a byte has changed is noticed here too, and not by calls that are told to try again.
        for statement in STATEMENTS {
            connection.prepare(statement).map_err(explain)?;
        }
        let found: Option<String> = connection
            .query_row("SELECT cluster FROM identity WHERE one = 1", [], |row| row.get(0))
            .map_err(explain)?;
        match (found, &options.cluster_id) {
            (Some(found), Some(given)) if found != *given => {
                Err(OpenError::OtherCluster { path: path.into(), found, given: given.clone() })
            }
            (None, Some(given)) => {
                let mark = connection.execute("UPDATE identity SET cluster = ?1", [given]);
                mark.map(|_| ()).map_err(explain)
            }
            _ => Ok(()),
        }?;
        era::floor(connection, era::this_boot().as_deref(), is_new).map_err(explain)
    })();
    let end = if outcome.is_ok() { "COMMIT" } else { "ROLLBACK" };
    let ended = connection.execute_batch(end).map_err(explain);
    outcome.and_then(|floor| ended.map(|()| floor))
}

fn schema_version(connection: &Connection) -> Result<i64, Error> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// Finds the words for what SQLite says.
fn explain(path: &Path, options: &Options, error: Error) -> OpenError {
    let (path, reason) = (path.to_path_buf(), error.to_string());
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => OpenError::NotADatabase { path },
        _ if fault::is_busy(&error) => OpenError::Busy { path, waited: options.busy_timeout },
        _ if fault::is_corrupt(&error) => OpenError::Corrupt { path, reason },
        // Our own tables are missing or different in a file that bears our mark.
        Some(ErrorCode::Unknown) => OpenError::Corrupt { path, reason },
        // Cannot be created, or its log beside it cannot.
        Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
            OpenError::FolderNotWritable { folder: folder_of(&path), reason }
        }
        _ => OpenError::Other { path, reason },
    }
}

/// The page cache of each connection.
const CACHE_KIB: i64 = 16 << 10;
/// A log that has grown beyond this is cut back to it once it has been copied into the file.
const LOG_BYTES_KEPT: i64 = 64 << 20;
