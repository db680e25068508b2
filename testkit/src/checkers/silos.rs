//! What every silo of a history was able to do, and when: its clock, its leases, its pauses, its end.

use crate::history::{Record, SiloEvent, What, WorldEvent};
use quark_core::{Instant, SiloId, SiloName};
use std::collections::BTreeMap;

/// The lives of all silos in a history. From [`History::silos`](crate::history::History).
#[derive(Debug)]
pub(crate) struct Silos(BTreeMap<SiloId, Life>);

/// One incarnation.
#[derive(Default, Debug)]
pub(crate) struct Life {
    /// Local and true time of each of its records, in order.
    clock: Vec<(u64, u64)>,
    /// When it held its lease, on its own clock. Apart, in order.
    leases: Vec<Window>,
    /// When it was frozen, in true time. The last may have no end.
    pauses: Vec<Window>,
    /// How slowly it computed, in thousandths of the usual time, from when on. Not told of: as usual.
    slow: Vec<(Instant, u32)>,
    /// Where in the history its process ended without a word, and when.
    pub crashed: Option<(usize, Instant)>,
    /// Where in the history it stopped, and when.
    pub stopped: Option<(usize, Instant)>,
    /// The position of its first record.
    pub first: usize,
    /// The position of its last record.
    pub last: usize,
}

/// A span of time; its end is not part of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Window {
    pub from: Instant,
    pub until: Instant,
}

impl Silos {
    pub fn of(records: &[Record]) -> Self {
        let mut silos = Self(BTreeMap::new());
        // Superseded incarnations, and where the next one of their name was first heard of.
        let mut superseded: Vec<(SiloId, usize, Instant)> = Vec::new();
        let mut slow: BTreeMap<SiloName, (Instant, u32)> = BTreeMap::new();
        for (position, record) in records.iter().enumerate() {
            match &record.what {
                What::Silo(r) => {
                    let life = match silos.0.get_mut(&r.silo) {
                        Some(life) => life,
                        None => {
                            let elder = silos.0.keys().rfind(|s| s.name == r.silo.name && **s < r.silo);
                            superseded.extend(elder.map(|elder| (*elder, position, record.at)));
                            // The next process of a slow node is as slow.
                            let slow = slow.get(&r.silo.name).copied().into_iter().collect();
                            silos.0.entry(r.silo).or_insert(Life { first: position, slow, ..Life::default() })
                        }
                    };
                    life.last = position;
                    life.clock.push((r.local.0, record.at.0));
                    life.note(position, record.at, r.local, &r.event);
                }
                What::World(WorldEvent::Slowed { name, milli }) => {
                    slow.insert(*name, (record.at, *milli));
                    let named = silos.0.iter_mut().filter(|(silo, _)| silo.name == *name);
                    named.for_each(|(_, life)| life.slow.push((record.at, *milli)));
                }
                What::World(event) => silos.world(position, record.at, event),
                What::Client(_) | What::User(_) => {}
            }
        }
        for (elder, position, at) in superseded {
            let life = silos.0.get_mut(&elder).expect("it was heard of before its successor");
            if life.last < position {
                life.crashed.get_or_insert((position, at));
            }
        }
        silos
    }

    fn world(&mut self, position: usize, at: Instant, event: &WorldEvent) {
        match event {
            WorldEvent::Crashed(silo) => {
                self.0.entry(*silo).or_default().crashed.get_or_insert((position, at));
            }
            WorldEvent::Paused(silo) => {
                let life = self.0.entry(*silo).or_default();
                if life.pauses.last().is_none_or(|p| p.until != Instant::NEVER) {
                    life.pauses.push(Window { from: at, until: Instant::NEVER });
                }
            }
            WorldEvent::Resumed(silo) => {
                let pauses = &mut self.0.entry(*silo).or_default().pauses;
                if let Some(pause) = pauses.last_mut().filter(|p| p.until == Instant::NEVER) {
                    pause.until = at;
                }
            }
            // Whoever was frozen then goes on.
            WorldEvent::Healed => {
                for pause in self.0.values_mut().filter_map(|life| life.pauses.last_mut()) {
                    pause.until = pause.until.min(at);
                }
            }
            _ => {}
        }
    }

    pub fn life(&self, silo: SiloId) -> Option<&Life> {
        self.0.get(&silo)
    }

    pub fn iter(&self) -> impl Iterator<Item = (SiloId, &Life)> {
        self.0.iter().map(|(silo, life)| (*silo, life))
    }
}

impl Life {
    fn note(&mut self, position: usize, at: Instant, local: Instant, event: &SiloEvent) {
        match event {
            SiloEvent::LeaseHeld { until } => match self.leases.last_mut() {
                Some(lease) if local < lease.until => lease.until = *until,
                _ => self.leases.push(Window { from: local, until: *until }),
            },
            SiloEvent::LeaseLost => self.end_lease(local),
            SiloEvent::Stopped { .. } => {
                self.end_lease(local);
                self.stopped.get_or_insert((position, at));
            }
            _ => {}
        }
    }

    fn end_lease(&mut self, local: Instant) {
        if let Some(lease) = self.leases.last_mut() {
            lease.until = lease.until.min(local);
        }
    }

    /// Whether the lease was held at this time of its own clock.
    pub fn leased_at(&self, local: Instant) -> bool {
        let after = self.leases.partition_point(|l| l.from <= local);
        after.checked_sub(1).is_some_and(|i| local < self.leases[i].until)
    }

    /// From this time of its own clock on, when it next holds its lease; `NEVER` if it does not any more.
    pub fn leased_from(&self, local: Instant) -> Instant {
        if self.leased_at(local) {
            return local;
        }
        let after = self.leases.partition_point(|l| l.from <= local);
        self.leases.get(after).map_or(Instant::NEVER, |l| l.from)
    }

    /// When it certainly held its lease, in true time.
    pub fn leases_true(&self) -> Vec<Window> {
        let crash = self.crashed.map_or(Instant::NEVER, |(_, at)| at);
        let certain = |l: &Window| Window {
            from: self.true_time(l.from).1,
            until: self.true_time(l.until).0.min(crash),
        };
        self.leases.iter().map(certain).filter(|w| w.from < w.until).collect()
    }

    /// Whether it was frozen at some time of this span of true time.
    pub fn paused_within(&self, from: Instant, until: Instant) -> bool {
        self.pauses.iter().any(|p| p.from <= until && from < p.until)
    }

    /// How slowly it computed at its slowest in this span of true time: at least 1000 thousandths of the usual time.
    pub fn slowest_within(&self, from: Instant, until: Instant) -> u32 {
        let ends = self.slow.iter().skip(1).map(|(at, _)| *at).chain([Instant::NEVER]);
        let spans = self.slow.iter().zip(ends);
        let met = spans.filter(|((begins, _), ends)| *begins <= until && from < *ends);
        met.map(|((_, milli), _)| *milli).max().unwrap_or(0).max(1000)
    }

    /// From this true time on, when it is not frozen; `NEVER` if it stays so.
    pub fn awake_from(&self, at: Instant) -> Instant {
        self.pauses.iter().find(|p| p.from <= at && at < p.until).map_or(at, |p| p.until)
    }

    /// Whether its process has ended or it has stopped itself by `at`.
    pub fn is_gone(&self, at: Instant) -> bool {
        [self.crashed, self.stopped].into_iter().flatten().any(|(_, gone)| gone <= at)
    }

    /// When its clock showed `local`: the earliest and the latest true time that its records and a clock rate of
    /// 0.9 to 1.1 allow.
    pub fn true_time(&self, local: Instant) -> (Instant, Instant) {
        if local == Instant::NEVER {
            return (Instant::NEVER, Instant::NEVER);
        }
        let after = self.clock.partition_point(|(l, _)| *l <= local.0);
        let (mut earliest, mut latest) = (0, u64::MAX);
        if let Some((l, t)) = after.checked_sub(1).map(|i| self.clock[i]) {
            let passed = local.0.saturating_sub(l);
            earliest = t + (u128::from(passed) * 10 / 11) as u64;
            latest = t.saturating_add((u128::from(passed) * 10 / 9) as u64);
        }
        if let Some((l, t)) = self.clock.get(after) {
            let to_come = l.saturating_sub(local.0);
            earliest = earliest.max(t.saturating_sub((u128::from(to_come) * 10 / 9) as u64));
            latest = latest.min(t.saturating_sub((u128::from(to_come) * 10 / 11) as u64));
        }
        (Instant(earliest.min(latest)), Instant(latest))
    }
}

#[cfg(test)]
mod tests {
    use super::super::script::{Script, ms, silo};
    use super::*;

    #[test]
    fn a_lease_is_one_window_while_it_is_renewed_in_time() {
        let history = Script::new()
            .at(10)
            .silo("a#1", SiloEvent::LeaseHeld { until: ms(100) })
            .at(90)
            .silo("a#1", SiloEvent::LeaseHeld { until: ms(200) })
            .at(300)
            .silo("a#1", SiloEvent::LeaseHeld { until: ms(400) })
            .at(350)
            .silo("a#1", SiloEvent::LeaseLost)
            .history();
        let silos = history.silos();
        let life = silos.life(silo("a#1")).expect("it was heard of");
        let held: Vec<bool> =
            [5, 10, 150, 200, 250, 300, 349, 350, 399].into_iter().map(|t| life.leased_at(ms(t))).collect();
        assert_eq!(held, [false, true, true, false, false, true, true, false, false]);
        assert_eq!(life.leased_from(ms(250)), ms(300));
        assert_eq!(life.leased_from(ms(350)), Instant::NEVER);
    }

    #[test]
    fn a_local_time_is_found_between_the_records_around_it() {
        let history = Script::new()
            .at(100)
            .silo_at("a#1", 1000, SiloEvent::Joined)
            .at(200)
            .silo_at("a#1", 1101, SiloEvent::Joined)
            .history();
        let silos = history.silos();
        let life = silos.life(silo("a#1")).expect("it was heard of");
        let (earliest, latest) = life.true_time(ms(1100));
        assert!(ms(198) <= earliest && earliest <= latest && latest <= ms(200), "{earliest:?} {latest:?}");
        let (earliest, latest) = life.true_time(ms(2101));
        assert!(earliest > ms(1100) && latest < ms(1320), "{earliest:?} {latest:?}");
        assert_eq!(life.true_time(Instant::NEVER).0, Instant::NEVER);
    }

    #[test]
    fn a_slow_node_is_slow_from_then_on_and_so_is_its_next_process() {
        let name = silo("a#1").name;
        let slowed = |milli| WorldEvent::Slowed { name, milli };
        let history = Script::new()
            .at(10)
            .silo("a#1", SiloEvent::Joined)
            .at(20)
            .world(slowed(80_000))
            .at(25)
            .silo("b#1", SiloEvent::Joined)
            .at(30)
            .silo("a#2", SiloEvent::Joined)
            .at(40)
            .world(slowed(1000))
            .history();
        let silos = Silos::of(history.records());
        let slowest = |id, from, until| {
            silos.life(silo(id)).expect("it was heard of").slowest_within(ms(from), ms(until))
        };
        assert_eq!(slowest("a#1", 10, 19), 1000);
        assert_eq!(slowest("a#1", 10, 20), 80_000);
        assert_eq!([slowest("a#2", 35, 45), slowest("a#2", 40, 45)], [80_000, 1000]);
        assert_eq!(slowest("b#1", 0, 100), 1000);
    }

    #[test]
    fn a_reborn_name_ends_the_elder_unless_it_speaks_again() {
        let base = Script::new().silo("a#1", SiloEvent::Joined).at(5).silo("a#2", SiloEvent::Joined);
        let gone = |script: Script| {
            script.history().silos().life(silo("a#1")).expect("it was heard of").crashed.is_some()
        };
        assert!(gone(base.clone()));
        assert!(!gone(base.at(6).silo("a#1", SiloEvent::LeaseLost)));
    }
}
