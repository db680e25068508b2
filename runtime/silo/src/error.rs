//! How a call ends when it does not end well. Every variant answers three questions: did it happen, may I retry,
//! what now?

use quark_core::{ActorId, SiloId};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// Whether a call took effect.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Happened {
    /// It did not, and will not.
    No,
    /// It may have, or may yet.
    Unknown,
}

/// An unsuccessful call: the actor's own error, or the runtime's.
///
/// `E` is the error type of the method; methods that cannot fail have `CallError<Infallible>`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CallError<E = std::convert::Infallible> {
    /// The method ran to its end and returned this error. It happened; whether to retry is the method's contract.
    App(E),
    /// The runtime could not bring the call to its end.
    Failed(Failure),
}

impl<E> CallError<E> {
    /// The runtime's failure, if it is one.
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            CallError::App(_) => None,
            CallError::Failed(failure) => Some(failure),
        }
    }
}

impl<E> From<Failure> for CallError<E> {
    fn from(failure: Failure) -> Self {
        CallError::Failed(failure)
    }
}

impl<E: fmt::Debug> fmt::Display for CallError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CallError::App(error) => write!(f, "the actor refused: {error:?}"),
            CallError::Failed(failure) => failure.fmt(f),
        }
    }
}

impl<E: fmt::Debug> std::error::Error for CallError<E> {}

/// Why the runtime could not bring a call to its end.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, thiserror::Error)]
pub enum Failure {
    /// A bounded queue on the way is full. Did it happen: no. Retry: after `retry_after`, or shed load.
    #[error("overloaded: {what} is full, retry after {retry_after:?}")]
    Overloaded {
        /// Which queue.
        what: String,
        /// When a retry is likely to be accepted.
        retry_after: Duration,
    },
    /// The deadline passed before a turn started. Did it happen: no. Retry: with a longer deadline.
    #[error("the deadline passed before the call ran")]
    DeadlineBeforeRun,
    /// The outcome is unknown: the deadline passed, the silo died, or a commit's answer was lost while the call may
    /// have run. Did it happen: unknown. Retry: only what is idempotent, or after reading the state back.
    #[error("the outcome is unknown: {reason}")]
    Indeterminate {
        /// What cut the answer off.
        reason: String,
    },
    /// No silo could be reached that would take the call. Did it happen: no. Retry: yes, with back-off.
    #[error("no silo took the call: {reason}")]
    Unreachable {
        /// What was tried.
        reason: String,
    },
    /// The call would wait for itself. Did it happen: no. Retry: no; break the cycle.
    #[error("deadlock: {}", .path.iter().map(ActorId::to_string).collect::<Vec<_>>().join(" → "))]
    Deadlock {
        /// The actors that wait for one another, outermost first; the last is the first again.
        path: Vec<ActorId>,
    },
    /// The actor's code panicked; its activation is gone, its committed state is untouched. Did it happen: its commit
    /// did not. Retry: yes, it meets a fresh activation.
    #[error("the actor panicked: {message}")]
    Panicked {
        /// The panic's message.
        message: String,
    },
    /// Repeated panics put the actor aside for a while. Did it happen: no. Retry: after `retry_after`.
    #[error("the actor is quarantined after repeated panics, retry after {retry_after:?}")]
    Quarantined {
        /// When it is tried again.
        retry_after: Duration,
    },
    /// Another activation has taken over; this one could not commit. Did it happen: no. Retry: yes, at once.
    #[error("fenced: another activation of {actor} owns it now")]
    Fenced {
        /// The actor.
        actor: ActorId,
    },
    /// The store did not take the commit. Did it happen: no. Retry: yes, with back-off.
    #[error("the store is unavailable: {reason}")]
    StoreUnavailable {
        /// What it said.
        reason: String,
    },
    /// What is stored for the actor cannot be understood. Did it happen: no. Retry: no; a person must look.
    #[error("the stored state of {actor} is corrupt: {reason}")]
    Corrupt {
        /// The actor.
        actor: ActorId,
        /// What is wrong.
        reason: String,
    },
    /// Arguments, result or state exceed a limit. Did it happen: no. Retry: no; make it smaller.
    #[error("{what} has {size} bytes, the limit is {limit}")]
    TooLarge {
        /// What is too large.
        what: String,
        /// Its size in bytes.
        size: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// No silo knows the kind. Did it happen: no. Retry: no; register the actor.
    #[error("no actor of kind `{kind}` is registered; known kinds: {known}")]
    UnknownKind {
        /// The kind asked for.
        kind: String,
        /// The kinds that are.
        known: String,
    },
    /// The kind has no such method. Did it happen: no. Retry: no.
    #[error("`{kind}` has no method `{method}`")]
    UnknownMethod {
        /// The kind.
        kind: String,
        /// The method's name or number.
        method: String,
    },
    /// The arguments or the result could not be understood. Did it happen: no. Retry: no.
    #[error("bad arguments for `{method}`: {reason}")]
    BadArguments {
        /// The method.
        method: String,
        /// What is wrong.
        reason: String,
    },
    /// The actor refused to start. Did it happen: no. Retry: the reason says.
    #[error("the actor could not be activated: {reason}")]
    ActivationFailed {
        /// What it said.
        reason: String,
    },
    /// The silo is stopping or has stopped itself. Did it happen: no. Retry: yes; another silo takes over.
    #[error("silo {silo} is stopping")]
    Stopping {
        /// Which silo.
        silo: SiloId,
    },
    /// A peer speaks another protocol or contract. Did it happen: no. Retry: no; align the versions.
    #[error("incompatible: {reason}")]
    Incompatible {
        /// What differs.
        reason: String,
    },
    /// A filter or policy rejected the call. Did it happen: no. Retry: the reason says.
    #[error("rejected: {reason}")]
    Rejected {
        /// The filter's reason.
        reason: String,
    },
    /// The caller withdrew the call before it ran. Did it happen: no.
    #[error("the call was withdrawn before it ran")]
    Cancelled,
    /// A newer program wrote the state of the actor, or one of its slots, and this silo's cannot read it; what is stored is untouched. Did it
    /// happen: no. Retry: once a silo of the newer version hosts the actor. If the newer program was withdrawn for good,
    /// restore a backup from before it: there is no way down.
    #[error(
        "{} of {actor} has version {stored} of its schema, this silo knows up to {known}: start silos of the newer \
         version",
        .slot.as_deref().map_or_else(|| "the state".to_owned(), crate::slots::called)
    )]
    NewerState {
        /// The actor.
        actor: ActorId,
        /// The slot; `None` for the rest of the state.
        slot: Option<String>,
        /// The schema version of what is stored.
        stored: u32,
        /// The newest that this silo knows.
        known: u32,
    },
}

impl Failure {
    /// Whether the call took effect.
    pub fn happened(&self) -> Happened {
        match self {
            Failure::Indeterminate { .. } => Happened::Unknown,
            _ => Happened::No,
        }
    }

    /// Whether the same call may succeed later without anybody changing it. For [`Failure::Indeterminate`] that is
    /// only safe if the call is idempotent, so the answer is no.
    pub fn may_retry(&self) -> bool {
        matches!(
            self,
            Failure::Overloaded { .. }
                | Failure::DeadlineBeforeRun
                | Failure::Unreachable { .. }
                | Failure::Panicked { .. }
                | Failure::Quarantined { .. }
                | Failure::Fenced { .. }
                | Failure::StoreUnavailable { .. }
                | Failure::Stopping { .. }
        )
    }

    /// The variant's name in snake case, for traces and metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Failure::Overloaded { .. } => "overloaded",
            Failure::DeadlineBeforeRun => "deadline_before_run",
            Failure::Indeterminate { .. } => "indeterminate",
            Failure::Unreachable { .. } => "unreachable",
            Failure::Deadlock { .. } => "deadlock",
            Failure::Panicked { .. } => "panicked",
            Failure::Quarantined { .. } => "quarantined",
            Failure::Fenced { .. } => "fenced",
            Failure::StoreUnavailable { .. } => "store_unavailable",
            Failure::Corrupt { .. } => "corrupt",
            Failure::TooLarge { .. } => "too_large",
            Failure::UnknownKind { .. } => "unknown_kind",
            Failure::UnknownMethod { .. } => "unknown_method",
            Failure::BadArguments { .. } => "bad_arguments",
            Failure::ActivationFailed { .. } => "activation_failed",
            Failure::Stopping { .. } => "stopping",
            Failure::Incompatible { .. } => "incompatible",
            Failure::Rejected { .. } => "rejected",
            Failure::Cancelled => "cancelled",
            Failure::NewerState { .. } => "newer_state",
        }
    }
}
