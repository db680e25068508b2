//! Finds the activation for a call: here, where it was last seen, or through the owner of its range.

use crate::activation::Activation;
use crate::caller::Scope;
use crate::error::Failure;
use crate::kernel::Kernel;
use crate::message::{Ended, Message, ReplyTo};
use crate::placing::Direction;
use quark_core::directory::{Hosting, Registration};
use quark_core::mailbox::{Mailbox, MailboxLimits};
use quark_core::view::Status;
use quark_core::{ActorId, Instant, SiloId, buggify, mutant, reached};
use std::sync::Arc;
use std::sync::atomic::Ordering;

impl Message {
    /// The silo whose caller waits, if one does.
    pub fn asked_by(&self, here: SiloId) -> Option<SiloId> {
        match self.reply_to {
            ReplyTo::Local => Some(here),
            ReplyTo::Peer(peer) => Some(peer),
            ReplyTo::Nobody => None,
        }
    }
}

impl Kernel {
    /// Sends a message on its way.
    pub(crate) fn route(self: &Arc<Self>, message: Message) {
        self.route_with(message, None, None);
    }

    /// As [`Kernel::route`], by who has just read the clock.
    pub(crate) fn route_at(self: &Arc<Self>, message: Message, now: Instant) {
        self.route_with(message, None, Some(now));
    }

    /// Sends a message on its way; a registration says that the owner of its range has sent it here. `read` is what the
    /// clock said, if it was read just now.
    pub(crate) fn route_with(
        self: &Arc<Self>,
        mut message: Message,
        registration: Option<Registration>,
        read: Option<Instant>,
    ) {
        if let Some(activation) = self.catalog.find(&message.actor) {
            self.mind_the_long_road(&activation, &mut message);
            if message.reply_to == ReplyTo::Local {
                self.pending.lock().aim(message.call, self.id, message.hops);
            }
            return self.deliver(&activation, message, read);
        }
        if let Some(registration) = registration {
            return self.host(message, registration);
        }
        let routing = self.routing.load();
        let Some(owner) = routing.ring.owner(message.actor.point()) else {
            reached!("locator.no_owner");
            return self.finish(&message, Ended::Bounced);
        };
        if owner == self.id {
            return self.route_as_owner(message);
        }
        // A message that was sent on to us by a wrong hint goes to the owner, who knows.
        let seen = if message.hops == 0 { self.routes.lock().find(&message.actor) } else { None };
        let seen = seen.filter(|_| !buggify!(self.env.entropy, "hint_forgotten"));
        let serves = |silo: SiloId| {
            let is_active = || routing.view.member(silo).is_some_and(|m| m.status == Status::Active);
            silo != self.id && (mutant!("m55") || is_active())
        };
        let target = match seen {
            Some(silo) if serves(silo) => {
                reached!("locator.hint_used");
                silo
            }
            Some(_) => {
                reached!("locator.hint_stale");
                self.routes.lock().forget(&message.actor);
                owner
            }
            None => owner,
        };
        self.send_request(target, message, None);
    }

    /// We own the actor's range: we know where it lives, or decide it.
    fn route_as_owner(self: &Arc<Self>, message: Message) {
        let mut message = Some(message);
        let direction = {
            let mut directory = self.directory.lock();
            match self.direct(&mut directory, &mut message) {
                // Found and created under one lock, so that a hand-over sees either neither or both.
                Direction::Here(registration) => {
                    let actor = &message.as_ref().expect("it did not have to wait").actor;
                    Ok(self.find_or_create(actor, registration))
                }
                other => Err(other),
            }
        };
        match (direction, message) {
            (Ok(Ok((activation, is_new))), Some(message)) => self.hand_over(&activation, is_new, message),
            (Ok(Err(failure)), Some(message)) => self.finish(&message, failure.into()),
            (Err(Direction::There(silo, registration)), Some(message)) => {
                self.send_request(silo, message, registration);
            }
            (Err(Direction::End(ended)), Some(message)) => self.finish(&message, ended),
            (_, None) => {}
            (Err(Direction::Here(_) | Direction::Held), Some(_)) => {
                unreachable!("here is created above, held is taken")
            }
        }
    }

    /// The owner of its range has sent us a request for an actor that we do not run (yet).
    fn host(self: &Arc<Self>, message: Message, registration: Registration) {
        let now = self.env.clock.now();
        let mut actions = Vec::new();
        let created = {
            let mut directory = self.directory.lock();
            match directory.core.host(now, &message.actor, registration, &mut actions) {
                Hosting::Accept | Hosting::Already => Some(self.find_or_create(&message.actor, registration)),
                Hosting::Stale { .. } => None,
            }
        };
        self.after_directory_call(actions);
        match created {
            Some(Ok((activation, is_new))) => self.hand_over(&activation, is_new, message),
            Some(Err(failure)) => self.finish(&message, failure.into()),
            None => {
                reached!("locator.stale_placement");
                self.finish(&message, Ended::Bounced);
            }
        }
    }

    fn hand_over(self: &Arc<Self>, activation: &Arc<Activation>, is_new: bool, message: Message) {
        if message.reply_to == ReplyTo::Local {
            self.pending.lock().aim(message.call, self.id, message.hops);
        }
        if is_new {
            // The message is queued first, so that bringing up finds it.
            self.deliver(activation, message, None);
            self.bring_up(activation.clone());
        } else {
            self.deliver(activation, message, None);
        }
    }

    /// The activation under this placement, made if there is none. The directory is locked by the caller.
    fn find_or_create(
        &self,
        actor: &ActorId,
        registration: Registration,
    ) -> Result<(Arc<Activation>, bool), Failure> {
        if let Some(activation) = self.catalog.find(actor) {
            return Ok((activation, false));
        }
        let Some(kind) = self.registry.kind(actor.kind()) else {
            return Err(Failure::UnknownKind { kind: actor.kind().into(), known: self.registry.known() });
        };
        let count = self.activations_made.fetch_add(1, Ordering::Relaxed);
        let serial = quark_core::hash::mix(
            quark_core::hash::point(self.id.name.as_str().as_bytes())
                ^ quark_core::hash::mix(self.id.generation.0 << 40 ^ count),
        );
        let is_tiny = buggify!(self.env.entropy, "tiny_mailbox");
        let limits = MailboxLimits {
            messages_max: if is_tiny { 2 } else { self.config.mailbox_messages_max },
            bytes_max: self.config.mailbox_bytes_max,
        };
        let activation = Arc::new(Activation::new(
            actor.clone(),
            kind.clone(),
            registration,
            serial,
            Mailbox::new(limits),
            self.timers.clone(),
            self.env.clock.now(),
        ));
        self.catalog.insert(activation.clone());
        Ok((activation, true))
    }

    /// A client's call: this silo makes it its own, so that the client needs to know no other silo.
    pub(crate) fn route_for_client(self: &Arc<Self>, message: Message) {
        let ReplyTo::Peer(client) = message.reply_to else {
            return self.route(Message { hops: 0, ..message });
        };
        let scope = Scope {
            kernel: self.clone(),
            chain: Arc::from([]),
            deadline: message.deadline,
            headers: message.headers.clone(),
            sender: None,
        };
        let (kernel, call) = (self.clone(), message.call);
        let task = async move {
            let ended = scope.ask_for_client(message).await;
            kernel.send_reply(client, call, ended);
        };
        crate::inline::run_inline(&*self.env.spawner, "gateway-call", Box::pin(task));
    }

    /// Periodic housekeeping of everything that has deadlines.
    pub(crate) fn sweep(self: &Arc<Self>, now: Instant) -> Option<Instant> {
        let calls = self.expire_calls(now);
        let held = self.expire_held(now);
        let forwarded = self.forwarded.lock().expire(now);
        let (parked, dropped) = self.parked.lock().expire(now);
        for _ in 0..dropped {
            self.dead_letter(None, "no view shows the silo that waits for a reply");
        }
        let early = self.expire_early(now);
        [calls, held, forwarded, parked, early].into_iter().flatten().min()
    }
}
