//! A node's two clocks as functions of true time.

use quark_core::{Instant, WallTime};

/// A node's oscillator, and the monotonic and wall clocks that count its ticks.
///
/// Both readings are `base + rate * (true time - base)`; a change of rate or a step moves the base. The oscillator
/// never stops, also not while the node is paused or down: only a restart gives the monotonic clock a new origin.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NodeClock {
    base_true: u64,
    base_mono: u64,
    base_wall: i64,
    /// Deviation from true time in parts per billion; -1e9 stands still.
    rate_ppb: i64,
    /// By how much the wall clock runs faster than the monotonic one, in parts per billion of true time.
    slew_ppb: i64,
    /// The sum of all steps of the wall clock.
    stepped_ns: i64,
}

const BILLION: i128 = 1_000_000_000;
const SECOND: u64 = 1_000_000_000;

/// 2026-01-01 00:00 UTC: where wall clocks stand when a world begins.
pub(crate) const WALL_EPOCH_NS: i64 = 1_767_225_600_000_000_000;

impl NodeClock {
    pub(crate) fn new(now_true: u64, origin: u64, wall_offset: i64, rate_ppb: i64) -> Self {
        Self {
            base_true: now_true,
            base_mono: origin,
            base_wall: WALL_EPOCH_NS + now_true as i64 + wall_offset,
            rate_ppb,
            slew_ppb: 0,
            stepped_ns: 0,
        }
    }

    #[inline]
    fn elapsed(&self, now_true: u64) -> u64 {
        let passed = now_true.saturating_sub(self.base_true);
        if self.rate_ppb == 0 {
            return passed;
        }
        let rate = self.rate_ppb;
        if passed >> 62 != 0 || rate.unsigned_abs() > 2 * SECOND {
            return (i128::from(passed) + (i128::from(passed) * i128::from(rate)).div_euclid(BILLION)) as u64;
        }
        // The same in two parts that fit 64 bits: of whole seconds, and of what is left of one. A division of 128 bits takes
        // many times as long, and clocks are read all the time.
        let of_seconds = (passed / SECOND) as i64 * rate;
        let of_rest = ((passed % SECOND) as i64 * rate).div_euclid(SECOND as i64);
        passed.wrapping_add_signed(of_seconds + of_rest)
    }

    #[inline]
    pub(crate) fn mono(&self, now_true: u64) -> Instant {
        Instant(self.base_mono + self.elapsed(now_true))
    }

    pub(crate) fn wall(&self, now_true: u64) -> WallTime {
        WallTime(self.base_wall + self.elapsed(now_true) as i64 + self.slewed(now_true))
    }

    /// What the wall clock has gained since the base.
    fn slewed(&self, now_true: u64) -> i64 {
        if self.slew_ppb == 0 {
            return 0;
        }
        let passed = i128::from(now_true.saturating_sub(self.base_true));
        (passed * i128::from(self.slew_ppb)).div_euclid(BILLION) as i64
    }

    /// From now on the wall clock gains so much on the monotonic one.
    pub(crate) fn slew_wall(&mut self, now_true: u64, slew_ppb: i64) {
        self.rebase(now_true);
        self.slew_ppb = slew_ppb;
    }

    /// Whether the wall clock is being slewed.
    pub(crate) fn is_slewed(&self) -> bool {
        self.slew_ppb != 0
    }

    /// Whether the wall clock was set to where it would not be by itself.
    pub(crate) fn is_stepped(&self) -> bool {
        self.stepped_ns != 0
    }

    /// The first true time at which the monotonic clock shows `at` or more; `None` if it never will.
    pub(crate) fn true_time_of(&self, at: Instant) -> Option<u64> {
        if at == Instant::NEVER {
            return None;
        }
        let wanted = at.0.saturating_sub(self.base_mono);
        if self.rate_ppb == 0 || wanted == 0 {
            return self.base_true.checked_add(wanted);
        }
        let speed = BILLION + i128::from(self.rate_ppb);
        if speed <= 0 {
            return None;
        }
        let passed = u64::try_from((i128::from(wanted) * BILLION + speed - 1) / speed).ok()?;
        // Rounding may be off by one tick either way: walk to the first tick that satisfies.
        let mut due = self.base_true.checked_add(passed)?.saturating_sub(2).max(self.base_true);
        while self.elapsed(due) < wanted {
            due = due.checked_add(1)?;
        }
        Some(due)
    }

    fn rebase(&mut self, now_true: u64) {
        let (mono, wall) = (self.mono(now_true), self.wall(now_true));
        self.base_true = now_true;
        self.base_mono = mono.0;
        self.base_wall = wall.0;
    }

    /// From now on the oscillator runs at this rate.
    pub(crate) fn set_rate(&mut self, now_true: u64, rate_ppb: i64) {
        self.rebase(now_true);
        self.rate_ppb = rate_ppb.max(-BILLION as i64);
    }

    pub(crate) fn rate_ppb(&self) -> i64 {
        self.rate_ppb
    }

    /// The wall clock jumps.
    pub(crate) fn step_wall(&mut self, by_ns: i64) {
        self.base_wall = self.base_wall.saturating_add(by_ns);
        self.stepped_ns = self.stepped_ns.saturating_add(by_ns);
    }

    /// A reboot: the monotonic clock starts somewhere else, the wall clock goes on.
    pub(crate) fn restart(&mut self, now_true: u64, origin: u64) {
        self.rebase(now_true);
        self.base_mono = origin;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_deadline_is_met_at_the_first_tick_and_not_before(
            start in 0u64..1 << 50, origin in 0u64..1 << 40, rate in -900_000_000i64..900_000_000,
            wait in 0u64..1 << 45,
        ) {
            let clock = NodeClock::new(start, origin, 0, rate);
            let at = Instant(origin + wait);
            let due = clock.true_time_of(at).expect("the clock runs");
            prop_assert!(clock.mono(due) >= at);
            prop_assert!(due == start || clock.mono(due - 1) < at);
        }

        #[test]
        fn a_clock_obeys_its_rate_through_changes(
            rates in prop::collection::vec((-500_000i64..500_000, 1u64..1 << 40), 1..10),
        ) {
            let mut clock = NodeClock::new(0, 1000, 0, 0);
            let (mut now, mut expected) = (0u64, 1000f64);
            let mut last = clock.mono(0);
            for (rate, passed) in rates {
                clock.set_rate(now, rate);
                now += passed;
                expected += passed as f64 * (1.0 + rate as f64 / 1e9);
                let reading = clock.mono(now);
                prop_assert!(reading >= last);
                last = reading;
            }
            prop_assert!((last.0 as f64 - expected).abs() < 1e4, "{} {expected}", last.0);
        }
    }

    proptest! {
        // 146 years; with the greatest rate, all that 64 bits of nanoseconds can say.
        #[test]
        fn a_reading_is_exact(passed in 0u64..1 << 62, rate in -1_000_000_000i64..3_000_000_000) {
            let clock = NodeClock::new(0, 0, 0, rate);
            let exact = i128::from(passed) + (i128::from(passed) * i128::from(rate)).div_euclid(BILLION);
            prop_assert_eq!(i128::from(clock.elapsed(passed)), exact);
        }
    }

    #[test]
    fn a_frozen_clock_has_no_future() {
        let mut clock = NodeClock::new(0, 0, 0, 0);
        clock.set_rate(50, -1_000_000_000);
        assert_eq!(clock.mono(1_000_000), Instant(50));
        assert_eq!(clock.true_time_of(Instant(51)), None);
        clock.set_rate(2_000_000, 0);
        assert_eq!(clock.true_time_of(Instant(51)), Some(2_000_001));
    }

    #[test]
    fn a_slew_moves_the_wall_clock_alone_and_what_it_gained_stays() {
        let second = 1_000_000_000;
        let mut clock = NodeClock::new(0, 7, 0, 0);
        clock.slew_wall(0, 500_000);
        assert_eq!(clock.mono(2 * second), Instant(7 + 2 * second));
        assert_eq!(clock.wall(2 * second).0, WALL_EPOCH_NS + 2 * second as i64 + 1_000_000);
        clock.slew_wall(2 * second, 0);
        assert_eq!(clock.wall(9 * second).0, WALL_EPOCH_NS + 9 * second as i64 + 1_000_000);
        assert!(!clock.is_slewed() && !clock.is_stepped());
    }

    #[test]
    fn a_wall_step_leaves_the_monotonic_clock_alone() {
        let mut clock = NodeClock::new(0, 7, 0, 0);
        let before = clock.wall(100);
        clock.step_wall(-3_600_000_000_000);
        assert_eq!(clock.mono(100), Instant(107));
        assert_eq!(clock.wall(100).0, before.0 - 3_600_000_000_000);
        clock.restart(200, 5);
        assert_eq!(clock.mono(210), Instant(15));
        assert_eq!(clock.wall(210).0, before.0 - 3_600_000_000_000 + 110);
    }
}
