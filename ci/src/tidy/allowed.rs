//! The exceptions, each with its reason.

use crate::report::Finding;
use crate::tree::File;

/// A file or folder that a rule passes over.
pub struct Exception {
    /// From the root: a file, or the start of a module's files (`runtime/core/src/turn`).
    pub path: &'static str,
    /// Shown to nobody but the reader of this table, who wants to know.
    pub reason: &'static str,
}

/// Where `unsafe` may stand, always with a `SAFETY:` comment that says why it holds.
pub const UNSAFE: &[Exception] = &[
    Exception { path: "runtime/core/src/probe.rs", reason: "an intrusive list of statics, never freed" },
    Exception { path: "runtime/core/src/view_cell", reason: "lock-free reads of the view, loom-checked" },
    Exception { path: "runtime/core/tests/loom", reason: "what loom watches is a cell without a lock" },
    Exception { path: "runtime/silo/src/body_cell.rs", reason: "an actor's body, whose lock is the turn" },
    Exception { path: "runtime/silo/src/bring_up.rs", reason: "fills the body before the first turn" },
    Exception { path: "runtime/silo/src/errands.rs", reason: "reads the claim of the turn that it holds" },
    Exception { path: "runtime/silo/src/handling.rs", reason: "opens the body for the turn that it holds" },
    Exception { path: "sim/src/fork.rs", reason: "copies the process, and ends the copy" },
    Exception { path: "sim/src/tripwire", reason: "stands in for libc functions during a simulation" },
    Exception { path: "sim/tests/tripwire", reason: "calls what the tripwire has to catch" },
];

/// Files past 600 lines that hold one concept all the same.
pub const LONG: &[Exception] = &[];

/// Tests that really have to wait, because what they wait for is the real world.
pub const SLEEPING_TESTS: &[Exception] = &[
    Exception { path: "net/opinions/madsim/tests/silos.rs", reason: "madsim's time is virtual" },
    Exception { path: "net/redis/tests/server/mod.rs", reason: "polls other processes, until a deadline" },
    Exception { path: "sim/tests/tripwire.rs", reason: "sleeps a nanosecond, to be caught at it" },
];

/// Whether a table has a row for this path.
pub fn among(table: &[Exception], path: &str) -> bool {
    table.iter().any(|row| path.starts_with(row.path))
}

/// Rows whose file is gone.
pub fn stale(files: &[File]) -> Vec<Finding> {
    let tables = [("UNSAFE", UNSAFE), ("LONG", LONG), ("SLEEPING_TESTS", SLEEPING_TESTS)];
    let mut found = Vec::new();
    for (name, table) in tables {
        for row in table {
            assert!(!row.reason.is_empty(), "{name}: `{}` has no reason", row.path);
            if !files.iter().any(|f| f.path.starts_with(row.path)) {
                found.push(Finding::new(
                    "ci/src/tidy/allowed.rs",
                    format!("{name} excepts `{}`, which is gone", row.path),
                    "remove the row",
                ));
            }
        }
    }
    found
}
