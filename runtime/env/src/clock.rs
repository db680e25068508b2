//! Time, as the world tells it.

use futures_util::future::BoxFuture;
use quark_core::{Instant, WallTime};

/// A future that completes when a clock reaches an instant.
pub type Sleep = BoxFuture<'static, ()>;

/// This silo's clocks.
pub trait Clock: Send + Sync {
    /// The monotonic clock. Never goes back; compares only with itself.
    fn now(&self) -> Instant;
    /// The wall clock. May jump.
    fn wall(&self) -> WallTime;
    /// Completes once [`Clock::now`] has reached `at`; at once if it already has. Dropping it cancels it and leaves
    /// nothing behind.
    fn sleep_until(&self, at: Instant) -> Sleep;
}
