//! I1, promise P2: no two silos run turns of one actor while both hold their leases, no silo starts one without, and on
//! one silo an exclusive turn is alone.
//!
//! A turn that was suspended when its silo's lease ended may end much later: what counts is the part of it within the
//! lease. Lease ends are taken as early as the clock's records allow, so that doubt never accuses.

use super::silos::{Life, Silos, Window};
use super::{Checker, Verdict};
use crate::history::{History, SiloEvent};
use quark_core::wire::CallId;
use quark_core::{ActorId, Instant, SiloId};
use std::collections::BTreeMap;
use std::time::Duration;

/// See the module.
pub struct OneRunner;

/// A turn, or all the turns of one activation, from the first start to the last end.
#[derive(Clone)]
struct Run {
    silo: SiloId,
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
        let silos = history.silos();
        let leases: BTreeMap<SiloId, Vec<Window>> =
            silos.iter().map(|(silo, life)| (silo, life.leases_true())).collect();
        let mut verdict = Verdict::default();
        check_starts(history, silos, &mut verdict);
        let runs = Runs::of(history, silos);
        for (actor, turns) in &runs.turns {
            check_overlaps(actor, "turns", turns, &leases, &mut verdict);
        }
        for (actor, spells) in &runs.spells {
            check_overlaps(actor, "activations", spells, &leases, &mut verdict);
        }
        verdict
    }
}

fn check_starts(history: &History, silos: &Silos, verdict: &mut Verdict) {
    for (_, at, record) in history.silo_records() {
        if let SiloEvent::TurnStarted(turn) = &record.event {
            let life = silos.life(record.silo).expect("it has a record");
            let earlier = Instant(record.local.0.saturating_sub(CLOCK_READ.as_nanos() as u64));
            let leased = life.leased_at(record.local) || life.leased_at(earlier);
            verdict.require("P2", at, leased, || {
                format!("{} started a turn of {} without a lease", record.silo, turn.actor)
            });
        }
    }
}

/// What ran, by actor, in order of starting.
#[derive(Default)]
struct Runs {
    turns: BTreeMap<ActorId, Vec<Run>>,
    /// Each activation from its first turn to its last: activations of which neither begins before the other's end
    /// have run side by side, also when no two of their turns have.
    spells: BTreeMap<ActorId, Vec<Run>>,
}

impl Runs {
    fn of(history: &History, silos: &Silos) -> Self {
        type Turn = (SiloId, ActorId, SiloId, CallId, bool);
        let mut runs = Self::default();
        let mut open: BTreeMap<Turn, Vec<usize>> = BTreeMap::new();
        let mut spell: BTreeMap<(SiloId, ActorId), usize> = BTreeMap::new();
        for (position, at, record) in history.silo_records() {
            let silo = record.silo;
            match &record.event {
                SiloEvent::Activated { actor, .. } => {
                    spell.remove(&(silo, actor.clone()));
                }
                SiloEvent::TurnStarted(turn) => {
                    let (end, end_at) = last_moment(silos.life(silo).expect("it has a record"));
                    let run =
                        Run { silo, exclusive: turn.exclusive, start: position, start_at: at, end, end_at };
                    let turns = runs.turns.entry(turn.actor.clone()).or_default();
                    turns.push(run.clone());
                    let key = (silo, turn.actor.clone(), turn.caller, turn.call, turn.exclusive);
                    open.entry(key).or_default().push(turns.len() - 1);
                    let spells = runs.spells.entry(turn.actor.clone()).or_default();
                    let i = *spell.entry((silo, turn.actor.clone())).or_insert_with(|| {
                        let (end, end_at) = (position, at);
                        spells.push(Run { exclusive: false, end, end_at, ..run });
                        spells.len() - 1
                    });
                    extend(spells, i, position, at);
                }
                SiloEvent::TurnEnded { actor, caller, call, exclusive, .. } => {
                    let key = (silo, actor.clone(), *caller, *call, *exclusive);
                    let started = open.get_mut(&key).filter(|s| !s.is_empty()).map(|s| s.remove(0));
                    if let (Some(i), Some(turns)) = (started, runs.turns.get_mut(actor)) {
                        (turns[i].end, turns[i].end_at) = (position, at);
                    }
                    if let (Some(i), Some(spells)) =
                        (spell.get(&(silo, actor.clone())), runs.spells.get_mut(actor))
                    {
                        extend(spells, *i, position, at);
                    }
                }
                _ => {}
            }
        }
        runs
    }
}

fn extend(spells: &mut [Run], i: usize, position: usize, at: Instant) {
    (spells[i].end, spells[i].end_at) = (position, at);
}

/// When a turn ends of which no end is recorded.
fn last_moment(life: &Life) -> (usize, Instant) {
    [life.crashed, life.stopped].into_iter().flatten().min().unwrap_or((usize::MAX, Instant::NEVER))
}

fn check_overlaps(
    actor: &ActorId,
    what: &str,
    runs: &[Run],
    leases: &BTreeMap<SiloId, Vec<Window>>,
    verdict: &mut Verdict,
) {
    let mut open: Vec<&Run> = Vec::new();
    for run in runs {
        verdict.examine();
        open.retain(|o| {
            let last_lease = leases.get(&o.silo).and_then(|l| l.last()).map_or(Instant::ZERO, |w| w.until);
            o.end > run.start && (o.silo == run.silo || last_lease > run.start_at)
        });
        for other in &open {
            let clash = if other.silo == run.silo {
                other.exclusive || run.exclusive
            } else {
                both_leased(other, run, leases)
            };
            verdict.require("P2", run.start_at, !clash, || {
                format!(
                    "two {what} of {actor} ran at once: on {} since {:?}, on {} since {:?}",
                    other.silo, other.start_at, run.silo, run.start_at
                )
            });
        }
        open.push(run);
    }
}

/// Whether at some moment that both runs span, both silos certainly held their leases.
fn both_leased(a: &Run, b: &Run, leases: &BTreeMap<SiloId, Vec<Window>>) -> bool {
    let (from, until) = (a.start_at.max(b.start_at), a.end_at.min(b.end_at));
    let windows = |run: &Run| leases.get(&run.silo).map_or(&[][..], Vec::as_slice);
    windows(a).iter().any(|x| {
        windows(b).iter().any(|y| {
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
