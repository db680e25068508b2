//! A client outside of the cluster: it calls through a gateway silo, and through another one when that dies.

use crate::attempts::Attempts;
use crate::call::{CallRequest, Issuer, Outcome};
use crate::control::ControlMessage;
use crate::error::Failure;
use crate::message::Ended;
use crate::pending::{Pending, Polled};
use crate::reply;
use crate::silo::Client;
use bytes::Bytes;
use parking_lot::Mutex;
use quark_core::codec::{self, CodecLimits};
use quark_core::wire::{CallId, Envelope, Kind, Lane, Limits};
use quark_core::{Instant, SiloId, ViewVersion, reached};
use quark_env::transport::Incoming;
use quark_env::{BoxFuture, EntropyExt, Env, TaskHandle};
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

/// How a client behaves.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// How long a call waits when the caller does not say.
    pub deadline: Duration,
    /// The most calls in flight.
    pub pending_max: usize,
    /// How often the gateway is asked whether it lives.
    pub ping_every: Duration,
    /// After how long without an answer the gateway counts as dead.
    pub silence_max: Duration,
    /// What frames may contain.
    pub limits: Limits,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(30),
            pending_max: 100_000,
            ping_every: Duration::from_secs(1),
            silence_max: Duration::from_secs(3),
            limits: Limits::default(),
        }
    }
}

/// A connection to a cluster. Its calls are never sent twice by the runtime unless it is proven that they did not run.
pub struct ClusterClient {
    link: Arc<Link>,
}

struct Link {
    env: Env,
    config: ClientConfig,
    pending: Mutex<Pending>,
    gateways: Mutex<Gateways>,
    tasks: Mutex<Vec<TaskHandle>>,
    nonce: AtomicU64,
}

struct Gateways {
    known: BTreeMap<SiloId, Gateway>,
    current: Option<SiloId>,
}

struct Gateway {
    heard_at: Instant,
    /// When it said that it does not serve: it stops, or cannot prove its lease.
    refused_at: Option<Instant>,
    failed_at: Option<Instant>,
}

/// How long a gateway that said that it does not serve is left alone. Whoever could not prove its lease may serve again
/// soon; whoever stops is gone by then, and its link says so.
const REFUSES_FOR: Duration = Duration::from_secs(10);

impl Gateway {
    /// Whether nothing speaks against it.
    fn is_fresh(&self, now: Instant) -> bool {
        self.failed_at.is_none() && self.refused_at.is_none_or(|at| now.since(at) >= REFUSES_FOR)
    }
}

impl ClusterClient {
    /// Connects through these gateways: silo ids and addresses. More are learnt from whichever answers.
    pub fn connect(env: Env, gateways: &[(SiloId, String)], config: ClientConfig) -> Self {
        let now = env.clock.now();
        let link = Arc::new(Link {
            pending: Mutex::new(Pending::new(config.pending_max)),
            gateways: Mutex::new(Gateways { known: BTreeMap::new(), current: None }),
            tasks: Mutex::default(),
            nonce: AtomicU64::new(1),
            env,
            config,
        });
        for (id, address) in gateways {
            link.learn(*id, address, now);
        }
        link.choose(now);
        let receive = link.env.spawner.spawn_boxed("client-receive", Box::pin(receive(link.clone())));
        let tend = link.env.spawner.spawn_boxed("client-tend", Box::pin(tend(link.clone())));
        link.tasks.lock().extend([receive, tend]);
        Self { link }
    }

    /// Issues calls.
    pub fn client(&self) -> Client {
        Client { issuer: Arc::new(Remote(self.link.clone())) }
    }

    /// Tells of another gateway: one that was started since, say. A newer generation of a name replaces an older one.
    ///
    /// For a cluster that came back as a whole: nobody whom this client knows is left to tell it of the others.
    pub fn add_gateway(&self, id: SiloId, address: &str) {
        let now = self.link.env.clock.now();
        self.link.learn(id, address, now);
        if self.gateway().is_none() {
            self.link.choose(now);
        }
    }

    /// The gateway in use.
    pub fn gateway(&self) -> Option<SiloId> {
        self.link.gateways.lock().current
    }

    /// How many calls wait for their outcome.
    pub fn pending(&self) -> usize {
        self.link.pending.lock().open()
    }

    /// Disconnects. Calls in flight end as `Indeterminate`.
    pub fn close(&self) {
        for task in self.link.tasks.lock().drain(..) {
            task.abort();
        }
        self.link.fail(|_| true, "the client was closed");
    }
}

impl Link {
    fn learn(&self, id: SiloId, address: &str, now: Instant) {
        let mut gateways = self.gateways.lock();
        if gateways.known.keys().any(|known| known.name == id.name && known.generation > id.generation) {
            return;
        }
        let is_older = |known: &SiloId| known.name == id.name && known.generation < id.generation;
        let superseded: Vec<SiloId> = gateways.known.keys().copied().filter(is_older).collect();
        gateways.known.retain(|known, _| !is_older(known));
        let is_new = !gateways.known.contains_key(&id);
        gateways.known.entry(id).or_insert_with(|| Gateway {
            heard_at: now,
            refused_at: None,
            failed_at: None,
        });
        drop(gateways);
        if is_new {
            self.env.transport.learn(id, address);
        }
        for gone in superseded {
            let reason = format!("{gone} was superseded by {id}");
            self.env.transport.forget(gone, &reason);
            self.fail_over(gone, now, &reason);
        }
    }

    /// Picks a gateway: one that neither failed nor refused, or the one that did so longest ago. Spread by entropy.
    fn choose(&self, now: Instant) {
        let draw = self.env.entropy.u64("gateway") as usize;
        let mut gateways = self.gateways.lock();
        let fresh: Vec<SiloId> =
            gateways.known.iter().filter(|(_, g)| g.is_fresh(now)).map(|(id, _)| *id).collect();
        let chosen = if fresh.is_empty() {
            // Each in its turn, whatever spoke against it: nobody is given up for ever.
            gateways.known.iter().min_by_key(|(_, g)| g.failed_at.max(g.refused_at)).map(|(id, _)| *id)
        } else {
            Some(fresh[draw % fresh.len()])
        };
        if std::mem::replace(&mut gateways.current, chosen) == chosen {
            // It has not been heard of because it was chosen once more: its silence goes on.
            return;
        }
        if let Some(gateway) = chosen.and_then(|id| gateways.known.get_mut(&id)) {
            gateway.heard_at = now;
        }
    }

    /// The gateway is gone: its calls end, others go elsewhere.
    fn fail_over(&self, from: SiloId, now: Instant, reason: &str) {
        {
            let mut gateways = self.gateways.lock();
            if let Some(gateway) = gateways.known.get_mut(&from) {
                gateway.failed_at = Some(now);
            }
            if gateways.current != Some(from) {
                return;
            }
        }
        reached!("client.failed_over");
        self.choose(now);
        self.fail(|silo| silo == from, reason);
    }

    fn fail(&self, gone: impl Fn(SiloId) -> bool, reason: &str) {
        let calls = self.pending.lock().aimed_at(gone);
        for call in calls {
            self.end(call, Ended::Failed(Failure::Indeterminate { reason: reason.into() }));
        }
    }

    fn end(&self, call: CallId, ended: Ended) {
        let (was_waiting, waker) = self.pending.lock().end(call, ended);
        if !was_waiting {
            reached!("client.reply_unexpected");
        }
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn envelope(&self, kind: Kind, to: SiloId, payload: Bytes) -> Envelope {
        let mut envelope = Envelope::new(kind, payload);
        envelope.to_generation = to.generation;
        // A client has no view: that is how a silo knows one.
        envelope.view = ViewVersion(0);
        envelope
    }

    fn send(
        &self,
        request: &CallRequest,
        call: CallId,
        left: Duration,
        kind: Kind,
    ) -> Result<SiloId, Failure> {
        let Some(to) = self.gateways.lock().current else {
            return Err(Failure::Unreachable { reason: "the client knows no gateway".into() });
        };
        let mut envelope = self.envelope(kind, to, request.args.clone());
        envelope.call = call;
        envelope.deadline = Some(left);
        envelope.actor = Some(request.actor.clone());
        envelope.method = request.method;
        envelope.idempotency = request.idempotency;
        envelope.headers = request.headers.clone();
        let frame = envelope.encode(&self.config.limits).map_err(|error| Failure::TooLarge {
            what: format!("the call of `{}` ({error})", request.method_name),
            size: request.args.len(),
            limit: self.config.limits.payload_bytes_max,
        })?;
        self.env
            .transport
            .try_send(to, Lane::User, frame)
            .map_err(|error| Failure::Unreachable { reason: format!("gateway {to}: {error}") })?;
        Ok(to)
    }

    fn arrive(&self, incoming: Incoming) {
        let now = self.env.clock.now();
        match incoming {
            Incoming::Frame { from, bytes, .. } => {
                if let Some(gateway) = self.gateways.lock().known.get_mut(&from) {
                    (gateway.heard_at, gateway.failed_at) = (now, None);
                }
                match Envelope::decode(bytes, &self.config.limits) {
                    Ok(envelope) => self.open(envelope, now),
                    Err(error) => {
                        reached!("client.frame_refused");
                        tracing::warn!(peer = %from, %error, "refused a frame");
                    }
                }
            }
            Incoming::LinkDown { peer } => self.fail_over(peer, now, "the link to the gateway broke"),
            Incoming::Refused { peer, reason, .. } => {
                tracing::warn!(%peer, %reason, "a gateway refused this client");
                self.fail_over(peer, now, &format!("the gateway refused this client: {reason}"));
            }
        }
    }

    fn open(&self, envelope: Envelope, now: Instant) {
        match envelope.kind {
            Kind::Reply => self.end(envelope.call, reply::decode(envelope.outcome, envelope.payload)),
            Kind::Control => {
                if let Ok(ControlMessage::Gateways { members, .. }) =
                    codec::decode(&envelope.payload, CodecLimits::default())
                {
                    for (id, address) in members {
                        self.learn(id, &address, now);
                    }
                }
            }
            _ => reached!("client.unexpected_kind"),
        }
    }
}

/// Issues a client's calls through its gateway.
struct Remote(Arc<Link>);

impl Issuer for Remote {
    fn ask(&self, request: CallRequest) -> BoxFuture<'static, Result<Bytes, Outcome>> {
        let link = self.0.clone();
        let limit = request.deadline.unwrap_or(link.config.deadline);
        let deadline = link.env.clock.now() + limit;
        Box::pin(async move {
            let mut attempts = Attempts::new(deadline, FIRST_PAUSE, request.idempotency.is_some());
            loop {
                let now = link.env.clock.now();
                attempts.may_try(now).map_err(Outcome::Failed)?;
                let ended = link.attempt(&request, deadline).await;
                match ended.unwrap_or_else(|refused| Ended::Failed(attempts.end(refused))) {
                    Ended::Ok(bytes) => return Ok(bytes),
                    Ended::App(bytes) => return Err(Outcome::App(bytes)),
                    Ended::Failed(Failure::Stopping { silo }) => {
                        reached!("client.gateway_stops");
                        let now = link.env.clock.now();
                        link.gateways.lock().known.entry(silo).and_modify(|g| g.refused_at = Some(now));
                    }
                    Ended::Bounced => {}
                    Ended::Failed(failure) => attempts.failed(failure).map_err(Outcome::Failed)?,
                }
                let again = attempts.next(link.env.clock.now());
                link.choose(link.env.clock.now());
                link.env.clock.sleep_until(again).await;
            }
        })
    }

    fn tell(&self, request: CallRequest) -> Result<(), Failure> {
        let left = request.deadline.unwrap_or(self.0.config.deadline);
        self.0.send(&request, CallId::default(), left, Kind::OneWay).map(|_| ())
    }
}

impl Link {
    /// Sends a call to the gateway, and waits for its outcome. An error says that it was refused here.
    async fn attempt(self: &Arc<Self>, request: &CallRequest, deadline: Instant) -> Result<Ended, Failure> {
        let call = self.pending.lock().start(request.actor.clone(), deadline);
        let Some(call) = call else {
            return Err(Failure::Overloaded {
                what: format!("the client's table of {} calls", self.config.pending_max),
                retry_after: Duration::from_millis(100),
            });
        };
        let waiting = Waiting { link: self.clone(), call, ended: false };
        let left = deadline.since(self.env.clock.now());
        match self.send(request, call, left, Kind::Request) {
            Ok(to) => {
                self.pending.lock().aim(call, to, 1);
                Ok(waiting.await)
            }
            // Not sent, so not executed: another gateway, or the same one a little later.
            Err(Failure::Unreachable { .. }) => {
                drop(waiting);
                let now = self.env.clock.now();
                let current = self.gateways.lock().current;
                if let Some(current) = current {
                    self.fail_over(current, now, "the gateway could not be reached");
                }
                Ok(Ended::Bounced)
            }
            Err(failure) => Err(failure),
        }
    }
}

const FIRST_PAUSE: Duration = Duration::from_millis(10);

/// One call in flight. Dropping it withdraws it.
struct Waiting {
    link: Arc<Link>,
    call: CallId,
    ended: bool,
}

impl Future for Waiting {
    type Output = Ended;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Ended> {
        let this = self.get_mut();
        let polled = this.link.pending.lock().poll(this.call, cx.waker());
        match polled {
            Polled::Pending => Poll::Pending,
            Polled::Ended(ended) => {
                this.ended = true;
                Poll::Ready(ended)
            }
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        let withdrawn = self.link.pending.lock().withdraw(self.call);
        if let Some((to, actor)) = withdrawn {
            let mut envelope = self.link.envelope(Kind::Cancel, to, Bytes::new());
            (envelope.call, envelope.actor) = (self.call, Some(actor));
            if let Ok(frame) = envelope.encode(&self.link.config.limits) {
                let _ = self.link.env.transport.try_send(to, Lane::User, frame);
            }
        }
    }
}

async fn receive(link: Arc<Link>) {
    let mut batch = Vec::new();
    loop {
        let count = std::future::poll_fn(|cx| link.env.transport.poll_recv(cx, &mut batch, 256)).await;
        if count == 0 {
            return link.fail(|_| true, "the transport was closed");
        }
        for incoming in batch.drain(..) {
            link.arrive(incoming);
        }
    }
}

/// Pings the gateway, fails over from a silent one, and ends calls at their deadlines.
async fn tend(link: Arc<Link>) {
    let tick = link.config.ping_every.min(Duration::from_millis(100));
    let mut ping_at = Instant::ZERO;
    loop {
        let now = link.env.clock.now();
        if now >= ping_at {
            ping_at = now + link.config.ping_every;
            let current = link.gateways.lock().current;
            if let Some(to) = current {
                let nonce = link.nonce.fetch_add(1, Ordering::Relaxed);
                let payload = codec::encode(&ControlMessage::Hello { nonce }, 1024).expect("small");
                if let Ok(frame) = link.envelope(Kind::Control, to, payload).encode(&link.config.limits) {
                    let _ = link.env.transport.try_send(to, Lane::Control, frame);
                }
                let heard = link.gateways.lock().known.get(&to).map(|g| g.heard_at);
                if heard.is_some_and(|heard| now.since(heard) > link.config.silence_max) {
                    link.fail_over(to, now, "the gateway has gone silent");
                }
            } else {
                link.choose(now);
            }
        }
        let late = link.pending.lock().expired(now);
        for call in late {
            let reason = "the deadline passed while the call may have been running".into();
            link.end(call, Ended::Failed(Failure::Indeterminate { reason }));
        }
        link.env.clock.sleep_until(now + tick).await;
    }
}
