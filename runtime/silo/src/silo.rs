//! A silo: how it is built, started and stopped.

use crate::actor::Actor;
use crate::call::{ActorHandle, CallRequest, Issuer, Outcome};
use crate::caller::Scope;
use crate::config::SiloConfig;
use crate::errands::PING;
use crate::error::Failure;
use crate::filter::CallFilter;
use crate::glue::Glue;
use crate::kernel::{Kernel, Phase};
use crate::losses::{Losses, Watched};
use crate::membership::{MembershipDriver, Newcomer};
use crate::observer::Observer;
use crate::registry::Registry;
use bytes::Bytes;
use futures_util::future::{Either, select};
use quark_core::view::View;
use quark_core::{ActorId, ActorIdError, Instant, SiloId, SiloName, buggify, reached};
use quark_env::{BoxFuture, Env};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// A silo about to be started.
///
/// Three steps, because a transport has to know who it speaks for: describe the silo, let
/// [`crate::membership::join_identity`] reserve a generation for [`SiloBuilder::newcomer`], then
/// [`SiloBuilder::start`] it in an environment whose transport speaks for that identity.
pub struct SiloBuilder {
    config: SiloConfig,
    membership: quark_core::membership::Config,
    registry: Registry,
    filters: Vec<Arc<dyn CallFilter>>,
    observer: Option<Arc<dyn Observer>>,
}

impl SiloBuilder {
    /// Registers a kind of actor. All silos of a cluster register the same kinds.
    ///
    /// Panics: if the kind is registered already.
    #[must_use]
    pub fn actor<A: Actor>(mut self) -> Self {
        assert!(self.registry.kind(A::KIND).is_none(), "kind `{}` is registered twice", A::KIND);
        self.registry.add::<A>();
        self
    }

    /// Changes the silo's knobs.
    #[must_use]
    pub fn config(mut self, config: SiloConfig) -> Self {
        self.config = config;
        self
    }

    /// Changes the membership's knobs. All silos of a cluster must agree on its lease.
    #[must_use]
    pub fn membership(mut self, config: quark_core::membership::Config) -> Self {
        self.membership = config;
        self
    }

    /// Adds a call filter; filters see a call in the order in which they were added.
    #[must_use]
    pub fn filter(mut self, filter: Arc<dyn CallFilter>) -> Self {
        self.filters.push(filter);
        self
    }

    /// Watches everything that the silo does.
    #[must_use]
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observer = Some(observer);
        self
    }

    /// The digest of the registered kinds' contracts, for the transport's handshake.
    pub fn contract_digest(&self) -> u64 {
        self.registry.digest()
    }

    /// What the table is to know of this silo.
    pub fn newcomer(&self, name: SiloName, address: &str) -> Newcomer {
        Newcomer { name, address: address.into(), contract_digest: self.contract_digest() }
    }

    /// The membership's knobs, for [`crate::membership::join_identity`].
    pub fn membership_config(&self) -> &quark_core::membership::Config {
        &self.membership
    }

    /// The silo's knobs.
    pub fn silo_config(&self) -> &SiloConfig {
        &self.config
    }

    /// Starts the silo and joins the cluster. Returns once the silo serves.
    ///
    /// Errors: the membership's reason when joining is refused; nothing is left running.
    pub async fn start(self, env: Env, address: &str) -> Result<Silo, StartError> {
        let id = env.transport.local();
        let digest = self.contract_digest();
        let losses = Arc::new(Losses::default());
        let observer = self.observer;
        let store = Watched::new(id, env.store.clone(), env.clock.clone(), observer.clone(), losses.clone());
        let env = Env { store: Arc::new(store), ..env };
        let kernel = Kernel::new(id, env.clone(), self.config, self.registry, self.filters, observer, losses);
        let kernel = Arc::new(kernel);
        let spawn = |name: &'static str, task: BoxFuture<'static, ()>| {
            let handle = env.spawner.spawn_boxed(name, task);
            kernel.tasks.lock().push(handle);
        };
        spawn("receive", Box::pin(kernel.clone().receive()));
        spawn("sweep", Box::pin(sweep(kernel.clone())));
        spawn("collect", Box::pin(collect(kernel.clone())));
        spawn("directory", Box::pin(kernel.clone().tend_directory()));
        spawn("timers", Box::pin(kernel.clone().keep_time()));
        if kernel.registry.has_durable() {
            spawn("reminders", Box::pin(kernel.clone().remind()));
            spawn("audit", Box::pin(kernel.clone().audit()));
        }
        let glue = Arc::new(Glue(Arc::downgrade(&kernel)));
        let handle =
            MembershipDriver::start(env.clone(), self.membership, address.into(), digest, glue.clone(), glue);
        kernel.membership.set(handle.clone()).ok().expect("a kernel gets its membership once");
        if let Err(reason) = handle.joined().await {
            let reason = reason.to_string();
            kernel.halt(&reason);
            for task in kernel.tasks.lock().drain(..) {
                task.abort();
            }
            return Err(StartError::Refused { silo: id, reason });
        }
        kernel.enter(Phase::Running);
        kernel.observe(|| crate::observer::Event::Joined);
        Ok(Silo { kernel })
    }
}

/// Why a silo did not start.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum StartError {
    /// The cluster refused it. The reason names the value and the remedy.
    #[error("silo {silo} could not join: {reason}")]
    Refused {
        /// Who wanted to join.
        silo: SiloId,
        /// Why it may not.
        reason: String,
    },
}

/// A running silo. Cheap to clone; dropping the last clone does not stop it, [`Silo::stop`] does.
#[derive(Clone)]
pub struct Silo {
    kernel: Arc<Kernel>,
}

impl Silo {
    /// Describes a silo of a cluster.
    pub fn builder(cluster: &str) -> SiloBuilder {
        SiloBuilder {
            config: SiloConfig::default(),
            membership: quark_core::membership::Config::new(cluster),
            registry: Registry::default(),
            filters: Vec::new(),
            observer: None,
        }
    }

    /// Who it is.
    pub fn id(&self) -> SiloId {
        self.kernel.id
    }

    /// The newest view that has taken effect here.
    pub fn view(&self) -> Arc<View> {
        self.kernel.routing.load().view.clone()
    }

    /// Calls actors from within this process.
    pub fn client(&self) -> Client {
        let scope = Scope::of_silo(self.kernel.clone());
        Client { issuer: Arc::new(scope) }
    }

    /// A kind's methods, for gateways.
    pub fn contract(&self, kind: &str) -> Option<&'static crate::actor::Contract> {
        self.kernel.registry.kind(kind).map(|k| k.contract)
    }

    /// The registered kinds.
    pub fn kinds(&self) -> Vec<&'static str> {
        self.kernel.registry.contracts().map(|c| c.kind).collect()
    }

    /// Counters and sizes at this moment.
    pub fn status(&self) -> SiloStatus {
        let kernel = &self.kernel;
        let directory = kernel.directory.lock();
        SiloStatus {
            view: kernel.view_version().0,
            activations: kernel.catalog.len(),
            entries: directory.core.entry_count(),
            held: directory.held(),
            pending: kernel.pending.lock().open(),
            forwarded: kernel.forwarded.lock().len(),
            parked: kernel.parked.lock().len(),
            early: kernel.early.len(),
            timers: kernel.timers.len(),
            letters: kernel.letters.load(Ordering::Relaxed),
            unsaved: kernel.registry.unsaved(),
            routes: kernel.routes.lock().len(),
            turns: kernel.stats.turns.load(Ordering::Relaxed),
            commits: kernel.stats.commits.load(Ordering::Relaxed),
            dead_letters: kernel.stats.dead_letters.load(Ordering::Relaxed),
            frames_refused: kernel.stats.frames_refused.load(Ordering::Relaxed),
            lease_valid: kernel.lease.valid(kernel.env.clock.now()),
            serving: kernel.phase() == Phase::Running,
        }
    }

    /// What it does about the reminders of its shards.
    pub fn reminders(&self) -> quark_core::reminder::Counts {
        self.kernel.reminders.counts()
    }

    /// Where this silo's directory says that an actor lives, if it owns its range and knows.
    pub fn locate(&self, actor: &ActorId) -> Option<SiloId> {
        match self.kernel.directory.lock().core.resolve(actor) {
            quark_core::directory::Resolution::At { silo, .. } => Some(silo),
            _ => None,
        }
    }

    /// What this silo's directory says of the ranges that it owns: who lives where.
    pub fn entries(&self) -> Vec<(ActorId, SiloId)> {
        let directory = self.kernel.directory.lock();
        directory.core.entries().map(|(actor, place)| (actor.clone(), place.silo)).collect()
    }

    /// Asks an actor whether it answers, and nothing else: it is activated if it has to be, waits for its turn, and none of
    /// its methods runs.
    ///
    /// Errors: why it does not answer.
    pub async fn ping(&self, actor: &ActorId, deadline: Duration) -> Result<(), Failure> {
        let request = CallRequest {
            actor: actor.clone(),
            method: PING,
            method_name: "a ping",
            shared: false,
            args: Bytes::new(),
            deadline: Some(deadline),
            idempotency: None,
            headers: Vec::new(),
        };
        match Scope::of_silo(self.kernel.clone()).ask(request).await {
            Ok(_) => Ok(()),
            Err(Outcome::Failed(failure)) => Err(failure),
            Err(Outcome::App(_)) => {
                Err(Failure::Incompatible { reason: format!("{actor} answered a ping as no actor does") })
            }
        }
    }

    /// Ends every activation here that is idle now, as if it had been idle for long. Returns how many end. Nothing is lost:
    /// the next call brings an actor back.
    pub fn collect(&self) -> usize {
        self.kernel.collect_now()
    }

    /// The actors that are active here.
    pub fn activations(&self) -> Vec<ActorId> {
        self.kernel.catalog.all().iter().map(|a| a.id.clone()).collect()
    }

    /// Whether it has stopped, and why.
    pub fn stopped(&self) -> Option<String> {
        self.kernel.is_stopped().then(|| self.kernel.stop_reason.lock().clone().unwrap_or_default())
    }

    /// Waits until it has stopped, by order or because it had to.
    pub async fn wait_stopped(&self) -> String {
        loop {
            let stopped = self.kernel.stopped.notified();
            if let Some(reason) = self.stopped() {
                return reason;
            }
            stopped.await;
        }
    }

    /// Stops in order: takes nothing new, hands its ranges over, lets running turns end and activations run their
    /// hooks, leaves the table. What is not done within the shutdown timeout is abandoned, which loses no
    /// acknowledged write.
    pub async fn stop(&self) {
        let kernel = &self.kernel;
        if !kernel.enter(Phase::Draining) {
            return;
        }
        let until = kernel.env.clock.now() + kernel.config.shutdown_timeout;
        let membership = kernel.membership.get().expect("a running silo has a membership").clone();
        // A store in the dark never says that we drain.
        let patience = kernel.env.clock.sleep_until(until);
        if let Either::Right(_) = select(Box::pin(membership.drain()), patience).await {
            reached!("silo.drained_in_the_dark");
        }
        self.wait_empty(until, || kernel.directory.lock().core.is_drained()).await;
        // From here on nothing new is taken, and what was on its way when the others learnt it comes back to them.
        kernel.enter(Phase::Leaving);
        let received = || kernel.stats.received.load(Ordering::Relaxed);
        let (mut last, mut quiet_since) = (received(), kernel.env.clock.now());
        self.wait_empty(until, || {
            let now = kernel.env.clock.now();
            if received() != last {
                (last, quiet_since) = (received(), now);
            }
            now.since(quiet_since) >= QUIET_BEFORE_LEAVING
        })
        .await;
        membership.leave().await;
        kernel.halt("left in order");
        for task in kernel.tasks.lock().drain(..) {
            task.abort();
        }
    }
}

impl Silo {
    /// Waits until nothing is hosted or pending here and `ready` says so, or the time is up.
    async fn wait_empty(&self, until: Instant, mut ready: impl FnMut() -> bool) {
        let kernel = &self.kernel;
        let mut pause = Duration::from_millis(10);
        loop {
            kernel.retire_all();
            let is_empty = kernel.catalog.len() == 0 && kernel.pending.lock().open() == 0;
            let now = kernel.env.clock.now();
            if (is_empty && ready()) || now >= until || kernel.is_stopped() {
                return;
            }
            kernel.env.clock.sleep_until(now + pause).await;
            pause = (pause * 2).min(Duration::from_millis(100));
        }
    }
}

/// How long no call may have arrived before a silo leaves: longer than a frame is usually under way.
const QUIET_BEFORE_LEAVING: Duration = Duration::from_millis(250);

/// Numbers for people and dashboards.
#[derive(Clone, PartialEq, Eq, Debug, Default, serde::Serialize)]
pub struct SiloStatus {
    /// The view's version.
    pub view: u64,
    /// Activations here.
    pub activations: usize,
    /// Directory entries kept here.
    pub entries: usize,
    /// Requests that wait for a range.
    pub held: usize,
    /// Calls issued here that wait for their outcome.
    pub pending: usize,
    /// Calls sent on for others and remembered.
    pub forwarded: usize,
    /// Replies to silos that no view has shown yet.
    pub parked: usize,
    /// Messages that wait for an earlier one of their sender.
    pub early: usize,
    /// Volatile timers that wait for their time.
    pub timers: usize,
    /// Letters of activations here that nobody has taken yet.
    pub letters: usize,
    /// Activations of kinds with `write_behind` that owe the store a commit: what a crash now would lose something of.
    pub unsaved: usize,
    /// Route hints.
    pub routes: usize,
    /// Turns run since the start.
    pub turns: u64,
    /// Commits since the start.
    pub commits: u64,
    /// Messages dropped with a reason since the start.
    pub dead_letters: u64,
    /// Frames refused since the start.
    pub frames_refused: u64,
    /// Whether turns may run.
    pub lease_valid: bool,
    /// Whether new activations are taken.
    pub serving: bool,
}

/// Issues calls. Cheap to clone; references made from it do no I/O until they are called.
#[derive(Clone)]
pub struct Client {
    pub(crate) issuer: Arc<dyn Issuer>,
}

impl Client {
    /// A reference to an actor of the default tenant.
    ///
    /// Panics: if the key is longer than [`ActorId::KEY_BYTES_MAX`]; [`Client::try_actor`] returns an error.
    pub fn actor<A: Actor>(&self, key: &str) -> A::Ref {
        self.try_actor::<A>(key).expect("the key fits the limit")
    }

    /// As [`Client::actor`], for keys that come from outside.
    pub fn try_actor<A: Actor>(&self, key: &str) -> Result<A::Ref, ActorIdError> {
        Ok(A::reference(self.handle(ActorId::new(A::KIND, key)?)))
    }

    /// An untyped reference.
    pub fn handle(&self, id: ActorId) -> ActorHandle {
        ActorHandle::new(self.issuer.clone(), id)
    }
}

/// Ends calls at their deadlines and drops what is past them.
async fn sweep(kernel: Arc<Kernel>) {
    while !kernel.is_stopped() {
        if !buggify!(kernel.env.entropy, "sweeps_for_nothing") {
            kernel.sweeper.wait(&kernel.env.clock).await;
        }
        let now = kernel.env.clock.now();
        if let Some(next) = kernel.sweep(now) {
            kernel.sweeper.wake_by(next);
        }
    }
}

/// Collects idle activations, a few times per idle period.
async fn collect(kernel: Arc<Kernel>) {
    let period = (kernel.config.idle_after / 4).max(Duration::from_millis(100));
    while !kernel.is_stopped() {
        let next = kernel.env.clock.now() + period;
        kernel.env.clock.sleep_until(next).await;
        kernel.collect_idle(kernel.env.clock.now());
    }
}
