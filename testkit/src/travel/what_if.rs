//! Other futures of the same moment.

use super::TimeTravel;
use quark_sim::Branch;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

impl TimeTravel {
    /// From now on, what chance decides is drawn from another seed: the same past, another future. What lies in the past
    /// stays as it was, and the seed that it was drawn from leaves the future alone.
    pub fn branch(&mut self, seed: u64) {
        self.world.branch(Branch { at_ns: self.world.now_true().0, seed });
    }

    /// "Whatever happens after this moment": `before` leads to the moment, and `after` is told for each of these seeds what
    /// comes then, and asserts what has to hold in all of them. Chance is in the latencies, in the order of what is
    /// simultaneous, and in whatever `after` draws from [`TimeTravel::draw_time`].
    ///
    /// The past is lived through anew for each seed, which is cheap as long as `before` is; it has to lead to the same
    /// moment each time.
    ///
    /// ```
    /// use quark::{ActorContext, Deserialize, Serialize};
    /// use quark_testkit::travel::TimeTravel;
    /// use std::time::Duration;
    ///
    /// #[derive(Default, Serialize, Deserialize)]
    /// struct Till { sum: u64 }
    ///
    /// #[quark::actor(kind = "till", durable)]
    /// impl Till {
    ///     fn take(&mut self, amount: u64) -> u64 { self.sum += amount; self.sum }
    /// }
    ///
    /// let taken = || {
    ///     let mut test = TimeTravel::new(|silo| silo.actor::<Till>());
    ///     let till = test.client().actor::<Till>("north");
    ///     assert_eq!(test.run(till.take(5)), Ok(5));
    ///     test
    /// };
    /// // Whenever the power fails afterwards, nothing is lost.
    /// TimeTravel::what_if(0..10, taken, |test| {
    ///     let soon = test.true_time() + test.draw_time(Duration::from_millis(20));
    ///     test.at(soon).crash();
    ///     test.advance(Duration::from_secs(60));
    ///     test.restart();
    ///     test.advance(Duration::from_secs(900));
    ///     let till = test.client().actor::<Till>("north");
    ///     assert_eq!(test.run(till.take(1)), Ok(6));
    /// });
    /// ```
    ///
    /// Panics: as `after` does, once the seed of that future has been printed; or if `before` does not lead to the same
    /// moment each time.
    pub fn what_if(
        seeds: Range<u64>,
        before: impl Fn() -> TimeTravel,
        mut after: impl FnMut(&mut TimeTravel),
    ) {
        assert!(!seeds.is_empty(), "no future is looked at: {seeds:?} is empty");
        let mut first = None;
        for seed in seeds {
            let mut test = before();
            let (here, moment) = (test.world.hash(), test.true_time());
            let first = *first.get_or_insert(here);
            assert!(
                first == here,
                "`before` leads to another past each time ({first:x?} and {here:x?}): it must depend on nothing but \
                 the test's own time and chance"
            );
            test.branch(seed);
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| after(&mut test))) {
                eprintln!(
                    "this is the future of seed {seed} from {moment} on: what_if({seed}..{}, ..)",
                    seed + 1
                );
                resume_unwind(panic);
            }
        }
    }

    /// A number below `below`, drawn from the seed that is in force: another one with every call.
    ///
    /// Panics: if `below` is zero.
    pub fn draw(&mut self, below: u64) -> u64 {
        self.draws += 1;
        self.world.draw(DRAWS, self.draws) % below
    }

    /// A duration below `below`, drawn like [`TimeTravel::draw`]: another one with every call.
    ///
    /// Panics: if `below` is zero.
    pub fn draw_time(&mut self, below: Duration) -> Duration {
        Duration::from_nanos(self.draw(u64::try_from(below.as_nanos()).unwrap_or(u64::MAX)))
    }
}

/// What the draws of a test are keyed by, besides their number.
const DRAWS: u64 = 0x7e57;
