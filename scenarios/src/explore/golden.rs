//! What explorations found before: a number that changes is a core that behaves differently.

use super::{Scope, Which};
use quark_testkit::explore::Exploration;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::Path;

/// What a file says.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Golden {
    /// The explorations, in order.
    #[serde(rename = "exploration")]
    pub rows: Vec<Row>,
}

/// One exploration, and what it is to find.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Row {
    /// What it is about.
    pub name: String,
    pub world: Which,
    pub scope: Scope,
    #[serde(default)]
    pub expect: Option<Numbers>,
}

/// What an exploration found, in numbers.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Numbers {
    pub states: usize,
    pub transitions: u64,
    /// All states for which those stand, under all namings.
    pub namings: u64,
    pub depth: u32,
}

impl Numbers {
    pub fn of(found: &Exploration) -> Self {
        let Exploration { states, transitions, namings, depth, .. } = *found;
        Self { states, transitions, namings, depth }
    }
}

impl fmt::Display for Numbers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { states, transitions, namings, depth } = self;
        write!(f, "{states:>8} states {transitions:>9} transitions {namings:>8} namings {depth:>3} deep")
    }
}

impl Golden {
    /// Reads a file.
    ///
    /// Errors: it cannot be read.
    pub fn read(path: &Path) -> Result<Self, String> {
        let shown = path.display();
        let text = std::fs::read_to_string(path).map_err(|error| format!("{shown}: {error}"))?;
        toml::from_str(&text).map_err(|error| format!("{shown}: {error}"))
    }

    /// Writes a file.
    ///
    /// Errors: it cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), String> {
        let shown = path.display();
        let rows = toml::to_string(self).map_err(|error| format!("{shown}: {error}"))?;
        std::fs::write(path, format!("{HEAD}\n{rows}")).map_err(|error| format!("{shown}: {error}"))
    }
}

const HEAD: &str = "\
# What the cores' small worlds hold: `quark sim explore --against` this file. A number that changes is a core, or a world,
# that behaves differently: look at what it does now, and write the file anew with `quark sim explore --write` this file.
";
