//! Promise P7: calls that wait on a silo that is declared dead end at detection, not at their deadlines.
//!
//! Which silo a call waits on is known once its turn has started there. Detection counts as complete when every silo that
//! runs has a view that says so: the call may hang on a forwarder, which has to pass the news on.

use super::silos::Silos;
use super::{Checker, Verdict};
use crate::history::{History, SiloEvent};
use quark_core::wire::CallId;
use quark_core::{Instant, SiloId};
use std::collections::BTreeMap;
use std::time::Duration;

/// See the module.
pub struct Detection {
    /// How long after the last silo's detection a call may still wait: messages on their way, busy silos.
    pub slack: Duration,
}

impl Default for Detection {
    fn default() -> Self {
        Self { slack: Duration::from_secs(1) }
    }
}

/// A call that ran on another silo than its caller's.
struct Remote {
    caller: SiloId,
    id: CallId,
    /// Its number.
    call: u32,
    host: SiloId,
    started: (usize, Instant),
}

impl Checker for Detection {
    fn name(&self) -> &'static str {
        "detection"
    }

    fn check(&self, history: &History) -> Verdict {
        let silos = history.silos();
        let known = Deaths::of(history, silos);
        let mut verdict = Verdict::default();
        let (remotes, ends) = calls(history);
        for Remote { caller, id, call, host, started } in remotes {
            let Some(detected) = known.by_all(host, started, silos) else { continue };
            let (from, due) = (detected, detected + self.slack);
            let life = silos.life(caller).expect("it issued a call");
            let able = !life.is_gone(due)
                && !life.paused_within(from, due)
                && life.leases_true().iter().any(|w| w.from <= from && due < w.until);
            // A caller that cannot run takes no outcome; an early end is fine with every promise.
            if due >= history.end() || !able {
                continue;
            }
            let ended = ends[call as usize].is_some_and(|at| at <= due);
            verdict.require("P7", due, ended, || {
                format!(
                    "call {id:?} of {caller} ran on {host} since {:?}; all knew at {detected:?} that {host} was \
                     dead, and {:?} later it still waited",
                    started.1, self.slack
                )
            });
        }
        verdict
    }
}

/// The calls issued here whose turn started elsewhere; and by number, when each call ended.
fn calls(history: &History) -> (Vec<Remote>, Vec<Option<Instant>>) {
    let numbers = history.numbers();
    let mut issued: Vec<bool> = numbers.of_calls();
    let (mut remotes, mut ends) = (Vec::new(), numbers.of_calls());
    for (position, at, record) in history.silo_records() {
        match &record.event {
            SiloEvent::CallIssued { .. } => issued[numbers.at(position).call as usize] = true,
            SiloEvent::CallEnded { .. } => ends[numbers.at(position).call as usize] = Some(at),
            SiloEvent::TurnStarted(turn)
                if turn.caller != record.silo && issued[numbers.at(position).call as usize] =>
            {
                remotes.push(Remote {
                    caller: turn.caller,
                    id: turn.call,
                    call: numbers.at(position).call,
                    host: record.silo,
                    started: (position, at),
                });
            }
            _ => {}
        }
    }
    (remotes, ends)
}

/// Who learnt of whose death when.
struct Deaths(BTreeMap<SiloId, BTreeMap<SiloId, (usize, Instant)>>);

impl Deaths {
    fn of(history: &History, silos: &Silos) -> Self {
        let mut deaths: BTreeMap<SiloId, BTreeMap<SiloId, (usize, Instant)>> = BTreeMap::new();
        for (position, at, record) in history.silo_records() {
            let SiloEvent::ViewInstalled { view } = &record.event else { continue };
            for (dead, _) in silos.iter().filter(|(silo, _)| view.is_dead(*silo)) {
                deaths.entry(dead).or_default().entry(record.silo).or_insert((position, at));
            }
        }
        Self(deaths)
    }

    /// When the last of the silos that ran at `started` learnt that `dead` is; `None` if one of them ended or the
    /// history did before it had.
    fn by_all(&self, dead: SiloId, started: (usize, Instant), silos: &Silos) -> Option<Instant> {
        let learnt = self.0.get(&dead)?;
        let mut last = started.1;
        for (silo, life) in silos.iter().filter(|(silo, life)| *silo != dead && life.first < started.0) {
            if life.is_gone(started.1) {
                continue;
            }
            last = last.max(learnt.get(&silo)?.1);
        }
        Some(last)
    }
}

#[cfg(test)]
mod tests {
    use super::super::script::{Script, broken, issued, outcome, rejected, started, view};
    use super::*;
    use quark_core::view::Status::{Active, Dead};

    fn dead_host(script: Script) -> Script {
        script.silo("client#1", view(2, &[("a#1", Dead), ("client#1", Active)]))
    }

    /// A call from `client#1` runs on a, which dies.
    fn until_death() -> Script {
        let script = Script::new()
            .leased(&["client#1", "a#1"])
            .silo("client#1", issued(1, 30_000))
            .at(10)
            .silo("a#1", started("alice", 1))
            .at(5_000);
        dead_host(script)
    }

    fn valid() -> Script {
        until_death()
            .at(5_900)
            .silo("client#1", outcome(1, 30_000, "indeterminate"))
            .at(20_000)
            .silo("client#1", SiloEvent::LeaseLost)
    }

    #[test]
    fn calls_to_the_dead_end_at_detection() {
        assert_eq!(rejected(&Detection::default(), &valid()), "drop 5, swap 5");
    }

    #[test]
    fn a_call_waits_until_the_last_silo_knows() {
        let with_forwarder = |learns_ms| {
            let script = Script::new()
                .leased(&["client#1", "a#1", "f#1"])
                .silo("client#1", issued(1, 30_000))
                .silo("a#1", started("alice", 1))
                .at(5_000);
            dead_host(script)
                .at(learns_ms)
                .silo("f#1", view(2, &[("a#1", Dead), ("client#1", Active)]))
                .at(9_900)
                .silo("client#1", outcome(1, 30_000, "indeterminate"))
                .at(20_000)
                .silo("client#1", SiloEvent::LeaseLost)
        };
        assert_eq!(broken(&Detection::default(), with_forwarder(9_000)), [] as [&str; 0]);
        assert_eq!(broken(&Detection::default(), with_forwarder(6_000)), ["P7"]);
    }
}
