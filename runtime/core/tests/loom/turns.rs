use crate::actor::{Actor, Message};
use crate::turn::{End, explore};
use loom::thread;
use quark_core::turn::Access::{Exclusive, Shared};
use quark_core::turn::Begin;

#[test]
fn exclusive_turns_exclude_one_another_and_lose_nothing() {
    explore(5, &[&[Exclusive], &[Exclusive], &[Exclusive]], End::Never);
}

#[test]
fn two_senders_keep_their_orders() {
    explore(6, &[&[Exclusive, Exclusive], &[Exclusive, Exclusive]], End::Never);
}

#[test]
fn shared_turns_run_beside_one_another_and_never_beside_an_exclusive_one() {
    explore(5, &[&[Shared], &[Exclusive], &[Shared]], End::Never);
}

#[test]
fn shared_and_exclusive_turns_of_two_senders_take_turns() {
    explore(6, &[&[Shared, Exclusive], &[Exclusive, Shared]], End::Never);
    explore(6, &[&[Shared, Shared], &[Exclusive, Shared]], End::Never);
}

#[test]
fn a_message_that_meets_the_end_of_an_activation_goes_elsewhere() {
    explore(4, &[&[Exclusive], &[Exclusive], &[Shared]], End::Discard);
    explore(6, &[&[], &[Exclusive, Shared]], End::Discard);
}

#[test]
fn an_idle_activation_is_collected_by_itself_or_not_at_all() {
    explore(6, &[&[], &[Exclusive, Shared]], End::Retire);
    explore(4, &[&[Shared], &[Exclusive], &[Exclusive]], End::Retire);
}

#[test]
fn an_end_that_is_taken_back_strands_nobody() {
    explore(6, &[&[], &[Exclusive, Shared]], End::Stay);
    explore(4, &[&[Exclusive], &[Exclusive], &[Shared]], End::Stay);
}

#[test]
fn a_shared_turn_that_dooms_its_activation_waits_for_those_beside_it() {
    explore(4, &[&[Shared], &[Shared], &[Exclusive]], End::Doom);
    explore(6, &[&[Shared, Exclusive], &[Shared, Shared]], End::Doom);
}

#[test]
fn a_turn_that_is_held_from_the_start_is_drained_when_it_is_ready() {
    loom::model(|| {
        let actor = Actor::new();
        assert_eq!(actor.turn.begin(Exclusive), Begin::Run);
        let sender = {
            let actor = actor.clone();
            thread::spawn(move || Message::row(1, &[Shared]).into_iter().for_each(|m| actor.send(m)))
        };
        actor.end(Exclusive);
        sender.join().expect("the sender does not fail");
        actor.check(1);
    });
}
