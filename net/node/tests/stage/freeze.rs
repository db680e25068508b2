//! Freezing a process, and nobody else with it.

use std::process::Command;
use std::time::{Duration, Instant};

/// Sends a signal to a process.
pub fn signal(pid: i32, name: &str) {
    let status = Command::new("kill").args([format!("-{name}"), pid.to_string()]).status();
    assert!(status.is_ok_and(|s| s.success()), "kill -{name} {pid}");
}

/// Stops the process where it stands, unless it stands in the middle of a write.
///
/// Why not there: it would keep the database's one write lock, which is a dark store for everybody and another story.
/// A store that is not a file on the same machine does not stop for one of its clients.
pub fn freeze(pid: i32) {
    let give_up = Instant::now() + PATIENCE;
    loop {
        signal(pid, "STOP");
        while !is_stopped(pid) {
            assert!(Instant::now() < give_up, "process {pid} did not stop");
            std::thread::yield_now();
        }
        if !holds_write_lock(pid) {
            return;
        }
        assert!(Instant::now() < give_up, "process {pid} writes whenever it is looked at");
        signal(pid, "CONT");
        std::thread::yield_now();
    }
}

/// Whether none of its threads can run. A signal takes them one after the other.
fn is_stopped(pid: i32) -> bool {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{pid}/task")) else { return true };
    threads.flatten().all(|thread| {
        let stat = std::fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
        stat.rsplit(") ").next().is_none_or(|rest| rest.starts_with(['T', 't', 'Z', 'X']))
    })
}

/// Whether it holds SQLite's lock for writers, or the one for recovering: bytes 120 and 122 of the `-shm` file.
/// Source: SQLite, "WAL-mode File Format", section 2.3.
fn holds_write_lock(pid: i32) -> bool {
    let locks = std::fs::read_to_string("/proc/locks").unwrap_or_default();
    // `1: POSIX  ADVISORY  WRITE 4711 fe:00:10011524 120 120`
    locks.lines().any(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let is_theirs = fields.get(3) == Some(&"WRITE") && fields.get(4) == Some(&&*pid.to_string());
        let first = fields.get(6).and_then(|byte| byte.parse::<u64>().ok());
        let last = fields.get(7).and_then(|byte| byte.parse::<u64>().ok());
        is_theirs && first.is_some_and(|f| f <= 122) && last.is_some_and(|l| l >= 120) && first != Some(121)
    })
}

const PATIENCE: Duration = Duration::from_secs(10);
