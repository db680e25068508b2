//! What is on its way: messages between silos, requests to the store, and its answers.
//!
//! Each is a queue. What a transport promises holds here: order on the way from one silo to another, and none between
//! ways. The store may answer one silo's requests in any order.

use super::node::StoreMode;
use super::{MembershipWorld, Time};
use quark_core::SiloId;
use quark_core::membership::table::StoreFault;
use quark_core::membership::{Action, Input, MembershipMessage};
use std::collections::{BTreeMap, VecDeque};

/// A message under way.
#[derive(Clone, Hash)]
pub(super) struct Letter {
    from: SiloId,
    to: SiloId,
    message: MembershipMessage,
    since: Time,
}

/// Something between a silo and the store.
#[derive(Clone, Hash)]
pub(super) struct Errand<T> {
    by: SiloId,
    what: T,
    since: Time,
}

/// All of it.
#[derive(Clone, Hash, Default)]
pub(super) struct Traffic {
    letters: BTreeMap<(usize, usize), VecDeque<Letter>>,
    requests: BTreeMap<usize, VecDeque<Errand<Action>>>,
    answers: BTreeMap<usize, VecDeque<Errand<Input>>>,
}

impl Traffic {
    pub fn letters(&self) -> impl Iterator<Item = (usize, usize)> {
        self.letters.keys().copied()
    }

    pub fn requests(&self) -> impl Iterator<Item = usize> {
        self.requests.keys().copied()
    }

    /// Whom answers wait for, and how many.
    pub fn answers(&self) -> impl Iterator<Item = (usize, usize)> {
        self.answers.iter().map(|(at, queue)| (*at, queue.len()))
    }

    /// Whose traffic will have waited for longer than a probe can, if time moves on to then.
    pub fn held_up(&self, now: Time, then: Time) -> Vec<usize> {
        let late = |since: Time| then > now && then > since + LATE;
        let letters = self.letters.iter().filter(|(_, q)| q.iter().any(|l| late(l.since)));
        let requests = self.requests.iter().filter(|(_, q)| q.iter().any(|r| late(r.since)));
        let answers = self.answers.iter().filter(|(_, q)| q.iter().any(|a| late(a.since)));
        let ends = letters.flat_map(|((from, to), _)| [*from, *to]);
        ends.chain(requests.map(|(at, _)| *at)).chain(answers.map(|(at, _)| *at)).collect()
    }

    /// What is under way to and from the store, for people.
    fn describe(&self) -> String {
        let requests = self.requests.values().flatten().map(|r| format!("{} asks {:?}", r.by, r.what));
        let answers = self.answers.values().flatten().map(|a| format!("{} is to hear {:?}", a.by, a.what));
        requests.chain(answers).collect::<Vec<_>>().join("; ")
    }

    pub fn lose(&mut self, from: usize, to: usize) {
        drop(pop(&mut self.letters, (from, to)));
    }

    /// A link breaks, and what was on it is gone.
    pub fn cut(&mut self, at: usize) {
        self.letters.retain(|(from, to), _| *from != at && *to != at);
    }

    /// The process is gone: nobody waits for its answers. What it has sent is still on its way.
    pub fn forget(&mut self, at: usize) {
        self.answers.remove(&at);
    }
}

fn pop<K: Ord + Copy, V>(queues: &mut BTreeMap<K, VecDeque<V>>, key: K) -> Option<V> {
    let queue = queues.get_mut(&key)?;
    let first = queue.pop_front();
    if queue.is_empty() {
        queues.remove(&key);
    }
    first
}

impl MembershipWorld {
    /// Does what a core asks for. Nothing arrives by that.
    pub(super) fn perform(&mut self, at: usize, action: Action) {
        let (now, id) = (self.now, self.nodes[at].id.expect("it has started"));
        match action {
            Action::ReadTable { .. } | Action::ReadLease { .. } | Action::Commit { .. } => {
                let errand = Errand { by: id, what: action, since: now };
                self.traffic.requests.entry(at).or_default().push_back(errand);
            }
            Action::Send { to, msg } => {
                let peer = self.place(to.name);
                self.eye.sent(&msg);
                if !self.cut.contains(&at) && !self.cut.contains(&peer) {
                    let letter = Letter { from: id, to, message: msg, since: now };
                    self.traffic.letters.entry((at, peer)).or_default().push_back(letter);
                }
            }
            Action::Publish(view) => self.published(at, view),
            Action::LeaseHeld { until } => {
                assert!(until > self.nodes[at].local(now), "a lease that is held has not ended");
            }
            Action::Stop { .. } => self.node(at).stopped = true,
            Action::LeaseLost | Action::Joined { .. } | Action::Forget { .. } | Action::Draining => {}
        }
    }

    /// The first message of a way arrives.
    pub(super) fn deliver(&mut self, from: usize, to: usize) {
        let Some(letter) = pop(&mut self.traffic.letters, (from, to)) else { return };
        let meant = self.nodes[to].id == Some(letter.to);
        if meant {
            self.step(to, Input::Message { from: letter.from, msg: letter.message });
        }
    }

    /// The store does what it was asked first.
    pub(super) fn write(&mut self, at: usize) {
        let Some(request) = pop(&mut self.traffic.requests, at) else { return };
        let answer = self.done(&request.what);
        self.post_answer(at, request.by, answer);
    }

    /// The outcome of what was asked first is lost on its way: it may have been done, or not.
    pub(super) fn fail(&mut self, at: usize, written: bool) {
        let Some(request) = pop(&mut self.traffic.requests, at) else { return };
        if written {
            drop(self.done(&request.what));
        }
        let answer = refused(&request.what, &StoreFault::Indeterminate("lost".into()));
        self.post_answer(at, request.by, answer);
    }

    fn post_answer(&mut self, at: usize, by: SiloId, answer: Input) {
        if self.nodes[at].id == Some(by) && self.nodes[at].core.is_some() {
            let errand = Errand { by, what: answer, since: self.now };
            self.traffic.answers.entry(at).or_default().push_back(errand);
        }
    }

    /// An answer of the store arrives: the one that has waited longest, or the newest.
    pub(super) fn answer(&mut self, at: usize, newest: bool) {
        let Some(queue) = self.traffic.answers.get_mut(&at) else { return };
        let errand = if newest { queue.pop_back() } else { queue.pop_front() };
        if queue.is_empty() {
            self.traffic.answers.remove(&at);
        }
        if let Some(errand) = errand {
            self.step(at, errand.what);
        }
    }

    fn done(&mut self, action: &Action) -> Input {
        match action {
            Action::Commit { request, change } => {
                Input::Committed { request: *request, result: self.store.commit(change) }
            }
            Action::ReadTable { request, known } => {
                let news = self.store.table().filter(|table| Some(table.view.version) != *known);
                Input::TableRead { request: *request, result: Ok(news) }
            }
            Action::ReadLease { request, name } => {
                Input::LeaseRead { request: *request, result: Ok(self.store.lease(*name)) }
            }
            other => panic!("{other:?} is nothing for a store"),
        }
    }

    /// Lets everything arrive that can, until nothing is left: messages first, each way in its turn.
    pub(super) fn let_arrive(&mut self) {
        for round in 0.. {
            assert!(round < 1000, "they never stop talking: {}", self.traffic.describe());
            let mut moved = false;
            let awake = |at: usize| !self.nodes[at].paused;
            let ways: Vec<(usize, usize)> = self.traffic.letters().filter(|(_, to)| awake(*to)).collect();
            for (from, to) in ways {
                self.deliver(from, to);
                moved = true;
            }
            let asking: Vec<usize> = self.traffic.requests().collect();
            for at in asking {
                match self.nodes[at].mode {
                    StoreMode::Late => continue,
                    StoreMode::Dark => drop(pop(&mut self.traffic.requests, at)),
                    StoreMode::Fine | StoreMode::Slow => self.write(at),
                }
                moved = true;
            }
            let waiting: Vec<usize> = self.traffic.answers().map(|(at, _)| at).collect();
            for at in waiting {
                if self.nodes[at].mode == StoreMode::Fine && !self.nodes[at].paused {
                    self.answer(at, false);
                    moved = true;
                }
            }
            if !moved {
                return;
            }
        }
    }
}

fn refused(action: &Action, fault: &StoreFault) -> Input {
    match action {
        Action::Commit { request, .. } => Input::Committed { request: *request, result: Err(fault.clone()) },
        Action::ReadTable { request, .. } => {
            Input::TableRead { request: *request, result: Err(fault.clone()) }
        }
        Action::ReadLease { request, .. } => {
            Input::LeaseRead { request: *request, result: Err(fault.clone()) }
        }
        other => panic!("{other:?} is nothing for a store"),
    }
}

/// Whatever waits for longer may make a probe go unanswered.
const LATE: Time = 100 * super::MS;
