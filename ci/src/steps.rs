//! The checks that are other tools: formatting, clippy, tests, docs, loom, shuttle, madsim, cargo-deny.
//!
//! Everything is `--locked`: a check that resolves dependencies anew checks something nobody committed.

use crate::report::Check;
use crate::run::{cargo, installed, tool};
use anyhow::Result;
use std::process::Command;

/// Formatting of the whole workspace.
pub fn fmt() -> Result<Check> {
    tool(cargo().args(["fmt", "--all", "--check"]), "run `cargo fmt --all` and commit the result")
}

/// Every lint is an error, in every target.
pub fn clippy() -> Result<Check> {
    tool(
        cargo().args(["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"]),
        "mend what clippy names; a banned call names its replacement",
    )
}

/// What proptest draws its cases from, unless the environment names another: a gate has to say the same of the same
/// tree. The nightly run names one of its own each time.
const LAWS_SEED: (&str, &str) = ("PROPTEST_RNG_SEED", "1");

/// Unit, integration and compile-fail tests: each in a process of its own where cargo-nextest is installed.
pub fn tests() -> Result<Check> {
    let (variable, seed) = LAWS_SEED;
    let seed = std::env::var(variable).unwrap_or(seed.into());
    let remedy = format!("run the failing test alone with `{variable}={seed} cargo test -p <crate> <name>`");
    let mut tests = cargo();
    if installed("nextest") {
        tests.args(["nextest", "run", "--workspace", "--locked", "--no-fail-fast"]);
    } else {
        tests.args(["test", "--workspace", "--locked", "--lib", "--bins", "--tests", "--no-fail-fast"]);
    }
    tool(tests.env(variable, seed), &remedy)
}

/// The examples in the documentation: nextest does not run them.
pub fn doctests() -> Result<Check> {
    tool(
        cargo().args(["test", "--workspace", "--locked", "--doc", "--no-fail-fast"]),
        "an example in a doc comment no longer compiles or no longer holds",
    )
}

/// The API documentation builds, and no link inside it is dead.
pub fn docs() -> Result<Check> {
    tool(
        cargo().args(["doc", "--workspace", "--no-deps", "--locked"]).env("RUSTDOCFLAGS", "-D warnings"),
        "mend the doc comment that rustdoc names",
    )
}

/// Every interleaving of the lock-free code, up to loom's bounds.
pub fn loom() -> Result<Check> {
    tool(
        loom_cargo().args(["test", "-p", "quark-core", "--locked", "--release", "--test", "loom"]),
        "LOOM_LOG=trace prints the interleaving that failed",
    )
}

/// Longer runs of more threads than loom can explore, in interleavings that are drawn by seed.
pub fn shuttle() -> Result<Check> {
    let remedy = "run it again with `--nocapture`: it says what broke, the same each time";
    // One test at a time: the one that measures deliberate bugs switches them on for the whole process.
    tool(
        shuttle_cargo()
            .args(["test", "-p", "quark-core", "--locked", "--release", "--features", "mutants"])
            .args(["--test", "shuttle", "--", "--test-threads=1"]),
        remedy,
    )
}

/// The silos on madsim.
pub fn madsim() -> Result<Check> {
    tool(
        flagged_cargo("madsim")
            .args(["test", "--locked", "--release"])
            .args(["--manifest-path", "net/opinions/madsim/Cargo.toml"]),
        "if no other engine says so too, it may be madsim's: see docs/engines.md",
    )
}

/// The same as an opinion that nothing waits for: it rests on a flag of the whole build and on stand-ins of others.
pub fn madsim_opinion() -> Result<Check> {
    Ok(match madsim() {
        Ok(Check::Failed(_)) => Check::Skipped("madsim says no, and gates nothing: see above".into()),
        Ok(check) => check,
        Err(error) => Check::Skipped(format!("madsim gates nothing: {error}")),
    })
}

/// A cargo whose build explores interleavings instead of running them.
pub fn loom_cargo() -> Command {
    flagged_cargo("quark_loom")
}

fn shuttle_cargo() -> Command {
    flagged_cargo("quark_shuttle")
}

/// A cargo with a `--cfg` for the whole build.
///
/// The flags for loom and shuttle are ours because a global `--cfg loom` changes dependencies too. A flag changes every
/// crate's fingerprint, hence the target directory of its own.
fn flagged_cargo(flag: &str) -> Command {
    let target = std::env::var("CARGO_TARGET_DIR").unwrap_or_else(|_| "target".into());
    let folder = flag.trim_start_matches("quark_");
    let mut command = cargo();
    command.env("RUSTFLAGS", format!("--cfg {flag}")).env("CARGO_TARGET_DIR", format!("{target}/{folder}"));
    command
}

/// Licences, banned crates, duplicates and sources, by deny.toml. Advisories need a network and are nightly.
pub fn deny() -> Result<Check> {
    if !installed("deny") {
        return Ok(Check::Skipped(
            "cargo-deny is not installed (`cargo install --locked cargo-deny`)".into(),
        ));
    }
    tool(
        cargo()
            .args(["deny", "--locked", "--log-level", "error", "check", "--hide-inclusion-graph"])
            .args(["bans", "licenses", "sources"]),
        "drop the dependency, or change deny.toml and say why in the commit",
    )
}
