//! Going back to a moment of a story, and giving it another future, from a command line.

mod branch;
mod goto;
mod moment;
pub(crate) mod print;
mod prompt;

pub use branch::{BranchPlan, branch};
pub use goto::goto;
pub use moment::{parse_moment, show_moment};
pub use prompt::{converse, travel};

use crate::cli;
use quark_testkit::machine::MachineError;
use quark_testkit::story::Scenario;

/// The one story of this name.
fn story(name: &str) -> Result<Scenario, String> {
    Ok(cli::select(&[name.to_owned()])?[0])
}

/// What a machine's error is to whoever types: its sentence, and what to type instead.
pub(crate) fn explain(error: &MachineError, story: &str, seed: u64) -> String {
    match error {
        MachineError::AfterTheEnd { at, end } => format!(
            "`{}` is after the end: {story} with seed {seed} is over at {}; choose a moment until then",
            show_moment(*at),
            show_moment(*end)
        ),
        other => other.to_string(),
    }
}
