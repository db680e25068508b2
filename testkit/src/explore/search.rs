//! The walk through all states, breadth first.

use super::World;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// How far to go.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bounds {
    /// The most steps from the start.
    pub steps: u32,
    /// The most states; the search ends, incomplete, when there are more.
    pub states_max: usize,
    /// One state of so many, chosen by its hash, has to settle; 0 for none. See [`World::settle`].
    pub settle_every: u64,
}

impl Bounds {
    /// All states within so many steps, each of which has to settle.
    pub fn of_steps(steps: u32) -> Self {
        Self { steps, states_max: usize::MAX, settle_every: 1 }
    }
}

/// How far a search has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress {
    /// Steps from the start.
    pub depth: u32,
    /// States found so far.
    pub states: usize,
    /// Steps taken so far.
    pub transitions: u64,
    /// States at this depth whose steps are still to be taken.
    pub left: usize,
}

/// A way to a state that must not be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure {
    /// The steps, one line each. No shorter path leads to a violation, but for one of settling, which is looked at in
    /// some states only.
    pub path: Vec<String>,
    /// What does not hold.
    pub message: String,
    /// Whether it is what should have come about in the end that did not.
    pub is_of_settling: bool,
}

/// What a search has found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Exploration {
    /// Different states, each of which stands for all of its namings.
    pub states: usize,
    /// Steps taken from them.
    pub transitions: u64,
    /// The depth of the deepest.
    pub depth: u32,
    /// Whether every state within the steps was visited.
    pub is_complete: bool,
    /// All states for which those stand, under all namings.
    pub namings: u64,
    /// How many namings the start has.
    pub namings_of_start: u32,
    /// How many had to settle, and did.
    pub settled: usize,
    /// How many there are at each depth.
    pub by_depth: Vec<usize>,
    /// What is wrong, if something is.
    pub failure: Option<Failure>,
}

impl Exploration {
    /// By how much equal namings have shortened the search, at least: without them, each state would have been visited
    /// under all its namings, but for those that only another naming of the start leads to.
    pub fn symmetry(&self) -> f64 {
        self.namings as f64 / self.states.max(1) as f64 / f64::from(self.namings_of_start.max(1))
    }
}

/// Visits every state that `start` may come to within the bounds, each once, nearest first; ends at the first violation.
///
/// The order is a function of the world alone: the same world gives the same numbers, in every process.
///
/// Panics: if `start` itself does not hold.
pub fn explore<W: World>(start: W, bounds: &Bounds, mut progress: impl FnMut(Progress)) -> Exploration {
    if let Err(message) = start.check() {
        panic!("the start is no good: {message}");
    }
    let mut search = Search { origin: start.clone(), seen: BTreeSet::new(), ways: Vec::new() };
    let mut found = Exploration { is_complete: true, ..Exploration::default() };
    found.namings_of_start = start.canonical().namings;
    let first = search.enter(&start, None, &mut found).expect("nothing was seen before");
    let mut level = vec![(first, start)];
    for depth in 0..=bounds.steps {
        found.by_depth.push(level.len());
        found.depth = depth;
        if let Err(failure) = search.settle_some(&level, bounds, &mut found) {
            found.failure = Some(failure);
            return found;
        }
        if depth == bounds.steps {
            break;
        }
        let mut next = Vec::new();
        let mut left = level.len();
        for (way, world) in level {
            for (at, step) in world.steps().iter().enumerate() {
                let mut then = world.clone();
                found.transitions += 1;
                if let Err(message) = attempt(|| {
                    then.take(step);
                    then.check()
                }) {
                    found.failure = Some(search.failure(way, Some(at), message, false));
                    return found;
                }
                if let Some(entered) = search.enter(&then, Some((way, at)), &mut found) {
                    next.push((entered, then));
                }
            }
            left -= 1;
            if found.states >= bounds.states_max {
                found.is_complete = false;
                return found;
            }
            if left.is_multiple_of(PROGRESS_EVERY) {
                let (states, transitions) = (found.states, found.transitions);
                progress(Progress { depth, states, transitions, left });
            }
        }
        if next.is_empty() {
            break;
        }
        level = next;
    }
    found
}

/// How many states lie between two reports of progress.
const PROGRESS_EVERY: usize = 1024;

/// Does something that may panic, which is as bad as an error.
fn attempt(action: impl FnOnce() -> Result<(), String>) -> Result<(), String> {
    catch_unwind(AssertUnwindSafe(action)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        Err(text.or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned())).unwrap_or_default())
    })
}

/// From which state, by which of its steps, a state was reached first.
type Way = Option<(u32, u32)>;

struct Search<W> {
    origin: W,
    seen: BTreeSet<u128>,
    ways: Vec<(Way, u128)>,
}

impl<W: World> Search<W> {
    /// Notes a state; its number if it is new.
    fn enter(&mut self, world: &W, way: Option<(u32, usize)>, found: &mut Exploration) -> Option<u32> {
        let canonical = world.canonical();
        if !self.seen.insert(canonical.hash) {
            return None;
        }
        let number = u32::try_from(self.ways.len()).expect("fewer states than fit the memory");
        let way = way.map(|(from, step)| (from, u32::try_from(step).expect("a state has few steps")));
        self.ways.push((way, canonical.hash));
        found.states += 1;
        found.namings += u64::from(canonical.namings);
        Some(number)
    }

    fn settle_some(
        &self,
        level: &[(u32, W)],
        bounds: &Bounds,
        found: &mut Exploration,
    ) -> Result<(), Failure> {
        if bounds.settle_every == 0 {
            return Ok(());
        }
        for (way, world) in level {
            if !((self.ways[*way as usize].1 >> 64) as u64).is_multiple_of(bounds.settle_every) {
                continue;
            }
            let world = world.clone();
            attempt(|| world.settle()).map_err(|message| self.failure(*way, None, message, true))?;
            found.settled += 1;
        }
        Ok(())
    }

    /// The steps to a state, and the one behind it, as they read when they are taken again.
    fn failure(&self, way: u32, last: Option<usize>, message: String, is_of_settling: bool) -> Failure {
        let mut choices: Vec<usize> = last.into_iter().collect();
        let mut at = way;
        while let Some((from, step)) = self.ways[at as usize].0 {
            choices.push(step as usize);
            at = from;
        }
        choices.reverse();
        let mut world = self.origin.clone();
        let mut path = Vec::new();
        for (number, choice) in choices.iter().enumerate() {
            let step = world.steps()[*choice].clone();
            path.push(step.to_string());
            if number + 1 < choices.len() {
                world.take(&step);
            }
        }
        Failure { path, message, is_of_settling }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explore::Canonical;

    /// A walk over a grid, which must not come to one of its points.
    #[derive(Clone, Hash)]
    struct Grid {
        at: (u32, u32),
        bad: Option<(u32, u32)>,
        stuck_at: Option<(u32, u32)>,
        panics: bool,
    }

    impl World for Grid {
        type Step = &'static str;

        fn steps(&self) -> Vec<&'static str> {
            vec!["right", "up", "nowhere"]
        }

        fn take(&mut self, step: &&'static str) {
            match *step {
                "right" => self.at.0 += 1,
                "up" => self.at.1 += 1,
                _ => {}
            }
            assert!(!self.panics || self.at != (2, 2), "an assertion of the core");
        }

        fn check(&self) -> Result<(), String> {
            if Some(self.at) == self.bad { Err(format!("{:?} is bad", self.at)) } else { Ok(()) }
        }

        fn canonical(&self) -> Canonical {
            // Mirrored points are one.
            let (a, b) = self.at;
            Canonical { namings: if a == b { 1 } else { 2 }, ..Canonical::of(&(a.min(b), a.max(b))) }
        }

        fn settle(self) -> Result<(), String> {
            if Some(self.at) == self.stuck_at { Err("it is stuck".into()) } else { Ok(()) }
        }
    }

    fn grid() -> Grid {
        Grid { at: (0, 0), bad: None, stuck_at: None, panics: false }
    }

    #[test]
    fn every_state_is_visited_once_and_stands_for_its_namings() {
        let found = explore(grid(), &Bounds::of_steps(6), |_| {});
        assert_eq!(found.by_depth, [1, 1, 2, 2, 3, 3, 4]);
        assert_eq!(found.states, 16);
        assert_eq!(found.namings, (1..=7).sum::<u64>(), "all points with a sum of at most 6");
        assert_eq!((found.namings_of_start, found.transitions), (1, 3 * 12));
        assert_eq!((found.settled, found.depth, found.is_complete), (16, 6, true));
        assert_eq!(found.failure, None);
    }

    #[test]
    fn the_shortest_path_to_a_violation_is_shown() {
        let found = explore(Grid { bad: Some((2, 1)), ..grid() }, &Bounds::of_steps(9), |_| {});
        let failure = found.failure.expect("there is a bad point");
        assert_eq!(failure.path.len(), 3);
        assert_eq!(failure.message, "(2, 1) is bad");
        assert!(!failure.is_of_settling);
    }

    #[test]
    fn a_panic_is_a_violation() {
        let found = explore(Grid { panics: true, ..grid() }, &Bounds::of_steps(9), |_| {});
        let failure = found.failure.expect("it panics");
        assert_eq!((failure.path.len(), failure.message.as_str()), (4, "an assertion of the core"));
    }

    #[test]
    fn a_state_that_does_not_settle_is_a_violation() {
        let found = explore(Grid { stuck_at: Some((1, 0)), ..grid() }, &Bounds::of_steps(9), |_| {});
        let failure = found.failure.expect("it is stuck");
        assert_eq!((failure.path, failure.is_of_settling), (vec!["right".to_owned()], true));
    }

    #[test]
    fn a_search_that_has_had_enough_says_so() {
        let bounds = Bounds { states_max: 5, ..Bounds::of_steps(100) };
        let found = explore(grid(), &bounds, |_| {});
        assert!(!found.is_complete && found.states >= 5);
    }
}
