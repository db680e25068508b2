//! Measures what going back costs: `cargo run --release -p quark-scenarios --bin rewinding`. The figures and what they
//! mean are in docs/time-travel.md.

use quark_core::{Instant, hash};
use quark_scenarios::cli::select;
use quark_sim::Next;
use quark_sim::fork::{self, Side};
use quark_testkit::machine::{self, Spacing, TimeMachine};
use quark_testkit::runner;
use quark_testkit::story::Scenario;
use std::time::Duration;

/// Five silos each, and sixty.
const STORIES: [&str; 3] = ["zombie-silo", "clock-forward", "sixty-silos"];
const SEED: u64 = 3;
const FORKS: usize = 200;
const MOMENTS: u64 = 50;
const FUTURES: u64 = 10;

fn main() {
    std::panic::set_hook(Box::new(|_| {}));
    for name in STORIES {
        let story = select(&[name.to_owned()]).expect("the stories exist")[0];
        measure(&story);
    }
}

fn measure(story: &Scenario) {
    let (plain, report) = timed(|| runner::tell(story, SEED));
    let (recorded, recording) = timed(|| TimeMachine::record(story, SEED, Spacing::default()));
    let mut recording = recording.expect("one thread, and room for copies");
    let end = recording.end();
    println!("{}, seed {SEED}: {:.1} s simulated", story.name, report.simulated.as_secs_f64());
    println!(
        "    told in {plain:.1?}, recorded in {recorded:.1?}; {} copies kept",
        recording.processes().len()
    );

    let moments: Vec<Instant> = (0..MOMENTS).map(|n| Instant(hash::mix(n) % end.0)).collect();
    let from_copies = moments.iter().map(|at| timed(|| recording.goto(*at).expect("it is before the end")).0);
    println!("    going to {MOMENTS} moments, from copies:     {}", spread(from_copies.collect()));
    let from_start = moments.iter().map(|at| timed(|| machine::visit(story, SEED, *at).is_ok()).0);
    println!("    going to the same moments, from the start: {}", spread(from_start.collect()));
    drop(recording);

    let at = Instant(end.0 / 3 * 2);
    let (copied, _) = timed(|| machine::branch_many(story, SEED, at, 0..FUTURES, 1, |_, _| {}).is_ok());
    let (retold, ()) = timed(|| {
        for reseed in 0..FUTURES {
            runner::tell_branched(story, SEED, at, reseed);
        }
    });
    println!("    {FUTURES} futures of two thirds, one at a time: {copied:.1?} copied, {retold:.1?} retold");
    println!("    one fork in the middle:                     {}", spread(forks(story, Instant(end.0 / 2))));
}

/// How long the parent is held up by a fork, again and again at the same moment.
fn forks(story: &Scenario, at: Instant) -> Vec<Duration> {
    let mut taken = Vec::new();
    runner::tell_with_pauses(story, story.config(SEED), |told| {
        if told.world.now_true() < at {
            return Next::Until(at);
        }
        for _ in 0..FORKS {
            let (time, side) = timed(fork::fork);
            match side.expect("one thread, and room for copies") {
                Side::Child(_) => fork::leave(),
                Side::Parent(child) => drop(child.wait()),
            }
            taken.push(time);
        }
        Next::Abandon
    });
    taken
}

fn spread(mut times: Vec<Duration>) -> String {
    times.sort();
    let at = |share: usize| times[(times.len() - 1) * share / 100];
    format!("median {:.2?}, 90 % {:.2?}, most {:.2?}", at(50), at(90), at(100))
}

fn timed<T>(action: impl FnOnce() -> T) -> (Duration, T) {
    #[expect(clippy::disallowed_types, reason = "what is measured is real time")]
    let start = std::time::Instant::now();
    let result = action();
    (start.elapsed(), result)
}
