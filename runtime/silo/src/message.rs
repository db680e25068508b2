//! A call on its way to an activation, whether it came from this silo or by the wire.

use crate::audit::AUDIT;
use crate::error::Failure;
use crate::outbox::SWEEP;
use crate::timers::Timer;
use bytes::Bytes;
use quark_core::wire::{CallId, IdempotencyKey};
use quark_core::{ActorId, Instant, MethodId, SiloId};
use std::sync::Arc;

/// Request context: short pairs that flow with a call and all that it causes.
pub(crate) type Headers = Arc<[(String, String)]>;
/// The actors that wait for a call, outermost first.
pub(crate) type Chain = Arc<[ActorId]>;

/// Where the outcome goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ReplyTo {
    /// A tell: nobody waits.
    Nobody,
    /// A caller in this silo.
    Local,
    /// A caller in another silo or a client.
    Peer(SiloId),
}

/// A sender activation and this message's place in its order (promise P6).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Order {
    pub sender: u64,
    pub serial: u64,
    /// The last one of it that was sent to the same actor by way of another silo, if that may still be under way.
    pub after: Option<u64>,
}

/// A call that looks for its activation.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub call: CallId,
    pub reply_to: ReplyTo,
    pub actor: ActorId,
    pub method: MethodId,
    pub args: Bytes,
    pub deadline: Instant,
    pub chain: Chain,
    pub order: Option<Order>,
    pub idempotency: Option<IdempotencyKey>,
    pub headers: Headers,
    pub hops: u8,
    /// The timer whose tick this is.
    pub tick: Option<Arc<Timer>>,
}

impl Message {
    /// Whether another activation of the actor has nothing to do with it.
    pub fn is_for_one_activation(&self) -> bool {
        self.tick.is_some() || matches!(self.method, SWEEP | AUDIT)
    }

    /// What it costs a bounded queue: its arguments and an allowance for the rest.
    pub fn bytes(&self) -> usize {
        self.args.len() + 192
    }
}

/// How a call ended, before it is told to its caller.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Ended {
    /// The result.
    Ok(Bytes),
    /// The actor's own error.
    App(Bytes),
    /// The runtime's failure.
    Failed(Failure),
    /// Proven not executed, because it was sent to a silo that may not run it (any more). The caller's silo looks for
    /// the right one and sends it again.
    Bounced,
}

impl From<Failure> for Ended {
    fn from(failure: Failure) -> Self {
        Ended::Failed(failure)
    }
}
