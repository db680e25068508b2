//! A balance that starts at zero and never goes below it: the vocabulary of [`ClientEvent`](crate::history::ClientEvent).

use super::Model;
use crate::history::{Op, Outcome};

/// Balances, each of one actor. The actor is the history's, so there is one key.
#[derive(Clone, Copy, Default, Debug)]
pub struct Balance;

/// What an operation on a balance answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shown {
    /// It happened, and this is the balance after it.
    Now(u64),
    /// It was refused, because the balance was this.
    Refused(u64),
}

impl Shown {
    /// What an outcome shows; `None` if it is unknown, or nothing happened.
    pub fn of(outcome: Outcome) -> Option<Self> {
        match outcome {
            Outcome::Ok(balance) => Some(Self::Now(balance)),
            Outcome::Refused(balance) => Some(Self::Refused(balance)),
            Outcome::Failed | Outcome::Unknown => None,
        }
    }
}

impl Model for Balance {
    type Key = ();
    type State = u64;
    type Op = Op;
    type Answer = Shown;

    fn key(&self, _: &Op) {}

    fn initial(&self, (): &()) -> u64 {
        0
    }

    fn apply(&self, balance: &u64, op: &Op) -> (u64, Shown) {
        let after = match op {
            Op::Add(amount) => balance.checked_add(*amount),
            Op::Take(amount) => balance.checked_sub(*amount),
            Op::Read => Some(*balance),
        };
        after.map_or((*balance, Shown::Refused(*balance)), |after| (after, Shown::Now(after)))
    }

    fn is_hopeless(&self, balance: &u64, op: &Op, answer: &Shown, open: &[&Op]) -> bool {
        // What only grows never comes back.
        let only_grows = !open.iter().any(|op| matches!(op, Op::Take(_)));
        let before = match (op, answer) {
            (Op::Add(amount), Shown::Now(shown)) => shown.saturating_sub(*amount),
            (Op::Read, Shown::Now(shown)) | (_, Shown::Refused(shown)) => *shown,
            (Op::Take(_), Shown::Now(_)) => return false,
        };
        only_grows && *balance > before
    }

    fn is_read(&self, op: &Op) -> bool {
        *op == Op::Read
    }
}
