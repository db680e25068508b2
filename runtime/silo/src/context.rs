//! What a turn knows of its surroundings.

use crate::activation::Activation;
use crate::actor::Actor;
use crate::call::{ActorHandle, Issuer};
use crate::calls::Calls;
use crate::outbox::{Outbox, OutboxError};
use crate::reminders::{ReminderError, Reminders, Tick};
use crate::saving::{AT_THE_END, Lent, NO_TURN, SaveError};
use crate::staging::Staging;
use crate::timers::Timers;
use quark_core::{ActorId, ActorIdError, Epoch, Instant, SiloId, WallTime};
use quark_env::Clock;
use std::sync::{Arc, Weak};
use std::time::Duration;

const NO_COMMIT: &str = "is not durable, or this turn takes `&self`, or is a hook";

/// Handed to every turn that asks for it: who am I, where, until when, and a way to call others.
///
/// Calls made through it carry this turn's call chain (so that a cycle is an error and not a hang), what is left of
/// its deadline, and its request context.
#[derive(Clone)]
pub struct ActorContext {
    pub(crate) id: ActorId,
    pub(crate) silo: SiloId,
    pub(crate) epoch: Epoch,
    pub(crate) deadline: Instant,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) calls: Calls,
    pub(crate) headers: Arc<[(String, String)]>,
    /// In an exclusive turn of a durable kind.
    pub(crate) staging: Option<Arc<Staging>>,
    /// In a turn that may save by itself.
    pub(crate) lent: Option<Arc<Lent>>,
    /// Weak, lest an actor that keeps its context keep itself in memory.
    pub(crate) activation: Weak<Activation>,
}

impl ActorContext {
    /// This actor.
    pub fn id(&self) -> &ActorId {
        &self.id
    }

    /// The silo that runs this turn.
    pub fn silo(&self) -> SiloId {
        self.silo
    }

    /// This activation's fencing number; 0 for kinds that are not durable.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// The silo's monotonic clock.
    pub fn now(&self) -> Instant {
        self.clock.now()
    }

    /// What is left until the caller stops waiting; `None` if it waits for ever.
    pub fn remaining(&self) -> Option<Duration> {
        (self.deadline != Instant::NEVER).then(|| self.deadline.since(self.clock.now()))
    }

    /// Waits. The turn stays open: no other exclusive turn of this actor runs meanwhile.
    pub async fn sleep(&self, time: Duration) {
        self.clock.sleep_until(self.clock.now() + time).await;
    }

    /// The silo's wall clock, which may be wrong and may jump. For calendars and people, not for intervals.
    pub fn wall_time(&self) -> WallTime {
        self.clock.wall()
    }

    /// The occurrence that this turn runs for, if a reminder has come due.
    pub fn tick(&self) -> Option<&Tick> {
        self.staging.as_ref()?.reminders.tick.as_ref()
    }

    /// This actor's reminders, to be set, cancelled and listed.
    ///
    /// ```
    /// use quark::{ActorContext, Deserialize, Reminder, ReminderError, Schedule, Serialize};
    ///
    /// #[derive(Default, Serialize, Deserialize)]
    /// struct Customer { invoices: u32 }
    ///
    /// #[quark::actor(kind = "customer", durable)]
    /// impl Customer {
    ///     fn subscribe(&mut self, ctx: &ActorContext) -> Result<(), String> {
    ///         let monthly = Schedule::cron("0 9 1 * *", "Europe/Berlin").map_err(|e| e.to_string())?;
    ///         let bill = ctx.myself::<Self>().bill();
    ///         ctx.reminders().and_then(|all| all.set(Reminder::new("invoice", monthly), bill)).map_err(|e| e.to_string())
    ///     }
    ///
    ///     fn bill(&mut self, ctx: &ActorContext) {
    ///         let tick = ctx.tick().expect("only the reminder calls this");
    ///         self.invoices += 1 + tick.missed as u32;
    ///     }
    /// }
    /// ```
    ///
    /// Errors: [`ReminderError::NoCommit`] outside of exclusive turns of durable kinds, and in hooks.
    pub fn reminders(&self) -> Result<Reminders<'_>, ReminderError> {
        match &self.staging {
            Some(turn) => Ok(Reminders { actor: &self.id, turn: &turn.reminders }),
            None => Err(ReminderError::NoCommit { kind: self.id.kind().into(), reason: NO_COMMIT }),
        }
    }

    /// Letters to other actors, sent if and only if this turn commits, each to take effect once (promise P5).
    ///
    /// ```
    /// use quark::{ActorContext, Deserialize, OutboxError, Serialize};
    ///
    /// #[derive(Default, Serialize, Deserialize)]
    /// struct Purse { coins: u64 }
    ///
    /// #[quark::actor(kind = "purse", durable)]
    /// impl Purse {
    ///     fn give(&mut self, ctx: &ActorContext, coins: u64, to: String) -> Result<(), String> {
    ///         let left = self.coins.checked_sub(coins).ok_or("there are not so many")?;
    ///         let letter = ctx.actor::<Purse>(&to).receive(coins);
    ///         ctx.outbox().and_then(|outbox| outbox.send(letter)).map_err(|e| e.to_string())?;
    ///         self.coins = left;
    ///         Ok(())
    ///     }
    ///
    ///     fn receive(&mut self, coins: u64) {
    ///         self.coins += coins;
    ///     }
    /// }
    /// ```
    /// No coin is lost or doubled, whatever crashes: the letter is committed with the smaller sum, and taken in the commit
    /// of the greater.
    ///
    /// Errors: [`OutboxError::NoCommit`] outside of exclusive turns of durable kinds, and in hooks.
    pub fn outbox(&self) -> Result<Outbox<'_>, OutboxError> {
        match &self.staging {
            Some(turn) => Ok(Outbox { actor: &self.id, turn: &turn.outbox, headers: &self.headers }),
            None => Err(OutboxError::NoCommit { kind: self.id.kind().into(), reason: NO_COMMIT }),
        }
    }

    /// This activation's timers, to be set, cancelled and listed. What a timer calls is an ordinary method, in an
    /// ordinary turn: it overlaps with no other turn that the method could not overlap with, and never with itself.
    ///
    /// Timers are kept in memory only. They end with this activation, however it ends (a reminder does not), so they are
    /// best set in `on_activate`. A tick does not count as use: an actor that only its timers call is collected after
    /// [`SiloConfig::idle_after`](crate::SiloConfig::idle_after), and its timers with it.
    ///
    /// A timer is set or cancelled at once, in any turn and any hook. If the turn's commit fails, the activation ends, and
    /// the timer with it. A tick's turn has the silo's default deadline, and no request context. Nobody waits for its
    /// outcome: a panic is supervised as any other, an error is a dead letter.
    ///
    /// ```
    /// use quark::ActorContext;
    /// use std::time::Duration;
    ///
    /// #[derive(Default)]
    /// struct Gauge { read: u64, sent: u64 }
    ///
    /// #[quark::actor(kind = "gauge")]
    /// impl Gauge {
    ///     #[quark(on_activate)]
    ///     async fn start(&mut self, ctx: &ActorContext) -> Result<(), String> {
    ///         let flush = ctx.myself::<Self>().flush();
    ///         ctx.timers().every("flush", Duration::from_secs(1), flush).map_err(|e| e.to_string())
    ///     }
    ///
    ///     fn add(&mut self, amount: u64) {
    ///         self.read += amount;
    ///     }
    ///
    ///     fn flush(&mut self) {
    ///         self.sent += std::mem::take(&mut self.read);
    ///     }
    ///
    ///     fn close(&mut self, ctx: &ActorContext) -> bool {
    ///         ctx.timers().cancel("flush")
    ///     }
    /// }
    /// ```
    pub fn timers(&self) -> Timers<'_> {
        Timers { actor: &self.id, activation: &self.activation, clock: &*self.clock }
    }

    /// Commits the state of this actor, of a kind with `save = manual`, in the midst of its turn. Once this returns `Ok` the
    /// state is durable as it was when it was called, whatever becomes of the turn: also if the turn then fails or
    /// panics. What the turn changes later waits for the next save.
    ///
    /// It is for exclusive turns and for `on_deactivate`. A turn that carries an idempotency key or runs for a reminder
    /// commits at its end by itself and cannot save before, for its effect and the key are to be one commit. A turn that
    /// sets or cancels reminders commits these at its end, with the state as it is then; what it saves before does not
    /// have them yet.
    ///
    /// ```
    /// use quark::{ActorContext, Deserialize, SaveError, Serialize};
    ///
    /// #[derive(Default, Serialize, Deserialize)]
    /// struct Import { lines: u64 }
    ///
    /// #[quark::actor(kind = "import", save = manual)]
    /// impl Import {
    ///     async fn feed(&mut self, ctx: &ActorContext, lines: Vec<String>) -> Result<u64, String> {
    ///         for line in lines {
    ///             self.lines += u64::from(!line.is_empty());
    ///             if self.lines.is_multiple_of(1000) {
    ///                 ctx.save(self).await.map_err(|error: SaveError| error.to_string())?;
    ///             }
    ///         }
    ///         Ok(self.lines)
    ///     }
    ///
    ///     #[quark(on_deactivate)]
    ///     async fn end(&mut self, ctx: &ActorContext) {
    ///         let _saved = ctx.save(self).await;
    ///     }
    /// }
    /// ```
    ///
    /// Errors: see [`SaveError`]. Panics: if it is given an actor of another kind than that of this context.
    pub async fn save<A: Actor>(&self, actor: &A) -> Result<(), SaveError> {
        assert_eq!(A::KIND, self.id.kind(), "an actor saves itself");
        let Some(lent) = &self.lent else {
            return Err(SaveError::NotHere { kind: self.id.kind().into(), reason: NO_TURN });
        };
        if self.staging.as_ref().is_some_and(|turn| turn.outbox.has_written()) {
            return Err(SaveError::NotHere { kind: self.id.kind().into(), reason: AT_THE_END });
        }
        lent.save(&self.id, actor, self.deadline).await
    }

    /// A reference to this actor itself: for what is to be called later. Awaited within a turn it is a deadlock.
    ///
    /// Panics: if this actor is of another kind.
    pub fn myself<A: Actor>(&self) -> A::Ref {
        assert_eq!(A::KIND, self.id.kind(), "`myself` is asked for by the actor's own type");
        A::reference(ActorHandle::new(self.issuer(), self.id.clone()))
    }

    fn issuer(&self) -> Arc<dyn Issuer> {
        self.calls.issuer(&self.id, self.deadline, &self.headers)
    }

    /// A value of the request context.
    pub fn header(&self, key: &str) -> Option<&str> {
        self.headers.iter().find(|(k, _)| k == key).map(|(_, v)| v.as_str())
    }

    /// A reference to another actor of the same tenant.
    ///
    /// Panics: if the key is longer than [`ActorId::KEY_BYTES_MAX`]; [`ActorContext::try_actor`] returns an error.
    pub fn actor<A: Actor>(&self, key: &str) -> A::Ref {
        self.try_actor::<A>(key).expect("the key fits the limit")
    }

    /// As [`ActorContext::actor`], for keys that come from outside.
    pub fn try_actor<A: Actor>(&self, key: &str) -> Result<A::Ref, ActorIdError> {
        let id = ActorId::of_tenant(self.id.tenant(), A::KIND, key)?;
        Ok(A::reference(ActorHandle::new(self.issuer(), id)))
    }
}
