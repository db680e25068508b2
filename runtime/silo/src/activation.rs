//! An actor in memory: a slot, not a task. What it is; `turns.rs` says how its turns run, `bring_up.rs` how it starts
//! and ends.

use crate::body_cell::BodyCell;
use crate::durable::Claim;
use crate::message::Message;
use crate::registry::KindEntry;
use crate::routes::PointHasher;
use crate::timers::{Clockwork, TimerTable};
use crate::write_behind::Unsaved;
use indexmap::IndexMap;
use parking_lot::Mutex;
use quark_core::directory::Registration;
use quark_core::lifecycle::{self, State};
use quark_core::mailbox::Mailbox;
use quark_core::turn::{Turn, Waiting};
use quark_core::{ActorId, Epoch, Instant, Version};
use quark_env::Clock;
use std::hash::BuildHasherDefault;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// One activation. Idle, it owns no task and no queue memory.
pub(crate) struct Activation {
    pub id: ActorId,
    pub kind: Arc<KindEntry>,
    /// What the directory knows it by.
    pub registration: Registration,
    /// Names this activation among all of this silo's, for promise P6.
    pub serial: u64,
    /// Who may touch the body.
    pub turn: Turn,
    /// The actor. Guarded by `turn`.
    pub body: BodyCell,
    /// Everything that a short lock guards.
    pub mail: Mutex<Mail>,
    pub timers: TimerTable,
    /// Whether the store is owed a commit.
    pub unsaved: Unsaved,
    epoch: AtomicU64,
    /// What of the actor's partition it has seen. For whoever watches; no decision reads it.
    version: AtomicU64,
    born: Instant,
    /// It has lived for long enough that nothing sent before its birth can still be under way.
    settled: AtomicBool,
    /// The last time that a message arrived.
    used_at: AtomicU64,
    /// It is to end as soon as nothing runs or waits.
    end_asked: AtomicBool,
    /// Numbers the messages that this activation sends.
    pub sent: Arc<AtomicU64>,
}

/// What waits for an activation, and what it remembers of its senders.
pub(crate) struct Mail {
    pub waiting: Waiting<Message>,
    pub state: State,
    /// Sender activation → the last of its messages that was admitted.
    seen: IndexMap<u64, u64, BuildHasherDefault<PointHasher>>,
}

/// The most senders whose order is remembered.
const SENDERS_MAX: usize = 4096;

impl Activation {
    pub fn new(
        id: ActorId,
        kind: Arc<KindEntry>,
        registration: Registration,
        serial: u64,
        mailbox: Mailbox<Message>,
        clockwork: Arc<Clockwork>,
        now: Instant,
    ) -> Self {
        Self {
            id,
            kind,
            registration,
            serial,
            turn: Turn::held(),
            body: BodyCell::default(),
            mail: Mutex::new(Mail {
                waiting: Waiting::new(mailbox),
                state: State::Created,
                seen: IndexMap::default(),
            }),
            timers: TimerTable::new(clockwork),
            unsaved: Unsaved::default(),
            epoch: AtomicU64::new(0),
            version: AtomicU64::new(0),
            born: now,
            settled: AtomicBool::new(false),
            used_at: AtomicU64::new(now.0),
            end_asked: AtomicBool::new(false),
            sent: Arc::new(AtomicU64::new(0)),
        }
    }

    /// The fencing number: 0 until the claim, and for kinds that are not durable.
    pub fn epoch(&self) -> Epoch {
        Epoch(self.epoch.load(Ordering::Acquire))
    }

    pub fn set_epoch(&self, epoch: Epoch) {
        self.epoch.store(epoch.0, Ordering::Release);
    }

    /// The version of the last commit that it knows to have happened, its claim included; 0 if it has made none.
    pub fn version(&self) -> Version {
        Version(self.version.load(Ordering::Relaxed))
    }

    /// Its claim knows of this version.
    pub fn has_seen(&self, version: Version) {
        self.version.store(version.0, Ordering::Relaxed);
    }

    pub fn touch(&self, now: Instant) {
        self.used_at.store(now.0, Ordering::Relaxed);
    }

    /// Whether it was made no longer ago than this. The clock is read only as long as it was.
    #[inline]
    pub fn is_younger_than(&self, age: Duration, clock: &dyn Clock) -> bool {
        if self.settled.load(Ordering::Relaxed) {
            return false;
        }
        let young = clock.now().since(self.born) < age;
        if !young {
            self.settled.store(true, Ordering::Relaxed);
        }
        young
    }

    pub fn ask_to_end(&self) {
        self.end_asked.store(true, Ordering::Release);
    }

    pub fn is_asked_to_end(&self) -> bool {
        self.end_asked.load(Ordering::Acquire)
    }

    /// Moves on in life.
    ///
    /// Panics: if the lifecycle does not allow it, which would be a bug of this silo.
    pub fn advance(&self, event: lifecycle::Event) {
        let mut mail = self.mail.lock();
        let from = mail.state;
        mail.state = from
            .step(event)
            .unwrap_or_else(|error| panic!("the lifecycle of {} allows no such step: {error}", self.id));
    }

    pub fn used_at(&self) -> Instant {
        Instant(self.used_at.load(Ordering::Relaxed))
    }
}

impl Mail {
    /// The last place in this sender's order that was admitted.
    pub fn seen(&self, sender: u64) -> Option<u64> {
        self.seen.get(&sender).copied()
    }

    /// Notes a message's place in its sender's order. `false`: a later one of the same sender was admitted before, so
    /// this one must not run any more.
    pub fn in_order(&mut self, message: &Message) -> bool {
        let Some(order) = message.order else { return true };
        match self.seen.get_mut(&order.sender) {
            Some(last) if order.serial <= *last => return false,
            Some(last) => *last = order.serial,
            None => {
                if self.seen.len() >= SENDERS_MAX {
                    self.seen.swap_remove_index(0);
                }
                self.seen.insert(order.sender, order.serial);
            }
        }
        true
    }
}

/// What an activation owns beside its state: the store's claim, if durable. Apart, because most of those that sit there idle have
/// none.
#[derive(Default)]
pub(crate) struct Holding {
    pub claim: Option<Box<Claim>>,
}
