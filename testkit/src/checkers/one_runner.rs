//! I1, promise P2: no two silos run turns of one actor while both hold their leases, no silo starts one without, and on
//! one silo an exclusive turn is alone.
//!
//! A turn that was suspended when its silo's lease ended may end much later: what counts is the part of it within the
//! lease. Lease ends are taken as early as the clock's records allow, so that doubt never accuses.

use super::silos::{Life, Window};
use super::{Checker, Verdict};
use crate::history::{History, Numbers, SiloEvent};
use quark_core::Instant;
use std::time::Duration;

/// See the module.
pub struct OneRunner;

/// A turn, or all the turns of one activation, from the first start to the last end.
#[derive(Clone, Copy)]
struct Run {
    /// Its number.
    silo: u32,
    exclusive: bool,
    start: usize,
    start_at: Instant,
    /// The position past all others while it has no end.
    end: usize,
    end_at: Instant,
}

/// On real clocks a little time passes between looking at the lease and recording the turn.
const CLOCK_READ: Duration = Duration::from_millis(1);

impl Checker for OneRunner {
    fn name(&self) -> &'static str {
        "one-runner"
    }

    fn check(&self, history: &History) -> Verdict {
        let (numbers, lives) = (history.numbers(), history.lives());
        let leases_of = |life: &Option<&Life>| life.map_or_else(Vec::new, Life::leases_true);
        let leases: Vec<Vec<Window>> = lives.iter().map(leases_of).collect();
        let mut verdict = Verdict::default();
        check_starts(history, &lives, &mut verdict);
        let runs = Runs::of(history, &lives);
        let mut overlaps = Overlaps { numbers, leases: &leases, verdict: &mut verdict };
        for (actor, turns) in (0..).zip(&runs.turns) {
            overlaps.check(actor, "turns", turns);
        }
        for (actor, spells) in (0..).zip(&runs.spells) {
            overlaps.check(actor, "activations", spells);
        }
        verdict
    }
}

fn check_starts(history: &History, lives: &[Option<&Life>], verdict: &mut Verdict) {
    for (position, at, record) in history.silo_records() {
        if let SiloEvent::TurnStarted(turn) = &record.event {
            let life = lives[history.numbers().at(position).silo as usize].expect("it has a record");
            let earlier = Instant(record.local.0.saturating_sub(CLOCK_READ.as_nanos() as u64));
            let leased = life.leased_at(record.local) || life.leased_at(earlier);
            verdict.require("P2", at, leased, || {
                format!("{} started a turn of {} without a lease", record.silo, turn.actor)
            });
        }
    }
}

/// What ran, by actor, in order of starting.
struct Runs {
    turns: Vec<Vec<Run>>,
    /// Each activation from its first turn to its last: activations of which neither begins before the other's end
    /// have run side by side, also when no two of their turns have.
    spells: Vec<Vec<Run>>,
}

/// What is under way at one place.
#[derive(Default)]
struct Place {
    /// Turns that have not ended: call, whether exclusive, and where among the actor's turns. In order of starting.
    open: Vec<(u32, bool, usize)>,
    /// Where the present activation is among the actor's.
    spell: Option<usize>,
}

impl Runs {
    fn of(history: &History, lives: &[Option<&Life>]) -> Self {
        let numbers = history.numbers();
        let mut runs = Self { turns: numbers.of_actors(), spells: numbers.of_actors() };
        let mut places: Vec<Place> = numbers.of_places();
        for (position, at, record) in history.silo_records() {
            let named = numbers.at(position);
            match &record.event {
                SiloEvent::Activated { .. } => places[named.place as usize].spell = None,
                SiloEvent::TurnStarted(turn) => {
                    let (silo, exclusive) = (named.silo, turn.exclusive);
                    let (end, end_at) = last_moment(lives[silo as usize].expect("it has a record"));
                    let run = Run { silo, exclusive, start: position, start_at: at, end, end_at };
                    let place = &mut places[named.place as usize];
                    let turns = &mut runs.turns[named.actor as usize];
                    place.open.push((named.call, exclusive, turns.len()));
                    turns.push(run);
                    let spells = &mut runs.spells[named.actor as usize];
                    let i = *place.spell.get_or_insert_with(|| {
                        spells.push(Run { exclusive: false, end: position, end_at: at, ..run });
                        spells.len() - 1
                    });
                    extend(spells, i, position, at);
                }
                SiloEvent::TurnEnded { exclusive, .. } => {
                    let place = &mut places[named.place as usize];
                    let is_it =
                        |(call, kind, _): &(u32, bool, usize)| (*call, *kind) == (named.call, *exclusive);
                    if let Some(started) = place.open.iter().position(is_it) {
                        let (_, _, i) = place.open.remove(started);
                        extend(&mut runs.turns[named.actor as usize], i, position, at);
                    }
                    if let Some(i) = place.spell {
                        extend(&mut runs.spells[named.actor as usize], i, position, at);
                    }
                }
                _ => {}
            }
        }
        runs
    }
}

fn extend(runs: &mut [Run], i: usize, position: usize, at: Instant) {
    (runs[i].end, runs[i].end_at) = (position, at);
}

/// When a turn ends of which no end is recorded.
fn last_moment(life: &Life) -> (usize, Instant) {
    [life.crashed, life.stopped].into_iter().flatten().min().unwrap_or((usize::MAX, Instant::NEVER))
}

struct Overlaps<'a> {
    numbers: &'a Numbers,
    /// By silo.
    leases: &'a [Vec<Window>],
    verdict: &'a mut Verdict,
}

impl Overlaps<'_> {
    fn check(&mut self, actor: u32, what: &str, runs: &[Run]) {
        let last_lease = |run: &Run| self.leases[run.silo as usize].last().map_or(Instant::ZERO, |w| w.until);
        let mut open: Vec<&Run> = Vec::new();
        for run in runs {
            self.verdict.examine();
            open.retain(|o| o.end > run.start && (o.silo == run.silo || last_lease(o) > run.start_at));
            for other in &open {
                let clash = if other.silo == run.silo {
                    other.exclusive || run.exclusive
                } else {
                    both_leased(other, run, self.leases)
                };
                self.verdict.require("P2", run.start_at, !clash, || {
                    let (actor, numbers) = (self.numbers.actor(actor), self.numbers);
                    let (there, here) = (numbers.silo(other.silo), numbers.silo(run.silo));
                    format!(
                        "two {what} of {actor} ran at once: on {there} since {:?}, on {here} since {:?}",
                        other.start_at, run.start_at
                    )
                });
            }
            open.push(run);
        }
    }
}

/// Whether at some moment that both runs span, both silos certainly held their leases.
fn both_leased(a: &Run, b: &Run, leases: &[Vec<Window>]) -> bool {
    let (from, until) = (a.start_at.max(b.start_at), a.end_at.min(b.end_at));
    let windows = |run: &Run| leases[run.silo as usize].iter();
    windows(a).any(|x| {
        windows(b).any(|y| {
            let moment = from.max(x.from).max(y.from);
            moment <= until && moment < x.until && moment < y.until
        })
    })
}

#[cfg(test)]
mod tests {
    use super::super::script::{Script, activated, broken, ended, ms, rejected, silo, started};
    use super::*;
    use crate::history::WorldEvent;

    /// One turn on a, the actor moves, one turn on b.
    fn valid() -> Script {
        Script::new()
            .leased(&["a#1", "b#1"])
            .at(10)
            .silo("a#1", started("alice", 1))
            .at(20)
            .silo("a#1", ended("alice", 1))
            .at(30)
            .silo("b#1", started("alice", 2))
            .at(40)
            .silo("b#1", ended("alice", 2))
    }

    #[test]
    fn turns_on_two_silos_never_overlap() {
        // Dropping a's end leaves its turn open; a start twice on one silo is two exclusive turns at once.
        assert_eq!(rejected(&OneRunner, &valid()), "drop 0, drop 1, dup 2, swap 2, drop 3, swap 3, dup 4");
    }

    #[test]
    fn activations_that_take_turns_are_two_activations() {
        let script = valid().at(50).silo("a#1", started("alice", 3)).silo("a#1", ended("alice", 3));
        assert_eq!(broken(&OneRunner, script), ["P2"]);
        let returned = valid()
            .at(45)
            .silo("a#1", activated("alice", 3))
            .at(50)
            .silo("a#1", started("alice", 3))
            .silo("a#1", ended("alice", 3));
        assert_eq!(broken(&OneRunner, returned), [] as [&str; 0]);
    }

    #[test]
    fn a_zombie_may_end_late_what_it_began_in_time() {
        let zombie = |lease_ms| {
            Script::new()
                .silo("a#1", SiloEvent::LeaseHeld { until: ms(lease_ms) })
                .leased(&["b#1"])
                .at(10)
                .silo("a#1", started("alice", 1))
                .at(5_000)
                .silo("b#1", started("alice", 2))
                .at(5_010)
                .silo("b#1", ended("alice", 2))
                .at(60_000)
                .silo("a#1", ended("alice", 1))
        };
        assert_eq!(broken(&OneRunner, zombie(3_000)), [] as [&str; 0]);
        // As a turn and as an activation.
        assert_eq!(broken(&OneRunner, zombie(50_000)), ["P2", "P2"]);
    }

    #[test]
    fn a_turn_needs_a_lease_when_it_starts() {
        let late = Script::new()
            .silo("a#1", SiloEvent::LeaseHeld { until: ms(100) })
            .at(100)
            .silo("a#1", started("alice", 1))
            .silo("a#1", ended("alice", 1))
            .at(101)
            .silo("a#1", started("alice", 2));
        assert_eq!(broken(&OneRunner, late), ["P2"], "a millisecond is for reading the clock");
    }

    #[test]
    fn a_crash_ends_the_turn_that_it_cuts() {
        let cut = Script::new()
            .leased(&["a#1", "b#1"])
            .at(10)
            .silo("a#1", started("alice", 1))
            .at(20)
            .world(WorldEvent::Crashed(silo("a#1")))
            .at(30)
            .silo("b#1", started("alice", 2))
            .silo("b#1", ended("alice", 2));
        assert_eq!(broken(&OneRunner, cut), [] as [&str; 0]);
    }

    #[test]
    fn shared_turns_run_side_by_side_on_one_silo_only() {
        let shared = |number| {
            let turn = super::super::script::turn("alice", number);
            SiloEvent::TurnStarted(crate::history::TurnStarted { exclusive: false, ..turn })
        };
        let one = Script::new().leased(&["a#1"]).silo("a#1", shared(1)).silo("a#1", shared(2));
        assert_eq!(broken(&OneRunner, one.clone()), [] as [&str; 0]);
        assert_eq!(broken(&OneRunner, one.silo("a#1", started("alice", 3))), ["P2", "P2"]);
        let two = Script::new().leased(&["a#1", "b#1"]).silo("a#1", shared(1)).silo("b#1", shared(2));
        assert_eq!(broken(&OneRunner, two), ["P2"]);
    }
}
