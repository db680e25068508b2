//! Kinds with `write_behind`: what their activations owe the store, and when it is paid.
//!
//! A turn only notes that the state has changed. Half an interval after the first change a message of nobody's, like a
//! timer's tick, gets a turn of its own and commits what is there. If it has to wait for that, an exclusive turn that
//! begins before it commits first. All activations of a kind have one interval, so each
//! kind has one queue and one task. What an activation is due for stands in the activation: an entry of the queue that says
//! otherwise is out of date.
//!
//! ```text
//!   turn ends ---> dirty, queued ---> due: ask for a turn ---> saved: clean
//!                     ^                    |                     |
//!                     +--- queued again ---+---------------------+ failed: a pause, which doubles
//! ```

use crate::activation::Activation;
use crate::actor::{Access, Save};
use crate::durable::CommitError;
use crate::handling::{After, save_state};
use crate::kernel::{Kernel, Phase};
use crate::message::Message;
use crate::registry::KindEntry;
use crate::reminders::FIRE;
use crate::sweeper::Sweeper;
use crate::timers::Timer;
use bytes::Bytes;
use parking_lot::Mutex;
use quark_core::turn::Begin;
use quark_core::{Instant, buggify, reached};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

/// The longest pause between two attempts to save.
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// The same while the silo drains, whose patience is short.
const DRAIN_PAUSE_MAX: Duration = Duration::from_millis(500);
/// The shortest.
const PAUSE_MIN: Duration = Duration::from_millis(50);

/// What an activation owes. Changed by whoever holds its turn; read by all.
#[derive(Default)]
pub(crate) struct Unsaved {
    dirty: AtomicBool,
    /// When the queue looks at it next.
    due: Mutex<Option<Instant>>,
    /// When the oldest change is to be saved.
    since: AtomicU64,
    /// Attempts in a row that failed.
    failures: AtomicU32,
    /// There is no use in an attempt before that.
    not_before: AtomicU64,
    /// The message that asks for a turn to save in. It lives for as long as it waits or runs.
    asked: Mutex<Weak<Timer>>,
}

impl Unsaved {
    /// Whether the store is owed a commit.
    pub fn is_dirty(&self) -> bool {
        self.dirty.load(Ordering::Acquire)
    }

    /// Whether the actor is so busy that the message that asks for a turn has not had it yet.
    pub fn is_overdue(&self, now: Instant) -> bool {
        self.is_dirty() && now.0 >= self.since.load(Ordering::Relaxed) && self.may_try(now)
    }

    /// Nothing is owed any more. Returns whether anything was.
    fn clear(&self) -> bool {
        self.failures.store(0, Ordering::Relaxed);
        self.not_before.store(0, Ordering::Relaxed);
        self.is_dirty() && self.dirty.swap(false, Ordering::AcqRel)
    }

    /// Whether an attempt may succeed, for all that is known.
    pub fn may_try(&self, now: Instant) -> bool {
        now.0 >= self.not_before.load(Ordering::Relaxed)
    }

    /// Moves the time at which the queue looks nearer. `false` if it looks as early already.
    fn due_by(&self, at: Instant) -> bool {
        let mut due = self.due.lock();
        let nearer = due.is_none_or(|due| at < due);
        if nearer {
            *due = Some(at);
        }
        nearer
    }

    /// The queue looks. `false` if it was to look at another time.
    fn is_due(&self, at: Instant) -> bool {
        let mut due = self.due.lock();
        let is_it = *due == Some(at);
        if is_it {
            *due = None;
        }
        is_it
    }

    fn failed(&self, now: Instant, first_pause: Duration, pause_max: Duration) {
        let failures = self.failures.fetch_add(1, Ordering::Relaxed).min(20);
        let pause = first_pause.max(PAUSE_MIN).saturating_mul(1 << failures).min(pause_max);
        self.not_before.store((now + pause).0, Ordering::Relaxed);
    }
}

/// Which activations of a kind are to be saved, and when.
#[derive(Default)]
pub(crate) struct WriteBehind {
    queue: Mutex<Queue>,
    sweeper: Sweeper,
    /// How many activations owe a commit.
    unsaved: AtomicUsize,
}

#[derive(Default)]
struct Queue {
    /// By time, then in the order in which they came.
    due: BTreeMap<(Instant, u64), Weak<Activation>>,
    added: u64,
    has_task: bool,
}

impl WriteBehind {
    /// `true` if there is no task yet to look after it.
    fn add(&self, at: Instant, activation: &Arc<Activation>) -> bool {
        let mut queue = self.queue.lock();
        queue.added += 1;
        let place = (at, queue.added);
        queue.due.insert(place, Arc::downgrade(activation));
        let first = !std::mem::replace(&mut queue.has_task, true);
        drop(queue);
        self.sweeper.wake_by(at);
        first
    }

    fn take_due(&self, now: Instant) -> Option<(Instant, Weak<Activation>)> {
        let mut queue = self.queue.lock();
        let entry = queue.due.first_entry().filter(|entry| entry.key().0 <= now)?;
        let ((at, _), activation) = entry.remove_entry();
        Some((at, activation))
    }

    /// How many activations owe a commit.
    pub fn unsaved(&self) -> usize {
        self.unsaved.load(Ordering::Relaxed)
    }

    fn next(&self) -> Option<Instant> {
        self.queue.lock().due.first_key_value().map(|((at, _), _)| *at)
    }
}

impl Activation {
    /// All that there is has been committed, or is lost with the activation.
    pub(crate) fn owes_nothing(&self) {
        if self.unsaved.clear() {
            self.kind.behind.unsaved.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

fn interval(kind: &KindEntry) -> Duration {
    match kind.save {
        Save::Behind(interval) => interval,
        Save::EachTurn | Save::Manual => Duration::ZERO,
    }
}

/// Whether a message only asks to save.
pub(crate) fn is_save(message: &Message) -> bool {
    // No timer of an actor's is without a name.
    message.tick.as_ref().is_some_and(|timer| timer.name.is_empty())
}

impl Kernel {
    /// A turn may have changed the state, and has not committed it.
    pub(crate) fn mark_unsaved(self: &Arc<Self>, activation: &Arc<Activation>) {
        if !matches!(activation.kind.save, Save::Behind(_)) {
            return;
        }
        if activation.unsaved.dirty.swap(true, Ordering::AcqRel) {
            return;
        }
        activation.kind.behind.unsaved.fetch_add(1, Ordering::Relaxed);
        let is_early = buggify!(self.env.entropy, "saves_early");
        let wait = if is_early { Duration::ZERO } else { interval(&activation.kind) / 2 };
        let begin = self.env.clock.now() + wait;
        activation.unsaved.since.store(begin.0, Ordering::Relaxed);
        self.queue_save(activation, begin);
    }

    fn queue_save(self: &Arc<Self>, activation: &Arc<Activation>, at: Instant) {
        if !activation.unsaved.due_by(at) {
            return;
        }
        if activation.kind.behind.add(at, activation) && !self.is_stopped() {
            let task = save_when_due(self.clone(), activation.kind.clone());
            let handle = self.env.spawner.spawn_boxed("write-behind", Box::pin(task));
            self.tasks.lock().push(handle);
        }
    }

    /// Asks for a turn to save in, and sees to it that somebody looks again.
    fn save_is_due(self: &Arc<Self>, activation: &Arc<Activation>) {
        let unsaved = &activation.unsaved;
        if !unsaved.is_dirty() {
            return;
        }
        let now = self.env.clock.now();
        // The message may find a full mailbox, or fail.
        let look_again = interval(&activation.kind).clamp(PAUSE_MIN, PAUSE_MAX);
        self.queue_save(activation, now + look_again);
        if !unsaved.may_try(now) || unsaved.asked.lock().strong_count() > 0 {
            return;
        }
        let timer = Arc::new(Timer {
            activation: Arc::downgrade(activation),
            name: Box::default(),
            period: None,
            method: FIRE,
            access: Access::Exclusive,
            args: Bytes::new(),
        });
        *unsaved.asked.lock() = Arc::downgrade(&timer);
        let message = Message {
            method: FIRE,
            deadline: Instant::NEVER,
            tick: Some(timer),
            ..self.lifecycle_message(&activation.id)
        };
        match activation.turn.begin(Access::Exclusive.into()) {
            Begin::Run => self.start_turn(activation.clone(), message, Access::Exclusive),
            Begin::Busy => {
                reached!("write_behind.queued");
                self.enqueue(activation, message);
            }
            // Whoever ends it saves it first.
            Begin::Sealed => {}
        }
    }

    /// The turn of a message that asks to save.
    pub(crate) async fn save_in_turn(self: &Arc<Self>, activation: &Arc<Activation>) -> After {
        match self.save_behind(activation).await {
            Err(error) if error.is_fenced() => After::Discard("another activation is newer"),
            Ok(()) | Err(_) => After::Keep,
        }
    }

    /// Saves what is unsaved. The caller holds the turn exclusively.
    pub(crate) async fn save_behind(
        self: &Arc<Self>,
        activation: &Arc<Activation>,
    ) -> Result<(), CommitError> {
        if !activation.unsaved.is_dirty() {
            return Ok(());
        }
        let interval = interval(&activation.kind);
        // Who calls the actor waits for as long as this takes.
        let deadline = self.env.clock.now() + interval.clamp(PAUSE_MIN, PAUSE_MAX);
        let saved = save_state(self, activation, deadline).await;
        match &saved {
            Ok(()) => {}
            Err(error @ (CommitError::Unfit(_) | CommitError::TooLarge { .. } | CommitError::Corrupt(_))) => {
                tracing::error!(actor = %activation.id, ?error, "what was acknowledged cannot be saved");
            }
            Err(error) => tracing::warn!(actor = %activation.id, ?error, "not saved yet"),
        }
        if saved.is_err() {
            reached!("write_behind.failed");
            let drains = self.phase() >= Phase::Draining;
            let pause_max = if drains { DRAIN_PAUSE_MAX } else { PAUSE_MAX };
            activation.unsaved.failed(self.env.clock.now(), interval, pause_max);
        }
        saved
    }
}

/// Has the activations of a kind saved when they are due, for as long as the silo runs.
async fn save_when_due(kernel: Arc<Kernel>, kind: Arc<KindEntry>) {
    while !kernel.is_stopped() {
        kind.behind.sweeper.wait(&kernel.env.clock).await;
        let now = kernel.env.clock.now();
        while let Some((at, activation)) = kind.behind.take_due(now) {
            if let Some(activation) = activation.upgrade()
                && activation.unsaved.is_due(at)
            {
                kernel.save_is_due(&activation);
            }
        }
        if let Some(next) = kind.behind.next() {
            kind.behind.sweeper.wake_by(next);
        }
    }
}
