//! The smallest activation: the word and the queue are the silo's own code, the lines between them those of
//! `runtime/silo/src/turns.rs` and `bring_up.rs` without what is awaited there.

use crate::sync::{Arc, AtomicUsize, Guarded, Mutex, MutexGuard, Ordering};
use quark_core::mailbox::{Mailbox, MailboxLimits};
use quark_core::turn::{Access, Begin, End, Enter, Next, Turn, Waiting};
use quark_core::wire::Lane;

/// A message: who sent it, how it uses the actor, and what its sender sent before it.
#[derive(Clone, Copy, Debug)]
pub struct Message {
    pub sender: usize,
    pub access: Access,
    /// The number of its sender's last exclusive message up to this one, itself included: what the actor has to have
    /// seen of that sender when this one runs, no less and no more.
    pub exclusive: usize,
    /// It finds that the activation must end.
    pub dooms: bool,
}

impl Message {
    /// What a sender sends that sends these in order.
    pub fn row(sender: usize, accesses: &[Access]) -> Vec<Self> {
        let mut exclusive = 0;
        let number = |access: &Access| {
            exclusive += usize::from(*access == Access::Exclusive);
            Self { sender, access: *access, exclusive, dooms: false }
        };
        accesses.iter().map(number).collect()
    }
}

pub struct Actor {
    pub turn: Turn,
    waiting: Mutex<Waiting<Message>>,
    /// What the turns guard: how many exclusive messages of each sender were handled; nothing once the activation has
    /// ended. The cell fails the test when two accesses are not ordered, of which one writes.
    body: Guarded<Option<[usize; SENDERS_MAX]>>,
    handled: AtomicUsize,
    /// Messages that found the activation gone: the silo sends them elsewhere.
    rerouted: AtomicUsize,
}

pub const SENDERS_MAX: usize = 8;
/// Two, so that a longer run of shared messages is more than one batch.
const SHARED_MAX: usize = 2;

impl Actor {
    pub fn new() -> Arc<Self> {
        let limits = MailboxLimits::default();
        Arc::new(Self {
            turn: Turn::new(),
            waiting: Mutex::new(Waiting::new(Mailbox::new(limits))),
            body: Guarded::new(Some([0; SENDERS_MAX])),
            handled: AtomicUsize::new(0),
            rerouted: AtomicUsize::new(0),
        })
    }

    pub fn send(&self, message: Message) {
        match self.turn.begin(message.access) {
            Begin::Run => self.run(message),
            Begin::Busy | Begin::Sealed => self.enqueue(message),
        }
    }

    fn enqueue(&self, message: Message) {
        let entered = self.waiting().enter(Lane::User, message, 1);
        match entered {
            Enter::Queued => {
                if self.turn.mark_queued() {
                    self.drain();
                }
            }
            Enter::Closed(_) => self.reroute(1),
            Enter::Overloaded(_) => unreachable!("it holds more than any of these tests sends"),
        }
    }

    /// A message that has the turn.
    fn run(&self, message: Message) {
        self.handle(message);
        self.end(message.access);
    }

    pub fn end(&self, access: Access) {
        match self.turn.end(access) {
            End::Idle => {}
            End::Drain => self.drain(),
        }
    }

    /// The caller holds the turn exclusively.
    fn drain(&self) {
        loop {
            let next = self.waiting().next(&self.turn, SHARED_MAX, |m| m.access);
            match next {
                Next::Nothing => match self.turn.end(Access::Exclusive) {
                    End::Idle => return,
                    End::Drain => {}
                },
                Next::Discard(_) => return self.discard(),
                Next::Exclusive(message) => self.handle(message),
                Next::Shared(messages) => return messages.into_iter().for_each(|m| self.run(m)),
            }
        }
    }

    fn handle(&self, message: Message) {
        let Message { sender, exclusive, .. } = message;
        let ended = "no turn runs on an activation that has ended";
        match message.access {
            Access::Exclusive => self.body.write(|body| {
                let handled = &mut body.as_mut().expect(ended)[sender];
                *handled += 1;
                assert_eq!(*handled, exclusive, "a sender's messages run in its order");
            }),
            Access::Shared => self.body.read(|body| {
                let handled = body.as_ref().expect(ended)[sender];
                assert_eq!(handled, exclusive, "a sender's messages run in its order");
            }),
        }
        self.handled.fetch_add(1, Ordering::Relaxed);
        if message.dooms {
            self.turn.seal();
            self.waiting().doom("a test says so");
            assert!(!self.turn.mark_queued(), "the caller's turn runs");
        }
    }

    /// The end of an activation. The caller holds the turn, and nobody will have it again.
    pub fn discard(&self) {
        self.turn.seal();
        let waited = self.waiting().close();
        self.body.write(|body| *body = None);
        self.reroute(waited.len());
    }

    /// An end that is taken back. The caller holds the turn, sealed.
    pub fn stay(&self) {
        self.turn.unseal();
        self.end(Access::Exclusive);
    }

    fn reroute(&self, count: usize) {
        self.rerouted.fetch_add(count, Ordering::Relaxed);
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting<Message>> {
        self.waiting.lock().expect("no panic while held")
    }

    /// After all senders are done: nothing lost, nothing left, nobody running.
    pub fn check(&self, sent: usize) {
        let (handled, rerouted) =
            (self.handled.load(Ordering::Relaxed), self.rerouted.load(Ordering::Relaxed));
        assert_eq!(handled + rerouted, sent, "every message is handled or sent elsewhere, once");
        let waiting = self.waiting();
        assert!(waiting.is_empty(), "no message is stranded");
        waiting.mailbox().check();
        let is_over = !self.turn.is_sealed() && self.turn.is_idle();
        assert!(is_over || self.turn.is_sealed(), "nobody runs: {:?}", self.turn);
    }
}
