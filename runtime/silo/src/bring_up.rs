//! How an activation starts and ends.

use crate::activation::{Activation, Holding};
use crate::actor::Save;
use crate::error::Failure;
use crate::guarded::{Guarded, Stopped};
use crate::handling::context_of;
use crate::inline::run_inline;
use crate::kernel::{Kernel, Phase};
use crate::message::{Ended, Message, ReplyTo};
use crate::observer::Event;
use crate::saving::Lent;
use crate::slots::Held;
use crate::supervision::Admission;
use quark_core::directory::Registration;
use quark_core::lifecycle;
use quark_core::turn::{Access, End};
use quark_core::wire::CallId;
use quark_core::{ActorId, Instant, MethodId, buggify, mutant, reached};
use std::sync::Arc;

impl Kernel {
    /// Readies a new activation, then runs what waits for it. Its turn is held from its creation.
    pub(crate) fn bring_up(self: &Arc<Self>, activation: Arc<Activation>) {
        let kernel = self.clone();
        let task = async move {
            match kernel.make_ready(&activation).await {
                Ok(()) => {
                    kernel.observe(|| Event::Activated { actor: &activation.id, epoch: activation.epoch() });
                    kernel.resume_letters(&activation);
                    // Ended, not drained directly: the mark of what was queued meanwhile has to go first.
                    match activation.turn.end(Access::Exclusive) {
                        End::Idle => kernel.retire_if_asked(&activation),
                        End::Drain => kernel.start_drain(activation),
                    }
                }
                Err(ended) => kernel.fail_to_start(&activation, ended),
            }
        };
        run_inline(&*self.env.spawner, "bring-up", Box::pin(task));
    }

    async fn make_ready(self: &Arc<Self>, activation: &Arc<Activation>) -> Result<(), Ended> {
        loop {
            let now = self.env.clock.now();
            let admission = self.supervision.lock().admit(&activation.id, now, &self.config);
            match admission {
                Admission::Now => break,
                Admission::After(ready) => self.env.clock.sleep_until(ready).await,
                Admission::Quarantined(retry_after) => {
                    return Err(Failure::Quarantined { retry_after }.into());
                }
            }
        }
        activation.advance(lifecycle::Event::Registered);
        if !self.lease_proven().await {
            return Err(Ended::Bounced);
        }
        let (mut state, mut slots) = (None, Held::default());
        if activation.kind.durable {
            let (mut claim, found) = self
                .claim(&activation.id, &activation.kind)
                .await
                .map_err(|e| Ended::Failed(e.into_failure(&activation.id)))?;
            activation.set_epoch(claim.epoch);
            activation.has_seen(claim.version());
            (state, slots) = (found, std::mem::take(&mut claim.slots));
            // SAFETY: the turn is held exclusively from the activation's creation until it is ready.
            unsafe { activation.body.exclusive() }.1.claim = Some(Box::new(claim));
        }
        activation.advance(lifecycle::Event::Claimed);
        let make = async { (activation.kind.load)(&activation.id, state.as_deref(), &mut slots) };
        // Guarded: `Default`, `Deserialize` and the upgrades are the author's.
        let mut body = self
            .guarded_start(activation, make)
            .await?
            .map_err(|error| Ended::Failed(error.into_failure(&activation.id)))?;
        // SAFETY: as above.
        if let Some(claim) = &mut unsafe { activation.body.exclusive() }.1.claim {
            claim.slots = slots;
        }
        let context = context_of(self, activation, &self.lifecycle_message(&activation.id), None);
        let started = self.guarded_start(activation, body.on_activate(&context)).await?;
        started.map_err(|reason| Ended::Failed(Failure::ActivationFailed { reason }))?;
        // SAFETY: as above.
        *unsafe { activation.body.exclusive() }.0 = Some(body);
        activation.advance(lifecycle::Event::Activated);
        Ok(())
    }

    /// What earlier activations have written and nobody has taken goes on its way. The caller holds the turn.
    fn resume_letters(self: &Arc<Self>, activation: &Arc<Activation>) {
        // SAFETY: the turn is held exclusively from the activation's creation until it is ready.
        let claim = unsafe { activation.body.exclusive() }.1.claim.as_ref();
        if let Some(post) = claim.and_then(|claim| claim.post.as_ref()) {
            reached!("outbox.resumed");
            self.deliver_letters(activation, post);
        }
    }

    /// Runs what the author wrote for the start of an activation. A panic counts with the supervision.
    async fn guarded_start<T>(
        self: &Arc<Self>,
        activation: &Activation,
        code: impl Future<Output = T>,
    ) -> Result<T, Ended> {
        match Guarded::new(self, code).await {
            Ok(Ok(output)) => Ok(output),
            Ok(Err(message)) => {
                self.supervision.lock().panicked(&activation.id, self.env.clock.now(), &self.config);
                Err(Failure::Panicked { message }.into())
            }
            Err(Stopped) => Err(Ended::Bounced),
        }
    }

    /// A message that stands for the runtime itself: hooks run under it.
    pub(crate) fn lifecycle_message(&self, actor: &ActorId) -> Message {
        Message {
            call: CallId::default(),
            reply_to: ReplyTo::Nobody,
            actor: actor.clone(),
            method: MethodId(0),
            args: bytes::Bytes::new(),
            deadline: self.env.clock.now() + self.config.deadline,
            chain: Arc::from([]),
            order: None,
            idempotency: None,
            headers: Arc::from([]),
            hops: 0,
            tick: None,
        }
    }

    fn fail_to_start(self: &Arc<Self>, activation: &Arc<Activation>, ended: Ended) {
        reached!("bring_up.failed");
        for message in self.remove(activation, "did not start") {
            self.finish(&message, ended.clone());
        }
    }

    /// Ends an activation at once, without its hook: it panicked, was fenced, or its state is ahead of the store. What
    /// waits for it looks for the actor anew. The caller holds its turn, and nobody will have it again.
    pub(crate) fn discard(self: &Arc<Self>, activation: &Arc<Activation>, reason: &'static str) {
        reached!("bring_up.discarded");
        for message in self.remove(activation, reason) {
            self.route(message);
        }
    }

    /// Takes an activation out of everything that knows it; returns what waited for it.
    fn remove(self: &Arc<Self>, activation: &Arc<Activation>, reason: &str) -> Vec<Message> {
        activation.turn.seal();
        let now = self.env.clock.now();
        let mut waiting = {
            let mut directory = self.directory.lock();
            self.catalog.remove(activation);
            directory.core.gone(now, &activation.id, activation.registration);
            activation.mail.lock().waiting.close()
        };
        activation.timers.close();
        activation.owes_nothing();
        // SAFETY: whoever ends an activation holds its turn, and nobody will have it again.
        close_post(unsafe { activation.body.exclusive() }.1);
        activation.advance(lifecycle::Event::Ended);
        self.observe(|| Event::Deactivated { actor: &activation.id, epoch: activation.epoch(), reason });
        self.after_directory_call(Vec::new());
        waiting.retain(|message| !message.is_for_one_activation());
        waiting
    }

    /// Ends an activation in order, if it is idle: what is unsaved, hook, then gone. `false` if it is busy, or could not
    /// be saved a moment ago.
    pub(crate) fn retire(self: &Arc<Self>, activation: &Arc<Activation>, reason: &'static str) -> bool {
        if !activation.unsaved.may_try(self.env.clock.now()) || !activation.turn.seal_if_idle() {
            return false;
        }
        let (kernel, activation) = (self.clone(), activation.clone());
        let task = async move {
            let saved = if mutant!("m05") { Ok(()) } else { kernel.save_behind(&activation).await };
            match saved {
                Ok(()) => kernel.end_in_order(&activation, reason).await,
                Err(error) if error.is_fenced() => kernel.discard(&activation, "another activation is newer"),
                Err(_) => kernel.stay(&activation),
            }
        };
        run_inline(&*self.env.spawner, "retire", Box::pin(task));
        true
    }

    /// Hook, then gone. The caller holds the turn exclusively, sealed, and never gives it back.
    async fn end_in_order(self: &Arc<Self>, activation: &Arc<Activation>, reason: &'static str) {
        activation.advance(lifecycle::Event::Drain(match reason {
            "idle" => lifecycle::Reason::Idle,
            _ => lifecycle::Reason::SiloLeaves,
        }));
        let mut context = context_of(self, activation, &self.lifecycle_message(&activation.id), None);
        // SAFETY: `seal_if_idle` took the turn exclusively, and it is never given back.
        let (body, holding) = unsafe { activation.body.exclusive() };
        close_post(holding);
        if activation.kind.save == Save::Manual
            && let Some(claim) = holding.claim.take()
        {
            context.lent = Some(Arc::new(Lent::new(self.clone(), claim, false)));
        }
        if let Some(body) = body.as_mut() {
            let hook = Guarded::new(self, body.on_deactivate(&context)).await;
            if !matches!(hook, Ok(Ok(()))) {
                reached!("bring_up.deactivation_hook_failed");
            } else if matches!(activation.kind.save, Save::Behind(_)) {
                // What the hook has changed. If that cannot be saved now, it is as if the hook had not run.
                self.mark_unsaved(activation);
                if !mutant!("m05") && self.save_behind(activation).await.is_err() {
                    reached!("bring_up.hook_not_saved");
                }
            }
        }
        for message in self.remove(activation, reason) {
            self.route(message);
        }
    }

    /// Takes the end of an activation back that could not be saved. The caller holds the turn exclusively, sealed.
    fn stay(self: &Arc<Self>, activation: &Arc<Activation>) {
        reached!("bring_up.stays_unsaved");
        activation.turn.unseal();
        // Somebody ends it later, or its queue does: not at once, or it would go round and round.
        match activation.turn.end(Access::Exclusive) {
            End::Idle => {}
            End::Drain => self.start_drain(activation.clone()),
        }
    }

    /// A turn has ended and nothing is queued: if the silo drains, or another activation has won, this is the moment.
    pub(crate) fn retire_if_asked(self: &Arc<Self>, activation: &Arc<Activation>) {
        if activation.is_asked_to_end() || self.phase() >= Phase::Draining {
            self.retire(activation, "asked to end");
        } else if buggify!(self.env.entropy, "ends_early") {
            self.retire(activation, "idle");
        }
    }

    /// The directory says that another silo has a newer activation of this actor.
    pub(crate) fn evict(self: &Arc<Self>, actor: &ActorId, registration: Registration) {
        let Some(activation) = self.catalog.find(actor) else { return };
        if activation.registration != registration {
            return;
        }
        reached!("bring_up.evicted");
        activation.ask_to_end();
        self.retire(&activation, "another activation is newer");
    }

    /// Collects what has been idle for long.
    pub(crate) fn collect_idle(self: &Arc<Self>, now: Instant) {
        for activation in self.catalog.all() {
            if now.since(activation.used_at()) >= self.config.idle_after && self.retire(&activation, "idle") {
                reached!("bring_up.collected");
            }
        }
    }

    /// Ends what is idle now, however short. Returns how many activations end.
    pub(crate) fn collect_now(self: &Arc<Self>) -> usize {
        let all = self.catalog.all();
        all.iter().filter(|activation| self.retire(activation, "idle")).count()
    }

    /// Asks every activation to end; those that are idle end now.
    pub(crate) fn retire_all(self: &Arc<Self>) {
        for activation in self.catalog.all() {
            activation.ask_to_end();
            self.retire(&activation, "the silo drains");
        }
    }
}

/// Letters that are still on their way are its successor's.
fn close_post(holding: &Holding) {
    if let Some(post) = holding.claim.as_ref().and_then(|claim| claim.post.as_ref()) {
        post.close();
    }
}
