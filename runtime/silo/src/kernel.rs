//! The silo's insides, shared by all that it does. What each part does is in the file named after it.

use crate::catalog::Catalog;
use crate::config::SiloConfig;
use crate::early::{Early, Roads};
use crate::error::Failure;
use crate::filter::CallFilter;
use crate::forwarded::Forwarded;
use crate::lease::Lease;
use crate::losses::Losses;
use crate::membership::Handle;
use crate::observer::{Event, Observer};
use crate::parked::Parked;
use crate::pending::Pending;
use crate::placing::Directory;
use crate::registry::Registry;
use crate::reminders;
use crate::routes::Routes;
use crate::supervision::Supervision;
use crate::sweeper::Sweeper;
use crate::timers::Clockwork;
use parking_lot::Mutex;
use quark_core::ring::Ring;
use quark_core::view::View;
use quark_core::view_cell::ViewCell;
use quark_core::{SiloId, ViewVersion};
use quark_env::{Env, TaskHandle};
use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

/// Everything that a running silo is made of.
pub(crate) struct Kernel {
    pub id: SiloId,
    pub env: Env,
    pub config: SiloConfig,
    pub registry: Registry,
    pub filters: Vec<Arc<dyn CallFilter>>,
    pub observer: Option<Arc<dyn Observer>>,
    pub pending: Mutex<Pending>,
    pub sweeper: Sweeper,
    pub catalog: Catalog,
    pub routing: ViewCell<Routing>,
    pub directory: Mutex<Directory>,
    pub directory_clock: Sweeper,
    pub routes: Mutex<Routes>,
    pub forwarded: Mutex<Forwarded>,
    pub parked: Mutex<Parked>,
    pub roads: Mutex<Roads>,
    pub early: Early,
    pub reminders: reminders::Service,
    pub timers: Arc<Clockwork>,
    /// Those of all activations here that nobody has taken yet.
    pub letters: Arc<AtomicUsize>,
    /// Whether the store may have lost something.
    pub losses: Arc<Losses>,
    pub lease: Lease,
    pub supervision: Mutex<Supervision>,
    pub membership: OnceLock<Handle>,
    pub tasks: Mutex<Vec<TaskHandle>>,
    pub stats: Stats,
    pub activations_made: AtomicU64,
    phase: AtomicU8,
    pub stopped: tokio::sync::Notify,
    pub stop_reason: Mutex<Option<String>>,
}

/// A view and its ring: one immutable thing, so that a reader never sees a ring of another view.
pub(crate) struct Routing {
    pub view: Arc<View>,
    pub ring: Arc<Ring>,
}

/// Counters for people; no decision reads them.
#[derive(Default)]
pub(crate) struct Stats {
    pub turns: AtomicU64,
    pub commits: AtomicU64,
    pub received: AtomicU64,
    pub dead_letters: AtomicU64,
    pub frames_refused: AtomicU64,
}

/// Where the silo is in its life.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub(crate) enum Phase {
    Starting = 0,
    Running = 1,
    /// Takes calls, but keeps nothing: what it hosts ends, what it owns moves.
    Draining = 2,
    /// Takes no call any more; what still arrives is sent back unexecuted.
    Leaving = 3,
    Stopped = 4,
}

impl Kernel {
    pub fn new(
        id: SiloId,
        env: Env,
        config: SiloConfig,
        registry: Registry,
        filters: Vec<Arc<dyn CallFilter>>,
        observer: Option<Arc<dyn Observer>>,
        losses: Arc<Losses>,
    ) -> Self {
        let routing = Routing { view: Arc::default(), ring: Arc::new(Ring::build([])) };
        Self {
            id,
            pending: Mutex::new(Pending::new(config.pending_max)),
            sweeper: Sweeper::default(),
            catalog: Catalog::default(),
            routing: ViewCell::new(Arc::new(routing)),
            directory: Mutex::new(Directory::new(id, config.held_max)),
            directory_clock: Sweeper::default(),
            routes: Mutex::new(Routes::new(config.routes_max)),
            forwarded: Mutex::default(),
            parked: Mutex::default(),
            roads: Mutex::default(),
            early: Early::default(),
            reminders: reminders::Service::default(),
            timers: Arc::new(Clockwork::new(env.clock.now())),
            letters: Arc::default(),
            losses,
            lease: Lease::default(),
            supervision: Mutex::default(),
            membership: OnceLock::new(),
            tasks: Mutex::default(),
            stats: Stats::default(),
            activations_made: AtomicU64::new(0),
            phase: AtomicU8::new(Phase::Starting as u8),
            stopped: tokio::sync::Notify::new(),
            stop_reason: Mutex::new(None),
            env,
            config,
            registry,
            filters,
            observer,
        }
    }

    pub fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Acquire) {
            0 => Phase::Starting,
            1 => Phase::Running,
            2 => Phase::Draining,
            3 => Phase::Leaving,
            _ => Phase::Stopped,
        }
    }

    /// Moves on in life; never back. `false` if it was there already.
    pub fn enter(&self, phase: Phase) -> bool {
        self.phase.fetch_max(phase as u8, Ordering::AcqRel) < phase as u8
    }

    pub fn is_stopped(&self) -> bool {
        self.phase() == Phase::Stopped
    }

    /// Whether this silo takes calls at all.
    pub fn check_serving(&self) -> Result<(), Failure> {
        match self.phase() {
            Phase::Running | Phase::Draining => Ok(()),
            Phase::Starting | Phase::Leaving | Phase::Stopped => Err(Failure::Stopping { silo: self.id }),
        }
    }

    /// Waits until the lease is proven; `false` if the silo stops instead.
    pub async fn lease_proven(&self) -> bool {
        std::future::poll_fn(|cx| {
            if self.is_stopped() {
                return std::task::Poll::Ready(false);
            }
            if self.lease.valid_or_wait(self.env.clock.now(), cx.waker()) {
                return std::task::Poll::Ready(true);
            }
            std::task::Poll::Pending
        })
        .await
    }

    #[inline]
    pub fn observe<'a>(&self, event: impl FnOnce() -> Event<'a>) {
        if let Some(observer) = &self.observer {
            observer.event(self.id, self.env.clock.now(), event());
        }
    }

    pub fn view_version(&self) -> ViewVersion {
        self.routing.load().view.version
    }

    pub fn is_dead_peer(&self, peer: SiloId) -> bool {
        self.routing.load().view.is_dead(peer)
    }
}
