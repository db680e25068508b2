//! The world as one process on one node sees it.

use crate::choice::{Purpose, key};
use crate::net::SimTransport;
use crate::node::NodeId;
use crate::state::Shared;
use crate::task::TaskRef;
use crate::timer::SimSleep;
use crate::trace::TraceKind;
use quark_core::handshake::{self, Hello};
use quark_core::{Instant, SiloId, WallTime, hash};
use quark_env::{BoxFuture, Clock, Entropy, Env, Sleep, Spawner, TaskHandle};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use std::sync::Arc;

/// One incarnation of a node's process: its clock, spawner, entropy and store, and the door to the network.
///
/// When the incarnation ends, everything asked through its hosts is ignored: sends fail, operations never complete,
/// spawned tasks are dropped. So destructors that run after a power loss cannot act on the world.
#[derive(Clone)]
pub struct Host {
    pub(crate) shared: Arc<Shared>,
    pub(crate) node: u32,
    pub(crate) incarnation: u32,
}

impl Host {
    /// Which node this is.
    pub fn node(&self) -> NodeId {
        NodeId(self.node)
    }

    /// Which of the node's processes this is, counted from 1.
    pub fn incarnation(&self) -> u32 {
        self.incarnation
    }

    /// Where the node's transport listens: its name and a port.
    pub fn address(&self) -> String {
        format!("{}:11111", self.shared.lock().nodes[self.node as usize].name)
    }

    /// The whole environment, under this identity. Opens a transport; an earlier one of the node is closed.
    pub fn env(&self, silo: SiloId) -> Env {
        let host = Arc::new(self.clone());
        Env {
            clock: host.clone(),
            spawner: host.clone(),
            entropy: host.clone(),
            transport: Arc::new(self.transport(Identity::new(silo))),
            store: host,
        }
    }

    /// Opens a transport under this identity; an earlier one of the node is closed.
    pub fn transport(&self, identity: Identity) -> SimTransport {
        SimTransport::open(self, identity)
    }

    /// Starts a task on this node.
    pub fn spawn(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) -> TaskHandle {
        self.spawn_boxed(name, Box::pin(task))
    }
}

/// What a transport says of itself in a handshake.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Identity {
    /// Who it is.
    pub silo: SiloId,
    /// Which cluster it belongs to; others are refused.
    pub cluster: String,
    /// The oldest and the newest protocol it speaks; without a common one it is refused.
    pub protocols: (u16, u16),
    /// A digest of the contracts it hosts; 0 accepts any, else a different one is refused.
    pub contract_digest: u64,
}

impl Identity {
    /// A peer of the cluster `sim` that speaks this version's protocols and accepts any contract.
    pub fn new(silo: SiloId) -> Self {
        let protocols = (handshake::PROTOCOL_MIN, handshake::PROTOCOL);
        Self { silo, cluster: "sim".to_owned(), protocols, contract_digest: 0 }
    }

    /// What it says first.
    pub(crate) fn hello(&self) -> Hello {
        let (protocol_min, protocol_max) = self.protocols;
        Hello { protocol_min, protocol_max, ..Hello::new(&self.cluster, self.silo, self.contract_digest) }
    }
}

impl Clock for Host {
    fn now(&self) -> Instant {
        let mut state = self.shared.lock();
        // The one sign of life that a loop without an await point gives: the executor never gets its turn again.
        state.reads_in_poll += 1;
        assert!(
            state.reads_in_poll <= state.config.reads_per_poll_max,
            "livelock: a poll on node `{}` has read the clock {} times",
            state.nodes[self.node as usize].name,
            state.config.reads_per_poll_max
        );
        state.feel_pace(self.node);
        state.nodes[self.node as usize].clock.mono(state.now)
    }

    fn wall(&self) -> WallTime {
        let mut state = self.shared.lock();
        let clock = state.nodes[self.node as usize].clock;
        state.effects.wall_stepped += u64::from(clock.is_stepped());
        state.effects.wall_slewed += u64::from(clock.is_slewed());
        clock.wall(state.now)
    }

    fn sleep_until(&self, at: Instant) -> Sleep {
        Box::pin(SimSleep::new(self.shared.clone(), self.node, self.incarnation, at))
    }
}

impl Spawner for Host {
    fn spawn_boxed(&self, name: &'static str, task: BoxFuture<'static, ()>) -> TaskHandle {
        let mut state = self.shared.lock();
        if !state.is_current(self.node, self.incarnation) {
            drop(state);
            drop(task);
            return TaskHandle::detached();
        }
        let task = state.add_task(self.node, name, task, &self.shared.woken);
        let shared = self.shared.clone();
        TaskHandle::new(move || abort(&shared, task))
    }
}

/// Marks a task for dropping and lets the executor do it, where its destructors meet no lock of the aborter's.
fn abort(shared: &Shared, task: TaskRef) {
    let mut state = shared.lock();
    let found = state.tasks.get_mut(task.slot).filter(|found| found.serial == task.serial);
    if let Some(found) = found
        && !std::mem::replace(&mut found.is_aborted, true)
    {
        // Without a body it is being polled right now and aborts itself: dropped after this poll.
        if let Some(body) = &found.body {
            body.waker.wake_by_ref();
        }
    }
}

impl Entropy for Host {
    fn fill(&self, stream: &'static str, out: &mut [u8]) {
        let mut state = self.shared.lock();
        let state = &mut *state;
        let seed = state.choices.seed_at(state.now);
        let node = &mut state.nodes[self.node as usize];
        // A branch with another seed draws from other streams; one with the same seed goes on where it was.
        let rng = node.streams.entry((stream, seed)).or_insert_with(|| {
            // Keyed by node, incarnation and stream: a reborn process draws other numbers, and nobody else notices.
            let entity =
                hash::point_in(u64::from(self.node) << 32 | u64::from(self.incarnation), stream.as_bytes());
            let mut leaf = [0; 32];
            for (counter, part) in leaf.chunks_exact_mut(8).enumerate() {
                part.copy_from_slice(&key(seed, Purpose::Entropy, entity, counter as u64).to_le_bytes());
            }
            ChaCha8Rng::from_seed(leaf)
        });
        rng.fill_bytes(out);
        let drawn = hash::point(out);
        state.trace.event(state.now, TraceKind::Entropy, self.node, drawn);
    }

    fn whim(&self, site: &'static str) -> bool {
        let mut state = self.shared.lock();
        if !state.config.buggify.sites.contains(site) {
            return false;
        }
        let passed = state.nodes[self.node as usize].whims.entry(site).or_default();
        *passed += 1;
        let entity = hash::point_in(u64::from(self.node), site.as_bytes());
        let (id, event) = ((Purpose::Whim, entity, *passed), state.at());
        let ppm = state.config.buggify.fires_ppm;
        let fires = state.choices.chance(event, id, ppm);
        let count = state.whims.entry(site).or_default();
        count.asked += 1;
        count.fired += u64::from(fires);
        fires
    }
}
