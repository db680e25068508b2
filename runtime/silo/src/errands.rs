//! What the runtime itself asks of an actor: a reminder fires, a letter arrives, the rows of letters are swept, the store is
//! asked what it has lost.

use crate::activation::Activation;
use crate::actor::Access;
use crate::audit::AUDIT;
use crate::durable::Claim;
use crate::error::Failure;
use crate::handling::{After, commit, take_turn};
use crate::kernel::Kernel;
use crate::message::{Ended, Message};
use crate::observer::Event;
use crate::outbox::{DELIVER, Delivery, LetterId, SWEEP, WAKE, WAKE_EVERY};
use crate::reminders::{FIRE, Fire, Firing, answer};
use crate::staging::Staging;
use bytes::Bytes;
use quark_core::codec::{self, CodecLimits};
use quark_core::{MethodId, mutant, reached};
use quark_env::store::StoreError;
use std::sync::Arc;

/// The number of the method by which an actor is asked whether it answers. No actor has a method of so small a number.
pub(crate) const PING: MethodId = MethodId(4);

/// Whether this is none of an actor's own methods. Each of them is an exclusive turn, and no client may ask for it.
pub(crate) fn is_errand(method: MethodId) -> bool {
    matches!(method, FIRE | DELIVER | SWEEP | AUDIT | PING)
}

/// Whether the errand's turn has an effect that is to happen once, whenever the actor's kind is committed otherwise.
pub(crate) fn commits_alone(method: MethodId) -> bool {
    matches!(method, FIRE | DELIVER)
}

/// Runs an errand to its end.
pub(crate) async fn run(
    kernel: &Arc<Kernel>,
    activation: &Arc<Activation>,
    message: &Message,
) -> (Ended, After) {
    if message.method == PING {
        return (Ended::Ok(Bytes::new()), After::Keep);
    }
    if !activation.kind.durable {
        let kind = activation.id.kind();
        let reason = format!("`{kind}` is not durable: it has no reminders, and cannot remember letters");
        return (Failure::Rejected { reason }.into(), After::Keep);
    }
    match message.method {
        FIRE => fire(kernel, activation, message).await,
        DELIVER => take_letter(kernel, activation, message).await,
        AUDIT => compare_with_store(kernel, activation).await,
        _ => {
            reached!("outbox.swept");
            match commit(kernel, activation, message, &Ended::Ok(Bytes::new()), None).await {
                Err(failure @ Failure::Fenced { .. }) => end_of(Err(failure)),
                // The rows stay for another time.
                Ok(()) | Err(_) => end_of(Ok(())),
            }
        }
    }
}

/// What a durable activation holds.
///
/// # Safety
/// The caller holds its turn exclusively, and gives no other task or function the chance to take the claim for as long as
/// the reference lives.
#[allow(clippy::mut_from_ref, reason = "the exclusivity comes from the turn")]
unsafe fn claim_of(activation: &Activation) -> &mut Claim {
    // SAFETY: as the caller promises.
    let holding = unsafe { activation.body.exclusive() }.1;
    holding.claim.as_mut().expect("a durable activation holds a claim")
}

fn end_of(committed: Result<(), Failure>) -> (Ended, After) {
    match committed {
        Ok(()) => (Ended::Ok(Bytes::new()), After::Keep),
        Err(failure) => (failure.into(), After::Discard("its commit failed")),
    }
}

fn misread(what: &str, error: &dyn std::fmt::Display) -> (Ended, After) {
    (Failure::BadArguments { method: what.into(), reason: error.to_string() }.into(), After::Keep)
}

/// A reminder is said to be due. If it is, by the truth, its method runs; the answer is what is due next.
async fn fire(kernel: &Arc<Kernel>, activation: &Arc<Activation>, message: &Message) -> (Ended, After) {
    let fire: Fire = match codec::decode(&message.args, CodecLimits::default()) {
        Ok(fire) => fire,
        Err(error) => return misread("a reminder", &error),
    };
    // SAFETY: an errand is an exclusive turn, and this task holds it; the claim is not used once the method runs.
    let claim = unsafe { claim_of(activation) };
    if fire.name == WAKE {
        // To be in memory is all: what waits is on its way since the activation began.
        let waits = claim.post.as_ref().is_some_and(|post| post.waiting() > 0);
        reached!("outbox.woken");
        claim.wake_at = waits.then(|| fire.now.after(WAKE_EVERY));
        return (Ended::Ok(answer(claim.wake_at)), After::Keep);
    }
    let name = fire.name.clone();
    let firing = Firing::read(fire, &claim.reminders);
    let (run, reminders) = match firing.turn(message, &claim.reminders) {
        Ok((run, reminders)) => (run, reminders),
        Err(answer) => return (Ended::Ok(answer), After::Keep),
    };
    let staging = Arc::new(Staging::firing(kernel, claim, reminders));
    let (ended, after) = match run {
        Some(run) => take_turn(kernel, activation, &run, Access::Exclusive, Some(staging), None).await,
        // All that was due is dropped by its policy.
        None => {
            let nothing = Ended::Ok(Bytes::new());
            end_of(commit(kernel, activation, message, &nothing, Some(&staging)).await)
        }
    };
    match ended {
        Ended::Ok(_) | Ended::App(_) => {
            reached!("reminders.fired");
            // SAFETY: the turn is held until this future ends, and its method has ended.
            let claim = unsafe { claim_of(activation) };
            let next = claim.reminders.get(&name).map(|row| row.next_due);
            (Ended::Ok(answer(next)), after)
        }
        failed => (failed, after),
    }
}

/// A letter arrives. If it has not been taken yet, its method runs, and the mark that it is taken commits with it.
async fn take_letter(
    kernel: &Arc<Kernel>,
    activation: &Arc<Activation>,
    message: &Message,
) -> (Ended, After) {
    let delivery: Delivery = match codec::decode(&message.args, CodecLimits::default()) {
        Ok(delivery) => delivery,
        Err(error) => return misread("a letter", &error),
    };
    // SAFETY: an errand is an exclusive turn, and this task holds it; the claim is not used once the method runs.
    let claim = unsafe { claim_of(activation) };
    let mark = match kernel.mark_of(&activation.id, claim, &delivery.from).await {
        Ok(mark) => mark,
        Err(error) => return (error.into_failure(&activation.id).into(), After::Keep),
    };
    let is_taken = |mark: LetterId| match mutant!("m33") {
        true => delivery.id.number <= mark.number,
        false => delivery.id <= mark,
    };
    if mark.is_some_and(is_taken) {
        reached!("outbox.taken_before");
        return (Ended::Ok(Bytes::new()), After::Keep);
    }
    let method = activation.kind.contract.method(delivery.method);
    if method.is_some_and(|method| method.access == Access::Shared) {
        let reason = "a letter calls a method that takes `&mut self`".to_owned();
        return (Failure::Rejected { reason }.into(), After::Keep);
    }
    let run = Message { method: delivery.method, args: delivery.args, ..message.clone() };
    let staging = Arc::new(Staging::taking(kernel, claim, delivery.from, delivery.id));
    let (ended, after) = take_turn(kernel, activation, &run, Access::Exclusive, Some(staging), None).await;
    let ended = match ended {
        Ended::App(_) => {
            reached!("outbox.refused");
            kernel.dead_letter(Some(&activation.id), "a letter was taken, and its method refused");
            Ended::Ok(Bytes::new())
        }
        Ended::Ok(_) => Ended::Ok(Bytes::new()),
        other => other,
    };
    (ended, after)
}

/// The store may have lost what this activation rests on: then it ends.
async fn compare_with_store(kernel: &Arc<Kernel>, activation: &Activation) -> (Ended, After) {
    // SAFETY: an errand's turn is exclusive, and the reference is gone before anything is awaited.
    let claim = unsafe { activation.body.exclusive() }.1.claim.as_deref();
    let Some((row, version)) = claim.map(Claim::owner_row) else { return end_of(Ok(())) };
    let is_ours = match kernel.env.store.read(&row).await {
        Ok(Some(record)) => record.version == version,
        Ok(None) | Err(StoreError::WentBack { .. }) => false,
        // It is fenced by its next commit, if it has to be.
        Err(_) => true,
    };
    if is_ours {
        return end_of(Ok(()));
    }
    reached!("audit.fenced");
    let actor = &activation.id;
    kernel.observe(|| Event::Fenced { actor, epoch: activation.epoch() });
    (Ended::Ok(Bytes::new()), After::Discard("the store has lost what it rests on"))
}
