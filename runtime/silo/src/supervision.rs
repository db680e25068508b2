//! What happens to an actor whose code panics: its activation ends, the next message meets a fresh one from committed
//! state, and an actor that keeps panicking is put aside for a while.

use crate::config::SiloConfig;
use crate::routes::ByActor;
use quark_core::{ActorId, Instant, reached};
use std::time::Duration;

/// Panics per actor, as far as they still matter. Bounded.
#[derive(Default)]
pub(crate) struct Supervision {
    records: ByActor<Panics>,
}

struct Panics {
    window_start: Instant,
    count: u32,
    last: Instant,
}

/// Whether an actor may be activated.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Admission {
    /// Now.
    Now,
    /// After a pause; its messages wait.
    After(Instant),
    /// Not for this long; its messages fail.
    Quarantined(Duration),
}

/// The most actors whose panics are remembered.
const RECORDS_MAX: usize = 10_000;

impl Supervision {
    pub fn panicked(&mut self, actor: &ActorId, now: Instant, config: &SiloConfig) {
        if self.records.len() >= RECORDS_MAX && !self.records.contains_key(actor) {
            self.records.swap_remove_index(0);
        }
        let record =
            self.records.entry(actor.clone()).or_insert(Panics { window_start: now, count: 0, last: now });
        if now.since(record.window_start) > config.restart_window {
            (record.window_start, record.count) = (now, 0);
        }
        record.count += 1;
        record.last = now;
    }

    pub fn admit(&mut self, actor: &ActorId, now: Instant, config: &SiloConfig) -> Admission {
        let Some(record) = self.records.get(actor) else { return Admission::Now };
        if now.since(record.window_start) > config.restart_window {
            self.records.swap_remove(actor);
            return Admission::Now;
        }
        if record.count > config.restarts_max {
            let until = record.last + config.restart_backoff_max;
            if now < until {
                reached!("supervision.quarantined");
                return Admission::Quarantined(until.since(now));
            }
            self.records.swap_remove(actor);
            return Admission::Now;
        }
        // The first restart is immediate; later ones wait, longer each time.
        if record.count < 2 {
            return Admission::Now;
        }
        let pause = config.restart_backoff * 2_u32.pow((record.count - 2).min(16));
        let ready = record.last + pause.min(config.restart_backoff_max);
        if now < ready { Admission::After(ready) } else { Admission::Now }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_panics_wait_and_then_quarantine() {
        let (config, mut supervision) = (SiloConfig::default(), Supervision::default());
        let actor = ActorId::new("account", "alice").expect("valid");
        let at = |s: u64| Instant(s * 1_000_000_000);
        assert_eq!(supervision.admit(&actor, at(0), &config), Admission::Now);
        supervision.panicked(&actor, at(0), &config);
        assert_eq!(supervision.admit(&actor, at(0), &config), Admission::Now);
        supervision.panicked(&actor, at(1), &config);
        assert_eq!(supervision.admit(&actor, at(1), &config), Admission::After(at(2)));
        supervision.panicked(&actor, at(2), &config);
        supervision.panicked(&actor, at(3), &config);
        assert_eq!(
            supervision.admit(&actor, at(3), &config),
            Admission::Quarantined(Duration::from_secs(30))
        );
        assert_eq!(supervision.admit(&actor, at(33), &config), Admission::Now);
        supervision.panicked(&actor, at(100), &config);
        assert_eq!(supervision.admit(&actor, at(100), &config), Admission::Now, "the window has passed");
    }
}
