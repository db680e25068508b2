//! How turns run: on the caller's stack when the actor is idle, queued when it is busy, one task only while a turn
//! is suspended.

use crate::activation::Activation;
use crate::actor::{Access, Dispatch, MethodError, MethodResult};
use crate::caller::Scope;
use crate::context::ActorContext;
use crate::error::Failure;
use crate::guarded::{Guarded, Stopped};
use crate::inline::{run_inline, yield_once};
use crate::kernel::Kernel;
use crate::message::{Ended, Message, ReplyTo};
use crate::observer::Event;
use quark_core::mailbox::Admit;
use quark_core::turn::{Begin, End};
use quark_core::wire::{CallId, IdempotencyKey, Lane};
use quark_core::{ActorId, SiloId, mutant, reached};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How many queued messages are handled before the executor gets a look in.
const DRAIN_MAX: u32 = 100;
/// The call chain's length from which local calls go through the spawner instead of nesting on one stack.
const NEST_MAX: usize = 16;
/// The most shared turns that one drainer starts together.
const SHARED_MAX: usize = 64;

/// Whether an activation lives on after a turn.
enum After {
    Keep,
    Discard(&'static str),
}

impl Kernel {
    /// Hands a message to an activation, unless it came too early: then it waits for what comes before it.
    pub(crate) fn deliver(self: &Arc<Self>, activation: &Arc<Activation>, message: Message) {
        let mut message = Some(message);
        self.hold_if_early(activation, &mut message);
        let Some(message) = message else { return };
        let order = message.order;
        self.deliver_in_order(activation, message);
        if let Some(order) = order {
            self.deliver_followers(activation, order);
        }
    }

    /// Hands a message to an activation: runs it now if the actor is free, queues it if not.
    pub(crate) fn deliver_in_order(self: &Arc<Self>, activation: &Arc<Activation>, message: Message) {
        let now = self.env.clock.now();
        activation.touch(now);
        let Some(method) = activation.kind.contract.method(message.method) else {
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
        match activation.turn.begin(method.access.into()) {
            Begin::Run => self.start_turn(activation.clone(), message, method.access),
            // What is sealed is still in the catalog while its hook runs: whoever ends it hands the mailbox on.
            Begin::Busy | Begin::Sealed => self.enqueue(activation, message),
        }
    }

    fn enqueue(self: &Arc<Self>, activation: &Arc<Activation>, message: Message) {
        if message.reply_to != ReplyTo::Nobody && message.chain.contains(&activation.id) {
            reached!("turns.deadlock");
            let mut path = message.chain.to_vec();
            path.push(activation.id.clone());
            return self.finish(&message, Failure::Deadlock { path }.into());
        }
        let rejected = {
            let mut mail = activation.mail.lock();
            if mail.closed {
                drop(mail);
                reached!("turns.closed_mailbox");
                return self.route(message);
            }
            let bytes = message.bytes();
            match mail.box_.admit(Lane::User, message, bytes) {
                Admit::Accepted => None,
                Admit::Overloaded { message, .. } => Some(message),
            }
        };
        if let Some(message) = rejected {
            reached!("turns.overloaded");
            let failure = Failure::Overloaded {
                what: format!("the mailbox of {}", activation.id),
                retry_after: Duration::from_millis(100),
            };
            return self.finish(&message, failure.into());
        }
        if activation.turn.mark_queued() {
            // It became idle between our look and our push: we hold its turn, and drain.
            self.start_drain(activation.clone());
        }
    }

    fn start_turn(self: &Arc<Self>, activation: Arc<Activation>, message: Message, access: Access) {
        let deep = message.chain.len() >= NEST_MAX;
        let turns = Box::pin(run(self.clone(), activation, Some(message), access));
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
            Box::pin(run(self.clone(), activation, None, Access::Exclusive)),
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
        let gone = activation.mail.lock().box_.withdraw(is_it);
        if gone.is_some() || self.early.withdraw(is_it) {
            reached!("turns.withdrawn");
        }
    }
}

/// Runs a first message, if there is one, then whatever is queued, until the activation is idle or ends.
async fn run(kernel: Arc<Kernel>, activation: Arc<Activation>, first: Option<Message>, mut access: Access) {
    let mut next = first;
    let mut left = DRAIN_MAX;
    loop {
        if let Some(message) = next.take()
            && let After::Discard(reason) = execute(&kernel, &activation, message, access).await
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
        if left == 0 {
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
    activation.mail.lock().doomed.get_or_insert(reason);
    // The last one out is made to look.
    let nobody_runs = activation.turn.mark_queued();
    assert!(!nobody_runs, "the caller's turn runs");
}

/// What a drainer runs next.
#[allow(
    clippy::large_enum_variant,
    reason = "it lives for a moment on one stack; a box would cost an allocation"
)]
enum Next {
    Nothing,
    /// A shared turn has found that the activation must end, and all of them are over now.
    Discard(&'static str),
    Exclusive(Message),
    /// They run side by side; the turn is shared among them already.
    Shared(Vec<Message>),
}

fn take_next(activation: &Activation) -> Next {
    let is_shared =
        |m: &Message| activation.kind.contract.method(m.method).is_some_and(|m| m.access == Access::Shared);
    let mut mail = activation.mail.lock();
    if let Some(reason) = mail.doomed {
        return Next::Discard(reason);
    }
    let Some(first) = mail.box_.pop() else { return Next::Nothing };
    if !is_shared(&first) {
        return Next::Exclusive(first);
    }
    let mut messages = vec![first];
    while messages.len() < SHARED_MAX {
        let Some(message) = mail.box_.pop_if(is_shared) else { break };
        messages.push(message);
    }
    activation.turn.share(messages.len() as u32, !mail.box_.is_empty());
    Next::Shared(messages)
}

/// Runs one message to its end: handler, commit, reply.
async fn execute(
    kernel: &Arc<Kernel>,
    activation: &Arc<Activation>,
    message: Message,
    access: Access,
) -> After {
    let method = activation.kind.contract.method(message.method).expect("checked at delivery");
    if !kernel.lease_proven().await {
        kernel.finish(&message, Ended::Bounced);
        return After::Discard("silo stopped");
    }
    if kernel.env.clock.now() >= message.deadline && !mutant!("m23") {
        reached!("turns.deadline_before_run");
        kernel.finish(&message, Failure::DeadlineBeforeRun.into());
        return After::Keep;
    }
    for filter in &kernel.filters {
        if let Err(reason) = filter.incoming(&activation.id, method.name, &message.headers) {
            kernel.finish(&message, Failure::Rejected { reason }.into());
            return After::Keep;
        }
    }
    let key = message.idempotency.filter(|_| method.access == Access::Exclusive);
    if let Some(key) = key
        && let Some((ended, after)) = taken_before(kernel, activation, &message, key).await
    {
        kernel.finish(&message, ended);
        return after;
    }
    let caller = match message.reply_to {
        ReplyTo::Peer(peer) => peer,
        ReplyTo::Local | ReplyTo::Nobody => kernel.id,
    };
    let (call, exclusive) = (message.call, method.access == Access::Exclusive);
    let context = context_of(kernel, activation, &message);
    let started = || {
        kernel.observe(|| Event::TurnStarted {
            actor: &activation.id,
            epoch: activation.epoch(),
            method: message.method,
            caller,
            call,
            exclusive,
            order: message.order.map(|o| (o.sender, o.serial)),
            deadline: message.deadline,
        });
    };
    let handler = async {
        started();
        let dispatch = match method.access {
            // SAFETY: an exclusive method runs only while this task holds the turn exclusively: it began it so, or
            // drains. The references end with this future.
            Access::Exclusive => unsafe { activation.body.exclusive() }
                .0
                .as_mut()
                .map(|body| body.call_mut(&context, message.method, &message.args)),
            // SAFETY: this task holds the turn at least shared.
            Access::Shared => unsafe { activation.body.shared() }
                .as_ref()
                .map(|body| body.call_ref(&context, message.method, &message.args)),
        };
        match dispatch.expect("a turn runs only after the body is in place") {
            Dispatch::Ready(result) => result,
            Dispatch::Future(future) => future.await,
        }
    };
    let outcome = Guarded::new(kernel, handler).await;
    let (ended, after) = match outcome {
        Ok(Ok(result)) => conclude(kernel, activation, &message, result, access, method.access).await,
        Ok(Err(message_of_panic)) => {
            reached!("turns.panicked");
            kernel.supervision.lock().panicked(&activation.id, kernel.env.clock.now(), &kernel.config);
            (Failure::Panicked { message: message_of_panic }.into(), After::Discard("panicked"))
        }
        Err(Stopped) => {
            let reason = format!("silo {} stopped itself during the turn", kernel.id);
            (Failure::Indeterminate { reason }.into(), After::Discard("silo stopped"))
        }
    };
    kernel.observe(|| Event::TurnEnded {
        actor: &activation.id,
        epoch: activation.epoch(),
        caller,
        call,
        exclusive,
    });
    kernel.stats.turns.fetch_add(1, Ordering::Relaxed);
    kernel.finish(&message, ended);
    after
}

/// The outcome of a call that need not run, because one with its key has been taken before, or must not.
async fn taken_before(
    kernel: &Arc<Kernel>,
    activation: &Arc<Activation>,
    message: &Message,
    key: IdempotencyKey,
) -> Option<(Ended, After)> {
    // SAFETY: an exclusive method runs only while this task holds the turn exclusively.
    let Some(claim) = unsafe { activation.body.exclusive() }.1.claim.as_ref() else {
        let kind = activation.id.kind();
        let reason = format!(
            "`{kind}` is not durable: it cannot remember idempotency keys; make it durable, or call without one"
        );
        return Some((Failure::Rejected { reason }.into(), After::Keep));
    };
    if !claim.inbox.has(key) {
        return None;
    }
    reached!("turns.taken_before");
    match kernel.first_outcome(&activation.id, claim, key).await {
        Ok(Some(taken)) => Some((
            taken.outcome_of(message).unwrap_or_else(|| {
                let reason = format!(
                    "the idempotency key {:032x} was used for another call of {}; draw one for each",
                    key.0, activation.id
                );
                Failure::Rejected { reason }.into()
            }),
            After::Keep,
        )),
        // Only another activation can have removed it.
        Ok(None) => Some((Ended::Bounced, After::Discard("another activation is newer"))),
        Err(error) => Some((error.into_failure(&activation.id).into(), After::Keep)),
    }
}

/// Turns a handler's result into an outcome, committing first if the actor is durable.
async fn conclude(
    kernel: &Arc<Kernel>,
    activation: &Arc<Activation>,
    message: &Message,
    result: MethodResult,
    held: Access,
    access: Access,
) -> (Ended, After) {
    let method = || activation.kind.contract.method(message.method).map_or("?", |m| m.name).to_owned();
    let limit = kernel.config.limits.payload_bytes_max;
    let ended = match result {
        Ok(bytes) if bytes.len() > limit => {
            let failure =
                Failure::TooLarge { what: format!("the result of `{}`", method()), size: bytes.len(), limit };
            failure.into()
        }
        Ok(bytes) => Ended::Ok(bytes),
        Err(MethodError::App(bytes)) => Ended::App(bytes),
        Err(MethodError::BadArguments(reason) | MethodError::BadResult(reason)) => {
            Failure::BadArguments { method: method(), reason }.into()
        }
        Err(MethodError::UnknownMethod) => {
            Failure::UnknownMethod { kind: activation.id.kind().into(), method: method() }.into()
        }
    };
    if !activation.kind.durable || access != Access::Exclusive {
        return (ended, After::Keep);
    }
    assert_eq!(held, Access::Exclusive, "an exclusive method holds its turn exclusively");
    match commit(kernel, activation, message, &ended).await {
        Ok(()) => (ended, After::Keep),
        Err(failure) => (failure.into(), After::Discard("its commit failed")),
    }
}

async fn commit(
    kernel: &Arc<Kernel>,
    activation: &Arc<Activation>,
    message: &Message,
    ended: &Ended,
) -> Result<(), Failure> {
    // SAFETY: the caller holds the turn exclusively until this future ends.
    let (body, holding) = unsafe { activation.body.exclusive() };
    let body = body.as_ref().expect("a turn runs only after the body is in place");
    let claim = holding.claim.as_mut().expect("a durable activation holds a claim");
    let too_large = |what: &str, error| Failure::TooLarge {
        what: format!("{what} of {} ({error})", activation.id),
        size: 0,
        limit: quark_env::store::VALUE_BYTES_MAX,
    };
    let state = body.encode_state().map_err(|error| too_large("the state", error))?;
    let mut ops = Vec::new();
    let taken = match message.idempotency {
        Some(key) => claim
            .inbox
            .writes(key, message, ended, &mut ops)
            .map_err(|error| too_large("the result to remember", error))?,
        None => None,
    };
    let epoch = claim.epoch;
    match kernel.commit_turn(&activation.id, claim, state, ops, message.deadline).await {
        Ok(version) => {
            if let Some(taken) = taken {
                claim.inbox.committed(taken);
            }
            if let Some(version) = version {
                kernel.stats.commits.fetch_add(1, Ordering::Relaxed);
                kernel.observe(|| Event::Committed { actor: &activation.id, epoch, version });
            }
            Ok(())
        }
        Err(error) => {
            if error == crate::durable::CommitError::Fenced {
                reached!("turns.fenced");
                kernel.observe(|| Event::Fenced { actor: &activation.id, epoch });
            }
            Err(error.into_failure(&activation.id))
        }
    }
}

pub(crate) fn context_of(
    kernel: &Arc<Kernel>,
    activation: &Arc<Activation>,
    message: &Message,
) -> ActorContext {
    let chain = message.chain.iter().cloned().chain([activation.id.clone()]).collect();
    let scope = Scope {
        kernel: kernel.clone(),
        chain,
        deadline: message.deadline,
        headers: message.headers.clone(),
        sender: Some((activation.serial, activation.sent.clone())),
    };
    ActorContext {
        id: activation.id.clone(),
        silo: kernel.id,
        epoch: activation.epoch(),
        deadline: message.deadline,
        clock: kernel.env.clock.clone(),
        issuer: Arc::new(scope),
        headers: message.headers.clone(),
    }
}

impl From<Access> for quark_core::turn::Access {
    fn from(access: Access) -> Self {
        match access {
            Access::Exclusive => quark_core::turn::Access::Exclusive,
            Access::Shared => quark_core::turn::Access::Shared,
        }
    }
}
