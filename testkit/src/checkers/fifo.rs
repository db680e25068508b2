//! I4, promise P6: messages of one sender activation to one actor run in the order sent, per incarnation of both.
//!
//! Shared turns run side by side, so only a pair of which one is exclusive has an order.

use super::{Checker, Verdict};
use crate::history::{History, SiloEvent};
use std::collections::BTreeMap;

/// See the module.
pub struct Fifo;

/// The highest numbers that have started: of any turn, and of exclusive turns.
#[derive(Clone, Copy, Default)]
struct Started {
    any: u64,
    exclusive: u64,
}

impl Checker for Fifo {
    fn name(&self) -> &'static str {
        "fifo"
    }

    fn check(&self, history: &History) -> Verdict {
        let mut verdict = Verdict::default();
        let numbers = history.numbers();
        // By place: what has started of each sender.
        let mut receivers: Vec<BTreeMap<u64, Started>> = numbers.of_places();
        for (position, at, record) in history.silo_records() {
            match &record.event {
                SiloEvent::Activated { .. } => receivers[numbers.at(position).place as usize].clear(),
                SiloEvent::TurnStarted(turn) => {
                    let Some((sender, serial)) = turn.order else { continue };
                    let senders = &mut receivers[numbers.at(position).place as usize];
                    let started = senders.entry(sender).or_default();
                    let before = if turn.exclusive { started.any } else { started.exclusive };
                    verdict.require("P6", at, serial > before, || {
                        format!(
                            "{} on {} ran message {serial} of activation {sender:x} after its message {before}",
                            turn.actor, record.silo
                        )
                    });
                    started.any = started.any.max(serial);
                    if turn.exclusive {
                        started.exclusive = started.exclusive.max(serial);
                    }
                }
                _ => {}
            }
        }
        verdict
    }
}

#[cfg(test)]
mod tests {
    use super::super::script::{Script, activated, broken, rejected, turn};
    use super::*;
    use crate::history::TurnStarted;

    fn sent(sender: u64, serial: u64, exclusive: bool) -> SiloEvent {
        let turn = turn("alice", serial);
        SiloEvent::TurnStarted(TurnStarted { order: Some((sender, serial)), exclusive, ..turn })
    }

    fn valid() -> Script {
        Script::new()
            .silo("a#1", activated("alice", 1))
            .silo("a#1", sent(7, 1, true))
            .silo("a#1", sent(8, 1, true))
            .silo("a#1", sent(7, 3, true))
            .silo("b#1", sent(7, 2, true))
            .silo("a#1", sent(8, 2, true))
    }

    #[test]
    fn one_sender_is_heard_in_order() {
        assert_eq!(rejected(&Fifo, &valid()), "dup 1, dup 2, dup 3, dup 4, dup 5");
        let overtaken = Script::new().silo("a#1", sent(7, 2, true)).silo("a#1", sent(7, 1, true));
        assert_eq!(broken(&Fifo, overtaken.clone()), ["P6"]);
        let reborn = Script::new()
            .silo("a#1", sent(7, 2, true))
            .silo("a#1", activated("alice", 2))
            .silo("a#1", sent(7, 1, true));
        assert_eq!(broken(&Fifo, reborn), [] as [&str; 0]);
    }

    #[test]
    fn shared_turns_have_no_order_among_themselves() {
        let shared = Script::new().silo("a#1", sent(7, 2, false)).silo("a#1", sent(7, 1, false));
        assert_eq!(broken(&Fifo, shared.clone()), [] as [&str; 0]);
        assert_eq!(broken(&Fifo, shared.silo("a#1", sent(7, 1, true))), ["P6"]);
    }
}
