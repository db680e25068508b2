//! Everything a world is, behind one lock.
//!
//! A world runs on one thread, so the lock is never contended; it exists because the traits of `quark-env` ask for
//! `Send + Sync`, and because it is cheaper than being clever. Two rules keep it safe: nobody polls, wakes or drops
//! foreign code while holding it, and the executor holds it whenever it is not polling.

use crate::choice::Choices;
use crate::config::Config;
use crate::deed::Deeds;
use crate::effects::Effects;
use crate::net::Net;
use crate::node::{Node, Pace};
use crate::pool::Pool;
use crate::queue::Queue;
use crate::store::StoreState;
use crate::task::{Body, Task, TaskRef, Woken};
use crate::timer::Timer;
use crate::trace::{Trace, TraceKind};
use crate::world::Whims;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

/// What all handles of one world share.
pub(crate) struct Shared {
    state: Mutex<State>,
    pub(crate) woken: Arc<Woken>,
}

impl Shared {
    pub(crate) fn new(config: Config) -> Arc<Self> {
        Arc::new(Self { state: Mutex::new(State::new(config)), woken: Arc::default() })
    }

    /// Changes the state, then wakes whom that woke.
    pub(crate) fn act<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        let mut state = self.lock();
        let result = change(&mut state);
        let wakes = std::mem::take(&mut state.wakes);
        drop(state);
        wakes.into_iter().for_each(Waker::wake);
        result
    }

    /// A poisoned lock is taken as it is: it happens only while a failed run is being torn down.
    #[inline]
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The world's state.
pub(crate) struct State {
    /// True time in nanoseconds.
    pub(crate) now: u64,
    pub(crate) config: Config,
    pub(crate) choices: Choices,
    pub(crate) deeds: Deeds,
    pub(crate) queue: Queue,
    pub(crate) trace: Trace,
    pub(crate) nodes: Vec<Node>,
    pub(crate) node_of: BTreeMap<String, u32>,
    /// Nodes with ready tasks that may run now, in the order in which they became so.
    pub(crate) runnable: VecDeque<u32>,
    pub(crate) tasks: Pool<Task>,
    pub(crate) timers: Pool<Timer>,
    pub(crate) net: Net,
    pub(crate) store: StoreState,
    /// Futures of crashed nodes, waiting to be dropped where no lock is held.
    pub(crate) graveyard: Vec<Body>,
    /// Whom the event in progress wakes, once the lock is released.
    pub(crate) wakes: Vec<Waker>,
    pub(crate) task_serial: u32,
    pub(crate) timer_serial: u32,
    pub(crate) node_picks: u64,
    pub(crate) pct_rounds: u64,
    pub(crate) polls: u64,
    pub(crate) polls_at_instant: u64,
    /// Clock readings since the present poll began.
    pub(crate) reads_in_poll: u64,
    /// The world is being dropped: nothing new is taken.
    pub(crate) is_closed: bool,
    /// What came of faults.
    pub(crate) effects: Effects,
    /// The sites of `buggify!` that are switched on and were passed.
    pub(crate) whims: BTreeMap<&'static str, Whims>,
}

impl State {
    fn new(config: Config) -> Self {
        let choices = Choices::new(config.seed, config.branch, config.replay.clone(), config.log_decisions);
        Self {
            now: 0,
            choices,
            deeds: Deeds::new(config.log_decisions),
            queue: Queue::default(),
            trace: Trace::new(config.trace_window.clone()),
            nodes: Vec::new(),
            node_of: BTreeMap::new(),
            runnable: VecDeque::new(),
            tasks: Pool::default(),
            timers: Pool::default(),
            net: Net::new(&config.network),
            store: StoreState::new(config.store),
            graveyard: Vec::new(),
            wakes: Vec::new(),
            task_serial: 0,
            timer_serial: 0,
            node_picks: 0,
            pct_rounds: 0,
            polls: 0,
            polls_at_instant: 0,
            reads_in_poll: 0,
            is_closed: false,
            effects: Effects::default(),
            whims: BTreeMap::new(),
            config,
        }
    }

    /// (true time, event number): what a choice is logged with.
    #[inline]
    pub(crate) fn at(&self) -> (u64, u64) {
        (self.now, self.trace.events)
    }

    #[inline]
    pub(crate) fn record(&mut self, kind: TraceKind, node: u32, payload: u64) {
        self.trace.event(self.now, kind, node, payload);
    }

    /// Whether this incarnation of a node still runs. Everything a dead one asks for is ignored.
    #[inline]
    pub(crate) fn is_current(&self, node: u32, incarnation: u32) -> bool {
        let node = &self.nodes[node as usize];
        node.is_up && node.incarnation == incarnation && !self.is_closed
    }

    /// Adds a task that is ready to run. The caller has checked that the node is up.
    pub(crate) fn add_task(
        &mut self,
        node: u32,
        name: &'static str,
        future: std::pin::Pin<Box<dyn Future<Output = ()> + Send>>,
        woken: &Arc<Woken>,
    ) -> TaskRef {
        self.task_serial = self.task_serial.wrapping_add(1);
        let serial = self.task_serial;
        let name_hash = quark_core::hash::point(name.as_bytes());
        let slot = self.tasks.insert(Task { node, serial, name, name_hash, is_aborted: false, body: None });
        let task = TaskRef { slot, serial };
        let body = Body::new(future, task, woken);
        body.waker.wake_by_ref();
        self.tasks.get_mut(slot).expect("just inserted").body = Some(body);
        self.record(TraceKind::Spawn, node, name_hash);
        task
    }

    /// A node reads its monotonic clock, or sleeps by it.
    #[inline]
    pub(crate) fn feel_pace(&mut self, node: u32) {
        match self.nodes[node as usize].pace {
            Pace::Usual => {}
            Pace::Odd => self.effects.rate_felt += 1,
            Pace::Frozen => self.effects.frozen_felt += 1,
        }
    }

    /// Drops a node's tasks (later, where no lock is held) and forgets what wanted to run.
    pub(crate) fn kill_tasks(&mut self, node: u32) {
        let own: Vec<u32> = self.tasks.iter().filter(|(_, t)| t.node == node).map(|(at, _)| at).collect();
        self.effects.tasks_killed += own.len() as u64;
        for at in own {
            // A task that crashes its own node is being polled right now: the executor finds its slot empty.
            let body = self.tasks.remove(at).and_then(|task| task.body);
            self.graveyard.extend(body);
        }
        self.nodes[node as usize].ready.clear();
        self.unlist(node);
    }

    /// Takes a node out of the list of those that can run.
    pub(crate) fn unlist(&mut self, node: u32) {
        if std::mem::take(&mut self.nodes[node as usize].is_runnable) {
            self.runnable.retain(|other| *other != node);
        }
    }
}
