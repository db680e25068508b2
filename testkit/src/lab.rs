//! The laboratory, for actors of your own: a plain `#[test]` tells a story with many seeds, and a seed that fails comes back
//! as the smallest story that fails in the same way.
//!
//! [`hold`] is all that most tests need. It tells each seed twice, has every checker read the history, and demands the same
//! trace of both tellings. When a seed fails it is made small, within a budget that is counted in runs and not in seconds,
//! so that every machine finds the same; the small run is kept as a file, with a timeline beside it, and the panic says what
//! broke, what is left, and the lines that tell it again.
//!
//! | variable | what it does |
//! | --- | --- |
//! | `QUARK_LAB_CASE=FILE` | tells this run instead |
//! | `QUARK_LAB_SEEDS=A..B` | tells these seeds instead |
//! | `QUARK_LAB_SHARD=I/N` | tells one machine's share of the seeds |
//! | `QUARK_LAB_DIR=FOLDER` | keeps what fails there instead of in `quark-lab` of the target folder |
//!
//! ```
//! use quark_testkit::lab::{self, Config, Scenario, Story, SwarmConfig};
//! use std::time::Duration;
//!
//! #[derive(Default)]
//! struct Greeter;
//!
//! #[quark::actor(kind = "greeter")]
//! impl Greeter {
//!     fn greet(&self, name: String) -> String {
//!         format!("hello, {name}")
//!     }
//! }
//!
//! const SCENARIO: Scenario = Scenario {
//!     name: "greeter",
//!     premise: "Three silos in trouble; when it is over, somebody is greeted.",
//!     world: Config::new,
//!     describe: |silo| silo.actor::<Greeter>(),
//!     tell: |story| Box::pin(tell(story)),
//!     ..Scenario::BLANK
//! };
//!
//! async fn tell(s: Story) {
//!     let silos = ["a", "b", "c"];
//!     s.start_all(&silos).await;
//!     let client = s.stage.client("client").await;
//!     lab::chaos(&s, &silos, &SwarmConfig::new(&silos, Duration::from_secs(10))).await;
//!     let answer = client.actor::<Greeter>("ada").greet("world".into()).await;
//!     s.require("greeted", answer.as_deref() == Ok("hello, world"), || format!("nobody was greeted: {answer:?}"));
//! }
//!
//! // In a `#[test]`:
//! assert_eq!(lab::hold(&SCENARIO, 0..3).runs, 3);
//! ```

mod chaos;
mod finding;
mod seeds;
mod settings;
mod template;

pub use crate::story::{Scenario, Story, Violation};
pub use chaos::chaos;
pub use finding::Finding;
pub use futures_util::future::{join, join_all};
pub use quark_chaos::{Fault, FaultKind, FaultPlan, SwarmConfig};
pub use quark_core::reached;
pub use quark_sim::Config;
pub use seeds::{Shard, parse_seeds};
pub use settings::Settings;
pub use template::template;

use crate::case::Case;
use crate::minimise::{Failure, minimise};
use crate::runner::{self, Report};
use crate::telling::{Minimised as Left, Telling, page};
use quark_core::probe;
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Demands that the story holds with each of these seeds, or with what the environment says instead.
///
/// Panics: if one fails, with what is left of it and how to tell it again; if over 50 seeds or more a probe of the story's
/// `sometimes` was never reached, since then it has not run; if a variable cannot be read.
#[track_caller]
pub fn hold(scenario: &Scenario, seeds: Range<u64>) -> Held {
    let told =
        Settings::of_process().and_then(|settings| Lab::of(scenario).seeds(seeds).with(settings).run());
    // No closure: the panic is to name the line of the test.
    match told {
        Ok(held) => held,
        Err(error) => panic!("{error}"),
    }
}

/// A story, and which of its runs are to be told.
#[derive(Clone)]
pub struct Lab {
    scenario: Scenario,
    seeds: Range<u64>,
    shard: Shard,
    case: Option<PathBuf>,
    runs_max: u64,
    folder: Option<PathBuf>,
}

/// What the runs came to that were good.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Held {
    /// How many.
    pub runs: u64,
    /// How much time passed in their worlds.
    pub simulated: Duration,
    /// How many facts each checker examined: one that examined none has said nothing.
    pub examined: BTreeMap<String, u64>,
}

/// Why a story does not hold, or was not told.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// It does not hold.
    #[error("{0}")]
    Found(Box<Finding>),
    /// All runs were good, and never came to what the story is about. More seeds, or another workload.
    #[error(
        "{story} has not run: in {runs} good runs it never reached {}; let it, or take that out of its `sometimes`",
        .missing.join(", ")
    )]
    Vacuous {
        /// The story.
        story: &'static str,
        /// How many runs there were.
        runs: u64,
        /// The probes and checkers, as `sometimes` names them.
        missing: Vec<String>,
    },
    /// A variable of the environment says what cannot be done. Nothing was told.
    #[error("{variable}: {reason}")]
    Setting {
        /// Which one.
        variable: String,
        /// What is wrong, and what to write.
        reason: String,
    },
    /// A file gave no case. Nothing was told.
    #[error("`{path}`: {reason}")]
    File {
        /// Which file.
        path: String,
        /// What is wrong, and what to do.
        reason: String,
    },
}

/// Fewer seeds than this cannot be expected to reach every rare path.
const RUNS_FOR_PROBES: u64 = 50;
/// How many runs the search for the smallest one may take, if nothing else is said.
const RUNS_MAX: u64 = 300;

impl Lab {
    /// Fifty seeds of this story.
    pub fn of(scenario: &Scenario) -> Self {
        let shard = Shard::WHOLE;
        Self { scenario: *scenario, seeds: 0..50, shard, case: None, runs_max: RUNS_MAX, folder: None }
    }

    /// These seeds instead.
    #[must_use]
    pub fn seeds(self, seeds: Range<u64>) -> Self {
        Self { seeds, ..self }
    }

    /// How many runs the search for the smallest one may take; 300 if nothing is said.
    #[must_use]
    pub fn runs_max(self, runs_max: u64) -> Self {
        Self { runs_max, ..self }
    }

    /// Where what fails is kept.
    #[must_use]
    pub fn folder(self, folder: impl Into<PathBuf>) -> Self {
        Self { folder: Some(folder.into()), ..self }
    }

    /// What the settings say, where they say something.
    #[must_use]
    pub fn with(self, settings: Settings) -> Self {
        Self {
            case: settings.case.or(self.case),
            seeds: settings.seeds.unwrap_or(self.seeds),
            shard: settings.shard.unwrap_or(self.shard),
            folder: settings.folder.or(self.folder),
            ..self
        }
    }

    /// Tells the runs until one fails.
    ///
    /// Errors: [`LabError`] has a variant for each; a run that failed is there as small as it became.
    pub fn run(&self) -> Result<Held, LabError> {
        if let Some(path) = &self.case {
            return self.tell_file(path);
        }
        let before = probe::snapshot();
        let mut held = Held::default();
        for seed in self.seeds.clone().filter(|seed| self.shard.tells(seed - self.seeds.start)) {
            let report = runner::check(&self.scenario, seed);
            if !report.violations.is_empty() {
                return Err(LabError::Found(Box::new(self.small(seed, report))));
            }
            held.add(&report);
        }
        let missing = self.missing(&before, &held);
        if held.runs >= RUNS_FOR_PROBES && !missing.is_empty() {
            return Err(LabError::Vacuous { story: self.scenario.name, runs: held.runs, missing });
        }
        Ok(held)
    }

    /// Tells the run of a file.
    fn tell_file(&self, path: &Path) -> Result<Held, LabError> {
        let wrong = |reason: String| LabError::File { path: path.display().to_string(), reason };
        let text = std::fs::read_to_string(path).map_err(|error| {
            wrong(format!("{error}; tests run in the folder of their package, so give the whole path"))
        })?;
        let case = Case::from_json(&text).map_err(|error| wrong(error.to_string()))?;
        if case.story != self.scenario.name {
            let (has, is) = (&case.story, self.scenario.name);
            return Err(wrong(format!(
                "it is about `{has}`, this test is about `{is}`: name the other test"
            )));
        }
        let report = runner::tell_case(&self.scenario, &case);
        if report.violations.is_empty() {
            let mut held = Held::default();
            held.add(&report);
            return Ok(held);
        }
        let mut finding = self.finding(case, report);
        finding.case_file = Some(path.to_owned());
        self.draw(&mut finding);
        Err(LabError::Found(Box::new(finding)))
    }

    /// Makes a failing run small, and keeps it.
    fn small(&self, seed: u64, report: Report) -> Finding {
        let whole = Case::of(self.scenario.name, seed);
        let small = minimise(&self.scenario, &whole, |progress| progress.runs < self.runs_max).ok();
        let mut finding = match small {
            Some(small) => {
                let mut finding = self.finding(small.case.clone(), small.report.clone());
                // The run may fail in another way as well: what is shown is what was made small.
                let same = |violation: &&Violation| Failure::of(violation) == small.failure;
                if let Some(violation) = small.report.violations.iter().find(same) {
                    finding.violation = violation.clone();
                }
                finding.small = Some(Box::new(small));
                finding
            }
            None => self.finding(whole, report),
        };
        match self.keep(&format!("{}.json", finding.stem()), finding.case.to_json().as_bytes()) {
            Ok(path) => finding.case_file = Some(path),
            Err(reason) => finding.unwritten.push(reason),
        }
        self.draw(&mut finding);
        finding
    }

    fn finding(&self, case: Case, report: Report) -> Finding {
        let mut violations = report.violations.into_iter();
        Finding {
            story: self.scenario.name,
            violation: violations.next().expect("only a run that failed is a finding"),
            case,
            small: None,
            steps: report.steps,
            case_file: None,
            page_file: None,
            unwritten: Vec::new(),
            test: this_test(),
        }
    }

    /// Draws its timeline, and keeps that.
    fn draw(&self, finding: &mut Finding) {
        let drawn = Telling::record_case(&self.scenario, &finding.case).map_err(|error| error.to_string());
        let kept = drawn.and_then(|mut telling| {
            let replay = match &finding.case_file {
                Some(path) => format!("{}={} cargo test {}", settings::CASE, path.display(), finding.test),
                None => format!("{}={} cargo test {}", settings::SEEDS, finding.case.seed, finding.test),
            };
            telling.plan = Left::of(&finding.case, replay);
            self.keep(&format!("{}.html", finding.stem()), page::render(&telling).as_bytes())
        });
        match kept {
            Ok(path) => finding.page_file = Some(path),
            Err(reason) => finding.unwritten.push(reason),
        }
    }

    /// Writes a file into the folder. Where it is; or why it is not.
    fn keep(&self, name: &str, bytes: &[u8]) -> Result<PathBuf, String> {
        let folder = self.folder.clone().unwrap_or_else(usual_folder);
        let path = std::path::absolute(folder.join(name)).map_err(|error| format!("`{name}`: {error}"))?;
        std::fs::create_dir_all(&folder)
            .and_then(|()| std::fs::write(&path, bytes))
            .map_err(|error| format!("`{}`: {error}", path.display()))?;
        Ok(path)
    }

    /// What `sometimes` names and no run came to.
    fn missing(&self, before: &BTreeMap<&'static str, u64>, held: &Held) -> Vec<String> {
        let after = probe::snapshot();
        let was_reached = |name: &str| match name.strip_prefix("checked:") {
            Some(checker) => held.examined.get(checker).is_some_and(|facts| *facts > 0),
            None => after.get(name).unwrap_or(&0) > before.get(name).unwrap_or(&0),
        };
        let sometimes = self.scenario.sometimes.iter();
        sometimes.filter(|name| !was_reached(name)).map(|name| (*name).to_owned()).collect()
    }
}

impl Finding {
    /// How its files are called.
    fn stem(&self) -> String {
        let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
        format!("{}-{}", self.story.chars().map(plain).collect::<String>(), self.case.seed)
    }

    /// How it fails, without the particulars.
    pub fn failure(&self) -> Failure {
        Failure::of(&self.violation)
    }
}

impl Held {
    fn add(&mut self, report: &Report) {
        self.runs += 1;
        self.simulated += report.simulated;
        for (checker, facts) in &report.examined {
            *self.examined.entry(checker.clone()).or_default() += facts;
        }
    }
}

/// The test that runs: its thread has its name.
fn this_test() -> String {
    let thread = std::thread::current();
    thread.name().filter(|name| *name != "main").unwrap_or("").to_owned()
}

/// `quark-lab` in the folder in which cargo has built this program, known by the files that cargo puts there: the tag only if
/// it has made the folder itself.
fn usual_folder() -> PathBuf {
    let program = std::env::current_exe().unwrap_or_default();
    let is_cargos =
        |folder: &&Path| ["CACHEDIR.TAG", ".rustc_info.json"].iter().any(|file| folder.join(file).exists());
    let target = program.ancestors().find(is_cargos);
    target.unwrap_or(Path::new("target")).join("quark-lab")
}
