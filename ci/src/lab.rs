//! The laboratory: small worlds explored to the last state, and seeds told again in other processes and builds.
//!
//! Both compare with what is committed. Numbers of an exploration change when a core does; hashes of seeds change when
//! the silo, a story or the simulator does. Then somebody has looked, and the files are written anew:
//! ```text
//! quark sim explore --write scenarios/golden/exploration.toml
//! quark sim audit --write scenarios/golden/traces.toml
//! ```

use crate::harness::PACKAGE;
use crate::report::Check;
use crate::run::{cargo, tool};
use anyhow::Result;
use std::process::Command;

const EXPLORATION: &str = "scenarios/golden/exploration.toml";
const TRACES: &str = "scenarios/golden/traces.toml";

/// The program `lab` of quark-scenarios, in a build profile.
fn lab(profile: &str) -> Command {
    let mut command = cargo();
    command.args(["run", "--quiet", "--locked", "--profile", profile, "-p", PACKAGE, "--bin", "lab", "--"]);
    command
}

/// Every small world of the file has as many states as it had, and all of them are good.
pub fn explore() -> Result<Check> {
    tool(
        lab("quick").args(["explore", "--against", EXPLORATION]),
        "a violation is a bug; other numbers alone are a core that behaves differently: look at how, then write the \
         file anew with `quark sim explore --write scenarios/golden/exploration.toml`",
    )
}

/// Every seed of the file gives the same trace in an optimised build, and in one with all assertions.
pub fn audit() -> Result<Check> {
    for profile in ["quick", "dev"] {
        let checked = tool(
            lab(profile).args(["audit", "--against", TRACES]),
            "if the silo, a story or the simulator was changed on purpose, write the file anew with `quark sim audit \
             --write scenarios/golden/traces.toml`; if one build agrees and the other does not, `--with` the other \
             names the event",
        )?;
        if !matches!(checked, Check::Passed(_)) {
            return Ok(checked);
        }
    }
    Ok(Check::Passed("builds `quick` and `dev`".into()))
}
