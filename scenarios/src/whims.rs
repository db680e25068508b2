//! Whether the sites of `buggify!` fire at all: one that never does has tested nothing.
//!
//! A site is switched on in one swarming run of four, and fires then whenever it is drawn. Over a range of seeds that is
//! large enough, every one of them has to have fired somewhere.

use quark_core::buggify::{ENABLED, SITES};
use quark_testkit::story::Scenario;
use std::collections::BTreeMap;

/// The sites that never fired, with the story that should have made them. None if no story of these swarms, or if this build
/// has no sites.
pub fn silent(stories: &[Scenario], fired: &BTreeMap<&str, u64>) -> Vec<String> {
    let Some(story) = stories.iter().find(|story| story.swarms).filter(|_| ENABLED) else {
        return Vec::new();
    };
    let silent = SITES.iter().filter(|site| fired.get(site.name).unwrap_or(&0) == &0);
    silent.map(|site| format!("{}: buggify.{}", story.name, site.name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stories;

    #[test]
    fn a_site_that_never_fires_is_named_by_builds_that_have_it() {
        let all = stories::all();
        let expected = if ENABLED { SITES.len() } else { 0 };
        assert_eq!(silent(&all, &BTreeMap::new()).len(), expected);
        let mut fired: BTreeMap<&str, u64> = SITES.iter().map(|site| (site.name, 1)).collect();
        assert_eq!(silent(&all, &fired), [] as [String; 0]);
        fired.insert("tiny_mailbox", 0);
        let but_one = silent(&all, &fired);
        assert_eq!(but_one.len(), usize::from(ENABLED));
        assert!(but_one.iter().all(|said| said == "swarm: buggify.tiny_mailbox"), "{but_one:?}");
    }

    #[test]
    fn stories_in_which_no_site_is_switched_on_owe_nothing() {
        let calm: Vec<_> = stories::all().into_iter().filter(|story| !story.swarms).collect();
        assert_eq!(silent(&calm, &BTreeMap::new()), [] as [String; 0]);
    }
}
