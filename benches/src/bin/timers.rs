//! What a volatile timer costs on a silo's wheel.
//!
//! Method: one thread, mimalloc, release. A million timers with a value of four bytes, at deadlines spread evenly over
//! nine seconds in an order without a pattern. Each figure is the best of `RUNS` runs, because a shared machine can only
//! slow a run down:
//!
//! - *set*: into a wheel that grows, and into one whose places have been given back by firing, in deadline order;
//! - *cancel*: in another order without a pattern, so each touches memory that no cache holds;
//! - *set and cancel*: of one timer beside the million, as a call does with its deadline;
//! - *fire*: from next deadline to next deadline until none is left, moves between levels included.
//!
//! Bytes a timer are computed: the size of a place in the slab, without the room that a growing vector leaves.
//!
//! `timers`

use quark_core::Instant;
use quark_core::hash::mix;
use quark_core::wheel::{TimerKey, Wheel};
use std::hint::black_box;
use std::num::NonZeroU32;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const RUNS: u64 = 5;
const TIMERS: u64 = 1_000_000;
const SPREAD_NS: u64 = 9_000_000_000;

fn main() {
    let mut best = [f64::MAX; 5];
    for seed in 0..RUNS {
        for (best, found) in best.iter_mut().zip(run(seed)) {
            *best = best.min(found);
        }
    }
    let names = ["set, growing", "set", "cancel", "set and cancel one", "fire"];
    for (name, ns) in names.iter().zip(best) {
        println!("{name:<20} {ns:>6.1} ns a timer");
    }
}

fn run(seed: u64) -> [f64; 5] {
    let deadline = |n: u64| Instant(mix(seed << 32 | n) % SPREAD_NS);
    let value = NonZeroU32::MIN;
    let mut wheel = Wheel::new(Instant::ZERO);
    let mut keys: Vec<TimerKey> = Vec::with_capacity(TIMERS as usize);
    let growing = ns_each(TIMERS, || keys.extend((0..TIMERS).map(|n| wheel.insert(deadline(n), value))));
    for at in (1..keys.len()).rev() {
        keys.swap(at, mix(!seed ^ at as u64) as usize % (at + 1));
    }
    let cancel = ns_each(TIMERS, || {
        for key in keys.drain(..) {
            black_box(wheel.cancel(key));
        }
    });
    let mut wheel = Wheel::new(Instant::ZERO);
    for n in 0..TIMERS {
        wheel.insert(deadline(n), value);
    }
    let fire = ns_each(TIMERS, || {
        while let Some(next) = wheel.next_deadline() {
            wheel.advance(next, &mut |key, at, value| {
                black_box((key, at, value));
            });
        }
    });
    // Later than all that has fired.
    let start = Instant(SPREAD_NS + 1_000_000);
    let set = ns_each(TIMERS, || {
        for n in 0..TIMERS {
            wheel.insert(Instant(start.0 + deadline(n).0), value);
        }
    });
    let pair = ns_each(TIMERS, || {
        for n in 0..TIMERS {
            let key = wheel.insert(Instant(start.0 + deadline(n).0), value);
            black_box(wheel.cancel(key));
        }
    });
    [growing, set, cancel, pair, fire]
}

fn ns_each(count: u64, work: impl FnOnce()) -> f64 {
    let start = std::time::Instant::now();
    work();
    start.elapsed().as_nanos() as f64 / count as f64
}
