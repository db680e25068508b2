//! So many connections and no more, and which stranger has to go when another one comes.
//!
//! Refusing the newcomer would let strangers who connect and never greet keep every silo out. A peer greets within a
//! round trip, so whoever has not greeted for the longest time is the last to be one. Those that are linked stay.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio_util::sync::CancellationToken;

/// All seats.
pub(crate) struct Seats {
    seats_max: usize,
    strangers_max: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    next: u64,
    /// Who has not been welcomed, in the order in which they came.
    strangers: BTreeMap<u64, CancellationToken>,
    linked: BTreeSet<u64>,
}

/// A connection's seat. Dropping it frees it.
pub(crate) struct Seat {
    pub(crate) claim: Claim,
    /// Somebody else has got this seat.
    pub(crate) taken_away: CancellationToken,
}

/// The right to a seat, for whoever does the handshake.
#[derive(Clone)]
pub(crate) struct Claim {
    seats: Arc<Seats>,
    number: u64,
}

impl Seats {
    pub(crate) fn new(seats_max: usize, strangers_max: usize) -> Arc<Self> {
        Arc::new(Self { seats_max, strangers_max, state: Mutex::default() })
    }

    /// A free seat, or else that of the stranger who came first. `None` if peers are linked on all of them.
    pub(crate) fn take(self: &Arc<Self>) -> Option<Seat> {
        let mut state = self.lock();
        let strangers = state.strangers.len();
        if strangers >= self.strangers_max || strangers + state.linked.len() >= self.seats_max {
            let (_, first) = state.strangers.pop_first()?;
            first.cancel();
        }
        let taken_away = CancellationToken::new();
        state.next += 1;
        let number = state.next;
        state.strangers.insert(number, taken_away.clone());
        Some(Seat { claim: Claim { seats: self.clone(), number }, taken_away })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Claim {
    /// The peer is no stranger any more. Returns whether the seat is still its own.
    pub(crate) fn link(&self) -> bool {
        let mut state = self.seats.lock();
        state.strangers.remove(&self.number).is_some() && state.linked.insert(self.number)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut state = self.claim.seats.lock();
        state.strangers.remove(&self.claim.number);
        state.linked.remove(&self.claim.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_lost(seat: &Seat) -> bool {
        seat.taken_away.is_cancelled()
    }

    #[test]
    fn a_newcomer_gets_the_seat_of_the_stranger_who_came_first() {
        let seats = Seats::new(3, 9);
        let first = seats.take().expect("free");
        let (second, third) = (seats.take().expect("free"), seats.take().expect("free"));
        assert!(first.claim.link());
        let fourth = seats.take().expect("a stranger has to go");
        assert_eq!([&first, &second, &third, &fourth].map(is_lost), [false, true, false, false]);
        assert!(fourth.claim.link());
        assert!(!second.claim.link(), "it came too late");
    }

    #[test]
    fn strangers_have_fewer_seats_than_there_are() {
        let seats = Seats::new(9, 2);
        let strangers = [(); 5].map(|()| seats.take().expect("room"));
        assert_eq!(
            [0, 1, 2, 3, 4].map(|at: usize| is_lost(&strangers[at])),
            [true, true, true, false, false]
        );
    }

    #[test]
    fn who_is_linked_stays_and_a_seat_that_is_given_up_is_free() {
        let seats = Seats::new(1, 1);
        let only = seats.take().expect("free");
        assert!(only.claim.link());
        assert!(seats.take().is_none());
        drop(only);
        drop(seats.take().expect("free again"));
        let state = seats.lock();
        assert_eq!((state.strangers.len(), state.linked.len()), (0, 0));
    }
}
