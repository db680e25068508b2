//! I2, promises P3 and P4: no acknowledged write is lost, and nothing is written that was said not to have happened.
//!
//! For every balance that a client is shown: at least what was acknowledged before it asked, at most what was tried before
//! it was answered, and never less than what anybody was shown before it asked. Linear in the history, so it also judges
//! what is too wide for [`super::Linearizable`].

use super::{Checker, Verdict};
use crate::history::{ClientEvent, History, Op, Outcome};
use quark_core::{ActorId, Instant};
use std::collections::BTreeMap;

/// See the module.
pub struct Ledger;

/// What is known of one actor at some point of the history.
#[derive(Clone, Copy, Default)]
struct Account {
    /// Sums of what was acknowledged, and of what was tried and may have happened.
    added: i128,
    maybe_added: i128,
    taken: i128,
    maybe_taken: i128,
    /// The highest balance shown, while nothing was ever taken.
    shown: i128,
}

/// An operation, and what was known of its actor when it was invoked.
struct Open {
    actor: ActorId,
    op: Op,
    before: Account,
}

impl Checker for Ledger {
    fn name(&self) -> &'static str {
        "ledger"
    }

    fn check(&self, history: &History) -> Verdict {
        let mut verdict = Verdict::default();
        let outcomes = outcomes(history, &mut verdict);
        let mut accounts: BTreeMap<ActorId, Account> = BTreeMap::new();
        let mut open: BTreeMap<u64, Open> = BTreeMap::new();
        for (_, at, event) in history.client_events() {
            match event {
                ClientEvent::Invoked { op_id, actor, op, .. } => {
                    let account = accounts.entry(actor.clone()).or_default();
                    open.insert(*op_id, Open { actor: actor.clone(), op: *op, before: *account });
                    let may_happen = !matches!(
                        outcomes.get(op_id).unwrap_or(&Outcome::Unknown),
                        Outcome::Failed | Outcome::Refused(_)
                    );
                    match op {
                        Op::Add(amount) if may_happen => account.maybe_added += i128::from(*amount),
                        Op::Take(amount) if may_happen => account.maybe_taken += i128::from(*amount),
                        _ => {}
                    }
                }
                ClientEvent::Returned { op_id, outcome } => {
                    let Some(done) = open.remove(op_id) else { continue };
                    let account = accounts.get_mut(&done.actor).expect("it was invoked there");
                    judge(*op_id, &done, *outcome, account, at, &mut verdict);
                }
            }
        }
        verdict
    }
}

/// How each operation ended. Operations that end twice or out of nowhere are violations.
fn outcomes(history: &History, verdict: &mut Verdict) -> BTreeMap<u64, Outcome> {
    let mut invoked: BTreeMap<u64, Option<Outcome>> = BTreeMap::new();
    for (_, at, event) in history.client_events() {
        match event {
            ClientEvent::Invoked { op_id, .. } => {
                let twin = invoked.insert(*op_id, None);
                verdict.require("P4", at, twin.is_none(), || format!("operation {op_id} was invoked twice"));
            }
            ClientEvent::Returned { op_id, outcome } => {
                let slot = invoked.get_mut(op_id);
                let first = slot.as_ref().is_some_and(|s| s.is_none());
                verdict.require("P4", at, first, || {
                    format!("operation {op_id} ended {outcome:?}, but it was not open")
                });
                if let Some(slot) = slot {
                    slot.get_or_insert(*outcome);
                }
            }
        }
    }
    invoked.into_iter().filter_map(|(op_id, outcome)| Some((op_id, outcome?))).collect()
}

fn judge(
    op_id: u64,
    done: &Open,
    outcome: Outcome,
    account: &mut Account,
    at: Instant,
    verdict: &mut Verdict,
) {
    let (balance, happened) = match outcome {
        Outcome::Ok(balance) => (i128::from(balance), true),
        Outcome::Refused(balance) => (i128::from(balance), false),
        Outcome::Failed | Outcome::Unknown => return,
    };
    let before = &done.before;
    let (own_add, own_take) = match (done.op, happened) {
        (Op::Add(amount), true) => (i128::from(amount), 0),
        (Op::Take(amount), true) => (0, i128::from(amount)),
        _ => (0, 0),
    };
    // What it did itself is in `maybe_*` already, since it was invoked.
    let least = before.added + own_add - account.maybe_taken;
    let most = account.maybe_added - before.taken - own_take;
    verdict.require("P3", at, least <= balance && balance <= most, || {
        format!(
            "operation {op_id} ({:?}) on {} was shown {balance}; acknowledged and tried writes allow {least} to {most}",
            done.op, done.actor
        )
    });
    if let (Op::Take(amount), false) = (done.op, happened) {
        verdict.require("P3", at, balance < i128::from(amount), || {
            format!("operation {op_id} on {} was refused {amount} of {balance}", done.actor)
        });
    }
    if account.maybe_taken == 0 {
        verdict.require("P3", at, balance >= before.shown + own_add, || {
            format!(
                "operation {op_id} ({:?}) on {} was shown {balance} after somebody was shown {}",
                done.op, done.actor, before.shown
            )
        });
        account.shown = account.shown.max(balance);
    }
    account.added += own_add;
    account.taken += own_take;
}

#[cfg(test)]
mod tests {
    use super::super::script::{Script, broken, rejected};
    use super::*;

    /// Positions: 0 and 1 add 5, 2 and 3 read, 4 and 5 add 2, 6 and 7 read.
    fn valid() -> Script {
        Script::new()
            .op(1, "alice", Op::Add(5), Outcome::Ok(5))
            .op(2, "alice", Op::Read, Outcome::Ok(5))
            .op(3, "alice", Op::Add(2), Outcome::Ok(7))
            .op(4, "alice", Op::Read, Outcome::Ok(7))
    }

    #[test]
    fn what_was_acknowledged_is_there() {
        // A lost answer (`drop 1`) is an unknown outcome, and `swap 3` lets a read end while the next write is open.
        assert_eq!(
            rejected(&Ledger, &valid()),
            "drop 0, dup 0, swap 0, dup 1, drop 2, dup 2, swap 2, dup 3, drop 4, dup 4, swap 4, dup 5, \
             drop 6, dup 6, swap 6, dup 7"
        );
        let lost = valid().op(5, "alice", Op::Read, Outcome::Ok(5));
        assert_eq!(broken(&Ledger, lost), ["P3", "P3"]);
        let phantom = valid().op(5, "alice", Op::Read, Outcome::Ok(8));
        assert_eq!(broken(&Ledger, phantom), ["P3"]);
    }

    #[test]
    fn what_is_unknown_may_be_there_and_what_failed_may_not() {
        let after = |outcome, shown| {
            let script = valid().op(5, "alice", Op::Add(3), outcome);
            broken(&Ledger, script.op(6, "alice", Op::Read, Outcome::Ok(shown)))
        };
        assert_eq!(after(Outcome::Unknown, 7), [] as [&str; 0]);
        assert_eq!(after(Outcome::Unknown, 10), [] as [&str; 0]);
        assert_eq!(after(Outcome::Failed, 7), [] as [&str; 0]);
        assert_eq!(after(Outcome::Failed, 10), ["P3"]);
    }

    #[test]
    fn a_lost_update_shows_in_its_own_answer() {
        let both = Script::new()
            .invoke(1, "alice", Op::Add(5))
            .invoke(2, "alice", Op::Add(5))
            .answer(1, Outcome::Ok(5))
            .answer(2, Outcome::Ok(5))
            .op(3, "alice", Op::Read, Outcome::Ok(5));
        assert_eq!(broken(&Ledger, both), ["P3"]);
    }

    #[test]
    fn taking_is_counted_both_ways() {
        let script = || valid().op(5, "alice", Op::Take(4), Outcome::Ok(3));
        assert_eq!(broken(&Ledger, script().op(6, "alice", Op::Read, Outcome::Ok(3))), [] as [&str; 0]);
        assert_eq!(broken(&Ledger, script().op(6, "alice", Op::Read, Outcome::Ok(7))), ["P3"]);
        assert_eq!(
            broken(&Ledger, script().op(6, "alice", Op::Take(9), Outcome::Refused(3))),
            [] as [&str; 0]
        );
        assert_eq!(broken(&Ledger, script().op(6, "alice", Op::Take(2), Outcome::Refused(3))), ["P3"]);
    }
}
