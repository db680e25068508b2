//! Makes a failing plan small: what is left is what matters.

use crate::ddmin::drop_pieces;
use crate::plan::FaultPlan;
use std::time::Duration;

/// A plan of which nothing more can be taken away.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Minimised {
    /// The plan. It fails, and fails no more without any one of its faults.
    pub plan: FaultPlan,
    /// How many runs that took.
    pub runs: u64,
}

/// Makes a failing plan small, by running smaller ones: first drops faults (delta debugging), then shortens those left.
///
/// `fails` runs a plan and says whether it fails *in the same way* (the same checker, the same promise); a plan that
/// fails otherwise is another bug. Choices keyed by what they are about make this work: taking a fault away leaves the
/// rest of history as it was. Deterministic if `fails` is. After `runs_max` runs the smallest so far is returned.
///
/// Returns `None` if the given plan does not fail.
pub fn minimise(
    plan: &FaultPlan,
    runs_max: u64,
    mut fails: impl FnMut(&FaultPlan) -> bool,
) -> Option<Minimised> {
    let mut runs = 0;
    let mut test = |plan: &FaultPlan| {
        runs += 1;
        (runs <= runs_max).then(|| fails(plan))
    };
    if test(plan) != Some(true) {
        return None;
    }
    let mut best = plan.clone();
    let mut events = best.events.clone();
    drop_pieces(&mut events, &mut |events| test(&FaultPlan { events: events.to_vec(), ..plan.clone() }));
    best.events = events;
    shorten(&mut best, &mut test);
    Some(Minimised { plan: best, runs: runs.min(runs_max) })
}

/// Halves how long each fault lasts, as long as the plan fails.
fn shorten(best: &mut FaultPlan, test: &mut impl FnMut(&FaultPlan) -> Option<bool>) {
    for at in 0..best.events.len() {
        while let Some(lasts) = best.events[at].lasts.filter(|lasts| *lasts > Duration::from_millis(1)) {
            let mut shorter = best.clone();
            // In whole microseconds, as plans are written.
            shorter.events[at].lasts = Some(Duration::from_micros(lasts.as_micros() as u64 / 2));
            match test(&shorter) {
                Some(true) => *best = shorter,
                Some(false) => break,
                None => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Fault;
    use proptest::prelude::*;

    fn plan(faults: u32) -> FaultPlan {
        (0..faults).fold(FaultPlan::new(), |plan, n| {
            let fault = Fault::Pause { node: format!("n{n}") };
            plan.with(Duration::from_secs(n.into()), Duration::from_secs(8), fault)
        })
    }

    fn has(plan: &FaultPlan, n: u32) -> bool {
        plan.events.iter().any(|event| event.fault.node() == Some(&format!("n{n}")))
    }

    proptest! {
        #[test]
        fn exactly_the_guilty_faults_are_left(
            faults in 1u32..40, guilty in prop::collection::btree_set(0u32..40, 1..5),
        ) {
            let guilty: Vec<u32> = guilty.into_iter().filter(|n| *n < faults).collect();
            prop_assume!(!guilty.is_empty());
            let whole = plan(faults);
            let small = minimise(&whole, 10_000, |plan| guilty.iter().all(|n| has(plan, *n))).expect("it fails");
            prop_assert_eq!(small.plan.events.len(), guilty.len());
            prop_assert!(guilty.iter().all(|n| has(&small.plan, *n)));
            prop_assert!(small.plan.events.iter().all(|event| event.lasts <= Some(Duration::from_millis(1))));
        }
    }

    #[test]
    fn a_fault_that_lasts_long_enough_stays_long_enough() {
        let needed = Duration::from_secs(3);
        let small = minimise(&plan(10), 1000, |plan| {
            plan.events.iter().any(|event| event.fault.node() == Some("n4") && event.lasts >= Some(needed))
        })
        .expect("it fails");
        assert_eq!(small.plan.events.len(), 1);
        assert_eq!(small.plan.events[0].lasts, Some(Duration::from_secs(4)));
    }

    #[test]
    fn a_plan_that_does_not_fail_is_left_alone_and_the_budget_is_kept() {
        assert_eq!(minimise(&plan(5), 100, |_| false), None);
        let mut runs = 0;
        let small = minimise(&plan(40), 7, |plan| {
            runs += 1;
            has(plan, 3) && has(plan, 30)
        })
        .expect("it fails");
        assert_eq!((runs, small.runs), (7, 7));
        assert!(has(&small.plan, 3) && has(&small.plan, 30));
    }
}
