//! The directory's state, its inputs and actions, and its clockwork.

use super::graces::Graces;
use super::handover::Session;
use super::host::Hosted;
use super::message::{DirectoryMessage, Place};
use super::notices::Notices;
use super::point_map::PointMap;
use super::span::Spans;
use super::token::Tokens;
use crate::view::{Status, View};
use crate::{ActorId, Instant, SiloId, ViewVersion, reached};
use serde::Serialize;
use serde::ser::{SerializeTuple, Serializer};
use std::collections::BTreeMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

/// Who owns which points of the ring: what the directory asks of a view's ring.
///
/// A trait, so that a test can draw a ring of three ranges by hand.
pub trait Owners: fmt::Debug + Send + Sync {
    /// The owner of a point; `None` when no silo is active.
    fn owner(&self, point: u64) -> Option<SiloId>;
    /// Every point that this silo owns.
    fn spans_of(&self, silo: SiloId) -> Spans;
}

/// The directory's numbers.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Config {
    /// The most entries in one message.
    pub chunk_entries_max: usize,
    /// How long an unanswered request waits before it is sent again; doubles after the third time.
    pub retry: Duration,
    /// The longest wait between two tries.
    pub retry_max: Duration,
    /// How long ranges that need recovery are collected, so that one round asks for all of them.
    pub collect: Duration,
    /// The least mean time between two questions of recovery. A round asks every host, so the rounds of a large cluster
    /// keep apart: where hundreds die within seconds, a silo gains a few ranges with each of them, and a round for each
    /// would be as many questions as the cluster has silos, squared, each time. A round that waits loses little, since
    /// a silent host would hold it up just as it holds up the one before it.
    pub question_every: Duration,
    /// How long before the end of the dead's grace a recovery begins: earlier would gain nothing, and ranges gained
    /// meanwhile join the same round.
    pub recovery_lead: Duration,
    /// The grace of a silo that vanished from the table without a row saying how long its lease may still run.
    pub lost_grace: Duration,
    /// How long given-away entries are kept for a requester that did not get the last page.
    pub given_keep: Duration,
    /// The most ended placements that a host remembers one by one.
    pub ended_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            chunk_entries_max: 256,
            retry: Duration::from_millis(250),
            retry_max: Duration::from_secs(2),
            collect: Duration::from_millis(10),
            question_every: Duration::from_millis(4),
            recovery_lead: Duration::from_secs(1),
            lost_grace: Duration::from_secs(4),
            given_keep: Duration::from_secs(30),
            ended_max: 4096,
        }
    }
}

/// What can happen to a directory.
#[derive(Clone, Debug)]
pub enum Input {
    /// The membership has a newer view. Older and equal ones are ignored.
    ViewChanged {
        /// The view.
        view: Arc<View>,
        /// Its ring: of the active members, and the same on every silo.
        ring: Arc<dyn Owners>,
    },
    /// Another silo's directory says something.
    Message {
        /// The incarnation that sent it, as the transport knows it.
        from: SiloId,
        /// What.
        message: DirectoryMessage,
    },
    /// The deadline has come.
    Timer,
}

/// What a directory wants done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Action {
    /// Send this; it may get lost.
    Send {
        /// The addressee.
        to: SiloId,
        /// What.
        message: DirectoryMessage,
    },
    /// Requests held for actors within these points should be resolved again: the points were unlocked or lost, or a
    /// dead silo's grace is over. Some may still have to wait.
    Unlocked {
        /// The points.
        spans: Spans,
    },
    /// End this activation without taking further turns, then call [`Directory::gone`]: another silo has a newer one.
    Evict {
        /// The actor.
        actor: ActorId,
        /// The placement that lost.
        registration: super::Registration,
    },
    /// A peer knows this view: read the membership table.
    ReadTable {
        /// At least this version is there.
        at_least: ViewVersion,
    },
}

/// A request of a later view than ours. It waits until we have seen that view.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize)]
pub(super) struct Held {
    pub peer: Peer,
    pub request: u64,
    pub since: ViewVersion,
    pub message: DirectoryMessage,
}

/// Who said something, and which way round a cut link an answer must go.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize)]
pub(super) struct Peer {
    pub silo: SiloId,
    pub via: Option<SiloId>,
}

/// One silo's directory: what it owns, what it gives away, and what it hosts.
///
/// Drive it from one place (a lock or a task): after every call, perform the actions in order, and call
/// [`step`](Self::step) with [`Input::Timer`] when [`next_deadline`](Self::next_deadline) has come.
#[derive(Clone, Debug)]
pub struct Directory {
    pub(super) me: SiloId,
    pub(super) config: Config,
    pub(super) view: Arc<View>,
    pub(super) ring: Option<Arc<dyn Owners>>,
    /// The active members of the view, for choosing a relay.
    pub(super) actives: Vec<SiloId>,
    /// The view knows this incarnation as dead: nothing is decided here any more.
    pub(super) stopped: bool,
    pub(super) graces: Graces,

    // As owner.
    pub(super) owned: Spans,
    /// The part of `owned` that is not locked.
    pub(super) open: Spans,
    pub(super) table: PointMap<Place>,
    pub(super) serial: u64,
    pub(super) sessions: BTreeMap<u64, Session>,
    pub(super) requests: u64,
    /// Locked, and to be recovered from the hosts with the next round.
    pub(super) recover: Spans,
    pub(super) recover_at: Instant,
    /// The view in which the last of them was gained.
    pub(super) recover_since: ViewVersion,
    /// No round begins before this.
    pub(super) next_round: Instant,
    /// Where the removal of entries of long dead silos goes on; `None` when there is nothing to remove.
    pub(super) sweep: Option<Option<ActorId>>,

    // As giver: what was owned and open, and is owned by another now.
    pub(super) tokens: Tokens,
    pub(super) released: PointMap<Place>,
    pub(super) given: Vec<(ViewVersion, Spans)>,

    // As host.
    pub(super) hosted: Hosted,

    pub(super) notices: Notices,
    pub(super) held: Vec<Held>,
}

/// Everything that decides what happens next, so that tests can walk through all that a directory may come to. The ring
/// follows from the view.
impl Hash for Directory {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // The field list of the struct, in its order.
        let Self { me, config: _, view, ring: _, actives: _, stopped, graces, .. } = self;
        (me, view.version, stopped, graces).hash(state);
        let Self { owned, open, table, serial, sessions, requests, .. } = self;
        (owned, open, table, serial, sessions, requests).hash(state);
        let Self { recover, recover_at, recover_since, next_round, sweep, .. } = self;
        (recover, recover_at, recover_since, next_round, sweep).hash(state);
        let Self { tokens, released, given, hosted, notices, held, .. } = self;
        (tokens, released, given, hosted, notices, held).hash(state);
    }
}

/// The same in the same order, for who has to see which of it are names and which are maps: a test that takes two states
/// that differ in the names of the silos alone for one. Nothing reads it back.
impl Serialize for Directory {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { me, config: _, view, ring: _, actives: _, stopped, graces, .. } = self;
        let Self { owned, open, table, serial, sessions, requests, .. } = self;
        let Self { recover, recover_at, recover_since, next_round, sweep, .. } = self;
        let Self { tokens, released, given, hosted, notices, held, .. } = self;
        let mut all = serializer.serialize_tuple(4)?;
        all.serialize_element(&(me, view.version, stopped, graces))?;
        all.serialize_element(&(owned, open, table, serial, sessions, requests))?;
        all.serialize_element(&(recover, recover_at, recover_since, next_round, sweep))?;
        all.serialize_element(&(tokens, released, given, hosted, notices, held))?;
        all.end()
    }
}

impl Directory {
    /// The directory of a silo that has not seen a view yet: it owns nothing and answers nobody.
    pub fn new(me: SiloId, config: Config) -> Self {
        assert!(config.chunk_entries_max > 0, "an empty chunk moves nothing");
        Self {
            me,
            config,
            view: Arc::default(),
            ring: None,
            actives: Vec::new(),
            stopped: false,
            graces: Graces::default(),
            owned: Spans::none(),
            open: Spans::none(),
            table: PointMap::default(),
            serial: 0,
            sessions: BTreeMap::new(),
            requests: 0,
            recover: Spans::none(),
            recover_at: Instant::NEVER,
            recover_since: ViewVersion(0),
            next_round: Instant::ZERO,
            sweep: None,
            tokens: Tokens::default(),
            released: PointMap::default(),
            given: Vec::new(),
            hosted: Hosted::default(),
            notices: Notices::default(),
            held: Vec::new(),
        }
    }

    /// Takes one input and appends what is to be done.
    ///
    /// `now` is this silo's monotonic clock. Messages are untrusted: what makes no sense is ignored.
    pub fn step(&mut self, now: Instant, input: Input, out: &mut Vec<Action>) {
        if self.stopped {
            return;
        }
        match input {
            Input::ViewChanged { view, ring } => self.view_changed(now, view, ring, out),
            Input::Message { from, message } => self.received(now, from, message, out),
            Input::Timer => {}
        }
        self.advance(now, out);
    }

    /// When [`Input::Timer`] is due.
    pub fn next_deadline(&self) -> Option<Instant> {
        if self.stopped {
            return None;
        }
        let mut next = self.notices.next_deadline();
        next = next.min(self.recover_at);
        for session in self.sessions.values() {
            next = next.min(session.next_deadline());
        }
        next = next.min(self.graces.next()).min(self.tokens.expires());
        if self.sweep.is_some() {
            next = Instant::ZERO;
        }
        (next != Instant::NEVER).then_some(next)
    }

    /// The version of the newest view seen.
    pub fn view_version(&self) -> ViewVersion {
        self.view.version
    }

    /// Asserts what must hold between any two steps. Costs time linear in everything kept.
    ///
    /// Panics: when it does not hold.
    pub fn check(&self) {
        let locked = self.sessions.values().fold(self.recover.clone(), |all, s| {
            assert!(!all.meets(&s.spans), "a range is handed over to {} twice at once", self.me);
            all.union(&s.spans)
        });
        assert!(!locked.meets(&self.open), "{} has an open range under a lock", self.me);
        assert_eq!(locked.union(&self.open), self.owned, "{}: owned is open or locked", self.me);
        assert!(self.table.iter().all(|(a, _)| self.open.contains(a.point())), "an entry in a closed range");
        assert!(self.recover.is_empty() || self.recover_at != Instant::NEVER, "a lock without a deadline");
        assert!(self.hosted.sealed <= self.view.version, "sealed for a view that was never seen");
        self.tokens.check();
        let kept = self.tokens.spans();
        assert!(!kept.meets(&self.owned), "{} owns what it is about to give away", self.me);
        assert!(self.released.iter().all(|(a, _)| kept.contains(a.point())), "an entry kept without a token");
        for session in self.sessions.values() {
            session.check();
            assert!(session.asked().all(|silo| self.is_alive(silo)), "an answer is awaited of the dead");
            assert!(session.since <= self.view.version, "a hand-over of a view that was never seen");
        }
    }

    fn received(&mut self, now: Instant, from: SiloId, message: DirectoryMessage, out: &mut Vec<Action>) {
        if self.view.is_dead(from) {
            reached!("directory.dead_refused");
            return;
        }
        let DirectoryMessage::Relay { origin, to, message } = message else {
            return self.deliver(now, Peer { silo: from, via: None }, message, out);
        };
        if matches!(*message, DirectoryMessage::Relay { .. }) || self.view.is_dead(origin) {
            return;
        }
        if to == self.me {
            self.deliver(now, Peer { silo: origin, via: Some(from) }, *message, out);
        } else if origin == from && self.is_alive(to) {
            reached!("directory.relayed");
            out.push(Action::Send { to, message: DirectoryMessage::Relay { origin, to, message } });
        }
    }

    pub(super) fn deliver(
        &mut self,
        now: Instant,
        peer: Peer,
        message: DirectoryMessage,
        out: &mut Vec<Action>,
    ) {
        use DirectoryMessage as M;
        if let M::Transfer { request, since, .. } | M::Recover { request, since, .. } = message
            && since > self.view.version
        {
            return self.hold(Held { peer, request, since, message }, out);
        }
        match message {
            M::Transfer { request, since, spans, page } => {
                self.transfer_asked(now, peer, request, since, &spans, &page, out);
            }
            M::Recover { request, since, spans, page } => {
                self.recovery_asked(peer, request, since, &spans, &page, out);
            }
            M::Transferred { request, page, entries, missing, more } => {
                self.transferred(now, peer, request, page, entries, &missing, more, out);
            }
            M::Hosting { request, page, hosted, more } => {
                self.hosting_told(now, peer, request, page, hosted, more, out);
            }
            M::Behind { request, view } => self.told_behind(now, peer, request, view, out),
            M::Ended { view, floor, ended } => self.ended_told(peer, view, floor, ended, out),
            M::Forgotten { ended } => self.notices.forgotten(&ended),
            M::Evict { actor, registration } => self.evict_asked(now, &actor, registration, out),
            // `received` has unwrapped the only layer that is allowed.
            M::Relay { .. } => {}
        }
    }

    /// Keeps a request of a later view until that view is here, so that it needs no second round.
    fn hold(&mut self, request: Held, out: &mut Vec<Action>) {
        reached!("directory.request_held");
        out.push(Action::ReadTable { at_least: request.since });
        self.held.retain(|h| h.peer.silo != request.peer.silo || h.request != request.request);
        if self.held.len() < HELD_MAX {
            // One that finds no room is not lost: its sender asks again.
            self.held.push(request);
        }
    }

    /// What is due by the clock, and what earlier steps have made possible.
    pub(super) fn advance(&mut self, now: Instant, out: &mut Vec<Action>) {
        if self.stopped {
            return;
        }
        if self.graces.end(now) {
            self.sweep = Some(None);
            // Whoever waits for one of the dead may be placed now.
            out.push(Action::Unlocked { spans: self.open.clone() });
        }
        if let Some(after) = self.sweep.take() {
            self.sweep_dead(after);
        }
        if !self.recover.is_empty() && self.recover_at <= now {
            self.start_recovery(now, out);
        }
        self.advance_sessions(now, out);
        self.expire_tokens(now);
        self.send_notices(now, out);
    }

    /// Whether this incarnation is a living member of our view.
    pub(super) fn is_alive(&self, silo: SiloId) -> bool {
        self.view.member(silo).is_some_and(|m| m.status != Status::Dead)
    }

    /// Sends by the way the peer's own message came.
    pub(super) fn answer(&self, peer: Peer, message: DirectoryMessage, out: &mut Vec<Action>) {
        self.send(peer.silo, peer.via, message, out);
    }

    pub(super) fn send(
        &self,
        to: SiloId,
        via: Option<SiloId>,
        message: DirectoryMessage,
        out: &mut Vec<Action>,
    ) {
        out.push(match via {
            None => Action::Send { to, message },
            Some(relay) => Action::Send {
                to: relay,
                message: DirectoryMessage::Relay { origin: self.me, to, message: Box::new(message) },
            },
        });
    }

    /// Which way the `tries`-th attempt to reach `to` goes: directly, and from the third on every other time through
    /// another silo, each time another one. One cut link must not keep a range locked.
    pub(super) fn way_to(&self, to: SiloId, tries: u32) -> Option<SiloId> {
        if tries < 2 || tries % 2 == 1 || self.actives.is_empty() {
            return None;
        }
        let start = (self.me.name.as_str().len() + tries as usize / 2) % self.actives.len();
        let relays = self.actives[start..].iter().chain(&self.actives[..start]);
        relays.copied().find(|relay| *relay != to && *relay != self.me)
    }

    /// How long to wait after the `tries`-th attempt.
    ///
    /// In a large cluster longer: there a view takes as much longer to be read by all, and a question of a view that
    /// has not been read waits at its addressee, where it needs no repetition.
    pub(super) fn patience(&self, tries: u32) -> Duration {
        let retry = self.config.retry * (1 + self.actives.len() as u32 / 500);
        (retry * (1 << tries.saturating_sub(2).min(8))).min(self.config.retry_max)
    }
}

const HELD_MAX: usize = 4096;
