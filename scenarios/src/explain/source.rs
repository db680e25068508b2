//! Where a telling comes from: a file, or a story and a seed.

use crate::cli::{quiet_panics, select};
use crate::shrink::{read_case, story_of};

use quark_testkit::case::Case;
use quark_testkit::story::Scenario;
use quark_testkit::telling::{Minimised, Telling};
use std::path::{Path, PathBuf};

/// Where a telling comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Source {
    /// A recorded one.
    File(PathBuf),
    /// It is told here and now.
    Seed {
        /// The story.
        story: String,
        /// The seed.
        seed: u64,
    },
    /// A run that was made smaller is told here and now, from its file.
    Case(PathBuf),
}

/// A telling, and the story that it is one of, if this program knows it.
pub struct Told {
    /// The telling.
    pub telling: Telling,
    /// Its story.
    pub scenario: Option<Scenario>,
    /// What is left of its run, if it is not a whole one.
    pub case: Option<Case>,
}

impl Source {
    /// What `FILE|STORY --seed N|--case FILE` means: with a seed it is a story, without one a file.
    ///
    /// Errors: a sentence that says what is missing.
    pub fn of(what: Option<&str>, seed: Option<u64>, case: Option<&Path>) -> Result<Self, String> {
        let what = match (what, case) {
            (_, Some(case)) => return Ok(Self::Case(case.into())),
            (Some(what), None) => what,
            (None, None) => return Err("name a file, a story with its --seed, or a --case".into()),
        };
        let is_story = select(&[what.to_owned()]).is_ok();
        match seed {
            Some(seed) => Ok(Self::Seed { story: what.into(), seed }),
            None if is_story => Err(format!("which seed of {what}? Say it with --seed N, or name a file")),
            None => Ok(Self::File(what.into())),
        }
    }

    /// What `FILE` or `STORY:SEED` means. A file may be a recorded telling or a case.
    ///
    /// Errors: it is neither.
    ///
    /// ```
    /// use quark_scenarios::explain::Source;
    ///
    /// assert_eq!(Source::parse("run.json"), Ok(Source::File("run.json".into())));
    /// assert_eq!(Source::parse("zombie-silo:3"), Ok(Source::Seed { story: "zombie-silo".into(), seed: 3 }));
    /// assert!(Source::parse("zombie-silo").is_err());
    /// ```
    pub fn parse(text: &str) -> Result<Self, String> {
        if Path::new(text).exists() {
            let is_case = read_case(Path::new(text)).is_ok();
            return Ok(if is_case { Self::Case(text.into()) } else { Self::File(text.into()) });
        }
        match text.rsplit_once(':') {
            Some((story, seed)) if select(&[story.to_owned()]).is_ok() => {
                let seed =
                    seed.parse().map_err(|_| format!("`{seed}` in `{text}` is no seed: write STORY:47"))?;
                Ok(Self::Seed { story: story.into(), seed })
            }
            _ if select(&[text.to_owned()]).is_ok() => {
                Err(format!("which seed? Write {text}:47, or name a file"))
            }
            _ => Ok(Self::File(text.into())),
        }
    }

    /// Reads it, or tells it: twice, the second time with everything being watched.
    ///
    /// Errors: there is no such file or story, or the story is not deterministic.
    pub fn tell(&self) -> Result<Told, String> {
        match self {
            Self::File(path) => {
                let telling = Telling::read(path).map_err(|error| error.to_string())?;
                let scenario = select(std::slice::from_ref(&telling.story)).ok().map(|found| found[0]);
                Ok(Told { telling, scenario, case: None })
            }
            Self::Seed { story, seed } => {
                let scenario = select(std::slice::from_ref(story))?[0];
                quiet_panics();
                let telling = Telling::record(&scenario, *seed).map_err(|error| error.to_string())?;
                Ok(Told { telling, scenario: Some(scenario), case: None })
            }
            Self::Case(path) => {
                let case = read_case(path)?;
                let scenario = story_of(&case)?;
                quiet_panics();
                let told = Telling::record_case(&scenario, &case);
                let mut telling = told.map_err(|error| error.to_string())?;
                telling.plan = Minimised::of(&case, format!("quark sim replay --case {}", path.display()));
                Ok(Told { telling, scenario: Some(scenario), case: Some(case) })
            }
        }
    }
}
