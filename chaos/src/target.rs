//! What faults are applied to.

use crate::fault::{Fault, FaultKind};

/// What became of a fault.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Applied {
    /// It is in force.
    Yes,
    /// It makes no difference right now: the node is down already, say.
    Moot,
    /// This target cannot do that.
    Unsupported,
}

/// A cluster that things can be done to.
///
/// Faults overlap: a heal ends the effect of its own fault and of no other, so targets count (two cuts of one path need
/// two heals) or recompute from the faults still in force.
pub trait Target {
    /// Makes a fault happen.
    fn apply(&mut self, fault: &Fault) -> Applied;

    /// A fault that was applied goes on: it does what it does again and again, for the `beat`th time, counted from 1; see
    /// [`Fault::beat`].
    fn beat(&mut self, _fault: &Fault, _beat: u64) {}

    /// Ends a fault that was applied (with [`Applied::Yes`]) and is not momentary.
    fn heal(&mut self, fault: &Fault);

    /// Ends everything: all nodes up and running, all paths clear, the store well, clocks at the right rate.
    fn heal_all(&mut self);

    /// How often this kind of fault has had an observable effect so far (frames lost, polls delayed, …), if the target
    /// can tell. A fault without effect has not been tested.
    fn effects(&self, kind: FaultKind) -> Option<u64>;
}
