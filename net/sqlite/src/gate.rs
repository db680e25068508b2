//! Who writes next, when several processes want to.
//!
//! SQLite's write lock goes to whoever asks while it is free. A process under load lets it go for some microseconds
//! between two groups of commits, and a process that looks again after a pause finds it taken again, and again: it was
//! refused after its time-out (`database is locked`) while the lock had changed hands hundreds of times.
//!
//! So whoever wants the lock takes the *gate* first, an advisory lock on a file of its own (`<database>-gate`), and lets
//! go of it once it has the write lock:
//!
//! ```text
//! a     gate, lock ........ commit   (gate is taken) ................ gate, lock ...
//! b           gate, (lock is taken)  lock ........ commit
//! c           (gate is taken) ...... gate, (lock is taken)  lock ....
//! ```
//! Who has just committed finds at the gate those who have waited, and cannot overtake the one inside. Those before it
//! ask in turns of their own, and none of them has more turns than another.
//!
//! It makes waiting fair, and nothing rests on it: the write lock is SQLite's alone. Who cannot pass in a while, because a
//! process was stopped at the gate, goes around it. The file is empty and stays; deleting it while nobody has the
//! database open harms nobody. The kernel frees the gate of a process that dies.

use crate::fault;
use rusqlite::Connection;
use std::cell::Cell;
use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A place before the write lock of one file.
pub(crate) struct Gate {
    /// `None` where no such file can be made: then whoever asks at the right moment writes next.
    file: Option<File>,
    /// Somebody has stood in it for too long.
    is_blocked: Cell<bool>,
}

impl Gate {
    /// The gate of the database at this path, in whose folder files can be made.
    pub(crate) fn of(database: &Path) -> Self {
        let mut name = database.as_os_str().to_owned();
        name.push("-gate");
        let file = OpenOptions::new().create(true).write(true).truncate(false).open(PathBuf::from(name));
        Self { file: file.ok(), is_blocked: Cell::new(false) }
    }

    /// Begins a transaction that may write, waiting for other processes until the deadline.
    ///
    /// Errors: as SQLite has them; busy when the deadline has passed. SQLite's own waiting has to be switched off.
    pub(crate) fn begin(&self, connection: &Connection, deadline: Instant) -> Result<(), rusqlite::Error> {
        let entered = self.enter(deadline);
        let begun = loop {
            match connection.prepare_cached("BEGIN IMMEDIATE").and_then(|mut s| s.execute([])) {
                Err(error) if fault::is_busy(&error) && Instant::now() < deadline => {
                    quark_core::reached!("sqlite.begin.contended");
                    std::thread::sleep(POLL);
                }
                begun => break begun.map(|_| ()),
            }
        };
        if entered && let Some(file) = &self.file {
            let _ = file.unlock(); // maybe: the file is gone, and the lock with it
        }
        begun
    }

    /// Whether the gate is ours now. Not, if somebody stands in it for too long.
    fn enter(&self, deadline: Instant) -> bool {
        let Some(file) = &self.file else { return false };
        let patience = if self.is_blocked.get() { Duration::ZERO } else { PATIENCE };
        let until = deadline.min(Instant::now() + patience);
        loop {
            if file.try_lock().is_ok() {
                self.is_blocked.set(false);
                return true;
            }
            if Instant::now() >= until {
                quark_core::reached!("sqlite.gate.blocked");
                self.is_blocked.set(true);
                return false;
            }
            std::thread::sleep(POLL);
        }
    }
}

/// How often whoever waits asks. SQLite's own waits grow to 100 ms, many times what a commit takes.
const POLL: Duration = Duration::from_micros(300);
/// How long somebody may stand in the gate: longer than the groups of a few processes on a slow disk.
const PATIENCE: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_millis(20)
    }

    fn database() -> (tempfile::TempDir, PathBuf, [Connection; 3]) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("quark.db");
        let connections = [(); 3].map(|()| Connection::open(&path).expect("a new file"));
        for connection in &connections {
            connection.busy_timeout(Duration::ZERO).expect("an open file");
        }
        connections[0].execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE t (x)").expect("a new file");
        (folder, path, connections)
    }

    #[test]
    fn who_has_just_written_does_not_overtake_who_waits() {
        let (_folder, path, [one, other, _]) = database();
        let (first, second) = (Gate::of(&path), Gate::of(&path));
        first.begin(&one, soon()).expect("nobody else is there");
        // The other waits inside of the gate.
        assert!(second.enter(soon()));
        one.execute_batch("COMMIT").expect("nothing was written");
        assert!(!first.enter(soon()), "it has to stay behind the one that waits");
        second.file.as_ref().expect("it was made").unlock().expect("it is held");
        second.begin(&other, soon()).expect("the lock is free");
        assert!(first.enter(soon()), "who writes does not stand in the gate");
    }

    #[test]
    fn who_is_stopped_in_the_gate_stops_nobody_else_for_long() {
        let (_folder, path, [one, ..]) = database();
        let (stopped, other) = (Gate::of(&path), Gate::of(&path));
        assert!(stopped.enter(soon()));
        let began = Instant::now();
        other.begin(&one, began + Duration::from_secs(60)).expect("the write lock is free");
        assert!(other.is_blocked.get() && began.elapsed() >= PATIENCE);
        one.execute_batch("COMMIT").expect("nothing was written");
        drop(stopped);
        other.begin(&one, soon()).expect("all is free");
        assert!(!other.is_blocked.get(), "the gate counts again once it was seen free");
    }

    #[test]
    fn without_a_gate_the_lock_is_waited_for_all_the_same() {
        let (_folder, _, [one, other, _]) = database();
        let gate = Gate::of(Path::new("/proc/no such folder/quark.db"));
        assert!(gate.file.is_none());
        gate.begin(&one, soon()).expect("nobody else is there");
        let refused = gate.begin(&other, soon()).expect_err("it is taken");
        assert!(fault::is_busy(&refused), "{refused}");
    }
}
