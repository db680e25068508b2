//! The laboratory: small worlds explored to the last state, and seeds told again in other processes and builds.
//!
//! Both compare with what is committed. Numbers of an exploration change when a core does; hashes of seeds change when
//! the silo, a story or the simulator does. Then somebody has looked, and the files are written anew:
//! ```text
//! quark sim explore --write scenarios/golden/exploration.toml
//! quark sim audit --write scenarios/golden/traces.toml
//! ```

use crate::harness::{CHECKED, FAST, PACKAGE, SITES};
use crate::report::Check;
use crate::run::{cargo, tool};
use anyhow::Result;
use std::process::Command;

const EXPLORATION: &str = "scenarios/golden/exploration.toml";
const TRACES: &str = "scenarios/golden/traces.toml";

/// The program `lab` of quark-scenarios, in a profile of Cargo's and with these features.
fn lab(profile: &str, features: &str) -> Command {
    let mut command = cargo();
    command.args(["run", "--quiet", "--locked", "--profile", profile, "-p", PACKAGE, "--bin", "lab"]);
    command.args(["--features", features, "--"]);
    command
}

/// Every small world of the file has as many states as it had, and all of them are good.
pub fn explore() -> Result<Check> {
    tool(
        lab(CHECKED, SITES).args(["explore", "--against", EXPLORATION]),
        "a violation is a bug; other numbers alone are a core that behaves differently: look at how, then write the \
         file anew with `quark sim explore --write scenarios/golden/exploration.toml`",
    )
}

/// The build of the gate: it has the sites of `buggify!`, so that seeds, exploration and audit are one build.
const GATE: (&str, &str) = (CHECKED, SITES);
/// What a user builds.
const SHIPPED: (&str, &str) = (FAST, "");

/// Every seed of the file gives the same trace in the build that the gate has anyway.
pub fn audit_gate() -> Result<Check> {
    audit(&[GATE])
}

/// Every seed of the file gives the same trace in an optimised build, and in one with all assertions and with the sites of
/// `buggify!`.
pub fn audit_builds() -> Result<Check> {
    audit(&[SHIPPED, GATE])
}

fn audit(builds: &[(&str, &str)]) -> Result<Check> {
    for (profile, features) in builds {
        let checked = tool(
            lab(profile, features).args(["audit", "--against", TRACES]),
            "if the silo, a story or the simulator was changed on purpose, write the file anew with `quark sim audit \
             --write scenarios/golden/traces.toml`; if one build agrees and the other does not, `--with` the other \
             names the event",
        )?;
        if !matches!(checked, Check::Passed(_)) {
            return Ok(checked);
        }
    }
    let profiles: Vec<_> = builds.iter().map(|(profile, _)| *profile).collect();
    Ok(Check::Passed(format!("as committed: {}", profiles.join(", "))))
}
