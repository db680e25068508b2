//! Volatile timers, as an actor sets them: in its turn, for as long as this activation lives.
//!
//! What a timer calls is an ordinary method, in an ordinary turn: a tick is a message of nobody's, delivered to just
//! that activation. It is never routed, so that it cannot bring an actor back that has ended. All timers of a silo
//! stand on one wheel (`clockwork.rs`) with one task that waits for the first of them.
//!
//! The truth about a timer is its entry in the activation's table (`table.rs`). A tick is taken when its turn starts: if
//! its timer's entry is gone by then, because it was cancelled or set anew, the tick is dropped. While a tick waits or
//! runs its timer is not on the wheel; it goes back when the turn has ended. Hence a timer never overlaps with itself.
//!
//! Locks: an activation's table, then the wheel. Neither is held while a tick is delivered, and nothing else is locked
//! under them.

mod clockwork;
mod handle;
mod table;

pub use handle::{TimerError, TimerStatus, Timers};

pub(crate) use clockwork::Clockwork;
pub(crate) use table::{Timer, TimerTable};
