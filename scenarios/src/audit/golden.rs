//! Hashes of tellings that are kept in a file, so that another machine and another build have something to agree with.

use super::told::Told;
use quark_sim::ENGINE_VERSION;
use serde::Deserialize;
use std::fmt::Write;
use std::ops::Range;
use std::path::Path;

/// What a file says.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Golden {
    /// Of which simulator they are.
    pub engine: u32,
    /// The tellings.
    #[serde(rename = "run", default)]
    pub runs: Vec<Run>,
}

/// One telling.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Run {
    pub story: String,
    pub seed: u64,
    /// Sixteen hexadecimal digits.
    pub hash: String,
    pub events: u64,
    /// How many events lie between two marks.
    pub stride: u64,
    /// The first eight digits of the rolling hash after each stride.
    pub marks: String,
}

/// The most marks of a telling: enough to narrow a difference down, few enough to read.
const MARKS_MAX: u64 = 12;

impl Golden {
    /// Reads a file.
    ///
    /// Errors: it cannot be read, or is of another simulator.
    pub fn read(path: &Path) -> Result<Self, String> {
        let shown = path.display();
        let text = std::fs::read_to_string(path).map_err(|error| format!("{shown}: {error}"))?;
        let golden: Self = toml::from_str(&text).map_err(|error| format!("{shown}: {error}"))?;
        if golden.engine != ENGINE_VERSION {
            return Err(format!(
                "{shown} is of simulator {}, this is {ENGINE_VERSION}: write it anew, with --write {shown}",
                golden.engine
            ));
        }
        Ok(golden)
    }

    /// Writes a file.
    ///
    /// Errors: it cannot be written.
    pub fn write(path: &Path, runs: &[Run]) -> Result<(), String> {
        let mut text = format!("{HEAD}\nengine = {ENGINE_VERSION}\n");
        for Run { story, seed, hash, events, stride, marks } in runs {
            write!(
                text,
                "\n[[run]]\nstory = \"{story}\"\nseed = {seed}\nhash = \"{hash}\"\nevents = {events}\n\
                 stride = {stride}\nmarks = \"{marks}\"\n"
            )
            .expect("a text takes any length");
        }
        std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
    }
}

const HEAD: &str = "\
# What these seeds give, on every machine and in every build: `quark sim audit --against` this file.
# Written by `quark sim audit STORY.. --seeds A..B --write` this file. A hash changes with the simulator (then
# ENGINE_VERSION is raised, in sim/src/version.rs), with the silo, and with the story; with nothing else.";

impl Run {
    pub fn of(story: &str, seed: u64, told: &Told) -> Self {
        let every = told.checkpoints.first().map_or(1, |first| first.0);
        let stride = every * (told.events / every / MARKS_MAX + 1);
        let marks: Vec<String> = marks(told, stride).collect();
        Self {
            story: story.into(),
            seed,
            hash: format!("{:016x}", told.hash),
            events: told.events,
            stride,
            marks: marks.join(" "),
        }
    }

    /// Between which events a telling parts from this one; `None` if it does not.
    pub fn parts_from(&self, told: &Told) -> Option<Range<u64>> {
        if self.hash == format!("{:016x}", told.hash) && self.events == told.events {
            return None;
        }
        let found = marks(told, self.stride);
        let agreed =
            self.marks.split(' ').zip(found).take_while(|(known, found)| known == found).count() as u64;
        let start = agreed * self.stride;
        Some(start..(start + self.stride).min(self.events.max(told.events)))
    }
}

fn marks(told: &Told, stride: u64) -> impl Iterator<Item = String> {
    let at = told.checkpoints.iter().filter(move |(events, ..)| events.is_multiple_of(stride));
    at.map(|(.., hash)| format!("{:08x}", hash >> 32))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(odd: u64) -> Told {
        let hash = |n: u64| (n << 40) + if n * 1024 > odd { 1 << 33 } else { 0 };
        let checkpoints = (1..=100).map(|n| (n * 1024, n, hash(n))).collect();
        let (engine, window, violation) = (ENGINE_VERSION, Vec::new(), None);
        Told { engine, hash: hash(101), events: 102_500, checkpoints, window, violation }
    }

    #[test]
    fn a_difference_is_narrowed_down_to_a_stride() {
        let run = Run::of("a", 7, &told(u64::MAX));
        assert_eq!(run.parts_from(&told(u64::MAX)), None);
        let within = run.parts_from(&told(50_000)).expect("it differs");
        assert!(within.contains(&50_000), "{within:?}");
        assert!(within.end - within.start <= run.stride, "{within:?}");
        assert!(run.marks.split(' ').count() <= MARKS_MAX as usize);
    }

    #[test]
    fn what_is_written_is_read_again() {
        let runs = [Run::of("a", 7, &told(3)), Run::of("b", 8, &told(9000))];
        let file = std::env::temp_dir().join(format!("quark-golden-{:x}.toml", runs.as_ptr().addr()));
        Golden::write(&file, &runs).expect("the folder is there");
        let read = Golden::read(&file);
        std::fs::remove_file(&file).expect("it was written");
        assert_eq!(read, Ok(Golden { engine: ENGINE_VERSION, runs: runs.to_vec() }));
    }

    #[test]
    fn the_file_of_the_repository_is_of_this_simulator() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/traces.toml");
        let golden = Golden::read(&file).expect("it is there");
        assert!(golden.runs.len() >= 24, "{} runs are not a few dozen", golden.runs.len());
    }
}
