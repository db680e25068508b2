//! I3, promise P5: what has an idempotency key, and what is a letter, takes effect once: never by two commits, letters in
//! their order, and none is crossed off its sender's list that was neither taken nor given up.
//!
//! An effect is a commit *as the store applied it*, also when nobody was ever told: so this sees the repetition of what was
//! in doubt. Keys are remembered for so many calls as the runtime says; after that a repetition may run again. A store that
//! fails over forgets, and then so does this.

use super::{Checker, Verdict};
use crate::history::{CommitAsked, History, NOTHING, Numbers, Once, SiloEvent, What, WorldEvent};
use quark::LetterId;
use quark_core::wire::IdempotencyKey;
use quark_core::{Epoch, Instant, SiloId, WriteId};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// See the module.
pub struct ExactlyOnce;

/// How many keys an actor remembers (`docs/letters.md`).
const KEYS_KEPT: u64 = 128;

/// As [`Once`], with the sender's number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Effect {
    Key(IdempotencyKey),
    Letter { from: u32, id: LetterId },
}

/// Actors are known by their numbers.
struct Books<'a> {
    numbers: &'a Numbers,
    /// Commits that were asked for and matter here.
    asked: BTreeMap<WriteId, &'a CommitAsked>,
    /// By place: the last commit that the activation there asked for, if it has an effect of this kind.
    last: Vec<Option<WriteId>>,
    /// What has taken effect on an actor: by which commit, when, and as the how-manieth of its keys.
    effects: BTreeMap<(u32, Effect), (WriteId, Instant, u64)>,
    applied: BTreeSet<WriteId>,
    keyed: Vec<u64>,
    /// Receiver and sender → the newest letter taken.
    newest: BTreeMap<(u32, u32), LetterId>,
    /// Sender and letter: whatever was ever taken, or given up.
    settled: BTreeSet<(u32, LetterId)>,
}

impl Checker for ExactlyOnce {
    fn name(&self) -> &'static str {
        "exactly-once"
    }

    fn check(&self, history: &History) -> Verdict {
        let mut verdict = Verdict::default();
        let is_watched = history.world_events().any(|(_, _, e)| matches!(e, WorldEvent::StoreCommit { .. }));
        if !is_watched {
            return verdict;
        }
        let mut books = Books::of(history.numbers());
        for (position, record) in history.records().iter().enumerate() {
            match &record.what {
                What::Silo(r) => books.silo(r.silo, (position, record.at), &r.event, &mut verdict),
                What::World(WorldEvent::StoreCommit { write_id, deletes, .. }) => {
                    let actor = books.numbers.at(position).actor;
                    if actor != NOTHING {
                        books.commit(actor, *write_id, deletes, record.at, &mut verdict);
                    }
                }
                What::World(WorldEvent::StoreFailedOver) => {
                    books.effects.clear();
                    books.newest.clear();
                    books.last.fill(None);
                }
                What::World(_) | What::Client(_) | What::User(_) => {}
            }
        }
        verdict
    }
}

impl<'a> Books<'a> {
    fn of(numbers: &'a Numbers) -> Self {
        Self {
            numbers,
            asked: BTreeMap::new(),
            last: numbers.of_places(),
            effects: BTreeMap::new(),
            applied: BTreeSet::new(),
            keyed: numbers.of_actors(),
            newest: BTreeMap::new(),
            settled: BTreeSet::new(),
        }
    }

    fn silo(
        &mut self,
        silo: SiloId,
        (position, at): (usize, Instant),
        event: &'a SiloEvent,
        verdict: &mut Verdict,
    ) {
        match event {
            SiloEvent::CommitAsked(asked) => {
                let whose = self.numbers.at(position).place as usize;
                self.last[whose] = asked.once.is_some().then_some(asked.write);
                if asked.once.is_some() || !asked.withdrawn.is_empty() {
                    self.asked.insert(asked.write, asked);
                }
            }
            // What is acknowledged has happened.
            SiloEvent::Committed { actor, .. } => {
                let whose = self.numbers.at(position).place as usize;
                let Some(write) = self.last[whose].take() else { return };
                verdict.require("P5", at, self.applied.contains(&write), || {
                    let once = self.asked.get(&write).and_then(|asked| asked.once.as_ref());
                    format!("{silo} was told that {actor} took {once:?}, and the store has no such commit")
                });
            }
            _ => {}
        }
    }

    fn commit(
        &mut self,
        number: u32,
        write: WriteId,
        deletes: &[Arc<str>],
        at: Instant,
        verdict: &mut Verdict,
    ) {
        if let Some(asked) = self.asked.get(&write).copied() {
            self.applied.insert(write);
            self.settled.extend(asked.withdrawn.iter().map(|id| (number, *id)));
            if let Some(once) = &asked.once {
                self.take(number, once, write, at, verdict);
            }
        }
        for id in deletes.iter().filter_map(|row| letter_of(row)) {
            verdict.require("P5", at, self.settled.contains(&(number, id)), || {
                let actor = self.numbers.actor(number);
                format!("{actor} crossed its letter {id} off, and nobody has taken it")
            });
        }
    }

    /// Something takes effect.
    fn take(&mut self, number: u32, once: &Once, write: WriteId, at: Instant, verdict: &mut Verdict) {
        let actor = self.numbers.actor(number);
        let count = &mut self.keyed[number as usize];
        let effect = match once {
            Once::Key(key) => {
                *count += 1;
                Effect::Key(*key)
            }
            Once::Letter { from, id } => {
                let from = self.numbers.number_of(from).expect("who sends letters has a number");
                Effect::Letter { from, id: *id }
            }
        };
        let before = self.effects.insert((number, effect), (write, at, *count));
        let is_first = before.is_none_or(|(earlier, _, then)| {
            let forgotten = matches!(effect, Effect::Key(_)) && *count - then > KEYS_KEPT;
            earlier == write || forgotten
        });
        verdict.require("P5", at, is_first, || {
            format!("{once:?} took effect on {actor} twice, the first time at {:?}", before.map(|b| b.1))
        });
        if let Effect::Letter { from, id } = effect {
            let newest = self.newest.insert((number, from), id);
            // Twice is said above.
            let in_order = newest.is_none_or(|newest| newest <= id);
            verdict.require("P5", at, in_order, || {
                let (from, newest) = (self.numbers.actor(from), newest.unwrap_or(id));
                format!("{actor} took letter {id} of {from} after letter {newest}")
            });
            self.settled.insert((from, id));
        }
    }
}

/// The letter of a row `out/{epoch}/{number}`, both in hexadecimal.
fn letter_of(row: &str) -> Option<LetterId> {
    let (epoch, number) = row.strip_prefix("out/")?.split_once('/')?;
    let number_of = |hex: &str| u64::from_str_radix(hex, 16).ok();
    Some(LetterId { epoch: Epoch(number_of(epoch)?), number: number_of(number)? })
}

#[cfg(test)]
mod tests {
    use super::super::script::{
        Script, actor, asked, broken, committed, rejected, stored, stored_and_deleted,
    };
    use super::*;
    use quark_core::wire::IdempotencyKey;

    fn key(key: u128) -> Option<Once> {
        Some(Once::Key(IdempotencyKey::new(key)))
    }

    fn letter(number: u64) -> Option<Once> {
        Some(Once::Letter { from: actor("bob"), id: LetterId { epoch: Epoch(3), number } })
    }

    /// Positions: 0 to 2 a call with a key; 3 to 5 and 6 to 7 two letters of bob's, the second never acknowledged; 8 is bob's
    /// crossing off of the first.
    fn valid() -> Script {
        Script::new()
            .silo("a#1", asked("alice", 1, 2, key(7)))
            .world(stored("alice", 2))
            .silo("a#1", committed("alice", 1, 2))
            .silo("a#1", asked("alice", 1, 3, letter(1)))
            .world(stored("alice", 3))
            .silo("a#1", committed("alice", 1, 3))
            .silo("a#1", asked("alice", 1, 4, letter(2)))
            .world(stored("alice", 4))
            .world(stored_and_deleted("bob", 9, "out/0000000000000003/0000000000000001"))
    }

    #[test]
    fn every_effect_has_one_commit() {
        assert_eq!(
            rejected(&ExactlyOnce, &valid()),
            "swap 0, drop 1, swap 1, swap 2, drop 3, swap 3, drop 4, swap 4, swap 5"
        );
        let again = |once| valid().silo("b#1", asked("alice", 5, 6, once)).world(stored("alice", 6));
        assert_eq!(broken(&ExactlyOnce, again(key(7))), ["P5"]);
        assert_eq!(broken(&ExactlyOnce, again(letter(2))), ["P5"]);
        assert_eq!(broken(&ExactlyOnce, again(letter(1))), ["P5", "P5"], "twice, and out of order");
        assert_eq!(broken(&ExactlyOnce, again(key(8))), [] as [&str; 0]);
        assert_eq!(broken(&ExactlyOnce, again(letter(3))), [] as [&str; 0]);
    }

    #[test]
    fn what_was_asked_for_and_not_applied_has_no_effect() {
        let refused = valid().silo("b#1", asked("alice", 5, 6, key(7)));
        assert_eq!(broken(&ExactlyOnce, refused), [] as [&str; 0]);
    }

    #[test]
    fn a_letter_is_crossed_off_once_taken_or_given_up() {
        let row = "out/0000000000000003/0000000000000005";
        let lost = valid().world(stored_and_deleted("bob", 12, row));
        assert_eq!(broken(&ExactlyOnce, lost), ["P5"]);
        let SiloEvent::CommitAsked(asked) = asked("bob", 3, 12, None) else { unreachable!("it is one") };
        let id = LetterId { epoch: Epoch(3), number: 5 };
        let given_up = SiloEvent::CommitAsked(CommitAsked { withdrawn: Arc::from([id]), ..asked });
        let given_up = valid().silo("b#1", given_up).world(stored_and_deleted("bob", 12, row));
        assert_eq!(broken(&ExactlyOnce, given_up), [] as [&str; 0]);
    }

    #[test]
    fn a_key_that_is_forgotten_may_run_again_and_so_may_what_a_fail_over_lost() {
        let mut script = valid();
        for n in 0..KEYS_KEPT {
            let version = 10 + n;
            script = script.silo("a#1", asked("alice", 1, version, key(100 + u128::from(n))));
            script = script.world(stored("alice", version));
        }
        let again =
            |script: Script| script.silo("a#1", asked("alice", 1, 999, key(7))).world(stored("alice", 999));
        assert_eq!(broken(&ExactlyOnce, again(script)), [] as [&str; 0]);
        assert_eq!(broken(&ExactlyOnce, again(valid())), ["P5"]);
        assert_eq!(broken(&ExactlyOnce, again(valid().world(WorldEvent::StoreFailedOver))), [] as [&str; 0]);
    }
}
