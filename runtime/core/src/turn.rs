//! Who may run an activation now: one atomic word, no queue, no wake-up.
//!
//! A caller whose target is idle takes the turn with one compare-exchange and runs the handler on its own stack. Only
//! a busy target costs a push to its mailbox. The mailbox is not in here: it lives under a short lock next to the
//! turn, and the turn only remembers that there is something in it.
//!
//! ```text
//!   word                     begin(Exclusive)  begin(Shared)   mark_queued     end (last one out)
//!   idle                     Run -> exclusive  Run -> shared 1 true -> excl.   (nobody runs)
//!   exclusive                Busy              Busy            false, +queued  Idle  -> idle
//!   shared n                 Busy              Run -> n + 1    false, +queued  Idle  -> idle
//!   exclusive, queued        Busy              Busy            false           Drain -> exclusive
//!   shared n, queued         Busy              Busy            false           Drain -> exclusive
//!   any, sealed              Sealed            Sealed          as above        as above
//! ```
//!
//! `idle, queued` does not exist: whoever would leave it behind gets the *drain right* instead. The drain right is
//! the exclusive turn itself, so there is at most one drainer by the same argument that there is one exclusive turn,
//! and it has to be given back by `end(Exclusive)` like any other.
//!
//! **The drainer's loop.** The mark is gone when the right is granted, so that a push during the drain sets it anew:
//! ```text
//!   loop {
//!       lock; pop what may run next; unlock
//!       nothing        -> match end(Exclusive) { Idle => return, Drain => continue }
//!       one exclusive  -> run it, then loop
//!       n shared       -> share(n, more in the mailbox?); run them side by side;
//!                         each calls end(Shared), and the one that gets Drain is the next drainer
//!   }
//! ```
//! **No lost wake-up.** A sender pushes first and marks second; a drainer loses the mark first and pops second. So a
//! message is either popped, or marked after the drainer's right was granted, and then its `end` answers `Drain`.
//!
//! **No starvation, and order (promise P6).** While anything is marked as queued, every newcomer queues too.
//!
//! **The end of an activation** is an exclusive turn: it seals, hands on what is in the mailbox, and calls `end`. A
//! sender that was told `Busy` before the seal may push after it; its mark gives somebody the drain right, who finds
//! the activation gone and hands that message on as well.

#[cfg(all(test, not(any(quark_loom, quark_shuttle))))]
mod tests;
mod waiting;

pub use waiting::{Enter, Next, Waiting};

use crate::mutant;
use crate::sync::atomic::{AtomicU64, Ordering};
use std::fmt;

/// How a turn uses the actor: `&mut self` or `&self`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Access {
    /// Alone.
    Exclusive,
    /// Beside other shared turns. Shared turns have no order among themselves.
    Shared,
}

/// What a caller that wants a turn is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use = "a turn that runs has to be ended"]
pub enum Begin {
    /// The turn is the caller's, until it calls [`Turn::end`] with the same access.
    Run,
    /// Push the message to the mailbox, then call [`Turn::mark_queued`].
    Busy,
    /// The activation is ending: find the actor anew.
    Sealed,
}

/// What the end of a turn leaves its holder with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use = "who is told to drain and does not, strands the mailbox"]
pub enum End {
    /// Nothing to do: the activation is idle, or other shared turns still run.
    Idle,
    /// Something is queued, and the caller now holds the exclusive turn to drain it (see the module's text).
    Drain,
}

/// The word. See the module's text for the protocol.
pub struct Turn(AtomicU64);

const EXCLUSIVE: u64 = 1 << 63;
const QUEUED: u64 = 1 << 62;
const SEALED: u64 = 1 << 61;
/// How many shared turns run.
const SHARED: u64 = u32::MAX as u64;

impl Turn {
    /// Idle.
    #[cfg(not(any(quark_loom, quark_shuttle)))]
    pub const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Idle.
    #[cfg(any(quark_loom, quark_shuttle))]
    pub fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Held exclusively from the start: for an activation that has to load its state before its first message.
    pub fn held() -> Self {
        Self(AtomicU64::new(EXCLUSIVE))
    }

    /// Asks for the turn.
    #[inline]
    pub fn begin(&self, access: Access) -> Begin {
        let first = match access {
            Access::Exclusive => EXCLUSIVE,
            Access::Shared => 1,
        };
        // The deliberate bug m81: what the last turn wrote is not seen by this one.
        let order = if mutant!("m81") { Ordering::Relaxed } else { Ordering::Acquire };
        match self.0.compare_exchange(0, first, order, Ordering::Relaxed) {
            Ok(_) => Begin::Run,
            Err(seen) => self.begin_not_idle(access, seen),
        }
    }

    fn begin_not_idle(&self, access: Access, mut seen: u64) -> Begin {
        loop {
            if seen & SEALED != 0 {
                return Begin::Sealed;
            }
            let next = match access {
                // maybe: idle again since the first look.
                Access::Exclusive if seen == 0 => EXCLUSIVE,
                // A count that is full (2^32 - 1) queues; it cannot happen with less memory than 2^32 turns take.
                Access::Shared if seen & (EXCLUSIVE | QUEUED) == 0 && seen & SHARED < SHARED => seen + 1,
                Access::Exclusive | Access::Shared => return Begin::Busy,
            };
            match self.0.compare_exchange_weak(seen, next, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => return Begin::Run,
                Err(now) => seen = now,
            }
        }
    }

    /// Says that the mailbox holds something. Call it after the push, never before.
    ///
    /// Returns true if nobody is running any more: the caller then holds the exclusive turn, and has to drain.
    #[must_use = "who is told to drain and does not, strands the mailbox"]
    pub fn mark_queued(&self) -> bool {
        let mut seen = self.0.load(Ordering::Relaxed);
        loop {
            // The deliberate bug m83: whoever runs will look, if somebody runs.
            let is_idle = seen & !SEALED == 0 && !mutant!("m83");
            // Written also when the mark is there already: the drainer has to synchronise with every push.
            let next = seen | if is_idle { EXCLUSIVE } else { QUEUED };
            match self.0.compare_exchange_weak(seen, next, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) if is_idle => {
                    crate::reached!("turn.drain.by_sender");
                    return true;
                }
                Ok(_) => return false,
                Err(now) => seen = now,
            }
        }
    }

    /// Ends a turn that [`Turn::begin`] granted, that [`Turn::share`] started, or that was held to drain.
    ///
    /// Panics: if no turn with this access runs.
    #[inline]
    pub fn end(&self, access: Access) -> End {
        let alone = match access {
            Access::Exclusive => EXCLUSIVE,
            Access::Shared => 1,
        };
        // The deliberate bug m82: what this turn wrote is not published to the next.
        let order = if mutant!("m82") { Ordering::Relaxed } else { Ordering::Release };
        match self.0.compare_exchange(alone, 0, order, Ordering::Relaxed) {
            Ok(_) => End::Idle,
            Err(seen) => self.end_not_alone(access, seen),
        }
    }

    fn end_not_alone(&self, access: Access, mut seen: u64) -> End {
        loop {
            let left = match access {
                Access::Exclusive => {
                    assert!(seen & EXCLUSIVE != 0, "an exclusive turn ends that does not run");
                    seen & !EXCLUSIVE
                }
                Access::Shared => {
                    assert!(seen & SHARED != 0, "a shared turn ends that does not run");
                    seen - 1
                }
            };
            // The deliberate bug m84: a turn that ends beside others takes the mark with it, and does not drain.
            let forgets = mutant!("m84") && access == Access::Shared && left & SHARED != 0;
            let left = if forgets { left & !QUEUED } else { left };
            let drains = left & SHARED == 0 && left & QUEUED != 0;
            let next = if drains { left & !QUEUED | EXCLUSIVE } else { left };
            match self.0.compare_exchange_weak(seen, next, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) if drains => return End::Drain,
                Ok(_) => return End::Idle,
                Err(now) => seen = now,
            }
        }
    }

    /// Turns the exclusive turn of a drainer into `count` shared ones, each of which has to end.
    ///
    /// `more` says whether the mailbox still held something when the drainer looked: newcomers then queue behind it.
    /// Panics: if no exclusive turn runs, or `count` is zero.
    pub fn share(&self, count: u32, more: bool) {
        assert!(count > 0, "nobody would end a turn that nobody shares");
        // The deliberate bug m86: nobody drains what waits behind these turns, and newcomers run past it.
        let queued = if more && !mutant!("m86") { QUEUED } else { 0 };
        let before = self
            .0
            .fetch_update(Ordering::AcqRel, Ordering::Relaxed, |seen| {
                Some(seen & !EXCLUSIVE | u64::from(count) | queued)
            })
            .expect("the update always has a value");
        assert!(before & EXCLUSIVE != 0, "only who runs alone may share");
    }

    /// Refuses every `begin` from now on. What is queued is still drained, what runs still ends.
    pub fn seal(&self) {
        self.0.fetch_or(SEALED, Ordering::AcqRel);
    }

    /// Takes a seal back: a migration that failed.
    pub fn unseal(&self) {
        self.0.fetch_and(!SEALED, Ordering::AcqRel);
    }

    /// Seals and takes the exclusive turn, if nobody runs and nothing is queued. For the collector of idle actors.
    #[must_use = "a turn that runs has to be ended"]
    pub fn seal_if_idle(&self) -> bool {
        self.0.compare_exchange(0, EXCLUSIVE | SEALED, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    /// Whether nobody runs and nothing is queued. True may be false by the time it is read.
    pub fn is_idle(&self) -> bool {
        self.0.load(Ordering::Acquire) & !SEALED == 0
    }

    /// Whether the activation is ending.
    pub fn is_sealed(&self) -> bool {
        self.0.load(Ordering::Acquire) & SEALED != 0
    }
}

impl Default for Turn {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = self.0.load(Ordering::Relaxed);
        match word & SHARED {
            0 if word & EXCLUSIVE != 0 => f.write_str("exclusive")?,
            0 => f.write_str("idle")?,
            shared => write!(f, "shared {shared}")?,
        }
        let mark =
            |f: &mut fmt::Formatter<'_>, bit, text| if word & bit != 0 { f.write_str(text) } else { Ok(()) };
        mark(f, QUEUED, ", queued")?;
        mark(f, SEALED, ", sealed")
    }
}
