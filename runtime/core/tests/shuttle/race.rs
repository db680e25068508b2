//! How many interleavings each order draws until a deliberate bug shows.

use crate::actor::Actor;
use crate::crowds::crowd;
use crate::order::Order;
use std::panic::catch_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

const SEARCHES: u64 = 21;
const RUNS_MAX: usize = 5_000;

/// How many runs it took, or the most that were tried.
fn runs_until_found(order: Order, seed: u64) -> usize {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    let found = catch_unwind(move || {
        order.explore(seed, RUNS_MAX, move || {
            counted.fetch_add(1, Ordering::Relaxed);
            let actor = Actor::new();
            let senders = crowd(&actor, 4, 4, true);
            senders.into_iter().for_each(|sender| sender.join().expect("it ends"));
            actor.check(16);
        });
    });
    if found.is_err() { count.load(Ordering::Relaxed) } else { RUNS_MAX }
}

fn median(order: Order) -> usize {
    let mut runs: Vec<_> = (0..SEARCHES).map(|seed| runs_until_found(order, seed)).collect();
    runs.sort_unstable();
    runs[runs.len() / 2]
}

#[test]
fn each_bug_of_the_turn_that_is_no_matter_of_memory_shows_in_a_crowd() {
    // Of 21 searches each the middle one; what panics is expected to.
    std::panic::set_hook(Box::new(|_| {}));
    println!("{:<6}{:>10}{:>10}", "bug", "uniform", "PCT 3");
    for bug in ["m83", "m84", "m85", "m86"] {
        quark_core::mutant::activate(bug);
        let (uniform, pct) = (median(Order::Uniform), median(Order::Pct(3)));
        quark_core::mutant::activate("");
        println!("{bug:<6}{uniform:>10}{pct:>10}");
        assert!(uniform.min(pct) < RUNS_MAX, "{bug} shows in no interleaving");
    }
}
