//! So many connections and no more, and who has to go when another one comes.
//!
//! Refusing the newcomer would let a stranger who opens enough connections and says nothing on them shut everybody
//! else out. So the newcomer is let in, and the connection goes on which nothing has happened for the longest time: a
//! client that means it says what it wants at once. A connection on which a call runs never has to go.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// All seats.
pub(crate) struct Seats {
    seats_max: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    next: u64,
    /// Who waits for the client, in the order in which the waiting began.
    waiting: BTreeMap<u64, Arc<Notify>>,
    /// How many connections carry a call right now.
    working: usize,
}

/// A connection's seat. Dropping it frees it.
pub(crate) struct Seat {
    seats: Arc<Seats>,
    /// Its place among those who wait; changes under the lock of the seats.
    place: AtomicU64,
    taken_away: Arc<Notify>,
}

/// While this is held, the seat is not taken away.
pub(crate) struct Working<'a>(&'a Seat);

impl Seats {
    pub(crate) fn new(seats_max: usize) -> Arc<Self> {
        Arc::new(Self { seats_max, state: Mutex::default() })
    }

    /// A free seat, or else that of whoever has waited longest. `None` if calls run on all of them.
    pub(crate) fn take(self: &Arc<Self>) -> Option<Arc<Seat>> {
        let mut state = self.lock();
        if state.waiting.len() + state.working >= self.seats_max {
            let (_, longest) = state.waiting.pop_first()?;
            longest.notify_one();
        }
        let taken_away = Arc::new(Notify::new());
        let place = state.queue_up(taken_away.clone());
        Some(Arc::new(Seat { seats: self.clone(), place: AtomicU64::new(place), taken_away }))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn queue_up(&mut self, taken_away: Arc<Notify>) -> u64 {
        self.next += 1;
        self.waiting.insert(self.next, taken_away);
        self.next
    }
}

impl Seat {
    /// Completes when somebody else has got this seat.
    pub(crate) async fn taken_away(&self) {
        self.taken_away.notified().await;
    }

    /// From now on the connection waits for us, not we for its client. `None` if somebody else has got the seat.
    pub(crate) fn work(&self) -> Option<Working<'_>> {
        let mut state = self.seats.lock();
        state.waiting.remove(&self.place.load(Ordering::Relaxed))?;
        state.working += 1;
        Some(Working(self))
    }
}

impl Drop for Working<'_> {
    fn drop(&mut self) {
        let mut state = self.0.seats.lock();
        state.working = state.working.checked_sub(1).expect("whoever works was counted");
        let place = state.queue_up(self.0.taken_away.clone());
        self.0.place.store(place, Ordering::Relaxed);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.seats.lock().waiting.remove(&self.place.load(Ordering::Relaxed));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether the seat has been given to somebody else.
    fn is_lost(seat: &Seat) -> bool {
        !seat.seats.lock().waiting.contains_key(&seat.place.load(Ordering::Relaxed))
    }

    #[test]
    fn a_newcomer_gets_the_seat_of_whoever_has_waited_longest() {
        let seats = Seats::new(2);
        let (first, second) = (seats.take().expect("free"), seats.take().expect("free"));
        drop(first.work().expect("its own seat")); // has just been answered: the second waits longer now
        let third = seats.take().expect("somebody waits");
        assert_eq!([&first, &second, &third].map(|seat| is_lost(seat)), [false, true, false]);
        assert!(second.work().is_none(), "it has no seat to work on");
        drop(second);
        let _fourth = seats.take().expect("somebody waits");
        assert!(is_lost(&first));
    }

    #[test]
    fn a_seat_with_a_call_on_it_is_never_taken_away() {
        let seats = Seats::new(2);
        let (first, second) = (seats.take().expect("free"), seats.take().expect("free"));
        let (one, other) = (first.work().expect("seated"), second.work().expect("seated"));
        assert!(seats.take().is_none());
        drop(one);
        assert!(seats.take().is_some() && is_lost(&first));
        drop(other);
        drop((first, second));
        let state = seats.lock();
        assert_eq!((state.waiting.len(), state.working), (0, 0));
    }
}
