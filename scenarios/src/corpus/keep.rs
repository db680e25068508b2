//! Putting a small run into the corpus.

use super::NamedCase;
use quark_testkit::minimise::Minimised;
use std::io::Write;
use std::path::PathBuf;

/// Under which name a small run is kept.
#[derive(Clone, Debug)]
pub struct Keep {
    /// The name, in kebab case.
    pub name: String,
    /// What was wrong, in a sentence; to be written into the file later if nothing is said.
    pub because: Option<String>,
    /// The planted bug that is switched on.
    pub mutant: Option<String>,
}

/// Where named cases lie, seen from the root of the tree.
const FOLDER: &str = "scenarios/cases";

impl Keep {
    /// Writes a small run into the corpus. Its file.
    ///
    /// Errors: a sentence that says what is wrong with the name, or why the file could not be written.
    pub fn write(&self, small: &Minimised) -> Result<PathBuf, String> {
        let name = &self.name;
        let is_legal = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
        if name.is_empty() || !name.chars().all(is_legal) {
            return Err(format!("`{name}` is no name for a case: write small letters, digits and dashes"));
        }
        if !std::path::Path::new(FOLDER).is_dir() {
            return Err(format!(
                "there is no folder {FOLDER} here: go to the root of Quark's tree, or keep the case with --out FILE"
            ));
        }
        let path = PathBuf::from(format!("{FOLDER}/{name}.json"));
        let kept = NamedCase {
            because: self.because.clone().unwrap_or_else(|| small.failure.to_string()),
            failed: small.failure.clone(),
            mended_by: None,
            mutant: self.mutant.clone(),
            case: small.case.clone(),
        };
        let file = std::fs::File::options().write(true).create_new(true).open(&path);
        file.and_then(|mut file| file.write_all(kept.to_json().as_bytes())).map_err(|error| {
            format!("cannot write {}: {error}; a case that is there is not written over", path.display())
        })?;
        Ok(path)
    }
}
