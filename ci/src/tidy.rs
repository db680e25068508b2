//! The rules that neither rustfmt nor clippy can check, over the text of every tracked file.
//!
//! Only what is objective is a rule. Each finding names its remedy, and each exception is a row of a table with
//! its reason: a rule without exceptions gets switched off, an exception without a reason spreads.

mod allowed;
mod code;
mod text;

use crate::catches;
use crate::deadfiles;
use crate::mutants;
use crate::report::Finding;
use crate::source::Source;
use crate::tree::File;

/// Everything that the rules find.
pub fn findings(files: &[File]) -> Vec<Finding> {
    let mut found = Vec::new();
    for file in files {
        found.extend(text::findings(file));
        if let (true, Some(text)) = (file.path.ends_with(".rs"), &file.text) {
            found.extend(code::findings(&file.path, &Source::new(text)));
        }
    }
    found.extend(deadfiles::findings(files));
    found.extend(mutants::unregistered(files));
    found.extend(catches::findings(files));
    found.extend(allowed::stale(files));
    found
}

#[cfg(test)]
mod tests;
