//! What once failed: told before anything else, so that what was found once is not lost again. Whole runs as seeds, in
//! `scenarios/seeds`; small ones as cases under names of their own, in `scenarios/cases`.

mod keep;
mod named;

pub use keep::Keep;
pub use named::{NamedCase, StaleCase, named, names, tell_all};

#[cfg(feature = "mutants")]
pub use named::tell_with_their_bugs;

use serde::Deserialize;

/// One seed of a story that failed before something was mended.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Regression {
    /// The seed.
    pub seed: u64,
    /// The promise or invariant that it broke.
    pub broke: String,
    /// What was wrong then.
    pub because: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(rename = "seed", default)]
    seeds: Vec<Regression>,
}

/// The files of `scenarios/seeds`, by the names of their stories.
const FILES: &[(&str, &str)] = &[
    ("clock-back", include_str!("../seeds/clock-back.toml")),
    ("crash-no-leave", include_str!("../seeds/crash-no-leave.toml")),
    ("drain-in-order", include_str!("../seeds/drain-in-order.toml")),
    ("first-call-race", include_str!("../seeds/first-call-race.toml")),
    ("lost-gossip", include_str!("../seeds/lost-gossip.toml")),
    ("pressure-cycle", include_str!("../seeds/pressure-cycle.toml")),
    ("redis-failover-loses-writes", include_str!("../seeds/redis-failover-loses-writes.toml")),
    ("redis-failover-rewinds-members", include_str!("../seeds/redis-failover-rewinds-members.toml")),
    ("short-swarm", include_str!("../seeds/short-swarm.toml")),
    ("sixty-silos", include_str!("../seeds/sixty-silos.toml")),
    ("stale-routes", include_str!("../seeds/stale-routes.toml")),
    ("swarm", include_str!("../seeds/swarm.toml")),
    ("twenty-silos", include_str!("../seeds/twenty-silos.toml")),
];

/// The seeds at which a story once failed.
///
/// Panics: if its file is malformed, which a test excludes.
///
/// ```
/// let known = quark_scenarios::corpus::of("twenty-silos");
/// assert!(known.iter().any(|regression| regression.seed == 72));
/// ```
pub fn of(story: &str) -> Vec<Regression> {
    let Some((name, text)) = FILES.iter().find(|(name, _)| *name == story) else { return Vec::new() };
    let file: File = toml::from_str(text).unwrap_or_else(|error| panic!("seeds/{name}.toml: {error}"));
    file.seeds
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_file_is_known_and_well_formed_and_names_a_story() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/seeds");
        let there: BTreeSet<String> = std::fs::read_dir(folder)
            .expect("the folder is there")
            .map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned())
            .collect();
        let known: BTreeSet<String> = FILES.iter().map(|(name, _)| format!("{name}.toml")).collect();
        assert_eq!(there, known);
        for (name, _) in FILES {
            assert!(crate::stories::all().iter().any(|story| story.name == *name), "{name} is no story");
            let regressions = of(name);
            let seeds: BTreeSet<u64> = regressions.iter().map(|r| r.seed).collect();
            assert_eq!(seeds.len(), regressions.len(), "{name} names a seed twice");
            assert!(regressions.iter().all(|r| !r.broke.is_empty() && !r.because.is_empty()), "{name}");
            assert!(!regressions.is_empty(), "{name} is empty");
        }
    }
}
