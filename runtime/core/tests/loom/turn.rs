use crate::actor::{Actor, Message};
use loom::thread;
use quark_core::turn::Access::{self, Exclusive, Shared};
use quark_core::turn::Begin;

/// Explores all interleavings of these senders, each in a thread of its own that sends its messages in order.
fn explore(preemptions: usize, senders: &'static [&'static [Access]], close: bool) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(move || {
        let actor = Actor::new();
        let send = |sender: usize| {
            let actor = actor.clone();
            move || {
                for (at, access) in senders[sender].iter().enumerate() {
                    actor.send(Message { sender, serial: at + 1, access: *access });
                }
            }
        };
        let threads: Vec<_> = (1..senders.len()).map(|sender| thread::spawn(send(sender))).collect();
        if close && actor.turn.begin(Exclusive) == Begin::Run {
            actor.close();
        }
        send(0)();
        for thread in threads {
            thread.join().expect("no sender fails");
        }
        actor.check(senders.iter().map(|messages| messages.len()).sum());
    });
}

#[test]
fn exclusive_turns_exclude_one_another_and_lose_nothing() {
    explore(5, &[&[Exclusive], &[Exclusive], &[Exclusive]], false);
}

#[test]
fn two_senders_keep_their_orders() {
    explore(6, &[&[Exclusive, Exclusive], &[Exclusive, Exclusive]], false);
}

#[test]
fn shared_turns_run_beside_one_another_and_never_beside_an_exclusive_one() {
    explore(5, &[&[Shared], &[Exclusive], &[Shared]], false);
}

#[test]
fn shared_and_exclusive_turns_of_two_senders_take_turns() {
    explore(6, &[&[Shared, Exclusive], &[Exclusive, Shared]], false);
    explore(6, &[&[Shared, Shared], &[Exclusive, Shared]], false);
}

#[test]
fn a_message_that_meets_the_end_of_an_activation_goes_elsewhere() {
    explore(4, &[&[Exclusive], &[Exclusive], &[Shared]], true);
    explore(6, &[&[], &[Exclusive, Shared]], true);
}

#[test]
fn an_idle_activation_is_collected_by_itself_or_not_at_all() {
    loom::model(|| {
        let actor = Actor::new();
        let sender = {
            let actor = actor.clone();
            thread::spawn(move || actor.send(Message { sender: 1, serial: 1, access: Exclusive }))
        };
        if actor.turn.seal_if_idle() {
            actor.close();
        }
        sender.join().expect("the sender does not fail");
        actor.check(1);
    });
}

#[test]
fn a_turn_that_is_held_from_the_start_is_drained_when_it_is_ready() {
    loom::model(|| {
        let actor = Actor::new();
        assert_eq!(actor.turn.begin(Exclusive), Begin::Run);
        let sender = {
            let actor = actor.clone();
            thread::spawn(move || actor.send(Message { sender: 1, serial: 1, access: Shared }))
        };
        actor.end(Exclusive);
        sender.join().expect("the sender does not fail");
        actor.check(1);
    });
}
