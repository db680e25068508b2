//! Exhaustive exploration of small worlds: every order in which few things can happen.
//!
//! A seed tells one story; the simulator tells thousands. What it cannot say is that there is *no* bad story. For a world
//! that is small enough this can: [`explore`] walks breadth-first through every state that a [`World`] may come to within
//! a number of steps, each state once, and the first bad one it meets has the shortest path there is. The cores of the
//! runtime are made for it: they are plain values that can be cloned and hashed, and whatever happens to them is an input.
//!
//! Two worlds are here, [`membership`] and [`directory`]; `docs/exploration.md` says what they cover, and what is beyond
//! them. A core of yours needs a `World` of its own:
//!
//! ```
//! use quark_testkit::explore::{Bounds, Canonical, World, explore};
//!
//! /// Two threads add one to a counter, by reading and then writing.
//! #[derive(Clone, Hash, Default)]
//! struct Counter { value: u8, read: [Option<u8>; 2], done: [bool; 2] }
//!
//! impl World for Counter {
//!     type Step = String;
//!     fn steps(&self) -> Vec<String> {
//!         let of = |t: usize| match self.read[t] { None => format!("{t} reads"), Some(_) => format!("{t} writes") };
//!         (0..2).filter(|t| !self.done[*t]).map(of).collect()
//!     }
//!     fn take(&mut self, step: &String) {
//!         let t = usize::from(step.starts_with('1'));
//!         match self.read[t] {
//!             None => self.read[t] = Some(self.value),
//!             Some(value) => (self.value, self.done[t]) = (value + 1, true),
//!         }
//!     }
//!     fn check(&self) -> Result<(), String> {
//!         if self.done == [true; 2] && self.value != 2 { return Err("an addition is lost".into()) }
//!         Ok(())
//!     }
//!     fn canonical(&self) -> Canonical { Canonical::of(self) }
//! }
//!
//! let found = explore(Counter::default(), &Bounds::of_steps(4), |_| {});
//! let failure = found.failure.expect("the two read the same");
//! assert_eq!(failure.path, ["0 reads", "1 reads", "0 writes", "1 writes"]);
//! ```

pub mod directory;
mod fingerprint;
pub mod membership;
mod renaming;
mod search;
mod world;

pub use fingerprint::{Canonical, Fingerprint, fingerprint};
pub use renaming::{Renaming, renamed};
pub use search::{Bounds, Exploration, Failure, Progress, explore};
pub use world::World;
