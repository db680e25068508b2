//! From messages to frames: requests, replies, hints and control on their way out.

use crate::control::ControlMessage;
use crate::error::Failure;
use crate::kernel::Kernel;
use crate::message::{Ended, Message, ReplyTo};
use crate::observer::Event;
use crate::reply;
use bytes::Bytes;
use quark_core::directory::Registration;
use quark_core::wire::{CallId, Envelope, Kind, Lane};
use quark_core::{ActorId, Epoch, Generation, Instant, MethodId, SiloId, codec, mutant, reached};
use quark_env::transport::SendError;
use std::time::Duration;

/// The largest control message in bytes.
const CONTROL_BYTES_MAX: usize = 4 << 20;

impl Kernel {
    /// Sends a request on to the silo that should run it. If it cannot be queued, its caller learns that it did not
    /// happen.
    pub(crate) fn send_request(&self, to: SiloId, message: Message, registration: Option<Registration>) {
        if message.hops >= self.config.limits.hops_max {
            reached!("outbound.hops_exhausted");
            return self.finish(&message, Ended::Bounced);
        }
        let now = self.env.clock.now();
        if now >= message.deadline {
            return self.finish(&message, Failure::DeadlineBeforeRun.into());
        }
        let mut deadline = (message.deadline != Instant::NEVER).then(|| message.deadline.since(now));
        if mutant!("m23") && message.hops > 0 {
            deadline = Some(Duration::from_secs(3600));
        }
        match message.reply_to {
            ReplyTo::Local => self.pending.lock().aim(message.call, to, message.hops + 1),
            ReplyTo::Peer(origin) => {
                reached!("outbound.forwarded");
                self.forwarded.lock().insert(origin, message.call, to, message.deadline);
                self.sweeper.wake_by(message.deadline);
                self.send_moved(origin, &message, to);
            }
            ReplyTo::Nobody => {}
        }
        let envelope = Envelope {
            kind: if message.reply_to == ReplyTo::Nobody { Kind::OneWay } else { Kind::Request },
            call: message.call,
            to_generation: to.generation,
            origin: match message.reply_to {
                ReplyTo::Peer(origin) => Some(origin),
                ReplyTo::Local | ReplyTo::Nobody => None,
            },
            view: self.view_version(),
            epoch: Epoch(0),
            deadline,
            hops: message.hops + 1,
            actor: Some(message.actor.clone()),
            method: message.method,
            outcome: 0,
            chain: if mutant!("m57") { Vec::new() } else { message.chain.to_vec() },
            idempotency: message.idempotency,
            order: message.order.map(|o| (o.sender, o.serial)),
            after: match message.order {
                Some(order) if message.hops == 0 => self.roads.lock().take(now, &message.actor, order, to),
                order => order.and_then(|order| order.after),
            },
            registration: registration.map(|r| (r.view, r.serial)),
            headers: message.headers.to_vec(),
            payload: message.args.clone(),
        };
        if let Err(failure) = self.transmit(to, Lane::User, &envelope) {
            let ended = match failure {
                // The view will say where it went; nothing ran.
                Failure::Unreachable { .. } => Ended::Bounced,
                other => other.into(),
            };
            self.finish(&message, ended);
        }
    }

    /// Tells a call's outcome to whoever waits for it.
    pub(crate) fn finish(&self, message: &Message, ended: Ended) {
        match message.reply_to {
            ReplyTo::Local => self.end_call(message.call, ended),
            ReplyTo::Peer(peer) => self.send_reply(peer, message.call, ended),
            ReplyTo::Nobody => match ended {
                Ended::Ok(_) => {}
                Ended::App(_) => self.dead_letter(Some(&message.actor), "the actor refused a tell"),
                Ended::Failed(failure) => self.dead_letter(Some(&message.actor), failure.name()),
                Ended::Bounced => self.dead_letter(Some(&message.actor), "no silo took a tell"),
            },
        }
    }

    /// Sends a reply. A void result is a success with an empty payload, never an absence.
    pub(crate) fn send_reply(&self, to: SiloId, call: CallId, ended: Ended) {
        let (outcome, payload) = reply::encode(&ended);
        let mut envelope = self.envelope(Kind::Reply, to, payload);
        envelope.call = call;
        envelope.outcome = outcome;
        match self.transmit(to, Lane::User, &envelope) {
            Ok(()) => {}
            Err(Failure::Unreachable { .. }) if self.routing.load().view.named(to.name).is_none() => {
                reached!("outbound.reply_parked");
                let (until, full) = self.parked.lock().park(self.env.clock.now(), to, call, ended);
                self.sweeper.wake_by(until);
                if full {
                    self.dead_letter(None, "too many replies to silos that no view shows");
                }
            }
            // The caller learns it at its deadline, or when it notices that the link is gone.
            Err(failure) => self.dead_letter(None, failure.name()),
        }
    }

    /// Sends a control message; losing one is always survivable.
    pub(crate) fn send_control(&self, to: SiloId, message: &ControlMessage) {
        let payload = codec::encode(message, CONTROL_BYTES_MAX).expect("control messages are bounded");
        let envelope = self.envelope(Kind::Control, to, payload);
        if self.transmit(to, Lane::Control, &envelope).is_err() {
            reached!("outbound.control_not_sent");
        }
    }

    /// Withdraws a call that waits in another silo's mailbox.
    pub(crate) fn send_cancel(&self, to: SiloId, call: CallId, actor: ActorId) {
        let mut envelope = self.envelope(Kind::Cancel, to, Bytes::new());
        (envelope.call, envelope.actor) = (call, Some(actor));
        let _ = self.transmit(to, Lane::User, &envelope);
    }

    /// Tells a caller where its call went, so that it looks there next time and notices that silo's death.
    fn send_moved(&self, to: SiloId, message: &Message, lives_on: SiloId) {
        let payload = codec::encode(&lives_on, 256).expect("a silo id is small");
        let mut envelope = self.envelope(Kind::Moved, to, payload);
        (envelope.call, envelope.actor) = (message.call, Some(message.actor.clone()));
        envelope.hops = message.hops + 1;
        let _ = self.transmit(to, Lane::Control, &envelope);
    }

    fn envelope(&self, kind: Kind, to: SiloId, payload: Bytes) -> Envelope {
        Envelope {
            kind,
            call: CallId::default(),
            to_generation: to.generation,
            origin: None,
            view: self.view_version(),
            epoch: Epoch(0),
            deadline: None,
            hops: 0,
            actor: None,
            method: MethodId(0),
            outcome: 0,
            chain: Vec::new(),
            idempotency: None,
            order: None,
            after: None,
            registration: None,
            headers: Vec::new(),
            payload,
        }
    }

    fn transmit(&self, to: SiloId, lane: Lane, envelope: &Envelope) -> Result<(), Failure> {
        let frame = match envelope.encode(&self.config.limits) {
            Ok(frame) => frame,
            Err(error) => {
                return Err(Failure::TooLarge {
                    what: format!("a message ({error})"),
                    size: envelope.payload.len(),
                    limit: self.config.limits.payload_bytes_max,
                });
            }
        };
        self.env.transport.try_send(to, lane, frame).map_err(|error| match error {
            SendError::Full => Failure::Overloaded {
                what: format!("the link to {to}"),
                retry_after: Duration::from_millis(50),
            },
            SendError::NotConnected => Failure::Unreachable { reason: format!("there is no link to {to}") },
            SendError::TooLarge { bytes, bytes_max } => {
                Failure::TooLarge { what: "a frame".into(), size: bytes, limit: bytes_max }
            }
            SendError::Closed => Failure::Stopping { silo: self.id },
        })
    }

    pub(crate) fn dead_letter(&self, actor: Option<&ActorId>, reason: &str) {
        if mutant!("m60") {
            return;
        }
        self.stats.dead_letters.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        self.observe(|| Event::DeadLettered { actor, reason });
    }

    /// Whether mail for this generation is mail for us.
    pub(crate) fn is_me(&self, generation: Generation) -> bool {
        generation == Generation(0) || generation == self.id.generation
    }
}
