//! The laws of travelling in time, as a test relies on them.

use quark::{ActorContext, CallError, Deserialize, Serialize};
use quark_testkit::travel::{Moment, TimeTravel};
use std::time::Duration;

#[derive(Default, Serialize, Deserialize)]
struct Sloth {
    naps: u32,
}

#[quark::actor(kind = "sloth", durable)]
impl Sloth {
    async fn nap(&mut self, ctx: &ActorContext, seconds: u64) -> u32 {
        ctx.sleep(Duration::from_secs(seconds)).await;
        self.naps += 1;
        self.naps
    }

    fn naps(&self) -> u32 {
        self.naps
    }
}

const SECOND: Duration = Duration::from_secs(1);

fn one() -> TimeTravel {
    TimeTravel::new(|silo| silo.actor::<Sloth>())
}

fn naps(test: &mut TimeTravel) -> Result<u32, CallError> {
    let sloth = test.client().actor::<Sloth>("sid");
    test.run(sloth.naps())
}

#[test]
fn what_is_planned_happens_in_the_middle_of_a_call() {
    let mut test = TimeTravel::with_silos(2, |silo| silo.actor::<Sloth>());
    let begun = test.true_time();
    let sloth = test.client().actor::<Sloth>("sid");
    // On whichever silo it lives, it is frozen during its nap.
    test.at(begun + SECOND).silo(0).pause();
    test.at(begun + SECOND).silo(1).pause();
    test.at(begun + 20 * SECOND).silo(0).resume();
    test.at(begun + 20 * SECOND).silo(1).resume();
    assert_eq!(test.run(sloth.nap(10)), Ok(1));
    assert!(test.true_time() >= begun + 20 * SECOND, "it woke late: {}", test.true_time());
}

#[test]
fn a_power_cut_that_is_planned_takes_what_is_not_committed() {
    let mut test = TimeTravel::with_silos(2, |silo| silo.actor::<Sloth>());
    assert_eq!(test.run(test.client().actor::<Sloth>("sid").nap(1)), Ok(1));
    let cut = test.true_time() + SECOND;
    test.at(cut).silo(1).crash();
    test.at(cut).crash();
    test.at(cut + SECOND).restart();
    test.advance(1200 * SECOND);
    assert_eq!(naps(&mut test), Ok(1));
}

#[test]
#[should_panic(expected = "2025-12-31T00:00:00Z is past, it is 2026-01-01")]
fn nothing_can_be_planned_for_the_past() {
    one().at(Moment::of("2025-12-31T00:00:00Z")).crash();
}

#[test]
#[should_panic(expected = "there is no silo 3: they are 0 to 1")]
fn an_unknown_silo_is_named() {
    TimeTravel::with_silos(2, |silo| silo).silo(3).crash();
}

#[test]
fn a_clock_that_is_set_leaves_the_others_and_the_truth_alone() {
    let mut test = TimeTravel::with_silos(3, |silo| silo);
    let (truth, before) = (test.true_time(), test.now_of(2));
    test.silo(1).set_wall_clock(Moment::of("1970-01-01T00:00:00Z"));
    assert_eq!(Moment::from(test.now_of(1)), Moment::of("1970-01-01T00:00:00Z"));
    assert_eq!((test.true_time(), test.now_of(2)), (truth, before));
    test.silo(2).set_clock_rate(100_000);
    test.advance(10 * SECOND);
    assert_eq!(Moment::from(test.now_of(2)), Moment::from(before) + 11 * SECOND, "a tenth too fast");
}

#[test]
fn it_begins_when_it_is_told_to() {
    let begins = Moment::of("2100-02-28T23:59:59Z");
    let mut test = TimeTravel::setup().begins(begins).silos(2).start(|silo| silo);
    assert!(test.true_time() >= begins && test.true_time() < begins + 60 * SECOND);
    assert_eq!(Moment::from(test.now()), test.true_time());
    assert_eq!(Moment::from(test.now_of(1)), test.true_time());
    test.silo(1).crash();
    test.silo(1).restart();
    assert_eq!(Moment::from(test.now_of(1)), test.true_time(), "also after a restart");
}

#[test]
fn the_same_seed_gives_the_same_future_and_others_give_others() {
    let mut futures = Vec::new();
    for seed in [1, 2, 1] {
        TimeTravel::what_if(seed..seed + 1, one, |test| {
            let drawn = test.draw(1 << 40);
            let sloth = test.client().actor::<Sloth>("sid");
            test.run(sloth.nap(1)).expect("it naps");
            futures.push((drawn, test.true_time()));
        });
    }
    assert_eq!(futures[0], futures[2]);
    assert_ne!(futures[0].0, futures[1].0);
    assert_ne!(futures[0].1, futures[1].1, "latencies, too, are another future's");
}

#[test]
fn a_branch_with_the_seed_of_the_past_changes_nothing() {
    let until_the_end = |branch: Option<u64>| {
        let mut test = TimeTravel::seeded(9, |silo| silo.actor::<Sloth>());
        test.advance(60 * SECOND);
        branch.into_iter().for_each(|seed| test.branch(seed));
        let sloth = test.client().actor::<Sloth>("sid");
        test.run(sloth.nap(1)).expect("it naps");
        test.true_time()
    };
    assert_eq!(until_the_end(None), until_the_end(Some(9)));
    assert_ne!(until_the_end(None), until_the_end(Some(10)));
}

#[test]
#[should_panic(expected = "leads to another past each time")]
fn a_past_that_is_not_the_same_each_time_is_refused() {
    let times = std::cell::Cell::new(0);
    let before = || {
        times.set(times.get() + 1);
        TimeTravel::seeded(times.get(), |silo| silo.actor::<Sloth>())
    };
    TimeTravel::what_if(0..2, before, |_| {});
}
