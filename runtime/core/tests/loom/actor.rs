//! The smallest activation that uses a `Turn` as the silo does: see the loop in the module text of `turn`.

use loom::cell::UnsafeCell;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::sync::{Arc, Mutex, MutexGuard};
use quark_core::turn::{Access, Begin, End, Turn};
use std::collections::VecDeque;

/// A message: who sent it, its place in the sender's order, and how it uses the actor.
#[derive(Clone, Copy)]
pub struct Message {
    pub sender: usize,
    pub serial: usize,
    pub access: Access,
}

pub struct Mailbox {
    messages: VecDeque<Message>,
    closed: bool,
}

pub struct Actor {
    pub turn: Turn,
    mailbox: Mutex<Mailbox>,
    /// What the turns guard. Loom fails the test when two accesses are not ordered, of which one writes. It holds the
    /// last serial handled of each sender.
    body: UnsafeCell<[usize; 3]>,
    /// Touched only by who holds the drain right.
    drainer: UnsafeCell<()>,
    handled: AtomicUsize,
    /// Messages that found the activation ending: the silo sends them elsewhere.
    rerouted: AtomicUsize,
}

// SAFETY: that the cells are reached by one thread at a time is what these tests check.
unsafe impl Sync for Actor {}
// SAFETY: as above.
unsafe impl Send for Actor {}

impl Actor {
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            turn: Turn::new(),
            mailbox: Mutex::new(Mailbox { messages: VecDeque::new(), closed: false }),
            body: UnsafeCell::new([0; 3]),
            drainer: UnsafeCell::new(()),
            handled: AtomicUsize::new(0),
            rerouted: AtomicUsize::new(0),
        })
    }

    pub fn send(&self, message: Message) {
        match self.turn.begin(message.access) {
            Begin::Run => {
                self.handle(message);
                self.end(message.access);
            }
            Begin::Busy => {
                self.mailbox().messages.push_back(message);
                if self.turn.mark_queued() {
                    self.drain();
                }
            }
            Begin::Sealed => self.reroute(),
        }
    }

    pub fn end(&self, access: Access) {
        match self.turn.end(access) {
            End::Idle => {}
            End::Drain => self.drain(),
        }
    }

    fn drain(&self) {
        loop {
            let (batch, access) = self.next_batch();
            if batch.is_empty() {
                match self.turn.end(Access::Exclusive) {
                    End::Idle => return,
                    End::Drain => continue,
                }
            }
            for message in batch {
                self.handle(message);
                // Of a shared batch whoever ends last goes on, here or in another thread.
                if access == Access::Shared && self.turn.end(Access::Shared) == End::Drain {
                    return self.drain();
                }
            }
            if access == Access::Shared {
                return;
            }
        }
    }

    /// One exclusive message, or all shared ones in a row, for which the turn is then shared already.
    fn next_batch(&self) -> (Vec<Message>, Access) {
        self.drainer.with_mut(|_| ());
        let mut mailbox = self.mailbox();
        if mailbox.closed {
            mailbox.messages.drain(..).for_each(|_| self.reroute());
        }
        let Some(first) = mailbox.messages.pop_front() else { return (Vec::new(), Access::Exclusive) };
        if first.access == Access::Exclusive {
            return (vec![first], Access::Exclusive);
        }
        let mut batch = vec![first];
        while mailbox.messages.front().is_some_and(|m| m.access == Access::Shared) {
            batch.extend(mailbox.messages.pop_front());
        }
        self.turn.share(batch.len() as u32, !mailbox.messages.is_empty());
        (batch, Access::Shared)
    }

    fn handle(&self, message: Message) {
        match message.access {
            Access::Exclusive => self.body.with_mut(|body| {
                // SAFETY: loom has just checked that nobody else is in here.
                let last = unsafe { &mut (*body)[message.sender] };
                assert!(*last < message.serial, "a sender's messages run in its order");
                *last = message.serial;
            }),
            // SAFETY: loom has just checked that nobody writes.
            Access::Shared => self.body.with(|body| unsafe { assert!((*body)[0] < 9) }),
        }
        self.handled.fetch_add(1, Ordering::Relaxed);
    }

    /// The last turn of an activation: seals, hands on what waits, and ends. The caller holds the turn.
    pub fn close(&self) {
        self.turn.seal();
        self.body.with_mut(|_| ());
        {
            let mut mailbox = self.mailbox();
            mailbox.closed = true;
            mailbox.messages.drain(..).for_each(|_| self.reroute());
        }
        self.end(Access::Exclusive);
    }

    fn reroute(&self) {
        self.rerouted.fetch_add(1, Ordering::Relaxed);
    }

    fn mailbox(&self) -> MutexGuard<'_, Mailbox> {
        self.mailbox.lock().expect("no panic while held")
    }

    /// After all senders are done: nothing lost, nothing left, nobody running.
    pub fn check(&self, sent: usize) {
        let (handled, rerouted) =
            (self.handled.load(Ordering::Relaxed), self.rerouted.load(Ordering::Relaxed));
        assert_eq!(handled + rerouted, sent, "every message is handled or sent elsewhere, once");
        assert!(self.mailbox().messages.is_empty(), "no message is stranded");
        assert!(self.turn.is_idle(), "nobody runs: {:?}", self.turn);
    }
}
