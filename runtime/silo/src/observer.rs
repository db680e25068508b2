//! What a silo tells whoever watches it: checkers in a simulation, an audit log in production.

use crate::outbox::LetterId;
use quark_core::schedule::{MissedPolicy, Schedule};
use quark_core::view::View;
use quark_core::wire::{CallId, IdempotencyKey};
use quark_core::{ActorId, Epoch, Instant, MethodId, SiloId, Version, WallTime, WriteId};
use quark_env::store::Partition;
use std::sync::Arc;

/// Sees every event of a silo as it happens, on the silo's own stack: it must be quick and must not call back.
pub trait Observer: Send + Sync {
    /// Something happened at `silo`, at `at` on its monotonic clock.
    fn event(&self, silo: SiloId, at: Instant, event: Event<'_>);
}

/// What happened.
#[derive(Debug)]
pub enum Event<'a> {
    /// The silo has joined.
    Joined,
    /// A newer view took effect.
    ViewInstalled {
        /// The view.
        view: &'a Arc<View>,
    },
    /// The lease is proven until then.
    LeaseHeld {
        /// The end, on the silo's monotonic clock.
        until: Instant,
    },
    /// The lease ended unproven: no turn starts until it is proven again.
    LeaseLost,
    /// The silo stopped: in order, or because it must.
    Stopped {
        /// Why.
        reason: &'a str,
    },
    /// This silo, as directory owner, placed an actor.
    Placed {
        /// The actor.
        actor: &'a ActorId,
        /// Where.
        on: SiloId,
    },
    /// An activation is ready for its first turn.
    Activated {
        /// The actor.
        actor: &'a ActorId,
        /// Its fencing number; 0 if the kind is not durable.
        epoch: Epoch,
    },
    /// An activation ended.
    Deactivated {
        /// The actor.
        actor: &'a ActorId,
        /// Its fencing number.
        epoch: Epoch,
        /// Why.
        reason: &'a str,
    },
    /// A turn began.
    TurnStarted {
        /// The actor.
        actor: &'a ActorId,
        /// The activation's fencing number.
        epoch: Epoch,
        /// What of the actor's partition the activation has seen: the version of its last commit that it knows to have
        /// happened, its claim included. 0 if the kind is not durable.
        version: Version,
        /// The method.
        method: MethodId,
        /// The silo or client that made the call.
        caller: SiloId,
        /// The caller's number for it.
        call: CallId,
        /// Whether it runs alone.
        exclusive: bool,
        /// The sending activation and the message's place in its order, if an actor sent it.
        order: Option<(u64, u64)>,
        /// The end of the caller's patience, on this silo's clock.
        deadline: Instant,
    },
    /// A turn ended (its commit, if any, included).
    TurnEnded {
        /// The actor.
        actor: &'a ActorId,
        /// The activation's fencing number.
        epoch: Epoch,
        /// The silo or client that made the call.
        caller: SiloId,
        /// The caller's number for it.
        call: CallId,
        /// Whether it ran alone.
        exclusive: bool,
    },
    /// A commit of an actor is about to be asked for. Whether it takes effect, its `write` tells, in the store.
    CommitAsked {
        /// The actor.
        actor: &'a ActorId,
        /// The activation's fencing number.
        epoch: Epoch,
        /// The attempt. It stays the same however often the store has to be asked.
        write: WriteId,
        /// The version of the actor's partition that it rests on.
        after: Version,
        /// What must take effect once, and does with this commit.
        once: Option<Once<'a>>,
        /// Letters that the turn gives up.
        withdrawn: &'a [LetterId],
    },
    /// What the commit that has just been asked for does to a reminder of its actor.
    ReminderAsked {
        /// The actor.
        actor: &'a ActorId,
        /// The commit.
        write: WriteId,
        /// The reminder.
        name: &'a str,
        /// What becomes of it.
        change: ReminderChange<'a>,
    },
    /// A durable turn's commit was acknowledged by the store.
    Committed {
        /// The actor.
        actor: &'a ActorId,
        /// The activation's fencing number.
        epoch: Epoch,
        /// The state record's new version.
        version: Version,
    },
    /// A stale activation was stopped from committing.
    Fenced {
        /// The actor.
        actor: &'a ActorId,
        /// Its fencing number.
        epoch: Epoch,
    },
    /// The store has lost commits that it had acknowledged: what this silo was told of the partition is void.
    StoreWentBack {
        /// The partition.
        partition: &'a Partition,
        /// The version that this silo was told of.
        seen: Version,
        /// The version that the partition has.
        found: Version,
    },
    /// A call was issued here.
    CallIssued {
        /// Its number.
        call: CallId,
        /// Its target.
        actor: &'a ActorId,
        /// Its deadline on this silo's clock.
        deadline: Instant,
    },
    /// A call issued here got its outcome.
    CallEnded {
        /// Its number.
        call: CallId,
        /// What: `ok`, `app`, or the failure's name.
        outcome: &'a str,
        /// Its deadline on this silo's clock.
        deadline: Instant,
    },
    /// A message was dropped with a reason (a tell that nobody waits for, a reply nobody wants).
    DeadLettered {
        /// The target, if known.
        actor: Option<&'a ActorId>,
        /// Why.
        reason: &'a str,
    },
}

/// What takes effect once at most, whatever is repeated (promise P5).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Once<'a> {
    /// A call with this idempotency key.
    Key(IdempotencyKey),
    /// A letter.
    Letter {
        /// Its sender.
        from: &'a ActorId,
        /// Its name among its sender's.
        id: LetterId,
    },
}

/// What a commit does to a reminder (promise P14).
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum ReminderChange<'a> {
    /// It is set, or set anew in another way.
    Set {
        /// When it is due.
        schedule: &'a Schedule,
        /// What becomes of missed occurrences.
        policy: MissedPolicy,
        /// The first occurrence.
        next: WallTime,
    },
    /// The turn ran for an occurrence of it.
    Fired {
        /// Which.
        due: WallTime,
        /// How many others are not fired because of this one.
        missed: u64,
        /// The next occurrence; `None` if the reminder is gone.
        next: Option<WallTime>,
    },
    /// Occurrences were dropped by its policy, and none was fired.
    Skipped {
        /// The next occurrence; `None` if the reminder is gone.
        next: Option<WallTime>,
    },
    /// It is cancelled.
    Cancelled,
}
