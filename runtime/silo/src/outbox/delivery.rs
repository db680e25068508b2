//! Brings letters to their receivers, until they have been taken.

use super::letter::{Letter, LetterId};
use super::post::Post;
use crate::activation::Activation;
use crate::call::{CallRequest, Issuer, Outcome};
use crate::caller::Scope;
use crate::kernel::Kernel;
use crate::message::{Message, ReplyTo};
use bytes::Bytes;
use quark_core::codec;
use quark_core::turn::{Access, Begin};
use quark_core::wire::CallId;
use quark_core::{ActorId, Instant, MethodId, buggify, mutant, reached};
use serde::{Deserialize, Serialize};
use std::sync::{Arc, Weak};
use std::time::Duration;

/// The number of the method by which a letter arrives. The macro gives no actor a method of so small a number.
pub(crate) const DELIVER: MethodId = MethodId(1);
/// The number of the method by which a sender deletes the rows of letters that have been taken.
pub(crate) const SWEEP: MethodId = MethodId(2);

/// The name under which a sender stands in the index of reminders: no reminder has it.
pub(crate) const WAKE: &str = "";
/// A sender whose letters wait is looked after so often.
pub(crate) const WAKE_EVERY: Duration = Duration::from_secs(10);

/// How long one attempt may take.
const PATIENCE: Duration = Duration::from_secs(30);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const AT_ONCE: Duration = Duration::from_micros(1);
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// The arguments of [`DELIVER`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Delivery {
    pub from: ActorId,
    pub id: LetterId,
    pub method: MethodId,
    pub args: Bytes,
}

impl Kernel {
    /// Sees to it that every receiver's letters are on their way.
    pub(crate) fn deliver_letters(self: &Arc<Self>, activation: &Arc<Activation>, post: &Arc<Post>) {
        for to in post.begin() {
            let lane = Lane {
                kernel: self.clone(),
                from: activation.id.clone(),
                sender: Arc::downgrade(activation),
                post: post.clone(),
                to,
            };
            self.env.spawner.spawn_boxed("letters", Box::pin(lane.deliver()));
        }
    }

    /// A turn of the sender, to delete the rows of what has been taken. It is no use of the actor.
    fn sweep_letters(self: &Arc<Self>, activation: Arc<Activation>) {
        let message = Message {
            call: CallId::default(),
            reply_to: ReplyTo::Nobody,
            actor: activation.id.clone(),
            method: SWEEP,
            args: Bytes::new(),
            deadline: Instant::NEVER,
            chain: Arc::default(),
            order: None,
            idempotency: None,
            headers: Arc::default(),
            hops: 0,
            tick: None,
        };
        match activation.turn.begin(Access::Exclusive) {
            Begin::Run => self.start_turn(activation, message, crate::actor::Access::Exclusive),
            Begin::Busy => self.enqueue(&activation, message),
            // Its successor finds the rows, and is told that they have been taken.
            Begin::Sealed => {}
        }
    }
}

/// The letters of one activation to one receiver.
struct Lane {
    kernel: Arc<Kernel>,
    from: ActorId,
    sender: Weak<Activation>,
    post: Arc<Post>,
    to: ActorId,
}

impl Lane {
    async fn deliver(self) {
        let mut pause = FIRST_PAUSE;
        while let Some((id, letter)) = self.post.first(&self.to) {
            if buggify!(self.kernel.env.entropy, "letter_waits") {
                self.sleep(FIRST_PAUSE * 5).await;
                continue; // it may have been withdrawn
            }
            match self.attempt(id, &letter).await {
                Ok(()) => {
                    pause = FIRST_PAUSE;
                    self.post.taken(&self.to, id);
                    self.sweep_if_worth_it();
                }
                Err(why) => {
                    reached!("outbox.not_taken");
                    tracing::debug!(from = %self.from, to = %self.to, letter = %id, why, "a letter was not taken: it is tried again");
                    self.post.failed(&self.to, id, why);
                    let is_early = buggify!(self.kernel.env.entropy, "letter_again_at_once");
                    self.sleep(if is_early { AT_ONCE } else { pause }).await;
                    pause = (pause * 2).min(PAUSE_MAX);
                }
            }
            if self.kernel.is_stopped() {
                return;
            }
        }
        self.sweep_if_worth_it();
    }

    async fn attempt(&self, id: LetterId, letter: &Letter) -> Result<(), String> {
        let delivery =
            Delivery { from: self.from.clone(), id, method: letter.method, args: letter.args.clone() };
        let limit = self.kernel.config.limits.payload_bytes_max;
        let args = codec::encode(&delivery, limit).map_err(|error| error.to_string())?;
        let scope = Scope::of_silo(self.kernel.clone());
        let call = CallRequest {
            actor: self.to.clone(),
            method: DELIVER,
            method_name: "a letter",
            shared: false,
            args,
            deadline: Some(PATIENCE),
            idempotency: None,
            headers: letter.headers.clone(),
        };
        match scope.ask(call).await {
            Ok(_) => Ok(()),
            Err(_) if mutant!("m32") => Ok(()),
            Err(Outcome::Failed(failure)) => Err(failure.to_string()),
            Err(Outcome::App(_)) => Err("the receiver answered as no receiver of letters does".into()),
        }
    }

    async fn sleep(&self, time: Duration) {
        let clock = &self.kernel.env.clock;
        clock.sleep_until(clock.now() + time).await;
    }

    fn sweep_if_worth_it(&self) {
        // What is not swept now is with the next letter, or by the next activation.
        if buggify!(self.kernel.env.entropy, "letters_swept_later") {
            return;
        }
        if self.post.ask_sweep()
            && let Some(sender) = self.sender.upgrade()
        {
            self.kernel.sweep_letters(sender);
        }
    }
}
