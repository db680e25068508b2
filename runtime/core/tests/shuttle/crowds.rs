use crate::actor::{Actor, Message};
use crate::order::Order;
use crate::sync::{Arc, Mutex};
use quark_core::Instant;
use quark_core::turn::Access::{self, Exclusive, Shared};
use quark_core::wheel::Wheel;
use shuttle::thread;

const RUNS: usize = 2_000;
const SENDERS: usize = 6;
const EACH: usize = 8;

fn both(test: impl Fn() + Send + Sync + Copy + 'static) {
    Order::Uniform.explore(1, RUNS, test);
    Order::Pct(3).explore(1, RUNS, test);
}

/// What a sender sends: a third of it is exclusive, not at the same places as its neighbours'.
fn mixture(sender: usize, count: usize) -> Vec<Message> {
    let accesses: Vec<Access> =
        (0..count).map(|at| if (sender + at).is_multiple_of(3) { Exclusive } else { Shared }).collect();
    Message::row(sender, &accesses)
}

/// Threads that each send a mixture, of which the last may doom the activation.
pub fn crowd(actor: &Arc<Actor>, senders: usize, each: usize, doom: bool) -> Vec<thread::JoinHandle<()>> {
    let sends = |sender: usize| {
        let actor = actor.clone();
        thread::spawn(move || {
            let mut messages = mixture(sender, each);
            if doom && sender == 0 {
                // Shared: an exclusive turn ends its activation by itself.
                let at = messages.iter().rposition(|m| m.access == Shared).expect("most are");
                messages[at].dooms = true;
            }
            messages.into_iter().for_each(|message| actor.send(message));
        })
    };
    (0..senders).map(sends).collect()
}

#[test]
fn a_crowd_of_senders_loses_nothing_and_keeps_its_orders() {
    both(|| {
        let actor = Actor::new();
        crowd(&actor, SENDERS, EACH, false).into_iter().for_each(|sender| sender.join().expect("it ends"));
        actor.check(SENDERS * EACH);
    });
}

#[test]
fn an_end_that_is_taken_back_again_and_again_strands_nobody_in_a_crowd() {
    both(|| {
        let actor = Actor::new();
        let senders = crowd(&actor, SENDERS - 1, EACH, false);
        for _ in 0..EACH {
            if actor.turn.seal_if_idle() {
                actor.stay();
            }
            thread::yield_now();
        }
        if actor.turn.seal_if_idle() {
            actor.discard();
        }
        senders.into_iter().for_each(|sender| sender.join().expect("it ends"));
        actor.check((SENDERS - 1) * EACH);
    });
}

#[test]
fn an_activation_that_is_doomed_in_a_crowd_ends_once_and_gives_back_the_rest() {
    both(|| {
        let actor = Actor::new();
        crowd(&actor, SENDERS, EACH, true).into_iter().for_each(|sender| sender.join().expect("it ends"));
        actor.check(SENDERS * EACH);
    });
}

const ACTORS: usize = 3;
/// The wheel's own number among an actor's senders.
const WHEEL: usize = 7;

fn ms(count: u64) -> Instant {
    Instant(count * 1_000_000)
}

/// The wheel, and how many messages it has sent to each actor.
struct Clockwork {
    wheel: Mutex<Wheel<usize>>,
    actors: [Arc<Actor>; ACTORS],
}

impl Clockwork {
    /// Time goes on: what is due becomes messages, outside of the lock, as in the silo.
    fn advance(&self, now: Instant, sent: &mut [usize; ACTORS]) {
        let mut due = Vec::new();
        self.wheel.lock().expect("no panic while held").advance(now, &mut |_, _, actor| due.push(actor));
        for actor in due {
            sent[actor] += 1;
            let exclusive = sent[actor];
            let message = Message { sender: WHEEL, access: Exclusive, exclusive, dooms: false };
            self.actors[actor].send(message);
        }
    }

    /// Sends to an actor, sets timers for it, and cancels every other one. Returns how many it has cancelled.
    fn use_timers(&self, me: usize, count: usize) -> usize {
        let mut cancelled = 0;
        for (at, message) in mixture(me, count).into_iter().enumerate() {
            let key = self.wheel.lock().expect("no panic while held").insert(ms(1 + at as u64 % 4), me);
            self.actors[me].send(message);
            if at.is_multiple_of(2) {
                let found = self.wheel.lock().expect("no panic while held").cancel(key);
                cancelled += usize::from(found == Some(me));
            }
        }
        cancelled
    }
}

#[test]
fn timers_of_several_actors_fire_once_unless_they_are_cancelled() {
    both(|| {
        let wheel = Mutex::new(Wheel::new(ms(0)));
        let clockwork = Arc::new(Clockwork { wheel, actors: [(); ACTORS].map(|()| Actor::new()) });
        let users: Vec<_> = (0..ACTORS)
            .map(|me| {
                let clockwork = clockwork.clone();
                thread::spawn(move || clockwork.use_timers(me, EACH))
            })
            .collect();
        let mut sent = [0; ACTORS];
        (1..6).for_each(|now| clockwork.advance(ms(now), &mut sent));
        let cancelled: Vec<usize> = users.into_iter().map(|user| user.join().expect("it ends")).collect();
        clockwork.advance(ms(100), &mut sent);
        for (actor, (fired, cancelled)) in sent.iter().zip(&cancelled).enumerate() {
            assert_eq!(fired + cancelled, EACH, "each timer of {actor} fires or is cancelled");
            clockwork.actors[actor].check(EACH + fired);
        }
        let wheel = clockwork.wheel.lock().expect("no panic while held");
        assert!(wheel.is_empty(), "nothing is left on the wheel");
        wheel.check();
    });
}
