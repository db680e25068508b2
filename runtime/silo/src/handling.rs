//! One message, from its turn's beginning to its reply: handler, commit, outcome.

use crate::activation::Activation;
use crate::actor::{Access, Dispatch, MethodError, MethodResult, Save};
use crate::because::Because;
use crate::calls::Calls;
use crate::context::ActorContext;
use crate::durable::CommitError;
use crate::errands::{self, is_errand};
use crate::error::Failure;
use crate::guarded::{Guarded, Stopped};
use crate::kernel::Kernel;
use crate::message::{Ended, Message, ReplyTo};
use crate::observer::{Event, Once};
use crate::saving::Lent;
use crate::staging::Staging;
use crate::stored::cannot_be_stored;
use crate::turns::access_of;
use crate::write_behind::is_save;
use bytes::Bytes;
use quark_core::reminder::Shard;
use quark_core::wire::IdempotencyKey;
use quark_core::{Instant, MethodId, mutant, reached};
use quark_env::store::BATCH_OPS_MAX;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Whether an activation lives on after a turn.
pub(crate) enum After {
    Keep,
    Discard(&'static str),
}

/// Runs one message to its end: handler, commit, reply. `read` is what the clock said, if it was read just now.
pub(crate) async fn execute(
    kernel: &Arc<Kernel>,
    activation: &Arc<Activation>,
    message: Message,
    access: Access,
    read: Option<Instant>,
) -> After {
    let mut now = match fit(kernel, activation, &message, read).await {
        Ok(now) => now,
        Err(after) => return after,
    };
    if is_save(&message) {
        return Box::pin(kernel.save_in_turn(activation)).await;
    }
    // What has to commit at its end fails alone: what was acknowledged before it is in the store by then.
    let commits = message.idempotency.is_some() || errands::commits_alone(message.method);
    // Boxed, as all that is rare or asks the store is, lest every turn's future have room for it.
    if access == Access::Exclusive
        && activation.unsaved.is_dirty()
        && (commits || activation.unsaved.is_overdue(kernel.env.clock.now()))
    {
        if let Err(error) = Box::pin(kernel.save_behind(activation)).await
            && (commits || error.is_fenced())
        {
            reached!("turns.not_saved_before");
            if error.is_fenced() {
                kernel.finish(&message, Ended::Bounced);
                return After::Discard("another activation is newer");
            }
            let owed = error.into_failure(&activation.id);
            let reason = format!("it has not taken what was acknowledged before: {owed}");
            kernel.finish(&message, Failure::StoreUnavailable { reason }.into());
            return After::Keep;
        }
        // The store took its time: neither the lease nor the deadline is what it was.
        now = match fit(kernel, activation, &message, None).await {
            Ok(now) => now,
            Err(after) => {
                reached!("turns.too_late_after_a_save");
                return after;
            }
        };
    }
    let (ended, after) = if is_errand(message.method) {
        Box::pin(errands::run(kernel, activation, &message)).await
    } else {
        let staging = staging_of(kernel, activation, message.method);
        take_turn(kernel, activation, &message, access, staging, Some(now)).await
    };
    kernel.finish(&message, ended);
    if let (Some(timer), After::Keep) = (&message.tick, &after) {
        kernel.tick_ended(activation, timer);
    }
    after
}

/// Says when it is, if a message may run then; ends one that must not: without a lease, or past its deadline.
async fn fit(
    kernel: &Arc<Kernel>,
    activation: &Arc<Activation>,
    message: &Message,
    read: Option<Instant>,
) -> Result<Instant, After> {
    let mut now = read.unwrap_or_else(|| kernel.env.clock.now());
    if kernel.is_stopped() || !kernel.lease.valid(now) {
        if !kernel.lease_proven().await {
            kernel.finish(message, Ended::Bounced);
            return Err(After::Discard("silo stopped"));
        }
        now = kernel.env.clock.now();
    }
    if now >= message.deadline && !mutant!("m23") {
        reached!("turns.deadline_before_run");
        kernel.finish(message, Failure::DeadlineBeforeRun.into());
        if let Some(timer) = &message.tick {
            kernel.put_off(activation, timer);
        }
        return Err(After::Keep);
    }
    Ok(now)
}

/// What an exclusive turn of a durable actor may say beside its state.
fn staging_of(kernel: &Arc<Kernel>, activation: &Activation, method: MethodId) -> Option<Arc<Staging>> {
    if !activation.kind.durable || access_of(activation, method) != Some(Access::Exclusive) {
        return None;
    }
    // SAFETY: an exclusive method runs only while its task holds the turn exclusively.
    let claim = unsafe { activation.body.exclusive() }.1.claim.as_ref()?;
    Some(Arc::new(Staging::new(kernel, claim)))
}

/// Runs a method: filters, handler, commit. `read` is what the clock said, if it was read just now.
pub(crate) async fn take_turn(
    kernel: &Arc<Kernel>,
    activation: &Arc<Activation>,
    message: &Message,
    access: Access,
    staging: Option<Arc<Staging>>,
    read: Option<Instant>,
) -> (Ended, After) {
    let Some(method) = activation.kind.contract.method(message.method) else {
        // Calls are checked at delivery. A reminder may be older than this contract.
        let (kind, method) = (activation.id.kind().into(), message.method.0.to_string());
        return (Failure::UnknownMethod { kind, method }.into(), After::Keep);
    };
    for filter in &kernel.filters {
        if let Err(reason) = filter.incoming(&activation.id, method.name, &message.headers) {
            return (Failure::Rejected { reason }.into(), After::Keep);
        }
    }
    let key = message.idempotency.filter(|_| method.access == Access::Exclusive);
    if let Some(key) = key
        && let Some(outcome) = Box::pin(taken_before(kernel, activation, message, key)).await
    {
        return outcome;
    }
    let caller = match message.reply_to {
        ReplyTo::Peer(peer) => peer,
        ReplyTo::Local | ReplyTo::Nobody => kernel.id,
    };
    let (call, exclusive) = (message.call, method.access == Access::Exclusive);
    let at_the_end = key.is_some() || staging.as_ref().is_some_and(|turn| turn.commits_at_its_end());
    let lent = lend(kernel, activation, method.access, at_the_end);
    let mut context = context_of(kernel, activation, message, staging.clone());
    context.lent.clone_from(&lent);
    let started = || {
        kernel.observe(|| Event::TurnStarted {
            actor: &activation.id,
            epoch: activation.epoch(),
            version: activation.version(),
            method: message.method,
            caller,
            call,
            exclusive,
            order: message.order.map(|o| (o.sender, o.serial)),
            deadline: message.deadline,
        });
    };
    let handler = async {
        // At the last moment: a turn that ended just now may have cancelled it.
        if let Some(timer) = &message.tick
            && !activation.timers.take(timer)
        {
            return None;
        }
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
        Some(match dispatch.expect("a turn runs only after the body is in place") {
            Dispatch::Ready(result) => result,
            Dispatch::Future(future) => future.await,
        })
    };
    // With a key the store has been asked meanwhile.
    let outcome = Guarded::new_at(kernel, read.filter(|_| key.is_none()), handler).await;
    let mut left_under_way = false;
    if let Some(lent) = &lent {
        let claim = lent.take_back();
        left_under_way = claim.is_none();
        if let Some(claim) = &claim {
            activation.has_seen(claim.version());
        }
        // SAFETY: it was lent to an exclusive turn, and this task still holds it; the handler is gone.
        unsafe { activation.body.exclusive() }.1.claim = claim;
    }
    let (ended, after) = match outcome {
        Ok(Ok(Some(_))) if left_under_way => {
            let reason = "the turn has ended while a save of it was under way: await `ctx.save(self)`".into();
            (Failure::Indeterminate { reason }.into(), After::Discard("a save was left under way"))
        }
        Ok(Ok(None)) => return (Ended::Ok(Bytes::new()), After::Keep),
        Ok(Ok(Some(result))) => {
            let held = access;
            conclude(kernel, activation, message, result, held, method.access, staging.as_deref()).await
        }
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
    match after {
        After::Keep if lent.is_some_and(|lent| lent.is_fenced()) => {
            (ended, After::Discard("another activation is newer"))
        }
        after => (ended, after),
    }
}

/// The claim, for a turn that may save by itself.
fn lend(
    kernel: &Arc<Kernel>,
    activation: &Activation,
    access: Access,
    at_the_end: bool,
) -> Option<Arc<Lent>> {
    if activation.kind.save != Save::Manual || access != Access::Exclusive {
        return None;
    }
    // SAFETY: an exclusive method runs only while its task holds the turn exclusively, and it has not begun.
    let claim = unsafe { activation.body.exclusive() }.1.claim.take()?;
    Some(Arc::new(Lent::new(kernel.clone(), claim, at_the_end)))
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
                    key.get(),
                    activation.id
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
    staging: Option<&Staging>,
) -> (Ended, After) {
    let method = || activation.kind.contract.method(message.method).map_or("?", |m| m.name).to_owned();
    let limit = kernel.config.limits.payload_bytes_max;
    let ended = match result {
        Ok(bytes) if bytes.len() > limit => {
            let failure =
                Failure::TooLarge { what: format!("the result of `{}`", method()), size: bytes.len(), limit };
            return cannot_be_told(kernel, activation, access, failure);
        }
        Ok(bytes) => Ended::Ok(bytes),
        Err(MethodError::App(bytes)) => Ended::App(bytes),
        Err(MethodError::BadResult(reason)) => {
            let reason = format!("its result cannot be encoded: {reason}");
            let failure = Failure::BadArguments { method: method(), reason };
            return cannot_be_told(kernel, activation, access, failure);
        }
        Err(MethodError::BadArguments(reason)) => Failure::BadArguments { method: method(), reason }.into(),
        Err(MethodError::UnknownMethod) => {
            Failure::UnknownMethod { kind: activation.id.kind().into(), method: method() }.into()
        }
    };
    if !activation.kind.durable || access != Access::Exclusive {
        return (ended, After::Keep);
    }
    assert_eq!(held, Access::Exclusive, "an exclusive method holds its turn exclusively");
    if matches!(ended, Ended::Failed(_)) && staging.is_some_and(|turn| turn.reminders.firing().is_some()) {
        // The reminder's call never ran, or nobody can say what it did: its occurrence stays due.
        reached!("turns.reminder_not_taken");
        return (ended, After::Discard("a reminder's call could not be run"));
    }
    match Box::pin(commit(kernel, activation, message, &ended, staging)).await {
        Ok(()) => (ended, After::Keep),
        // Of a kind with `write_behind`: what was acknowledged before would go with it. Letters must not be parted from
        // what the turn has done: then it goes all the same.
        Err(failure)
            if activation.unsaved.is_dirty()
                && !matches!(failure, Failure::Fenced { .. })
                && !staging.is_some_and(Staging::has_mail) =>
        {
            reached!("turns.kept_uncommitted");
            let reason = format!(
                "the turn has run and is to be saved later, but its reminders may not be set: {failure}"
            );
            (Failure::Indeterminate { reason }.into(), After::Keep)
        }
        Err(failure) if mutant!("m47") => (failure.into(), After::Keep),
        Err(failure) => (failure.into(), After::Discard("its commit failed")),
    }
}

/// A method has run, and its result does not fit. What it did to a durable actor is dropped with the activation, so that
/// the failure can say that nothing happened; what it did to another one stays, with what its turns did before.
fn cannot_be_told(
    kernel: &Arc<Kernel>,
    activation: &Arc<Activation>,
    access: Access,
    failure: Failure,
) -> (Ended, After) {
    reached!("turns.result_cannot_be_told");
    match access {
        Access::Shared => (failure.into(), After::Keep),
        Access::Exclusive if activation.kind.durable && activation.kind.save == Save::EachTurn => {
            (failure.into(), After::Discard("its result cannot be told"))
        }
        Access::Exclusive => {
            kernel.mark_unsaved(activation);
            let reason = format!("the turn has run, and {failure}");
            (Failure::Indeterminate { reason }.into(), After::Keep)
        }
    }
}

/// Commits what a turn has done: state, and all that goes with it, in one batch.
pub(crate) async fn commit(
    kernel: &Arc<Kernel>,
    activation: &Arc<Activation>,
    message: &Message,
    ended: &Ended,
    staging: Option<&Staging>,
) -> Result<(), Failure> {
    // SAFETY: the caller holds the turn exclusively until this future ends.
    let (body, holding) = unsafe { activation.body.exclusive() };
    let body = body.as_ref().expect("a turn runs only after the body is in place");
    let claim = holding.claim.as_mut().expect("a durable activation holds a claim");
    let too_large = |what: &str, error| cannot_be_stored(&activation.id, what, error);
    let mut ops = Vec::new();
    let taken = match message.idempotency {
        Some(key) => claim
            .inbox
            .writes(key, message, ended, &mut ops)
            .map_err(|error| too_large("the result to remember", error))?,
        None => None,
    };
    let staged = staging.map(|turn| turn.reminders.take()).unwrap_or_default();
    staged.writes(&mut ops).map_err(|error| too_large("the reminders", error))?;
    let mut mail =
        claim.mail_of(staging, ended, &mut ops).map_err(|error| too_large("the letters", error))?;
    if ops.is_empty() && activation.kind.save != Save::EachTurn {
        kernel.mark_unsaved(activation);
        return Ok(());
    }
    let image = body.image(&claim.slots).map_err(|unfit| unfit.into_failure(&activation.id))?;
    // One for the state, and one for each slot.
    let limit = BATCH_OPS_MAX - 1 - image.slots.len();
    if ops.len() > limit {
        let beside = if image.slots.is_empty() { "" } else { ", beside its slots" };
        let what =
            format!("the list of reminders and letters that a turn of {} has set{beside}", activation.id);
        return Err(Failure::TooLarge { what, size: ops.len(), limit });
    }
    let firing = staging.and_then(|turn| turn.reminders.firing());
    let mut index = staged.index_rows(&activation.id, &claim.reminders, firing);
    index.extend(mail.wake_row(kernel, &activation.id, claim));
    // Before the truth: a row too many is found out, one too few is not.
    kernel
        .put_in_index(&index, message.deadline)
        .await
        .map_err(|error| error.into_failure(&activation.id))?;
    let letter = mail.taken().map(|(from, id)| Once::Letter { from, id });
    let because = Because {
        once: letter.or(message.idempotency.filter(|_| taken.is_some()).map(Once::Key)),
        withdrawn: mail.withdrawn(),
        reminders: Some(&staged),
        staging,
    };
    let committed = kernel.commit_turn(&activation.id, claim, image, ops, message.deadline, because).await;
    activation.has_seen(claim.version());
    match committed {
        Ok(_) => {
            activation.owes_nothing();
            if let Some(taken) = taken {
                claim.inbox.committed(taken);
            }
            if !staged.is_empty() {
                staged.apply(Arc::make_mut(&mut claim.reminders));
            }
            if let Some(due) = index.iter().map(|row| row.due).min() {
                kernel.announce(Shard::of(&activation.id), due);
            }
            mail.committed(kernel, activation, claim);
            Ok(())
        }
        Err(error) => {
            if error == CommitError::Fenced {
                reached!("turns.fenced");
            }
            if matches!(error, CommitError::Indeterminate(_)) {
                claim.leave_in_doubt(staged);
            }
            Err(error.into_failure(&activation.id))
        }
    }
}

/// Commits the state and nothing else, outside of any call's turn. The caller holds the turn exclusively.
pub(crate) async fn save_state(
    kernel: &Arc<Kernel>,
    activation: &Arc<Activation>,
    deadline: Instant,
) -> Result<(), CommitError> {
    // SAFETY: the caller holds the turn exclusively until this future ends.
    let (body, holding) = unsafe { activation.body.exclusive() };
    let body = body.as_ref().expect("a turn runs only after the body is in place");
    let claim = holding.claim.as_mut().expect("an activation whose state is stored holds a claim");
    let image = body.image(&claim.slots).map_err(CommitError::Unfit)?;
    let because = Because::default();
    let committed = kernel.commit_turn(&activation.id, claim, image, Vec::new(), deadline, because).await;
    activation.has_seen(claim.version());
    committed?;
    activation.owes_nothing();
    Ok(())
}

pub(crate) fn context_of(
    kernel: &Arc<Kernel>,
    activation: &Arc<Activation>,
    message: &Message,
    staging: Option<Arc<Staging>>,
) -> ActorContext {
    ActorContext {
        id: activation.id.clone(),
        silo: kernel.id,
        epoch: activation.epoch(),
        deadline: message.deadline,
        clock: kernel.env.clock.clone(),
        calls: Calls::of_turn(kernel, activation, &message.chain),
        headers: message.headers.clone(),
        staging,
        lent: None,
        activation: Arc::downgrade(activation),
    }
}
