//! The machine's clocks, as tokio reads them.

use quark_core::{Instant, WallTime};
use quark_env::{Clock, Sleep};
use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::runtime::Handle;

/// The monotonic clock (nanoseconds since this process first asked) and the wall clock of this machine.
///
/// All clocks of a process count from the same base, so that readings taken through two of them compare.
pub struct TokioClock {
    runtime: Handle,
}

impl TokioClock {
    /// A clock whose sleeps are driven by this runtime's timer.
    pub fn new(runtime: Handle) -> Self {
        base();
        Self { runtime }
    }
}

/// Where this process's monotonic time starts.
fn base() -> std::time::Instant {
    static BASE: OnceLock<std::time::Instant> = OnceLock::new();
    *BASE.get_or_init(std::time::Instant::now)
}

impl Clock for TokioClock {
    fn now(&self) -> Instant {
        // Tokio's reading and not the system's: a test may pause it.
        let since_base = tokio::time::Instant::now().into_std().saturating_duration_since(base());
        Instant::ZERO.after(since_base)
    }

    fn wall(&self) -> WallTime {
        WallTime(match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_nanos()).unwrap_or(i64::MAX),
            Err(before) => i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, |ns| -ns),
        })
    }

    fn sleep_until(&self, at: Instant) -> Sleep {
        if at == Instant::NEVER {
            return Box::pin(std::future::pending());
        }
        // A sleep registers with the runtime that is entered; the caller may be on a thread that has none.
        let _entered = self.runtime.enter();
        match base().checked_add(Duration::from_nanos(at.0)) {
            Some(deadline) => Box::pin(tokio::time::sleep_until(deadline.into())),
            None => Box::pin(std::future::pending()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_sleep_ends_at_its_instant_and_not_before() {
        let clock = TokioClock::new(Handle::current());
        let start = clock.now();
        let at = start + Duration::from_secs(3600);
        clock.sleep_until(at).await;
        let now = clock.now();
        assert!(now >= at, "slept until {at:?}, woke at {now:?}");
        assert!(now.since(at) < Duration::from_secs(1), "slept until {at:?}, woke at {now:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_sleep_until_the_past_ends_at_once() {
        let clock = TokioClock::new(Handle::current());
        let before = tokio::time::Instant::now();
        clock.sleep_until(Instant::ZERO).await;
        assert!(before.elapsed() < Duration::from_millis(5));
    }

    #[tokio::test(start_paused = true)]
    async fn never_is_later_than_any_other_sleep() {
        let clock = TokioClock::new(Handle::current());
        let century = clock.now() + Duration::from_secs(100 * 365 * 24 * 3600);
        let ended = tokio::time::timeout(Duration::from_secs(3600), async {
            tokio::select! {
                () = clock.sleep_until(Instant::NEVER) => "never",
                () = clock.sleep_until(century) => "century",
            }
        });
        assert!(ended.await.is_err(), "neither ends within an hour");
    }

    #[tokio::test(start_paused = true)]
    async fn two_clocks_of_a_process_compare() {
        let (one, other) = (TokioClock::new(Handle::current()), TokioClock::new(Handle::current()));
        let (first, second, third) = (one.now(), other.now(), one.now());
        assert!(first <= second && second <= third);
    }

    #[test]
    fn a_sleep_may_be_made_on_a_thread_outside_the_runtime() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        let clock = TokioClock::new(runtime.handle().clone());
        let sleep = clock.sleep_until(clock.now() + Duration::from_millis(1));
        runtime.block_on(sleep);
    }

    #[test]
    fn the_wall_clock_is_past_this_code() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let year_2025_ns = 1_735_689_600_000_000_000;
        assert!(TokioClock::new(runtime.handle().clone()).wall() > WallTime(year_2025_ns));
    }
}
