//! What time it is, by the clocks of several silos.
//!
//! One wall clock that is hours ahead fires what is not due, and one that is hours behind keeps silent. So a silo asks
//! some others for the time, and goes by the one in the middle: of three clocks or more, one that is wrong is outvoted,
//! forwards and backwards. Of two the earlier counts, for what is late can be caught up with. What others said is
//! carried on by the monotonic clock, so that a step of our own clock does not touch it.
//!
//! An answer is taken for the time of its arrival: it is late by the way it came, and never ahead.

use crate::{Instant, SiloId, WallTime, reached};
use std::collections::BTreeMap;
use std::time::Duration;

/// An answer that took longer says too little.
pub const ROUND_TRIP_MAX: Duration = Duration::from_secs(1);
/// An answer that is older is forgotten: clocks drift, and silos are replaced.
pub const ANSWER_KEPT: Duration = Duration::from_secs(60);
/// How many others are asked.
pub const ASKED_MAX: usize = 6;

/// The clocks of the others, as they were told.
///
/// ```
/// use quark_core::reminder::AgreedClock;
/// use quark_core::{Generation, Instant, SiloId, SiloName, WallTime};
///
/// let silo = |name| SiloId::new(SiloName::new(name).expect("valid"), Generation(1));
/// let mut clock = AgreedClock::default();
/// clock.told(Instant(0), Instant(5), silo("b"), WallTime(1_000));
/// clock.told(Instant(0), Instant(5), silo("c"), WallTime(1_001));
/// // Ours is far ahead, and is outvoted.
/// assert_eq!(clock.read(Instant(10), WallTime(999_999)), WallTime(1_006));
/// ```
#[derive(Clone, Debug, Default)]
pub struct AgreedClock {
    told: BTreeMap<SiloId, Told>,
}

#[derive(Clone, Copy, Debug)]
struct Told {
    wall: WallTime,
    at: Instant,
}

impl AgreedClock {
    /// A silo has answered what time it is. `asked` and `now` are of our monotonic clock.
    pub fn told(&mut self, asked: Instant, now: Instant, by: SiloId, wall: WallTime) {
        if now.since(asked) > ROUND_TRIP_MAX {
            reached!("reminder.wall.slow_answer");
            return;
        }
        self.told.retain(|silo, told| silo.name != by.name && now.since(told.at) < ANSWER_KEPT);
        self.told.insert(by, Told { wall, at: now });
        while self.told.len() > ANSWERS_MAX {
            // Others are asked each time: in a large cluster the newest answers say enough.
            let oldest = self.told.iter().min_by_key(|(silo, told)| (told.at, **silo)).map(|(silo, _)| *silo);
            self.told.remove(&oldest.expect("there are too many"));
        }
    }

    /// Whether so many others have been heard.
    pub fn has_heard(&self, count: usize) -> bool {
        self.told.len() >= count
    }

    /// The time in the middle of ours and theirs; the earlier of two middles.
    pub fn read(&self, now: Instant, ours: WallTime) -> WallTime {
        if crate::mutant!("m30") {
            return ours;
        }
        let fresh = self.told.values().filter(|told| now.since(told.at) < ANSWER_KEPT);
        let theirs = fresh.map(|told| {
            let since_ns = i64::try_from(now.since(told.at).as_nanos()).unwrap_or(i64::MAX);
            WallTime(told.wall.0.saturating_add(since_ns))
        });
        let mut all = [WallTime(0); ANSWERS_MAX + 1];
        let mut count = 0;
        for wall in theirs.chain([ours]) {
            all[count] = wall;
            count += 1;
        }
        all[..count].sort_unstable();
        let agreed = all[(count - 1) / 2];
        if agreed.0.abs_diff(ours.0) > FAR_OFF_NS {
            reached!("reminder.wall.outvoted");
        }
        agreed
    }
}

/// Those asked in the last round and in some before it.
const ANSWERS_MAX: usize = 4 * ASKED_MAX;
const FAR_OFF_NS: u64 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Generation, SiloName};

    fn silo(name: &str, generation: u64) -> SiloId {
        SiloId::new(SiloName::new(name).expect("valid"), Generation(generation))
    }

    fn sec(s: u64) -> Instant {
        Instant(s * 1_000_000_000)
    }

    fn wall(s: i64) -> WallTime {
        WallTime(s * 1_000_000_000)
    }

    #[test]
    fn of_three_clocks_one_that_is_wrong_is_outvoted_either_way() {
        let mut clock = AgreedClock::default();
        clock.told(sec(0), sec(0), silo("b", 1), wall(100));
        clock.told(sec(0), sec(0), silo("c", 1), wall(100));
        for ours in [0, 110, 10_000] {
            assert_eq!(clock.read(sec(10), wall(ours)), wall(110));
        }
        clock.told(sec(10), sec(10), silo("c", 1), wall(9_999));
        assert_eq!(clock.read(sec(10), wall(110)), wall(110));
        clock.told(sec(10), sec(10), silo("c", 1), wall(1));
        assert_eq!(clock.read(sec(10), wall(110)), wall(110));
    }

    #[test]
    fn of_two_clocks_the_earlier_counts_and_alone_our_own() {
        let mut clock = AgreedClock::default();
        assert_eq!(clock.read(sec(10), wall(50)), wall(50));
        clock.told(sec(0), sec(0), silo("b", 1), wall(100));
        assert_eq!(clock.read(sec(0), wall(50)), wall(50));
        assert_eq!(clock.read(sec(0), wall(500)), wall(100));
    }

    #[test]
    fn of_a_crowd_the_newest_answers_count() {
        let mut clock = AgreedClock::default();
        for n in 0..300 {
            let (at, says) = (sec(n / 10), if n < 200 { 0 } else { 1_000 });
            clock.told(at, at, silo(&format!("n{n}"), 1), wall(says));
        }
        assert!(clock.has_heard(ANSWERS_MAX) && !clock.has_heard(ANSWERS_MAX + 1));
        assert!(clock.read(sec(30), wall(0)) >= wall(1_000));
    }

    #[test]
    fn what_is_old_slow_or_of_an_earlier_generation_does_not_count() {
        let mut clock = AgreedClock::default();
        clock.told(sec(0), sec(2), silo("b", 1), wall(1));
        assert!(!clock.has_heard(1));
        clock.told(sec(0), sec(0), silo("b", 1), wall(1));
        clock.told(sec(0), sec(0), silo("b", 2), wall(100));
        assert!(clock.has_heard(1) && !clock.has_heard(2));
        assert_eq!(clock.read(sec(0), wall(500)), wall(100));
        assert_eq!(clock.read(sec(60), wall(500)), wall(500));
    }
}
