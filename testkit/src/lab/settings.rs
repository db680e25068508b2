//! What the environment of a test says: variables, because `cargo test` hands a test no flags.

use super::{LabError, Shard, parse_seeds};
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;

/// Tell this file instead.
pub const CASE: &str = "QUARK_LAB_CASE";
/// Tell these seeds instead: `A..B`, or one.
pub const SEEDS: &str = "QUARK_LAB_SEEDS";
/// Tell this share of the seeds: `I/N`.
pub const SHARD: &str = "QUARK_LAB_SHARD";
/// Where what fails is kept.
pub const FOLDER: &str = "QUARK_LAB_DIR";

const PREFIX: &str = "QUARK_LAB_";

/// What was set. `None` is as the test itself has it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Settings {
    /// From [`CASE`].
    pub case: Option<PathBuf>,
    /// From [`SEEDS`].
    pub seeds: Option<Range<u64>>,
    /// From [`SHARD`].
    pub shard: Option<Shard>,
    /// From [`FOLDER`].
    pub folder: Option<PathBuf>,
}

impl Settings {
    /// What the variables of this process say.
    ///
    /// Errors: see [`Settings::read`].
    pub fn of_process() -> Result<Self, LabError> {
        let text = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
        Self::read(std::env::vars_os().map(|(name, value)| (text(name), text(value))))
    }

    /// What these variables say. One that is empty is as one that is not set, which is what templates of CI make of it.
    ///
    /// Errors: a value that cannot be read; a variable that begins like ours and is none of ours; a case and seeds at once.
    ///
    /// ```
    /// use quark_testkit::lab::Settings;
    ///
    /// let variables = [("QUARK_LAB_SEEDS", "0..9"), ("HOME", "/")].map(|(k, v)| (k.to_owned(), v.to_owned()));
    /// assert_eq!(Settings::read(variables).expect("well-formed").seeds, Some(0..9));
    /// ```
    pub fn read(variables: impl IntoIterator<Item = (String, String)>) -> Result<Self, LabError> {
        let ours: BTreeMap<String, String> = variables
            .into_iter()
            .filter(|(name, value)| name.starts_with(PREFIX) && !value.is_empty())
            .collect();
        let wrong = |name: &str, reason: String| LabError::Setting { variable: name.to_owned(), reason };
        let mut settings = Self::default();
        for (name, value) in ours {
            match name.as_str() {
                CASE => settings.case = Some(value.into()),
                SEEDS => settings.seeds = Some(parse_seeds(&value).map_err(|reason| wrong(SEEDS, reason))?),
                SHARD => settings.shard = Some(value.parse().map_err(|reason| wrong(SHARD, reason))?),
                FOLDER => settings.folder = Some(value.into()),
                _ => {
                    let known = [CASE, SEEDS, SHARD, FOLDER].join(", ");
                    return Err(wrong(&name, format!("there is no such variable; there are {known}")));
                }
            }
        }
        if settings.case.is_some() && (settings.seeds.is_some() || settings.shard.is_some()) {
            let reason = format!("a case says its seed itself: unset {SEEDS} and {SHARD}");
            return Err(wrong(CASE, reason));
        }
        Ok(settings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Settings, String> {
        let owned = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Settings::read(owned).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_empty_is_not_set() {
        assert_eq!(read(&[(CASE, ""), (SEEDS, ""), ("PATH", "x")]), Ok(Settings::default()));
    }

    #[test]
    fn all_four_are_read() {
        let settings = read(&[(SEEDS, "5"), (SHARD, "2/4"), (FOLDER, "x")]).expect("well-formed");
        assert_eq!((settings.seeds, settings.folder), (Some(5..6), Some("x".into())));
        assert_eq!(settings.shard.map(|shard| shard.to_string()), Some("2/4".into()));
        assert_eq!(read(&[(CASE, "a.json")]).expect("well-formed").case, Some("a.json".into()));
    }

    #[test]
    fn a_wrong_value_is_named_with_its_variable_and_the_remedy() {
        for (variables, words) in [
            (vec![(SEEDS, "all")], vec!["QUARK_LAB_SEEDS", "`all`", "0..1000"]),
            (vec![(SHARD, "5/4")], vec!["QUARK_LAB_SHARD", "`5/4`", "2/5"]),
            (vec![("QUARK_LAB_SEED", "5")], vec!["QUARK_LAB_SEED:", "QUARK_LAB_SEEDS"]),
            (vec![(CASE, "a.json"), (SEEDS, "5")], vec!["QUARK_LAB_CASE", "unset QUARK_LAB_SEEDS"]),
        ] {
            let error = read(&variables).expect_err("it is wrong");
            assert!(words.iter().all(|word| error.contains(word)), "{error}");
        }
    }
}
