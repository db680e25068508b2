//! What a turn may say about its activation's timers.

use super::table::{Entry, NotSet, TIMERS_MAX, Timer};
use crate::activation::Activation;
use crate::call::Call;
use crate::own_call::{NAME_BYTES_MAX, OwnCall, Unfit};
use crate::turns::access_of;
use quark_core::{ActorId, Instant};
use quark_env::Clock;
use std::sync::{Arc, Weak};
use std::time::Duration;

/// The timers of the activation whose turn this is; see [`ActorContext::timers`](crate::ActorContext::timers).
pub struct Timers<'a> {
    pub(crate) actor: &'a ActorId,
    pub(crate) activation: &'a Weak<Activation>,
    pub(crate) clock: &'a dyn Clock,
}

/// A timer as it stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TimerStatus {
    /// Its name.
    pub name: String,
    /// Its period; `None` if it ticks once.
    pub period: Option<Duration>,
    /// When its next tick is due on the silo's monotonic clock. While a tick waits or runs: when that one was.
    pub due: Instant,
    /// How many ticks have started.
    pub ticks: u64,
    /// How many ticks were dropped, because the one before still ran or the mailbox was full. Of a timer that ticks
    /// once: how often its tick was put off.
    pub missed: u64,
}

/// Why a timer was not set. Nothing happened, and a timer of that name is still as it was.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TimerError {
    /// It would tick without end at one instant.
    #[error("the timer `{name}` has a period of zero: give it a longer one, or use `after`")]
    ZeroPeriod {
        /// The timer.
        name: String,
    },
    /// The name does not fit.
    #[error("a timer's name has 1 to {NAME_BYTES_MAX} bytes, `{name}` has {}", .name.len())]
    Name {
        /// The name.
        name: String,
    },
    /// The call is for another actor.
    #[error(
        "a timer calls the actor that sets it, {actor}, and not {target}: let a method of it make that call"
    )]
    NotOurs {
        /// Who sets it.
        actor: ActorId,
        /// Whom it was to call.
        target: ActorId,
    },
    /// The kind has no such method.
    #[error("{actor} has no method `{method}`: take the call from `ctx.myself::<Self>()`")]
    UnknownMethod {
        /// Who sets it.
        actor: ActorId,
        /// The method.
        method: &'static str,
    },
    /// The arguments cannot be encoded, or are too large to be kept.
    #[error("the arguments of `{method}` cannot be kept: {reason}")]
    Arguments {
        /// The method.
        method: String,
        /// What is wrong.
        reason: String,
    },
    /// There are enough.
    #[error(
        "{actor} has {TIMERS_MAX} timers, which is the most: cancel one, or give `{name}` the work of another"
    )]
    TooMany {
        /// The actor.
        actor: ActorId,
        /// The timer that did not fit.
        name: String,
    },
    /// The activation has ended, or its silo has stopped: only a context that outlives its turn sees this.
    #[error("this activation of {actor} has ended, and its timers with it: set `{name}` in `on_activate`")]
    Ended {
        /// The actor.
        actor: ActorId,
        /// The timer.
        name: String,
    },
}

impl Timers<'_> {
    /// The most timers of one activation.
    pub const COUNT_MAX: usize = TIMERS_MAX;

    /// Calls a method of this same actor once, after `delay`, and never before this turn has ended if it is exclusive.
    /// Takes the place of the timer of that name. The call's own deadline, key and headers count for nothing.
    ///
    /// Errors: each names what is wrong; nothing is set then.
    pub fn after<R, E>(&self, name: &str, delay: Duration, call: Call<R, E>) -> Result<(), TimerError> {
        self.set(name, delay, None, call)
    }

    /// Calls a method of this same actor after one period, then once each period. Takes the place of the timer of that
    /// name, and begins anew.
    ///
    /// Ticks are due at fixed times, counted from now, so that one that is late does not delay those after it. A tick
    /// that falls due while the one before still waits or runs is dropped, and counted in [`TimerStatus::missed`].
    ///
    /// Errors: each names what is wrong; nothing is set then.
    pub fn every<R, E>(&self, name: &str, period: Duration, call: Call<R, E>) -> Result<(), TimerError> {
        if period.is_zero() {
            return Err(TimerError::ZeroPeriod { name: name.to_owned() });
        }
        self.set(name, period, Some(period), call)
    }

    fn set<R, E>(
        &self,
        name: &str,
        delay: Duration,
        period: Option<Duration>,
        call: Call<R, E>,
    ) -> Result<(), TimerError> {
        let actor = || self.actor.clone();
        let ended = || TimerError::Ended { actor: actor(), name: name.to_owned() };
        let call = OwnCall::new(self.actor, name, call).map_err(|unfit| match unfit {
            Unfit::Name(name) => TimerError::Name { name },
            Unfit::NotOurs(target) => TimerError::NotOurs { actor: actor(), target },
            Unfit::Arguments { method, reason } => TimerError::Arguments { method, reason },
        })?;
        let activation = self.activation.upgrade().ok_or_else(ended)?;
        // By the contract and not by the call: it decides how the tick may touch the actor.
        let Some(access) = access_of(&activation, call.method) else {
            return Err(TimerError::UnknownMethod { actor: actor(), method: call.method_name });
        };
        let timer = Timer {
            activation: Arc::downgrade(&activation),
            name: name.into(),
            period,
            method: call.method,
            access,
            args: call.args,
        };
        let now = self.clock.now();
        activation.timers.set(now, now + delay, timer).map_err(|why| match why {
            NotSet::Ended => ended(),
            NotSet::TooMany => TimerError::TooMany { actor: actor(), name: name.to_owned() },
        })
    }

    /// Cancels a timer. No tick of it starts after this turn, not even one that is queued already. `false` if there is
    /// none of that name; a timer that ticks once is none any more while its tick runs.
    pub fn cancel(&self, name: &str) -> bool {
        self.activation.upgrade().is_some_and(|activation| activation.timers.cancel(name))
    }

    /// All of them, by name.
    pub fn list(&self) -> Vec<TimerStatus> {
        let entries = self.activation.upgrade().map(|activation| activation.timers.list());
        entries.unwrap_or_default().into_iter().map(status).collect()
    }
}

fn status(entry: Entry) -> TimerStatus {
    TimerStatus {
        name: entry.timer.name.as_ref().to_owned(),
        period: entry.timer.period,
        due: entry.due,
        ticks: entry.ticks,
        missed: entry.missed,
    }
}
