//! The loop: run whoever can run, else let time jump to the next event.

use crate::choice::Purpose;
use crate::config::Scheduler;
use crate::queue::Event;
use crate::spread::scale;
use crate::state::{Shared, State};
use crate::task::{MAIN_SLOT, TaskRef, TaskWake};
use crate::trace::TraceKind;
use crate::tripwire;
use std::sync::{Arc, MutexGuard};
use std::task::{Context, Poll, Waker};

/// Why the loop stopped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stopped {
    /// The main future completed.
    Done,
    /// True time reached the limit.
    Limit,
    /// Nothing can ever happen again.
    Idle,
}

/// The future that lives on the stack of whoever runs the world.
pub(crate) struct Main<'a> {
    pub(crate) poll: &'a mut dyn FnMut(&mut Context<'_>) -> bool,
    pub(crate) wake: Arc<TaskWake>,
    pub(crate) waker: Waker,
    pub(crate) serial: u32,
}

/// Runs until `main` is done, true time would pass `limit_ns`, or nothing is left to happen.
pub(crate) fn run(shared: &Arc<Shared>, limit_ns: u64, mut main: Option<&mut Main<'_>>) -> Stopped {
    let _footer = Footer(shared);
    let main_serial = main.as_ref().map(|main| main.serial);
    let mut woken = Vec::new();
    let mut wakes = Vec::new();
    let mut state = shared.lock();
    loop {
        shared.woken.swap(&mut woken);
        for task in woken.drain(..) {
            state.ready(task, main_serial);
        }
        if !state.graveyard.is_empty() {
            let dead = std::mem::take(&mut state.graveyard);
            drop(state);
            drop(dead);
            state = shared.lock();
            continue;
        }
        if let Some((node, slot)) = state.pick() {
            let (guard, is_done) = poll_task(shared, state, node, slot, main.as_deref_mut());
            state = guard;
            if is_done {
                return Stopped::Done;
            }
            continue;
        }
        // Nobody can run: time passes. Events that wake nobody are dealt with in one go.
        loop {
            let Some(at) = state.queue.next_at() else { return Stopped::Idle };
            if at > limit_ns {
                state.pass(limit_ns);
                return Stopped::Limit;
            }
            let (at, event) = state.queue.pop().expect("there is a next event");
            state.apply(at, event);
            if !state.wakes.is_empty() || !state.runnable.is_empty() {
                break;
            }
        }
        if !state.wakes.is_empty() {
            std::mem::swap(&mut state.wakes, &mut wakes);
            drop(state);
            wakes.drain(..).for_each(Waker::wake);
            state = shared.lock();
        }
    }
}

fn poll_task<'a>(
    shared: &'a Arc<Shared>,
    mut state: MutexGuard<'a, State>,
    node: u32,
    slot: u32,
    main: Option<&mut Main<'_>>,
) -> (MutexGuard<'a, State>, bool) {
    let is_armed = state.config.tripwire;
    if slot == MAIN_SLOT {
        let main = main.expect("only a main future is listed under the main slot");
        state.begin_poll(node, "main", 0);
        drop(state);
        main.wake.rearm();
        let mut cx = Context::from_waker(&main.waker);
        let (is_done, tripped) = tripwire::watch(is_armed, || (main.poll)(&mut cx));
        let mut state = shared.lock();
        check_tripwire(&state, node, "main", tripped);
        state.end_poll(node);
        return (state, is_done);
    }
    let task = state.tasks.get_mut(slot).expect("a ready task exists");
    let (serial, name, name_hash) = (task.serial, task.name, task.name_hash);
    let mut body = task.body.take().expect("a ready task is not being polled");
    if task.is_aborted {
        state.tasks.remove(slot);
        state.end_poll(node);
        drop(state);
        drop(body);
        return (shared.lock(), false);
    }
    state.begin_poll(node, name, name_hash);
    drop(state);
    body.wake.rearm();
    let mut cx = Context::from_waker(&body.waker);
    let (poll, tripped) = tripwire::watch(is_armed, || body.future.as_mut().poll(&mut cx));
    let mut state = shared.lock();
    check_tripwire(&state, node, name, tripped);
    // Gone if the poll crashed its own node, or the world.
    let task = state.tasks.get_mut(slot).filter(|task| task.serial == serial);
    let dead = match (task, poll) {
        (Some(task), Poll::Pending) if !task.is_aborted => {
            task.body = Some(body);
            None
        }
        (Some(_), _) => {
            state.tasks.remove(slot);
            Some(body)
        }
        (None, _) => Some(body),
    };
    state.end_poll(node);
    if dead.is_some() {
        drop(state);
        drop(dead);
        state = shared.lock();
    }
    (state, false)
}

fn check_tripwire(state: &State, node: u32, task: &str, tripped: Option<tripwire::Trip>) {
    if let Some(trip) = tripped {
        let node = &state.nodes[node as usize].name;
        panic!("task `{task}` of node `{node}` left the simulation: it called {trip}");
    }
}

impl State {
    /// Moves a woken task to its node's ready set.
    fn ready(&mut self, task: TaskRef, main_serial: Option<u32>) {
        let node = if task.slot == MAIN_SLOT {
            // maybe: a wake of a main future that is long done.
            if main_serial != Some(task.serial) {
                return;
            }
            0
        } else {
            match self.tasks.get(task.slot) {
                Some(found) if found.serial == task.serial => found.node,
                _ => return,
            }
        };
        let found = &mut self.nodes[node as usize];
        self.effects.standstill += u64::from(found.pauses > 0);
        found.ready.push_back(task.slot);
        self.list(node);
    }

    /// Puts a node with ready tasks where it belongs: among those that can run, or behind its own processor.
    pub(crate) fn list(&mut self, at: u32) {
        let node = &mut self.nodes[at as usize];
        if node.ready.is_empty() || node.is_runnable || !node.may_run() {
            return;
        }
        if node.busy_until <= self.now {
            node.is_runnable = true;
            self.runnable.push_back(at);
        } else if !node.has_free_event {
            node.has_free_event = true;
            self.queue.push(node.busy_until, Event::NodeFree { node: at, incarnation: node.incarnation });
        }
    }

    fn pick(&mut self) -> Option<(u32, u32)> {
        if self.runnable.is_empty() {
            return None;
        }
        let at = match self.runnable.len() {
            1 => 0,
            many => self.choose_node(many),
        };
        let node = self.runnable.remove(at).expect("the choice is one of the options");
        self.nodes[node as usize].is_runnable = false;
        let at = match self.nodes[node as usize].ready.len() {
            1 => 0,
            many => self.choose_task(node, many),
        };
        let ready = &mut self.nodes[node as usize].ready;
        Some((node, ready.remove(at).expect("the choice is one of the options")))
    }

    fn choose_node(&mut self, options: usize) -> usize {
        self.node_picks += 1;
        let id = (Purpose::PickNode, 0, self.node_picks);
        let event = self.at();
        match self.config.scheduler {
            Scheduler::Fifo => self.choices.settle(event.1, id, 0) as usize,
            Scheduler::Random => self.choices.decide(event, id, options as u32) as usize,
            Scheduler::Pct { depth } => {
                let round = self.pct_round(id, depth);
                let first = (0..options).max_by_key(|at| {
                    self.choices.word(self.now, Purpose::Priority, u64::from(self.runnable[*at]), round)
                });
                self.choices.settle(event.1, id, first.unwrap_or(0) as u32) as usize
            }
        }
        .min(options - 1)
    }

    fn choose_task(&mut self, node: u32, options: usize) -> usize {
        let picks = &mut self.nodes[node as usize].picks;
        *picks += 1;
        let id = (Purpose::PickTask, u64::from(node), *picks);
        let event = self.at();
        match self.config.scheduler {
            Scheduler::Fifo => self.choices.settle(event.1, id, 0) as usize,
            Scheduler::Random => self.choices.decide(event, id, options as u32) as usize,
            Scheduler::Pct { depth } => {
                let round = self.pct_round(id, depth);
                let ready = &self.nodes[node as usize].ready;
                let priority = |at: &usize| {
                    let serial = self.tasks.get(ready[*at]).map_or(0, |task| u64::from(task.serial));
                    self.choices.word(self.now, Purpose::Priority, serial << 32 | u64::from(node), round)
                };
                let first = (0..options).max_by_key(priority);
                self.choices.settle(event.1, id, first.unwrap_or(0) as u32) as usize
            }
        }
        .min(options - 1)
    }

    /// Priorities hold for a round; `depth - 1` rounds end, at random, in ten thousand contested picks.
    fn pct_round(&mut self, id: crate::choice::ChoiceId, depth: u32) -> u64 {
        let changes = u64::from(depth.saturating_sub(1)).min(10_000);
        let word = self.choices.word(self.now, id.0, id.1, id.2);
        if scale(10_000, word) < changes {
            self.pct_rounds += 1;
        }
        self.pct_rounds
    }

    fn begin_poll(&mut self, node: u32, name: &str, name_hash: u64) {
        self.record(TraceKind::Poll, node, name_hash);
        self.polls += 1;
        self.polls_at_instant += 1;
        self.reads_in_poll = 0;
        let limit = self.config.polls_per_instant_max;
        assert!(
            self.polls_at_instant <= limit,
            "livelock: {limit} polls without time passing, the last one of task `{name}` of node `{}`",
            self.nodes[node as usize].name
        );
    }

    /// Charges the poll's cost; the node runs on when its processor is free again.
    fn end_poll(&mut self, at: u32) {
        let node = &mut self.nodes[at as usize];
        node.polls += 1;
        if node.is_charged {
            let word = self.choices.word(self.now, Purpose::Cost, u64::from(at), node.polls);
            let cost = self.config.cost.draw_ns(word);
            node.busy_until = self.now + cost * u64::from(node.slowness_milli) / 1000;
            self.effects.slow_polls += u64::from(node.slowness_milli > 1000);
        }
        self.list(at);
    }

    pub(crate) fn pass(&mut self, to: u64) {
        assert!(to >= self.now, "time goes forward");
        if to != self.now {
            self.now = to;
            self.polls_at_instant = 0;
        }
    }

    fn apply(&mut self, at: u64, event: Event) {
        self.pass(at);
        match event {
            Event::Timer { timer, serial } => {
                if let Some((node, waker)) = self.fire_timer(timer, serial) {
                    self.record(TraceKind::Timer, node, 0);
                    self.wakes.push(waker);
                }
            }
            Event::NodeFree { node: at, incarnation } => {
                let node = &mut self.nodes[at as usize];
                if node.incarnation == incarnation {
                    node.has_free_event = false;
                    self.list(at);
                }
            }
            Event::Sent { path, lane, turn } => self.sent(path, lane, turn),
            Event::Deliver { flight } => self.deliver(flight),
            Event::Dial { link, serial } => self.dial(link, serial),
            Event::LinkCheck { link, serial } => self.check_link(link, serial),
            Event::Notice { notice } => self.notice_arrives(notice),
            Event::StoreApply { call } => self.store_apply(call),
            Event::StoreReply { call } => self.store_reply(call),
        }
    }
}

/// Prints, when a run fails, what is needed to see it again.
struct Footer<'a>(&'a Arc<Shared>);

impl Drop for Footer<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let state = self.0.lock();
            let now = quark_core::Instant(state.now);
            let branch = state.choices.branch().filter(|branch| branch.at_ns <= now.0);
            let branch = branch.map_or_else(String::new, |branch| {
                format!(", branch {} at {:?}", branch.seed, quark_core::Instant(branch.at_ns))
            });
            eprintln!(
                "simulation failed: seed {}{branch}, event {}, true time {now:?}",
                state.config.seed, state.trace.events,
            );
        }
    }
}
