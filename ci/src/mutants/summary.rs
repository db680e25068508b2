//! What the planted bugs came to, all together: how soon they are found, and how small the runs are that show them.

use crate::harness::Shrunk;
use crate::report::Finding;

/// How many seeds it takes to find the planted bugs, as it was when this was last looked at. Twice as many is a finding:
/// the stories have grown blind to something. After a change that is meant, put down what `cargo ci mutants` prints.
const RECORDED: Seeds = Seeds { median: 1, mean: 3.0 };

struct Seeds {
    median: u64,
    mean: f64,
}

/// What the gate saw of a bug that a story caught: after how many seeds, and the small run, if one was made.
pub type Caught = (u64, Option<Shrunk>);

/// One small run, for a line of the table.
pub fn small(small: &Shrunk) -> String {
    let faults = format!("{}>{}", small.faults_before, small.faults);
    let operations = format!("{}>{}", small.operations_before, small.operations);
    let mark = if small.is_minimal { "" } else { "+" };
    format!("{faults:<8} {operations:<9} {:>3.0} s{mark}", small.seconds)
}

/// Prints the medians.
pub fn print(caught: &[Caught]) {
    if caught.is_empty() {
        return;
    }
    let seeds = of(caught);
    eprintln!("  seeds until a story caught a bug: median {}, mean {:.1}", seeds.median, seeds.mean);
    let small: Vec<&Shrunk> = caught.iter().filter_map(|(_, small)| small.as_ref()).collect();
    if small.is_empty() {
        return;
    }
    let middle = |mut of: Vec<f64>| {
        of.sort_by(f64::total_cmp);
        of[of.len() / 2]
    };
    let faults_before = middle(small.iter().map(|s| s.faults_before as f64).collect());
    let faults = middle(small.iter().map(|s| s.faults as f64).collect());
    let seconds = middle(small.iter().map(|s| s.seconds).collect());
    let slowest = small.iter().map(|s| s.seconds).fold(0.0, f64::max);
    let minimal = small.iter().filter(|s| s.is_minimal).count();
    eprintln!(
        "  faults: median {faults_before} before, {faults} left; {minimal} of {} are 1-minimal",
        small.len()
    );
    eprintln!("  seconds: median {seconds:.1}, slowest {slowest:.1}");
}

/// What to say if finding them takes twice as many seeds as it did.
pub fn slower(caught: &[Caught]) -> Option<Finding> {
    let seeds = of(caught);
    let is_slower = seeds.median > 2 * RECORDED.median || seeds.mean > 2.0 * RECORDED.mean;
    is_slower.then(|| {
        let Seeds { median, mean } = RECORDED;
        Finding::new(
            "seeds",
            format!(
                "median {} and mean {:.1} seeds until a bug is caught; recorded are {median} and {mean:.1}",
                seeds.median, seeds.mean
            ),
            "find out which story has grown blind; never raise what is recorded to get green",
        )
    })
}

fn of(caught: &[Caught]) -> Seeds {
    let mut seeds: Vec<u64> = caught.iter().map(|(seeds, _)| *seeds).collect();
    seeds.sort_unstable();
    let sum: u64 = seeds.iter().sum();
    Seeds {
        median: seeds.get(seeds.len() / 2).copied().unwrap_or(0),
        mean: sum as f64 / seeds.len().max(1) as f64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twice_as_many_seeds_are_a_finding_and_as_many_are_none() {
        let all = |seeds: u64| vec![(seeds, None); 9];
        assert!(slower(&all(RECORDED.median)).is_none());
        assert!(slower(&all(2 * RECORDED.median + 1)).is_some());
        // One that takes for ever moves the mean.
        let mut one = all(1);
        one[3].0 = 100;
        assert!(slower(&one).is_some_and(|finding| finding.message.contains("mean")));
    }

    #[test]
    fn a_small_run_fits_the_table() {
        let shrunk = Shrunk {
            faults_before: 115,
            faults: 12,
            operations_before: 9567,
            operations: 959,
            runs: 900,
            seconds: 59.9,
            cpu_seconds: 31.4,
            is_minimal: false,
        };
        assert!(small(&shrunk).len() <= 30);
    }
}
