//! How turns run: on the caller's stack when the actor is idle, queued when it is busy, one task only while a turn
//! is suspended.

use crate::activation::Activation;
use crate::actor::Access;
use crate::errands::is_errand;
use crate::error::Failure;
use crate::handling::{After, execute};
use crate::inline::{run_inline, yield_once};
use crate::kernel::Kernel;
use crate::message::{Message, ReplyTo};
use quark_core::turn::{self, Begin, End, Enter, Next};
use quark_core::wire::{CallId, Lane};
use quark_core::{ActorId, Instant, MethodId, SiloId, buggify, mutant, reached};
use std::sync::Arc;
use std::time::Duration;

/// How many queued messages are handled before the executor gets a look in.
const DRAIN_MAX: u32 = 100;
/// The call chain's length from which local calls go through the spawner instead of nesting on one stack.
const NEST_MAX: usize = 16;
/// The most shared turns that one drainer starts together.
const SHARED_MAX: usize = 64;

/// How a method borrows its actor; `None` if there is none of this number.
pub(crate) fn access_of(activation: &Activation, method: MethodId) -> Option<Access> {
    if is_errand(method) {
        return Some(Access::Exclusive);
    }
    activation.kind.contract.method(method).map(|m| m.access)
}

impl Kernel {
    /// Hands a message to an activation, unless it came too early: then it waits for what comes before it.
    /// `read` is what the clock said, if it was read just now.
    pub(crate) fn deliver(
        self: &Arc<Self>,
        activation: &Arc<Activation>,
        message: Message,
        read: Option<Instant>,
    ) {
        let mut message = Some(message);
        self.hold_if_early(activation, &mut message);
        let Some(message) = message else { return };
        let order = message.order;
        self.deliver_in_order(activation, message, read);
        if let Some(order) = order {
            self.deliver_followers(activation, order);
        }
    }

    /// Hands a message to an activation: runs it now if the actor is free, queues it if not.
    pub(crate) fn deliver_in_order(
        self: &Arc<Self>,
        activation: &Arc<Activation>,
        message: Message,
        read: Option<Instant>,
    ) {
        let now = read.unwrap_or_else(|| self.env.clock.now());
        activation.touch(now);
        let Some(access) = access_of(activation, message.method) else {
            let failure = Failure::UnknownMethod {
                kind: activation.id.kind().into(),
                method: message.method.0.to_string(),
            };
            return self.finish(&message, failure.into());
        };
        if message.order.is_some() && !activation.mail.lock().in_order(&message) {
            reached!("turns.overtaken");
            let reason = "a later message of the same sender has overtaken it".into();
            return self.finish(&message, Failure::Unreachable { reason }.into());
        }
        match activation.turn.begin(access.into()) {
            Begin::Run => self.start_turn_at(activation.clone(), message, access, Some(now)),
            Begin::Busy if mutant!("m11") && access == Access::Exclusive => {
                // The deliberate bug m11: beside the turn that is suspended, and never entered in the word.
                let (kernel, activation) = (self.clone(), activation.clone());
                let beside = async move {
                    let _ = execute(&kernel, &activation, message, access, None).await;
                };
                self.env.spawner.spawn_boxed("turn", Box::pin(beside));
            }
            // What is sealed is still in the catalog while its hook runs: whoever ends it hands the mailbox on.
            Begin::Busy | Begin::Sealed => self.enqueue(activation, message),
        }
    }

    pub(crate) fn enqueue(self: &Arc<Self>, activation: &Arc<Activation>, message: Message) {
        if message.reply_to != ReplyTo::Nobody && message.chain.contains(&activation.id) {
            reached!("turns.deadlock");
            let mut path = message.chain.to_vec();
            path.push(activation.id.clone());
            return self.finish(&message, Failure::Deadlock { path }.into());
        }
        let bytes = message.bytes();
        // Bound first: the lock has to be gone before anything is done about it.
        let entered = activation.mail.lock().waiting.enter(Lane::User, message, bytes);
        match entered {
            Enter::Queued => {
                if activation.turn.mark_queued() {
                    // It became idle between our look and our push: we hold its turn, and drain.
                    self.start_drain(activation.clone());
                }
            }
            Enter::Closed(message) => {
                reached!("turns.closed_mailbox");
                if !message.is_for_one_activation() {
                    self.route(message);
                }
            }
            Enter::Overloaded(message) => {
                reached!("turns.overloaded");
                if let Some(timer) = &message.tick {
                    return self.put_off(activation, timer);
                }
                let failure = Failure::Overloaded {
                    what: format!("the mailbox of {}", activation.id),
                    retry_after: Duration::from_millis(100),
                };
                self.finish(&message, failure.into());
            }
        }
    }

    pub(crate) fn start_turn(
        self: &Arc<Self>,
        activation: Arc<Activation>,
        message: Message,
        access: Access,
    ) {
        self.start_turn_at(activation, message, access, None);
    }

    /// As [`Kernel::start_turn`], by who has just read the clock, perhaps.
    fn start_turn_at(
        self: &Arc<Self>,
        activation: Arc<Activation>,
        message: Message,
        access: Access,
        read: Option<Instant>,
    ) {
        let deep = message.chain.len() >= NEST_MAX || buggify!(self.env.entropy, "turn_not_in_place");
        // A task begins later.
        let read = read.filter(|_| !deep);
        let turns = Box::pin(run(self.clone(), activation, Some(message), access, read));
        if deep {
            reached!("turns.nested_deep");
            self.env.spawner.spawn_boxed("turn", turns);
        } else {
            run_inline(&*self.env.spawner, "turn", turns);
        }
    }

    /// Runs what is queued. The caller holds the turn exclusively.
    pub(crate) fn start_drain(self: &Arc<Self>, activation: Arc<Activation>) {
        run_inline(
            &*self.env.spawner,
            "turn",
            Box::pin(run(self.clone(), activation, None, Access::Exclusive, None)),
        );
    }

    /// Takes a call out of a mailbox if it has not begun. Never cuts a running turn.
    pub(crate) fn withdraw_local(&self, actor: &ActorId, caller: SiloId, call: CallId) {
        let Some(activation) = self.catalog.find(actor) else { return };
        let local = caller == self.id;
        let is_it = |m: &Message| {
            m.call == call
                && match m.reply_to {
                    ReplyTo::Local => local,
                    ReplyTo::Peer(peer) => peer == caller,
                    ReplyTo::Nobody => false,
                }
        };
        let gone = activation.mail.lock().waiting.withdraw(is_it);
        if gone.is_some() || self.early.withdraw(is_it) {
            reached!("turns.withdrawn");
        }
    }
}

/// Runs a first message, if there is one, then whatever is queued, until the activation is idle or ends.
/// `read` is what the clock said, if it was read just now.
async fn run(
    kernel: Arc<Kernel>,
    activation: Arc<Activation>,
    first: Option<Message>,
    mut access: Access,
    mut read: Option<Instant>,
) {
    let mut next = first;
    let mut left = DRAIN_MAX;
    loop {
        if let Some(message) = next.take()
            && let After::Discard(reason) = execute(&kernel, &activation, message, access, read.take()).await
        {
            if access == Access::Exclusive {
                return kernel.discard(&activation, reason);
            }
            doom(&activation, reason);
        }
        if access == Access::Shared {
            match activation.turn.end(access.into()) {
                End::Idle => return,
                End::Drain => access = Access::Exclusive,
            }
        }
        // We hold the turn exclusively, and may drain.
        match take_next(&activation) {
            Next::Nothing => match activation.turn.end(access.into()) {
                End::Idle => return kernel.retire_if_asked(&activation),
                End::Drain => {}
            },
            Next::Discard(reason) => return kernel.discard(&activation, reason),
            Next::Exclusive(message) => next = Some(message),
            Next::Shared(messages) => {
                reached!("turns.shared_together");
                for message in messages {
                    kernel.start_turn(activation.clone(), message, Access::Shared);
                }
                return;
            }
        }
        left -= 1;
        if left == 0 || buggify!(kernel.env.entropy, "turns_one_by_one") {
            left = DRAIN_MAX;
            yield_once().await;
        }
    }
}

/// Ends the activation once the shared turns that run beside the caller's have ended: until then it is not gone, and
/// another one would run beside it (promise P2).
fn doom(activation: &Activation, reason: &'static str) {
    reached!("turns.doomed_by_shared_turn");
    activation.turn.seal();
    activation.mail.lock().waiting.doom(reason);
    // The last one out is made to look.
    let nobody_runs = activation.turn.mark_queued();
    assert!(!nobody_runs, "the caller's turn runs");
}

/// What a drainer runs next. An unknown method was refused before it could wait.
fn take_next(activation: &Activation) -> Next<Message> {
    let access = |m: &Message| access_of(activation, m.method).map_or(turn::Access::Exclusive, Into::into);
    activation.mail.lock().waiting.next(&activation.turn, SHARED_MAX, access)
}

impl From<Access> for turn::Access {
    fn from(access: Access) -> Self {
        match access {
            Access::Exclusive => turn::Access::Exclusive,
            Access::Shared => turn::Access::Shared,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::caller;

    /// What is boxed for every call is moved once, and a few hundred bytes are moved for nothing.
    #[test]
    fn what_every_call_boxes_is_small() {
        fn size_of_turns<A, B, C, D, E, F: Future>(_: impl Fn(A, B, C, D, E) -> F) -> usize {
            size_of::<F>()
        }
        assert!(size_of_turns(run) <= 2560, "{} bytes", size_of_turns(run));
        assert!(caller::size_of_ask() <= 1024, "{} bytes", caller::size_of_ask());
    }
}
