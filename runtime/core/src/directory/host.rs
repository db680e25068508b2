//! The host's part: under which placements actors run here, and which are refused.

use super::core::{Action, Directory};
use super::message::{Place, Registration};
use super::point_map::PointMap;
use super::span::Spans;
use crate::view::Status;
use crate::{ActorId, Instant, ViewVersion, reached};
use serde::Serialize;
use std::collections::BTreeSet;
use std::time::Duration;

/// What a host says to a placement.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Hosting {
    /// Activate it. It counts as hosted from now on, until [`Directory::gone`].
    Accept,
    /// It is hosted under just this placement already.
    Already,
    /// Do not activate: the placement has ended, or its owner does not know what a newer owner has been told. The
    /// request goes back to the owner, who is told to place anew.
    Stale {
        /// The owner by our view, or a later view, knows better.
        view: ViewVersion,
    },
}

/// What this silo hosts, and what it will not host.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default, Serialize)]
pub(super) struct Hosted {
    running: PointMap<Registration>,
    /// Owners of older views have been left out of some answer: none of their placements is taken any more. One number
    /// for all ranges, though it concerns few: an owner of another range that lags behind has to learn the view first,
    /// which costs it one round; a map by range would cost every silo of a large cluster megabytes.
    pub sealed: ViewVersion,
    /// Placements that ended or were refused, with the actor's point: a late request must not bring them back.
    ended: BTreeSet<(Registration, u64)>,
    /// Placements up to this one are taken as ended: what no longer fits into `ended`.
    floor: Registration,
}

impl Hosted {
    pub fn get(&self, actor: &ActorId) -> Option<Registration> {
        self.running.get(actor).copied()
    }

    pub fn insert(&mut self, actor: &ActorId, registration: Registration) {
        self.running.insert(actor, registration);
    }

    pub fn is_empty(&self) -> bool {
        self.running.is_empty()
    }

    pub fn floor(&self) -> Registration {
        self.floor
    }

    pub fn chunk(
        &self,
        spans: &Spans,
        after: Option<&ActorId>,
        count: usize,
    ) -> (Vec<(ActorId, Registration)>, bool) {
        self.running.chunk(spans, after, count)
    }

    fn has_ended(&self, actor: &ActorId, registration: Registration) -> bool {
        registration <= self.floor || self.ended.contains(&(registration, actor.point()))
    }

    fn end(&mut self, actor: &ActorId, registration: Registration, ended_max: usize) {
        if registration <= self.floor {
            return;
        }
        self.ended.insert((registration, actor.point()));
        if self.ended.len() > ended_max {
            reached!("directory.host_floor_raised");
            let (lowest, _) = self.ended.pop_first().expect("it has just grown");
            self.floor = lowest;
        }
    }
}

impl Directory {
    /// Whether this silo may run an actor under a placement that a request brought: from the owner's
    /// [`assign`](Self::assign), or from [`Resolution::At`](super::Resolution::At).
    ///
    /// On `Accept` the actor counts as hosted, so the caller must activate it, or call [`gone`](Self::gone).
    pub fn host(
        &mut self,
        now: Instant,
        actor: &ActorId,
        registration: Registration,
        out: &mut Vec<Action>,
    ) -> Hosting {
        let stale = Hosting::Stale { view: self.view.version.max(registration.view) };
        if self.stopped {
            return stale;
        }
        if let Some(running) = self.hosted.get(actor) {
            if running == registration {
                return Hosting::Already;
            }
            if running > registration {
                return stale;
            }
            // maybe: legal when the owner has placed again after telling this silo to evict the older one, which still runs.
            self.refuse(now, actor, registration);
            return stale;
        }
        let serves = self.view.member(self.me).is_some_and(|m| m.status == Status::Active);
        let sealed = registration.view < self.hosted.sealed;
        let ours = Place { silo: self.me, registration };
        let unknown = self.open.contains(actor.point()) && self.table.get(actor) != Some(&ours);
        if !serves || sealed || unknown || self.hosted.has_ended(actor, registration) {
            reached!("directory.assignment_refused");
            self.refuse(now, actor, registration);
            return stale;
        }
        if registration.view > self.view.version {
            out.push(Action::ReadTable { at_least: registration.view });
        }
        self.hosted.insert(actor, registration);
        Hosting::Accept
    }

    /// Under which placement this silo hosts an actor.
    pub fn hosted(&self, actor: &ActorId) -> Option<Registration> {
        self.hosted.get(actor)
    }

    /// Everything that this silo hosts, in ring order. For checkers and diagnostics.
    pub fn hosted_actors(&self) -> impl Iterator<Item = (&ActorId, Registration)> {
        self.hosted.running.iter().map(|(actor, registration)| (actor, *registration))
    }

    /// How many activations this silo hosts.
    pub fn hosted_count(&self) -> usize {
        self.hosted.running.len()
    }

    /// An activation has taken its last turn. Its owner is told until it has forgotten the entry.
    ///
    /// A call for another registration than the one hosted does nothing.
    pub fn gone(&mut self, now: Instant, actor: &ActorId, registration: Registration) {
        if self.stopped || self.hosted.get(actor) != Some(registration) {
            return;
        }
        self.hosted.running.remove(actor);
        // Idle actors end in flocks: a moment's wait puts them into one message.
        self.refuse(now + ENDED_COLLECT, actor, registration);
    }

    /// Another silo's directory says that this activation lost against a newer one.
    pub(super) fn evict_asked(
        &mut self,
        now: Instant,
        actor: &ActorId,
        registration: Registration,
        out: &mut Vec<Action>,
    ) {
        if self.hosted.get(actor) == Some(registration) {
            reached!("directory.evicted");
            out.push(Action::Evict { actor: actor.clone(), registration });
        } else {
            self.refuse(now, actor, registration);
        }
    }

    /// Makes sure that a placement never runs here (again), and that its owner learns it.
    fn refuse(&mut self, tell_at: Instant, actor: &ActorId, registration: Registration) {
        self.hosted.end(actor, registration, self.config.ended_max);
        if !self.forget(actor, self.me, registration) {
            self.notices.ended(tell_at, actor, registration);
        }
    }
}

const ENDED_COLLECT: Duration = Duration::from_millis(5);
