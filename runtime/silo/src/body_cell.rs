//! The one place where a turn's right becomes a reference to the actor.

use crate::activation::Holding;
use crate::registry::Body;
use std::cell::UnsafeCell;

/// The actor and what it holds, guarded by its activation's `Turn` instead of a lock, because the turn is held across
/// awaits and handed from stack to stack.
#[derive(Default)]
pub(crate) struct BodyCell {
    body: UnsafeCell<Option<Box<dyn Body>>>,
    holding: UnsafeCell<Holding>,
}

// SAFETY: the content is reached only through the methods below, whose callers hold the activation's turn: exclusive
// for `&mut`, shared for `&`. `Turn` (loom-checked in quark-core) never grants exclusive beside any other right, and
// its hand-over is an acquire/release pair, so what one turn wrote the next one sees. `Body` is `Send + Sync`.
unsafe impl Sync for BodyCell {}

impl BodyCell {
    /// The actor, to change.
    ///
    /// # Safety
    /// The caller holds the activation's turn exclusively, for as long as the reference lives.
    #[allow(
        clippy::mut_from_ref,
        reason = "the exclusivity comes from the turn, not from a borrow of the cell"
    )]
    pub unsafe fn exclusive(&self) -> (&mut Option<Box<dyn Body>>, &mut Holding) {
        // SAFETY: no other reference exists while the turn is held exclusively, as the caller promises.
        unsafe { (&mut *self.body.get(), &mut *self.holding.get()) }
    }

    /// The actor, to read.
    ///
    /// # Safety
    /// The caller holds the activation's turn, shared or exclusively, for as long as the reference lives.
    pub unsafe fn shared(&self) -> &Option<Box<dyn Body>> {
        // SAFETY: while any shared right is held nobody has an exclusive one, as the caller promises.
        unsafe { &*self.body.get() }
    }
}
