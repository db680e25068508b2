//! From frames to messages: one task reads whole batches and runs idle targets' turns in place.

use crate::control::ControlMessage;
use crate::errands::is_errand;
use crate::error::Failure;
use crate::kernel::Kernel;
use crate::message::{Ended, Message, Order, ReplyTo};
use crate::reply;
use crate::routes::Learned;
use bytes::Bytes;
use quark_core::codec::{self, CodecLimits};
use quark_core::directory::Registration;
use quark_core::wire::{CallId, Envelope, Kind};
use quark_core::{Instant, SiloId, ViewVersion, buggify, mutant, reached};
use quark_env::transport::Incoming;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// How many frames are handled between two looks at the executor.
const BATCH_MAX: usize = 256;

impl Kernel {
    /// Reads until the transport closes.
    pub(crate) async fn receive(self: Arc<Self>) {
        let mut batch = Vec::with_capacity(BATCH_MAX);
        loop {
            let transport = &self.env.transport;
            let max = if buggify!(self.env.entropy, "receives_one_by_one") { 1 } else { BATCH_MAX };
            let count = std::future::poll_fn(|cx| transport.poll_recv(cx, &mut batch, max)).await;
            if count == 0 {
                return;
            }
            for incoming in batch.drain(..) {
                if self.is_stopped() {
                    return;
                }
                self.arrive(incoming);
            }
        }
    }

    fn arrive(self: &Arc<Self>, incoming: Incoming) {
        match incoming {
            Incoming::Frame { from, bytes, .. } => match Envelope::decode(bytes, &self.config.limits) {
                Ok(envelope) => self.open(from, envelope),
                Err(error) => {
                    reached!("inbound.frame_refused");
                    self.stats.frames_refused.fetch_add(1, Ordering::Relaxed);
                    tracing::warn!(silo = %self.id, peer = %from, %error, "refused a frame");
                }
            },
            Incoming::LinkDown { peer } => self.link_down(peer),
            Incoming::Refused { peer, reason, dead } => {
                tracing::warn!(silo = %self.id, %peer, %reason, dead, "a peer refused this silo");
                if dead {
                    reached!("inbound.told_dead");
                    self.told_dead(peer);
                }
            }
        }
    }

    fn open(self: &Arc<Self>, from: SiloId, envelope: Envelope) {
        if !self.is_me(envelope.to_generation) {
            // Mail for an earlier incarnation of this silo: it did not run, and will not.
            reached!("inbound.mail_for_earlier_generation");
            if envelope.kind == Kind::Request {
                self.send_reply(envelope.origin.unwrap_or(from), envelope.call, Ended::Bounced);
            }
            return;
        }
        if self.is_dead_peer(from) {
            reached!("inbound.mail_from_the_dead");
            self.answer_the_dead(from);
            return;
        }
        if envelope.view > self.view_version() {
            // Whoever is ahead of us may send what we cannot place, or is called by us where it no longer is.
            self.hint_view(envelope.view);
        }
        match envelope.kind {
            Kind::Request | Kind::OneWay => self.open_request(from, envelope),
            Kind::Reply => self.open_reply(envelope),
            Kind::Control => self.open_control(from, &envelope.payload),
            Kind::Moved => self.open_moved(from, envelope),
            Kind::Cancel => {
                if let Some(actor) = &envelope.actor {
                    self.withdraw_local(actor, from, envelope.call);
                }
            }
            Kind::Ack => reached!("inbound.ack"),
        }
    }

    fn open_request(self: &Arc<Self>, from: SiloId, envelope: Envelope) {
        let Some(actor) = envelope.actor else {
            reached!("inbound.request_without_actor");
            return;
        };
        let from_client = envelope.view == ViewVersion(0);
        let message = Message {
            call: envelope.call,
            reply_to: match (envelope.kind, envelope.origin.unwrap_or(from)) {
                (Kind::OneWay, _) => ReplyTo::Nobody,
                // Our own call came back to us: the silo we sent it to sent it on to where it lives now.
                (_, origin) if origin == self.id => ReplyTo::Local,
                (_, origin) => ReplyTo::Peer(origin),
            },
            actor,
            method: envelope.method,
            args: envelope.payload,
            deadline: envelope.deadline.map_or(Instant::NEVER, |left| self.env.clock.now() + left),
            chain: envelope.chain.into(),
            order: envelope.order.map(|(sender, serial)| Order { sender, serial, after: envelope.after }),
            idempotency: envelope.idempotency,
            headers: envelope.headers.into(),
            hops: envelope.hops,
            tick: None,
        };
        self.stats.received.fetch_add(1, Ordering::Relaxed);
        if let Err(failure) = self.check_serving() {
            // Not executed: the caller's silo looks again once it knows.
            let ended = if from_client { Ended::Failed(failure) } else { Ended::Bounced };
            return self.finish(&message, ended);
        }
        if from_client {
            if is_errand(message.method) {
                // It says what time it is, or what has been taken: a client does not tell a silo that.
                reached!("inbound.errand_of_a_client");
                let (kind, method) = (message.actor.kind().into(), message.method.0.to_string());
                return self.finish(&message, Failure::UnknownMethod { kind, method }.into());
            }
            return self.route_for_client(message);
        }
        let registration = envelope.registration.map(|(view, serial)| Registration { view, serial });
        self.route_with(message, registration, None);
    }

    fn open_reply(&self, envelope: Envelope) {
        if mutant!("m58") && envelope.payload.is_empty() {
            return;
        }
        let ended = reply::decode(envelope.outcome, envelope.payload);
        self.end_call(envelope.call, ended);
    }

    fn open_moved(&self, from: SiloId, envelope: Envelope) {
        let Ok(lives_on) = codec::decode::<SiloId>(&envelope.payload, CodecLimits::default()) else { return };
        let Some(actor) = envelope.actor.filter(|_| !mutant!("m56")) else { return };
        reached!("inbound.moved");
        let learned = Learned { call: envelope.call.serial, hop: envelope.hops };
        if lives_on == self.id || self.routing.load().ring.owner(actor.point()) == Some(lives_on) {
            // It was sent to the owner, who needs no hint and may send it on; or to us.
            self.routes.lock().forget_wrong(&actor, from, learned);
        } else {
            self.routes.lock().learn(&actor, lives_on, learned);
        }
        if envelope.call != CallId::default() {
            self.pending.lock().aim(envelope.call, lives_on, envelope.hops);
            if self.is_dead_peer(lives_on) {
                // It died before we learnt that our call had gone there.
                reached!("inbound.moved_to_the_dead");
                let reason = format!("silo {lives_on} died while the call was there");
                self.end_call(envelope.call, Ended::Failed(Failure::Indeterminate { reason }));
            }
        }
    }

    fn open_control(self: &Arc<Self>, from: SiloId, payload: &Bytes) {
        match codec::decode::<ControlMessage>(payload, CodecLimits::default()) {
            Ok(message) => self.control(from, message),
            Err(error) => {
                reached!("inbound.control_refused");
                self.stats.frames_refused.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(silo = %self.id, peer = %from, %error, "refused a control message");
            }
        }
    }
}
