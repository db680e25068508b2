//! What can be explored.

use super::Canonical;
use std::fmt;

/// A closed world: everything that can happen to it is a step that it offers itself.
///
/// It must be a function of its steps: the same steps from the same start give the same state, so no clock, no entropy,
/// and no map whose order differs between processes.
pub trait World: Clone {
    /// One thing that can happen. Shown as one line of a counterexample.
    type Step: Clone + fmt::Display;

    /// Everything that can happen next, in an order that is a function of the state. Empty when the world has ended, or
    /// has used up what it was given.
    fn steps(&self) -> Vec<Self::Step>;

    /// Lets it happen. A panic is a violation, as what [`check`](World::check) says: cores assert what they rely on.
    fn take(&mut self, step: &Self::Step);

    /// What must hold in every state.
    ///
    /// Errors: a sentence that says what does not.
    fn check(&self) -> Result<(), String>;

    /// What tells states apart: equal for two states exactly if whatever can happen to one can happen to the other.
    fn canonical(&self) -> Canonical;

    /// What must come about when nothing goes wrong any more: heals everything, goes on for a bounded time, and looks.
    ///
    /// Errors: a sentence that says what did not come about.
    fn settle(self) -> Result<(), String> {
        Ok(())
    }
}
