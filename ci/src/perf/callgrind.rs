//! Counting with callgrind: how it is run, and what it writes.

use super::number;
use crate::run::line;
use anyhow::{Context, Result, ensure};
use std::path::Path;
use std::process::{Command, Stdio};

/// What valgrind calls itself (`valgrind-3.19.0`).
///
/// Errors: when it is not installed.
pub(super) fn version() -> Result<String> {
    let asked = Command::new(VALGRIND).arg("--version").stdin(Stdio::null()).output();
    let said = asked.ok().filter(|done| done.status.success()).context(
        "`valgrind` is not installed: `apt-get install valgrind`, `dnf install valgrind`, or see valgrind.org",
    )?;
    Ok(String::from_utf8_lossy(&said.stdout).trim().to_owned())
}

/// Runs a program under callgrind, and returns what callgrind wrote about it. It is left at `profile`.
///
/// The program's environment is empty: its length would move the stack, and with it what copying memory costs.
/// With `recursions`, a function that comes back to itself is several, one for each time up to so many: then a caller's
/// cost does not hold its own again.
pub(super) fn profile(
    program: &Path,
    arguments: &[String],
    recursions: Option<u32>,
    profile: &Path,
) -> Result<String> {
    let mut command = Command::new(VALGRIND);
    command.arg("--tool=callgrind").arg(format!("--callgrind-out-file={}", profile.display()));
    command.args(recursions.map(|most| format!("--separate-recs={most}")));
    command.args(["--quiet", "--"]).arg(program).args(arguments);
    command.env_clear().envs(std::env::vars_os().filter(|(key, _)| KEPT.iter().any(|kept| key == kept)));
    let shown = line(&command);
    let done =
        command.stdin(Stdio::null()).output().with_context(|| format!("`{shown}` cannot be started"))?;
    let said = String::from_utf8_lossy(&done.stderr);
    ensure!(done.status.success(), "`{shown}` failed, {}: {}", done.status, said.trim());
    std::fs::read_to_string(profile).with_context(|| format!("`{shown}` left no {}", profile.display()))
}

const VALGRIND: &str = "valgrind";
/// What finds valgrind and its tools.
const KEPT: [&str; 2] = ["PATH", "VALGRIND_LIB"];

/// How many instructions ran in all, as a profile of callgrind's says.
///
/// Errors: it has no total, or none of instructions.
pub(super) fn instructions(profile: &str) -> Result<u64> {
    let said = |key: &str| profile.lines().find_map(|line| line.strip_prefix(key));
    let events = said("events:").context("no line `events:`")?;
    let totals = said("totals:").context("no line `totals:`: the run did not end")?;
    let column = events.split_whitespace().position(|event| event == "Ir");
    let column =
        column.with_context(|| format!("no instructions (`Ir`) among the events `{}`", events.trim()))?;
    let total = totals.split_whitespace().nth(column);
    number(total.with_context(|| format!("`totals:{totals}` has too few numbers"))?, "number of instructions")
}

/// What one operation takes, by the totals of a run with `times` of them and one with twice as many.
///
/// Errors: more operations took no more instructions, so something else was counted.
pub(super) fn per_operation(once: u64, twice: u64, times: u64) -> Result<f64> {
    ensure!(times > 0, "no operation was asked for");
    ensure!(
        twice > once,
        "{times} operations took {once} instructions and {} took {twice}: they are not what was counted",
        times * 2
    );
    Ok((twice - once) as f64 / times as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROFILE: &str = "# callgrind format\nversion: 1\nevents: Ir\nsummary: 4711\n\nfn=(1) main\n16 400\n\n\
                           totals: 4711\n";

    #[test]
    fn the_total_of_a_profile_is_read() {
        assert_eq!(instructions(PROFILE).expect("well formed"), 4711);
        let with_cache = "events: Dr Ir Dw\ntotals: 1 22 333\n";
        assert_eq!(instructions(with_cache).expect("well formed"), 22);
    }

    #[test]
    fn a_profile_that_is_none_is_refused() {
        let refused = |profile: &str, why: &str| {
            let error = format!("{:#}", instructions(profile).expect_err(why));
            assert!(error.contains(why), "{error}");
        };
        refused("", "no line `events:`");
        refused("events: Ir\nfn=(1) main\n", "the run did not end");
        refused("events: Dr Dw\ntotals: 1 2\n", "no instructions");
        refused("events: Dr Ir\ntotals: 1\n", "too few numbers");
        refused("events: Ir\ntotals: many\n", "`many` is no number of instructions");
        refused("events: Ir\ntotals: -3\n", "`-3` is no number of instructions");
    }

    #[test]
    fn what_is_set_up_falls_out() {
        assert_eq!(per_operation(1_000_500, 1_001_000, 10).expect("more"), 50.0);
        assert_eq!(per_operation(7, 8, 4).expect("more"), 0.25);
        assert!(per_operation(7, 7, 4).is_err() && per_operation(8, 7, 4).is_err());
        assert!(per_operation(7, 8, 0).is_err());
    }
}
