//! The checks that are other tools: formatting, clippy, tests, docs, loom, cargo-deny.
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

/// A cargo whose build explores interleavings instead of running them.
///
/// The flag is ours (`quark_loom`) because a global `--cfg loom` changes dependencies too; it changes every
/// crate's fingerprint, hence the target directory of its own.
pub fn loom_cargo() -> Command {
    let target = std::env::var("CARGO_TARGET_DIR").unwrap_or_else(|_| "target".into());
    let mut command = cargo();
    command.env("RUSTFLAGS", "--cfg quark_loom").env("CARGO_TARGET_DIR", format!("{target}/loom"));
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
