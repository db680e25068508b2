//! What a crash may cost a kind with `write_behind`: of what was acknowledged, only what is younger than its interval and one
//! commit.
//!
//! For every balance that a client is shown: at least what was acknowledged before it asked, but for what a crash in between
//! was allowed to take; at most what was tried before it was answered. A crash takes a write if it comes between the write's
//! invocation and the time by which it is to be stored, also if its answer was under way by then.
//!
//! Which silo hosts an actor is not known to a client's history: a crash of any silo is taken to be one of the host's, so the
//! checker sees best with one silo. It is not one of those that are always on, for it knows one kind: a story gives it the
//! interval, and the longest that its store takes for a commit. Stories with panics, silos that hang or a dark store, after
//! each of which more may be lost, are not for it, and it says nothing of an actor from which anything is taken.

use super::{Checker, Verdict};
use crate::history::{ClientEvent, History, Op, Outcome, What, WorldEvent};
use quark_core::{ActorId, Instant};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// See the module.
#[derive(Clone, Copy, Debug)]
pub struct WriteBehindLoss {
    /// The kind's `write_behind`.
    pub interval: Duration,
    /// The longest time that a commit takes beyond that.
    pub commit_time_max: Duration,
}

/// A write of which some client knows.
struct Write {
    actor: ActorId,
    amount: u64,
    invoked_at: Instant,
    /// When it was acknowledged, if it was.
    known_at: Option<Instant>,
    /// It is said not to have happened.
    has_failed: bool,
}

/// What is known at some point of the history.
#[derive(Default)]
struct Known {
    writes: BTreeMap<u64, Write>,
    /// Operations that have not ended: of which actor, since when.
    open: BTreeMap<u64, (ActorId, Instant)>,
    crashes: Vec<Instant>,
    /// Actors from which something is taken.
    unclear: BTreeSet<ActorId>,
}

impl Checker for WriteBehindLoss {
    fn name(&self) -> &'static str {
        "write-behind-loss"
    }

    fn check(&self, history: &History) -> Verdict {
        let (mut known, mut verdict) = (Known::default(), Verdict::default());
        for record in history.records() {
            match &record.what {
                What::World(WorldEvent::Crashed(_)) => known.crashes.push(record.at),
                What::Client(ClientEvent::Invoked { op_id, actor, op, .. }) => {
                    known.invoked(record.at, *op_id, actor, *op);
                }
                What::Client(ClientEvent::Returned { op_id, outcome }) => {
                    if let Some((actor, asked_at)) = known.returned(record.at, *op_id, *outcome)
                        && let Outcome::Ok(shown) | Outcome::Refused(shown) = *outcome
                        && !known.unclear.contains(&actor)
                    {
                        self.judge(&known, *op_id, &actor, [asked_at, record.at], shown, &mut verdict);
                    }
                }
                What::World(_) | What::Silo(_) | What::User(_) => {}
            }
        }
        verdict
    }
}

impl Known {
    fn invoked(&mut self, at: Instant, op_id: u64, actor: &ActorId, op: Op) {
        self.open.insert(op_id, (actor.clone(), at));
        match op {
            Op::Add(amount) => {
                let actor = actor.clone();
                let write = Write { actor, amount, invoked_at: at, known_at: None, has_failed: false };
                self.writes.insert(op_id, write);
            }
            Op::Take(_) => drop(self.unclear.insert(actor.clone())),
            Op::Read => {}
        }
    }

    /// Of which actor it was, and since when it was open.
    fn returned(&mut self, at: Instant, op_id: u64, outcome: Outcome) -> Option<(ActorId, Instant)> {
        if let Some(write) = self.writes.get_mut(&op_id) {
            match outcome {
                Outcome::Ok(_) => write.known_at = Some(at),
                Outcome::Failed | Outcome::Refused(_) => write.has_failed = true,
                Outcome::Unknown => {}
            }
        }
        self.open.remove(&op_id)
    }
}

impl WriteBehindLoss {
    fn judge(
        &self,
        known: &Known,
        op_id: u64,
        actor: &ActorId,
        open: [Instant; 2],
        shown: u64,
        verdict: &mut Verdict,
    ) {
        let writes = || known.writes.iter().filter(|(_, write)| write.actor == *actor);
        let kept = writes().filter(|(id, write)| **id == op_id || self.is_kept(write, open, &known.crashes));
        let least: u64 = kept.map(|(_, write)| write.amount).sum();
        let most: u64 = writes().filter(|(_, write)| !write.has_failed).map(|(_, write)| write.amount).sum();
        verdict.require("P3", open[1], (least..=most).contains(&shown), || {
            format!(
                "operation {op_id} on {actor} was shown {shown}: what was acknowledged {:?} and more before each \
                 crash, and what was tried, allow {least} to {most}",
                self.interval + self.commit_time_max
            )
        });
    }

    /// Whether who asks and is answered at these times has to be shown this write.
    fn is_kept(&self, write: &Write, [asked_at, answered_at]: [Instant; 2], crashes: &[Instant]) -> bool {
        let Some(known_at) = write.known_at.filter(|known_at| *known_at <= asked_at) else { return false };
        let stored_by = known_at + self.interval + self.commit_time_max;
        !crashes.iter().any(|crash| write.invoked_at <= *crash && *crash < stored_by && *crash <= answered_at)
    }
}

#[cfg(test)]
mod tests {
    use super::super::script::{Script, broken, rejected, silo};
    use super::*;

    const CHECKER: WriteBehindLoss =
        WriteBehindLoss { interval: Duration::from_millis(500), commit_time_max: Duration::from_millis(50) };

    fn crash(script: Script, ms: u64) -> Script {
        script.at(ms).world(WorldEvent::Crashed(silo("a#1")))
    }

    fn read(script: Script, op_id: u64, shown: u64) -> Script {
        script.op(op_id, "alice", Op::Read, Outcome::Ok(shown))
    }

    /// Five at 100 ms, two more at 400 ms.
    fn written() -> Script {
        let five = Script::new().at(100).op(1, "alice", Op::Add(5), Outcome::Ok(5));
        five.at(400).op(2, "alice", Op::Add(2), Outcome::Ok(7))
    }

    #[test]
    fn a_crash_takes_what_is_young_and_nothing_else() {
        let after = |crash_ms, shown| {
            let script = crash(written(), crash_ms).at(crash_ms + 1000);
            broken(&CHECKER, read(script, 3, shown)).is_empty()
        };
        for (crash_ms, least) in [(401, 0), (649, 0), (650, 5), (949, 5), (950, 7), (5000, 7)] {
            for shown in 0..9 {
                assert_eq!(
                    after(crash_ms, shown),
                    (least..=7).contains(&shown),
                    "{shown} after {crash_ms} ms"
                );
            }
        }
    }

    #[test]
    fn without_a_crash_nothing_is_lost() {
        assert_eq!(broken(&CHECKER, read(written(), 3, 7)), [] as [&str; 0]);
        assert_eq!(broken(&CHECKER, read(written(), 3, 5)), ["P3"]);
        let before = crash(Script::new(), 50).at(100).op(1, "alice", Op::Add(5), Outcome::Ok(5));
        assert_eq!(broken(&CHECKER, read(before, 2, 0)), ["P3"], "that crash was before the write");
        let other = crash(written(), 500).at(600).op(3, "bob", Op::Add(1), Outcome::Ok(0));
        assert_eq!(broken(&CHECKER, other), ["P3"], "no write is lost to its own answer");
    }

    #[test]
    fn an_answer_that_is_under_way_in_a_crash_may_speak_of_what_is_gone() {
        let script = crash(Script::new().at(100).invoke(1, "alice", Op::Add(5)), 101);
        let script = script.at(102).answer(1, Outcome::Ok(5)).at(2000);
        assert_eq!(broken(&CHECKER, read(script.clone(), 2, 0)), [] as [&str; 0]);
        assert_eq!(broken(&CHECKER, read(script, 2, 5)), [] as [&str; 0]);
    }

    #[test]
    fn what_failed_is_not_there_and_what_is_unknown_may_be() {
        let after = |outcome, shown| {
            let script = Script::new().at(100).op(1, "alice", Op::Add(5), outcome);
            broken(&CHECKER, read(script, 2, shown))
        };
        assert_eq!(after(Outcome::Failed, 5), ["P3"]);
        assert_eq!(after(Outcome::Failed, 0), [] as [&str; 0]);
        assert_eq!(after(Outcome::Unknown, 5), [] as [&str; 0]);
        assert_eq!(after(Outcome::Unknown, 0), [] as [&str; 0]);
    }

    #[test]
    fn single_mutations_of_a_good_history_are_rejected() {
        // Positions: 0 to 3 write, 4 crashes in time to take the second, 5 and 6 read what is left. Without the first
        // write the second shows too much; without the crash, or with one that comes later, nothing may be gone.
        let good = read(crash(written(), 700).at(2000), 3, 5);
        assert_eq!(rejected(&CHECKER, &good), "drop 0, drop 4, swap 4");
    }
}
