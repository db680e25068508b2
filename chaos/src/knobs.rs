//! What a run's world and its silos are like, as data: a name and a number for everything that a swarm turns.
//!
//! A knob that is not set leaves the world or the silo as the story has it. So whoever makes a failing run smaller sets
//! knobs back, one after another, and keeps what still fails.

use crate::catalogue::Draw;
use crate::draws::Draws;
use quark_core::buggify::SITES;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Numbers by name. Those that are not there are as they are by default.
///
/// ```
/// use quark_chaos::Knobs;
/// let mut knobs = Knobs::draw(7);
/// let text = serde_json::to_string(&knobs).unwrap();
/// assert_eq!(serde_json::from_str::<Knobs>(&text).unwrap(), knobs);
/// for name in knobs.names() {
///     knobs.set_back(&name);
/// }
/// assert_eq!(knobs, Knobs::new());
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Knobs(BTreeMap<String, i64>);

/// What is known of a knob.
#[derive(Clone, Debug)]
pub struct Knob {
    /// Its name: `world.`, `silo.`, `membership.`, `reminders.` or `buggify.` and what it turns.
    pub name: String,
    /// What it counts.
    pub unit: &'static str,
    /// What it is if nobody turns it. (A story may have other ideas.)
    pub default: i64,
    /// The least legal value.
    pub min: i64,
    /// The greatest legal value.
    pub max: i64,
    /// Which values are drawn.
    pub draw: Draw,
    /// In how many runs it is turned: one in so many.
    pub one_in: u64,
}

/// Knobs that cannot be turned so. Nothing has run.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum KnobError {
    /// There is none of this name.
    #[error("there is no knob `{name}`: docs/chaos.md lists them, and the sites of `buggify!`")]
    Unknown {
        /// The name.
        name: String,
    },
    /// It does not go so far.
    #[error("knob `{name}` is {value}; write {min} to {max} {unit}, or leave it out")]
    Illegal {
        /// Its name.
        name: String,
        /// What it is to be.
        value: i64,
        /// The least legal value.
        min: i64,
        /// The greatest legal value.
        max: i64,
        /// What it counts.
        unit: &'static str,
    },
}

impl Knobs {
    /// Nothing is turned.
    pub fn new() -> Self {
        Self::default()
    }

    /// Every knob there is, in the order of the table; the sites of `buggify!` last.
    pub fn known() -> Vec<Knob> {
        let rows = TABLE.iter().map(|&(name, unit, default, (min, max), draw)| {
            let one_in = if name == SCHEDULER { 1 } else { 4 };
            Knob { name: name.to_owned(), unit, default, min, max, draw, one_in }
        });
        let sites = SITES.iter().map(|site| Knob {
            name: format!("{BUGGIFY}{}", site.name),
            unit: "flag",
            default: 0,
            min: 0,
            max: 1,
            draw: Draw::Even(1, 1),
            one_in: 4,
        });
        rows.chain(sites).collect()
    }

    /// The knobs of this seed: each is turned in one run of four, but for who runs next, which is drawn for every run.
    /// Each has a draw of its own: a new knob moves no other.
    pub fn draw(seed: u64) -> Self {
        let drawn = Self::known().into_iter().filter_map(|knob| {
            let mut draws = Draws::new(seed, &knob.name);
            draws.is_one_in(knob.one_in).then(|| (knob.name, draws.value(knob.draw)))
        });
        Self(drawn.collect())
    }

    /// What a knob is set to; `None`: as the story has it.
    pub fn get(&self, name: &str) -> Option<i64> {
        self.0.get(name).copied()
    }

    /// Turns a knob.
    ///
    /// Errors: [`KnobError`]; it is as it was.
    pub fn set(&mut self, name: &str, value: i64) -> Result<(), KnobError> {
        let one = Self(BTreeMap::from([(name.to_owned(), value)]));
        one.check()?;
        self.0.extend(one.0);
        Ok(())
    }

    /// Sets a knob back: it is as the story has it. Returns whether it was turned.
    pub fn set_back(&mut self, name: &str) -> bool {
        self.0.remove(name).is_some()
    }

    /// The knobs that are turned.
    pub fn names(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }

    /// The knobs that are turned, and how far.
    pub fn iter(&self) -> impl Iterator<Item = (&str, i64)> {
        self.0.iter().map(|(name, value)| (name.as_str(), *value))
    }

    /// The sites of `buggify!` that are switched on, by the names that they have in code.
    pub fn sites(&self) -> impl Iterator<Item = &str> {
        self.iter()
            .filter(|(_, value)| *value != 0)
            .filter_map(|(name, _)| name.strip_prefix(BUGGIFY))
            .filter(
                // The one that says how often all of them fire is no site.
                |name| SITES.iter().any(|site| site.name == *name),
            )
    }

    /// Smaller ones, the smallest first: nothing turned, half of it set back, each set back, and who runs next in order of
    /// waiting.
    pub fn shrinks(&self) -> Vec<Knobs> {
        let names = self.names();
        let without = |gone: &[String]| {
            let mut fewer = self.clone();
            fewer.0.retain(|name, _| !gone.contains(name));
            fewer
        };
        let mut found = Vec::new();
        if names.len() > 1 {
            let (one, two) = names.split_at(names.len() / 2);
            found.extend([without(&names), without(one), without(two)]);
        }
        found.extend(names.iter().map(|name| without(std::slice::from_ref(name))));
        if self.get(SCHEDULER).is_some_and(|scheduler| scheduler != 0) {
            let mut fifo = self.clone();
            fifo.0.insert(SCHEDULER.to_owned(), 0);
            found.push(fifo);
        }
        found
    }

    /// Checks names and values.
    ///
    /// Errors: the first knob that is unknown or out of range.
    pub fn check(&self) -> Result<(), KnobError> {
        let known = Self::known();
        for (name, value) in self.iter() {
            let Some(knob) = known.iter().find(|knob| knob.name == name) else {
                return Err(KnobError::Unknown { name: name.to_owned() });
            };
            let Knob { min, max, unit, .. } = *knob;
            if !(min..=max).contains(&value) {
                return Err(KnobError::Illegal { name: name.to_owned(), value, min, max, unit });
            }
        }
        Ok(())
    }
}

/// What the names of sites begin with.
pub const BUGGIFY: &str = "buggify.";
/// Who runs next: 0 whoever waits longest, 1 anyone, from 2 random priorities with so many changes.
pub const SCHEDULER: &str = "world.scheduler";

const PPM: (i64, i64) = (0, 1_000_000);
const HALF: Draw = Draw::Even(0, 1_000_000);

type Row = (&'static str, &'static str, i64, (i64, i64), Draw);

/// Name, unit, default, legal values, drawn values.
const TABLE: &[Row] = &[
    // 30 : 40 : 20 for order of waiting, anyone, priorities.
    (SCHEDULER, "place", 1, (0, 64), Draw::OneOf(&[0, 0, 0, 1, 1, 1, 1, 3, 5])),
    ("world.cost_us", "us", 4, (1, 10_000), Draw::Magnitude(1, 200)),
    ("world.latency_us", "us", 300, (1, 10_000_000), Draw::Magnitude(50, 20_000)),
    ("world.latency_shape", "place", 2, (0, 4), Draw::Even(0, 4)),
    ("world.bytes_per_second", "B/s", 0, (0, u32::MAX as i64), Draw::Magnitude(100_000, 100_000_000)),
    // Rates may differ by a tenth at most.
    ("world.clock_rate_ppm", "ppm", 100, (0, 47_000), Draw::Magnitude(1, 40_000)),
    ("world.clock_offset_ms", "ms", 50, (0, 3_600_000), Draw::Magnitude(1, 2000)),
    ("world.store_latency_us", "us", 500, (1, 10_000_000), Draw::Magnitude(50, 30_000)),
    ("world.store_shape", "place", 2, (0, 4), Draw::Even(0, 4)),
    ("world.store_spike_ppm", "ppm", 0, PPM, Draw::Magnitude(100, 50_000)),
    ("world.store_timeout_ms", "ms", 500, (1, 60_000), Draw::Magnitude(100, 2000)),
    ("world.store_refuses_ppm", "ppm", 500_000, PPM, HALF),
    ("world.keepalive_ms", "ms", 2000, (10, 60_000), Draw::Magnitude(300, 8000)),
    ("world.connect_timeout_ms", "ms", 1000, (10, 60_000), Draw::Magnitude(100, 5000)),
    ("world.redial_max_ms", "ms", 2000, (50, 60_000), Draw::Magnitude(100, 8000)),
    ("world.lane_frames_max", "frames", 4096, (16, 1 << 20), Draw::Magnitude(64, 4096)),
    ("world.reset_ppm", "ppm", 250_000, PPM, HALF),
    ("world.hint_lost_ppm", "ppm", 100_000, PPM, HALF),
    ("world.stray_ppm", "ppm", 500_000, PPM, HALF),
    ("world.cut_swallows_ppm", "ppm", 500_000, PPM, HALF),
    ("silo.idle_after_ms", "ms", 900_000, (100, 86_400_000), Draw::Magnitude(500, 900_000)),
    ("silo.mailbox_messages_max", "messages", 1000, (1, 1_000_000), Draw::Magnitude(4, 1000)),
    ("silo.mailbox_bytes_max", "B", 8 << 20, (1024, 1 << 30), Draw::Magnitude(64 << 10, 8 << 20)),
    ("silo.pending_max", "calls", 100_000, (16, 10_000_000), Draw::Magnitude(64, 100_000)),
    ("silo.held_max", "requests", 10_000, (1, 1_000_000), Draw::Magnitude(16, 10_000)),
    ("silo.routes_max", "routes", 100_000, (0, 10_000_000), Draw::OneOf(&[0, 1, 2, 4, 16])),
    ("silo.shutdown_timeout_ms", "ms", 30_000, (10, 600_000), Draw::Magnitude(200, 30_000)),
    ("silo.resolve_timeout_ms", "ms", 10_000, (10, 600_000), Draw::Magnitude(500, 20_000)),
    ("reminders.window_rows_max", "rows", 256, (4, 1_000_000), Draw::Magnitude(4, 256)),
    ("reminders.read_ahead_ms", "ms", 5000, (0, 600_000), Draw::Magnitude(100, 10_000)),
    ("reminders.recheck_every_ms", "ms", 60_000, (10, 86_400_000), Draw::Magnitude(1000, 60_000)),
    ("reminders.wall_recheck_ms", "ms", 1000, (10, 60_000), Draw::Magnitude(100, 2000)),
    ("reminders.ask_time_every_ms", "ms", 10_000, (10, 600_000), Draw::Magnitude(500, 20_000)),
    ("reminders.fires_per_second", "1/s", 1000, (1, 1_000_000), Draw::Magnitude(10, 1000)),
    ("reminders.burst", "reminders", 100, (1, 1_000_000), Draw::Magnitude(1, 100)),
    ("reminders.in_flight_max", "reminders", 64, (1, 1_000_000), Draw::Magnitude(1, 64)),
    ("reminders.retry_min_ms", "ms", 200, (1, 60_000), Draw::Magnitude(10, 1000)),
    ("membership.lease_ms", "ms", 3000, (200, 600_000), Draw::Magnitude(1000, 8000)),
    // Of the lease, so that every lease outlives its renewal.
    ("membership.renew_permille", "thousandths", 333, (50, 500), Draw::Even(150, 450)),
    ("membership.renew_timeout_ms", "ms", 500, (10, 60_000), Draw::Magnitude(200, 1000)),
    ("membership.store_timeout_ms", "ms", 2000, (50, 60_000), Draw::Magnitude(500, 4000)),
    ("membership.probe_every_ms", "ms", 1000, (20, 60_000), Draw::Magnitude(250, 3000)),
    ("membership.probe_timeout_ms", "ms", 500, (10, 60_000), Draw::Magnitude(150, 1500)),
    ("membership.misses_max", "probes", 3, (1, 100), Draw::Even(1, 5)),
    ("membership.silence_min_ms", "ms", 2000, (10, 600_000), Draw::Magnitude(500, 4000)),
    ("membership.monitors", "silos", 3, (1, 100), Draw::Even(1, 5)),
    ("membership.indirect_probes", "silos", 3, (0, 100), Draw::Even(0, 4)),
    ("membership.ballot_timeout_ms", "ms", 400, (10, 60_000), Draw::Magnitude(150, 1000)),
    ("membership.contact_fresh_ms", "ms", 1000, (10, 60_000), Draw::Magnitude(200, 2000)),
    ("membership.leaseless_max_ms", "ms", 10_000, (100, 600_000), Draw::Magnitude(4000, 20_000)),
    ("membership.read_every_ms", "ms", 5000, (50, 600_000), Draw::Magnitude(500, 10_000)),
    ("membership.read_gap_min_ms", "ms", 50, (0, 10_000), Draw::Magnitude(1, 200)),
    ("membership.join_check_ms", "ms", 2000, (10, 60_000), Draw::Magnitude(200, 4000)),
    // How often a site that is switched on does fire.
    // Never always: a site that fires again and again may let no time pass.
    ("buggify.fires_ppm", "ppm", 250_000, (0, 500_000), Draw::Magnitude(10_000, 500_000)),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_drawn_is_legal_and_every_knob_is_turned_now_and_then() {
        let mut turned = BTreeMap::new();
        for seed in 0..400 {
            let knobs = Knobs::draw(seed);
            assert_eq!(knobs, Knobs::draw(seed));
            knobs.check().unwrap_or_else(|error| panic!("seed {seed}: {error}"));
            assert!(knobs.get(SCHEDULER).is_some());
            knobs.names().into_iter().for_each(|name| *turned.entry(name).or_insert(0) += 1);
        }
        for knob in Knobs::known() {
            let times = turned.get(&knob.name).copied().unwrap_or(0);
            assert!(times >= 60, "{} was turned in {times} of 400 runs", knob.name);
            assert!((knob.min..=knob.max).contains(&knob.default), "{}", knob.name);
        }
        assert!(SITES.len() >= 12, "{} sites", SITES.len());
    }

    #[test]
    fn schedulers_are_drawn_three_to_four_to_two() {
        let count = |wanted: fn(i64) -> bool| {
            (0..900).filter(|seed| Knobs::draw(*seed).get(SCHEDULER).is_some_and(wanted)).count()
        };
        let counts = [count(|at| at == 0), count(|at| at == 1), count(|at| at > 1)];
        for (found, wanted) in counts.into_iter().zip([300, 400, 200]) {
            assert!(found.abs_diff(wanted) < 60, "{counts:?}");
        }
    }

    #[test]
    fn what_cannot_be_turned_is_refused_with_the_remedy() {
        let mut knobs = Knobs::new();
        let error = knobs.set("membership.lease_ms", 5).expect_err("too short").to_string();
        assert_eq!(error, "knob `membership.lease_ms` is 5; write 200 to 600000 ms, or leave it out");
        assert!(knobs.set("silo.mailbox", 5).expect_err("no such").to_string().contains("`silo.mailbox`"));
        assert_eq!(knobs, Knobs::new());
    }

    #[test]
    fn a_shrink_has_fewer_knobs_turned_or_a_calmer_scheduler() {
        let knobs = Knobs::draw(5);
        assert_eq!(knobs.shrinks()[0], Knobs::new());
        for smaller in knobs.shrinks() {
            let is_fewer = smaller.iter().count() < knobs.iter().count();
            assert!(is_fewer || smaller.get(SCHEDULER) == Some(0), "{smaller:?}");
        }
        let mut fifo = Knobs::new();
        fifo.set(SCHEDULER, 0).expect("legal");
        assert_eq!(fifo.shrinks(), [Knobs::new()]);
    }
}
