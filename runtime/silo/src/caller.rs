//! Issues calls and waits for their one outcome (promise P4).

use crate::attempts::Attempts;
use crate::call::{CallRequest, Issuer, Outcome};
use crate::error::Failure;
use crate::kernel::Kernel;
use crate::message::{Chain, Ended, Headers, Message, Order, ReplyTo};
use crate::observer::Event;
use crate::pending::Polled;
use bytes::Bytes;
use quark_core::wire::CallId;
use quark_core::{ActorId, Instant, SiloId, buggify, reached};
use quark_env::BoxFuture;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

/// Where a call comes from: what it inherits.
pub(crate) struct Scope {
    pub kernel: Arc<Kernel>,
    /// The actors that wait, the calling one last; empty outside of turns.
    pub chain: Chain,
    /// The end of the caller's own patience.
    pub deadline: Instant,
    pub headers: Headers,
    /// The sending activation and its message counter.
    pub sender: Option<(u64, Arc<AtomicU64>)>,
}

impl Scope {
    /// Of a silo's own calls: nobody waits behind them, and nothing is inherited.
    pub fn of_silo(kernel: Arc<Kernel>) -> Self {
        let (chain, headers) = (Arc::from([]), Arc::from([]));
        Self { kernel, chain, deadline: Instant::NEVER, headers, sender: None }
    }

    /// A message, and what its deadline will be.
    fn message(&self, request: CallRequest, reply_to: ReplyTo) -> (Message, Patience, &'static str) {
        let patience = Patience { own: request.deadline, inherited: self.deadline };
        let headers = if request.headers.is_empty() {
            self.headers.clone()
        } else {
            self.headers.iter().cloned().chain(request.headers).collect()
        };
        let order = self.sender.as_ref().map(|(sender, serial)| Order {
            sender: *sender,
            serial: serial.fetch_add(1, Ordering::Relaxed) + 1,
            after: None,
        });
        let message = Message {
            call: CallId::default(),
            reply_to,
            actor: request.actor,
            method: request.method,
            args: request.args,
            deadline: self.deadline,
            chain: if reply_to == ReplyTo::Nobody { Arc::from([]) } else { self.chain.clone() },
            order,
            idempotency: request.idempotency,
            headers,
            hops: 0,
            tick: None,
        };
        (message, patience, request.method_name)
    }
}

/// How long a call may take, before it is known when it begins.
#[derive(Clone, Copy)]
struct Patience {
    own: Option<Duration>,
    inherited: Instant,
}

impl Patience {
    /// The deadline of a call that begins now.
    fn from(self, now: Instant, kernel: &Kernel) -> Instant {
        match self.own {
            Some(limit) => (now + limit).min(self.inherited),
            None if self.inherited == Instant::NEVER => now + kernel.config.deadline,
            None => self.inherited,
        }
    }
}

impl Issuer for Scope {
    fn ask(&self, request: CallRequest) -> BoxFuture<'static, Result<Bytes, Outcome>> {
        let kernel = self.kernel.clone();
        let (message, patience, method) = self.message(request, ReplyTo::Local);
        Box::pin(ask(kernel, message, Some(patience), method))
    }

    fn tell(&self, request: CallRequest) -> Result<(), Failure> {
        let (mut message, patience, method) = self.message(request, ReplyTo::Nobody);
        admit(&self.kernel, &message, method)?;
        let now = self.kernel.env.clock.now();
        message.deadline = patience.from(now, &self.kernel);
        self.kernel.route_at(message, now);
        Ok(())
    }
}

impl Scope {
    /// Makes a client's call this silo's own, and waits for it.
    pub(crate) async fn ask_for_client(&self, message: Message) -> Ended {
        let message = Message {
            call: CallId::default(),
            reply_to: ReplyTo::Local,
            chain: self.chain.clone(),
            order: None,
            hops: 0,
            ..message
        };
        match ask(self.kernel.clone(), message, None, "a client's method").await {
            Ok(bytes) => Ended::Ok(bytes),
            Err(Outcome::App(bytes)) => Ended::App(bytes),
            Err(Outcome::Failed(failure)) => Ended::Failed(failure),
        }
    }
}

/// What can be refused before anything is sent.
fn admit(kernel: &Kernel, message: &Message, method: &str) -> Result<(), Failure> {
    kernel.check_serving()?;
    let limit = kernel.config.limits.payload_bytes_max;
    if message.args.len() > limit {
        return Err(Failure::TooLarge {
            what: format!("the arguments of `{method}`"),
            size: message.args.len(),
            limit,
        });
    }
    for filter in &kernel.filters {
        filter.outgoing(&message.actor, method).map_err(|reason| Failure::Rejected { reason })?;
    }
    Ok(())
}

/// Asks, and asks again while nothing ran, or while the call's key makes it run once. Without patience, the message has its
/// deadline already.
///
/// The clock is read once for each attempt: a call in place takes less time than reading it for each of those who ask.
async fn ask(
    kernel: Arc<Kernel>,
    mut message: Message,
    patience: Option<Patience>,
    method: &'static str,
) -> Result<Bytes, Outcome> {
    admit(&kernel, &message, method).map_err(Outcome::Failed)?;
    let mut now = kernel.env.clock.now();
    if let Some(patience) = patience {
        message.deadline = patience.from(now, &kernel);
    }
    let mut attempts = Attempts::new(message.deadline, FIRST_PAUSE, message.idempotency.is_some());
    loop {
        attempts.may_try(now).map_err(Outcome::Failed)?;
        let pending = PendingCall::open(&kernel, &message).map_err(|f| Outcome::Failed(attempts.end(f)))?;
        let mut attempt = message.clone();
        attempt.call = pending.id;
        kernel.route_at(attempt, now);
        match pending.await {
            Ended::Ok(bytes) => return Ok(bytes),
            Ended::App(bytes) => return Err(Outcome::App(bytes)),
            Ended::Failed(failure) => attempts.failed(failure).map_err(Outcome::Failed)?,
            Ended::Bounced => reached!("caller.bounced"),
        }
        kernel.check_serving().map_err(|f| Outcome::Failed(attempts.end(f)))?;
        now = kernel.env.clock.now();
        let next = attempts.next(now);
        let is_early = buggify!(kernel.env.entropy, "asks_again_at_once");
        // Time has to pass all the same, or a call that bounces would stop it.
        kernel.env.clock.sleep_until(if is_early { next.min(now + AT_ONCE) } else { next }).await;
        now = kernel.env.clock.now();
    }
}

const AT_ONCE: Duration = Duration::from_micros(1);
const FIRST_PAUSE: Duration = Duration::from_millis(5);

/// One attempt, in the table of pending calls. Dropping it withdraws the call.
struct PendingCall<'k> {
    kernel: &'k Kernel,
    id: CallId,
    deadline: Instant,
    ended: bool,
}

impl<'k> PendingCall<'k> {
    fn open(kernel: &'k Kernel, message: &Message) -> Result<Self, Failure> {
        let (id, next) = {
            let mut pending = kernel.pending.lock();
            let id = pending.start(message.actor.clone(), message.deadline);
            (id, pending.next_deadline())
        };
        let Some(id) = id else {
            reached!("caller.pending_full");
            return Err(Failure::Overloaded {
                what: format!("the table of {} pending calls", kernel.config.pending_max),
                retry_after: Duration::from_millis(100),
            });
        };
        if let Some(next) = next {
            kernel.sweeper.wake_by(next);
        }
        kernel.observe(|| Event::CallIssued { call: id, actor: &message.actor, deadline: message.deadline });
        Ok(Self { kernel, id, deadline: message.deadline, ended: false })
    }
}

impl Future for PendingCall<'_> {
    type Output = Ended;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Ended> {
        let this = self.get_mut();
        let polled = this.kernel.pending.lock().poll(this.id, cx.waker());
        match polled {
            Polled::Pending => Poll::Pending,
            Polled::Ended(ended) => {
                this.ended = true;
                this.kernel.observe_end(this.id, this.deadline, &ended);
                Poll::Ready(ended)
            }
        }
    }
}

impl Drop for PendingCall<'_> {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        let sent_to = self.kernel.pending.lock().withdraw(self.id);
        self.kernel.observe_end(self.id, self.deadline, &Ended::Failed(Failure::Cancelled));
        if let Some((silo, actor)) = sent_to {
            self.kernel.cancel(silo, self.id, actor);
        }
    }
}

impl Kernel {
    /// Gives a call issued here its outcome. Late and repeated outcomes are dropped.
    pub(crate) fn end_call(&self, call: CallId, ended: Ended) {
        let (accepted, waker) = self.pending.lock().end(call, ended);
        if !accepted {
            reached!("caller.late_reply");
        }
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Ends every call that waits for a silo that is gone: now, not at its deadline (promise P7).
    pub(crate) fn fail_calls_to(&self, dead: impl Fn(SiloId) -> bool, reason: &str) {
        let calls = self.pending.lock().aimed_at(dead);
        for call in calls {
            reached!("caller.failed_by_detection");
            self.end_call(call, Ended::Failed(Failure::Indeterminate { reason: reason.into() }));
        }
    }

    /// Ends every call whose deadline has come; returns when to look again.
    pub(crate) fn expire_calls(&self, now: Instant) -> Option<Instant> {
        let late = self.pending.lock().expired(now);
        for call in late {
            reached!("caller.deadline");
            let reason = "the deadline passed while the call may have been running".into();
            self.end_call(call, Ended::Failed(Failure::Indeterminate { reason }));
        }
        self.pending.lock().next_deadline()
    }

    fn observe_end(&self, call: CallId, deadline: Instant, ended: &Ended) {
        self.observe(|| Event::CallEnded {
            call,
            deadline,
            outcome: match ended {
                Ended::Ok(_) => "ok",
                Ended::App(_) => "app",
                Ended::Bounced => "bounced",
                Ended::Failed(failure) => failure.name(),
            },
        });
    }

    /// Withdraws a call that was sent to `silo`, if it still waits there.
    fn cancel(&self, silo: SiloId, call: CallId, actor: ActorId) {
        if silo == self.id {
            self.withdraw_local(&actor, self.id, call);
        } else {
            self.send_cancel(silo, call, actor);
        }
    }
}

/// How large the future of an ask is.
#[cfg(test)]
pub(crate) fn size_of_ask() -> usize {
    fn size_of_future<A, B, C, D, F: Future>(_: impl Fn(A, B, C, D) -> F) -> usize {
        size_of::<F>()
    }
    size_of_future(ask)
}
