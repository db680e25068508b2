//! Which runs: every story with every seed, and of those one machine's share.

use quark_testkit::lab::Shard;
use quark_testkit::story::Scenario;
use std::ops::Range;

/// The pairs of story and seed that this shard tells: first those of the corpus, then seed after seed, each with every story.
///
/// The shards of one count tell each pair exactly once between them. A shard has every story, with other seeds of each: told
/// by position alone, a count that divides the number of stories would leave each machine with the same few of them.
pub fn pairs(
    stories: &[Scenario],
    corpus: Vec<(Scenario, u64)>,
    seeds: Range<u64>,
    shard: Shard,
) -> impl Iterator<Item = (Scenario, u64)> {
    let of_corpus = (0..).zip(corpus).filter(move |(number, _)| shard.tells(*number)).map(|(_, pair)| pair);
    let first = seeds.start;
    let fresh = seeds.flat_map(move |seed| {
        let numbered = (seed - first..).zip(stories);
        numbered.filter(move |(number, _)| shard.tells(*number)).map(move |(_, story)| (*story, seed))
    });
    of_corpus.chain(fresh)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stories;
    use std::collections::{BTreeMap, BTreeSet};

    fn told(seeds: Range<u64>, shard: &str) -> Vec<(&'static str, u64)> {
        let all = stories::all();
        let corpus = all.iter().take(5).map(|story| (*story, 1_000_000)).collect();
        let shard = shard.parse().expect("a shard");
        pairs(&all, corpus, seeds, shard).map(|(story, seed)| (story.name, seed)).collect()
    }

    #[test]
    fn all_shards_together_tell_every_pair_exactly_once() {
        for (seeds, count) in [(0..50, 1), (0..50, 2), (3..40, 4), (7..8, 5), (0..29, 7), (0..3, 100)] {
            let mut times: BTreeMap<(&str, u64), u32> = BTreeMap::new();
            for index in 1..=count {
                for pair in told(seeds.clone(), &format!("{index}/{count}")) {
                    *times.entry(pair).or_default() += 1;
                }
            }
            assert!(times.values().all(|times| *times == 1), "{count} shards: {times:?}");
            let expected: BTreeSet<_> = told(seeds, "1/1").into_iter().collect();
            assert_eq!(times.into_keys().collect::<BTreeSet<_>>(), expected, "{count} shards");
        }
    }

    #[test]
    fn every_shard_has_its_share_of_every_story() {
        for count in [2, 4, 7, 8] {
            for index in 1..=count {
                let mut seeds: BTreeMap<&str, u64> = BTreeMap::new();
                let shard = format!("{index}/{count}");
                told(0..56, &shard)
                    .into_iter()
                    .filter(|(_, seed)| *seed < 56)
                    .for_each(|(story, _)| *seeds.entry(story).or_default() += 1);
                let least = shard.parse::<Shard>().expect("a shard").least_of(56);
                assert_eq!(seeds.len(), stories::all().len());
                assert!(seeds.values().all(|seeds| *seeds >= least), "{shard}: {seeds:?}");
            }
        }
    }

    #[test]
    fn a_shard_is_the_same_every_time() {
        assert_eq!(told(0..50, "2/3"), told(0..50, "2/3"));
        assert_ne!(told(0..50, "2/3"), told(0..50, "3/3"));
    }
}
