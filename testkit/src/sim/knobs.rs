//! Knobs, turned: what they make of a world's configuration and of its silos.

use super::Describe;
use super::values::spread;
use quark::{SiloBuilder, SiloConfig};
use quark_chaos::{Knobs, Shape};
use quark_core::{membership, reminder};
use quark_sim::{Config, Scheduler, Spread};
use std::sync::Arc;
use std::time::Duration;

/// Turns what a world has of these knobs. What is not turned stays as it is.
///
/// Panics: if a knob is out of range; [`Knobs::check`] says so first.
///
/// ```
/// use quark_chaos::Knobs;
/// use quark_sim::{Config, Scheduler};
/// use quark_testkit::sim::turn_world;
/// let mut knobs = Knobs::new();
/// knobs.set("world.scheduler", 0)?;
/// assert_eq!(turn_world(&knobs, Config::new(7)).scheduler, Scheduler::Fifo);
/// # Ok::<(), quark_chaos::knobs::KnobError>(())
/// ```
pub fn turn_world(knobs: &Knobs, mut config: Config) -> Config {
    let knob = |name: &str| knobs.get(&format!("world.{name}"));
    if let Some(scheduler) = knob("scheduler") {
        config.scheduler = match scheduler {
            0 => Scheduler::Fifo,
            1 => Scheduler::Random,
            depth => Scheduler::Pct { depth: depth as u32 },
        };
    }
    if let Some(cost) = knob("cost_us") {
        config.cost = Spread::micros(1, 1 + cost as u64);
    }
    let network = &mut config.network;
    let conditions = &mut network.conditions;
    around(knob("latency_us"), knob("latency_shape"), 300, &mut conditions.latency);
    turn(knob("bytes_per_second"), &mut conditions.bytes_per_second);
    if let Some(shortest) = knob("keepalive_ms").map(millis) {
        network.keepalive = Spread::Uniform { min: shortest, max: shortest * 2 };
    }
    turn_time(knob("connect_timeout_ms"), &mut network.connect_timeout);
    turn_time(knob("redial_max_ms"), &mut network.redial_max);
    turn_size(knob("lane_frames_max"), &mut network.lane_frames_max);
    turn(knob("reset_ppm"), &mut network.reset_ppm);
    turn(knob("hint_lost_ppm"), &mut network.hint_lost_ppm);
    turn(knob("stray_ppm"), &mut network.stray_ppm);
    turn(knob("cut_swallows_ppm"), &mut network.cut_swallows_ppm);
    let store = &mut config.store;
    around(knob("store_latency_us"), knob("store_shape"), 500, &mut store.latency);
    turn(knob("store_spike_ppm"), &mut store.spike_ppm);
    turn(knob("store_refuses_ppm"), &mut store.refuses_ppm);
    turn_time(knob("store_timeout_ms"), &mut store.timeout);
    turn(knob("clock_rate_ppm"), &mut config.clocks.rate_ppm_max);
    turn_time(knob("clock_offset_ms"), &mut config.clocks.wall_offset_max);
    config.buggify.sites.extend(knobs.sites().map(str::to_owned));
    let fires_ppm = knobs.get("buggify.fires_ppm").unwrap_or(FIRES_PPM);
    config.buggify.fires_ppm = u32::try_from(fires_ppm).expect("a legal knob");
    config
}

/// Turns what a silo has of these knobs. What is not turned stays as it is.
///
/// Panics: if a knob is out of range; [`Knobs::check`] says so first.
#[must_use]
pub fn turn_silo(knobs: &Knobs, builder: SiloBuilder) -> SiloBuilder {
    let config = silo(knobs, builder.silo_config().clone());
    let membership = membership(knobs, builder.membership_config().clone());
    builder.config(config).membership(membership)
}

/// The same silos, with these knobs turned.
pub fn turned(knobs: &Knobs, describe: Describe) -> Describe {
    let knobs = knobs.clone();
    Arc::new(move |builder| turn_silo(&knobs, describe(builder)))
}

fn silo(knobs: &Knobs, mut config: SiloConfig) -> SiloConfig {
    let knob = |name: &str| knobs.get(&format!("silo.{name}"));
    turn_time(knob("idle_after_ms"), &mut config.idle_after);
    turn_size(knob("mailbox_messages_max"), &mut config.mailbox_messages_max);
    turn_size(knob("mailbox_bytes_max"), &mut config.mailbox_bytes_max);
    turn_size(knob("pending_max"), &mut config.pending_max);
    turn_size(knob("held_max"), &mut config.held_max);
    turn_size(knob("routes_max"), &mut config.routes_max);
    turn_time(knob("shutdown_timeout_ms"), &mut config.shutdown_timeout);
    turn_time(knob("resolve_timeout_ms"), &mut config.resolve_timeout);
    reminders(knobs, &mut config.reminders);
    config
}

fn reminders(knobs: &Knobs, config: &mut reminder::Config) {
    let knob = |name: &str| knobs.get(&format!("reminders.{name}"));
    turn_size(knob("window_rows_max"), &mut config.window_rows_max);
    turn_time(knob("read_ahead_ms"), &mut config.read_ahead);
    turn_time(knob("recheck_every_ms"), &mut config.recheck_every);
    turn_time(knob("wall_recheck_ms"), &mut config.wall_recheck);
    turn_time(knob("ask_time_every_ms"), &mut config.ask_time_every);
    turn(knob("fires_per_second"), &mut config.fires_per_second);
    turn(knob("burst"), &mut config.burst);
    turn_size(knob("in_flight_max"), &mut config.in_flight_max);
    turn_time(knob("retry_min_ms"), &mut config.retry_min);
    config.retry_max = config.retry_max.max(config.retry_min);
}

fn membership(knobs: &Knobs, mut config: membership::Config) -> membership::Config {
    let knob = |name: &str| knobs.get(&format!("membership.{name}"));
    // How often it is renewed goes with the lease.
    let usual = config.renew_every.as_millis() * 1000 / config.lease.as_millis().max(1);
    let permille = knob("renew_permille").unwrap_or(usual as i64) as u32;
    if knob("lease_ms").is_some() || knob("renew_permille").is_some() {
        turn_time(knob("lease_ms"), &mut config.lease);
        config.renew_every = config.lease * permille / 1000;
    }
    turn_time(knob("renew_timeout_ms"), &mut config.renew_timeout);
    turn_time(knob("store_timeout_ms"), &mut config.store_timeout);
    turn_time(knob("probe_every_ms"), &mut config.probe_every);
    turn_time(knob("probe_timeout_ms"), &mut config.probe_timeout);
    turn(knob("misses_max"), &mut config.misses_max);
    turn_time(knob("silence_min_ms"), &mut config.silence_min);
    turn_size(knob("monitors"), &mut config.monitors);
    turn_size(knob("indirect_probes"), &mut config.indirect_probes);
    turn_time(knob("ballot_timeout_ms"), &mut config.ballot_timeout);
    turn_time(knob("contact_fresh_ms"), &mut config.contact_fresh);
    turn_time(knob("leaseless_max_ms"), &mut config.leaseless_max);
    turn_time(knob("read_every_ms"), &mut config.read_every);
    turn_time(knob("read_gap_min_ms"), &mut config.read_gap_min);
    turn_time(knob("join_check_ms"), &mut config.join_check);
    config
}

/// A distribution around a usual duration, if either is turned.
fn around(usual_us: Option<i64>, shape: Option<i64>, default_us: i64, spread_of: &mut Spread) {
    if usual_us.is_none() && shape.is_none() {
        return;
    }
    let usual = Duration::from_micros(usual_us.unwrap_or(default_us) as u64);
    let shape = shape.map_or(Shape::Exponential, |at| Shape::ALL[at as usize]);
    *spread_of = match shape {
        Shape::Fixed => spread(shape, usual, usual),
        Shape::Uniform => spread(shape, usual / 2, usual * 3 / 2),
        Shape::Exponential => spread(shape, usual / 2, usual * 9 / 2),
        Shape::Bimodal => spread(shape, usual / 2, usual * 5),
        Shape::Pareto => spread(shape, usual / 2, usual * 50),
    };
}

fn turn(value: Option<i64>, knob: &mut u32) {
    if let Some(value) = value {
        *knob = u32::try_from(value).expect("a legal knob");
    }
}

fn turn_size(value: Option<i64>, knob: &mut usize) {
    if let Some(value) = value {
        *knob = usize::try_from(value).expect("a legal knob");
    }
}

fn turn_time(value_ms: Option<i64>, knob: &mut Duration) {
    if let Some(value) = value_ms {
        *knob = millis(value);
    }
}

fn millis(value: i64) -> Duration {
    Duration::from_millis(u64::try_from(value).expect("a legal knob"))
}

/// How often a site that is switched on fires, if nobody says otherwise.
const FIRES_PPM: i64 = 250_000;

#[cfg(test)]
mod tests {
    use super::*;
    use quark::Silo;

    fn looks(knobs: &Knobs) -> String {
        let builder = turn_silo(knobs, Silo::builder("c"));
        let world = turn_world(knobs, Config::new(1));
        format!("{world:?} {:?} {:?}", builder.silo_config(), builder.membership_config())
    }

    #[test]
    fn every_knob_turns_something_and_turned_back_nothing() {
        let calm = looks(&Knobs::new());
        for knob in Knobs::known() {
            for value in [knob.min, knob.max].into_iter().filter(|value| *value != knob.default) {
                let mut knobs = Knobs::new();
                knobs.set(&knob.name, value).expect("legal");
                assert_ne!(looks(&knobs), calm, "{} = {value}", knob.name);
                knobs.set_back(&knob.name);
                assert_eq!(looks(&knobs), calm, "{}", knob.name);
            }
        }
    }

    #[test]
    fn the_defaults_in_the_table_are_those_of_the_code() {
        let calm = looks(&Knobs::new());
        let is_exact =
            |name: &str| !["shape", "latency", "cost", "lease", "renew"].iter().any(|n| name.contains(n));
        for knob in Knobs::known().into_iter().filter(|knob| is_exact(&knob.name)) {
            let mut knobs = Knobs::new();
            knobs.set(&knob.name, knob.default).expect("legal");
            assert_eq!(looks(&knobs), calm, "{}", knob.name);
        }
    }
}
