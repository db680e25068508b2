//! Who runs next, and for how many runs.

use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::{Config, FailurePersistence, Runner};

/// How interleavings are drawn.
#[derive(Clone, Copy, Debug)]
pub enum Order {
    /// Each step is a random thread's.
    Uniform,
    /// Random priorities, which change at so many steps, less one.
    Pct(usize),
}

impl Order {
    /// Tells so many runs of a test, beginning with this seed. Panics with the first that fails.
    pub fn explore(self, seed: u64, runs: usize, test: impl Fn() + Send + Sync + 'static) {
        let mut config = Config::new();
        // It says that relaxed atomics are not; loom has them.
        config.silence_warnings = true;
        config.failure_persistence = FailurePersistence::None;
        match self {
            Order::Uniform => Runner::new(RandomScheduler::new_from_seed(seed, runs), config).run(test),
            Order::Pct(depth) => {
                Runner::new(PctScheduler::new_from_seed(seed, depth, runs), config).run(test)
            }
        };
    }
}
