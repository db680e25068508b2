//! The owner's part: where an actor is, where it goes, and that it has ended.

use super::core::{Action, Directory, Peer};
use super::graces::Graces;
use super::message::{DirectoryMessage, Place, Registration};
use super::point_map::PointMap;
use super::span::Spans;
use crate::view::{Status, View};
use crate::{ActorId, Instant, SiloId, ViewVersion, mutant, reached};

/// Where a request for an actor goes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Resolution {
    /// To the directory owner, if any silo is active.
    NotOwner {
        /// By our newest ring.
        owner: Option<SiloId>,
    },
    /// Nowhere yet: the range is being handed over. Hold the request until [`Action::Unlocked`](super::Action::Unlocked).
    Locked,
    /// Nowhere yet: the host is dead, and may still run what it hosted. Hold the request, as for `Locked`.
    Draining {
        /// When its last lease has surely ended.
        until: Instant,
    },
    /// To the host, with the registration. A host that does not run the actor under it yet begins to
    /// ([`Directory::host`]), so a lost first request does no harm.
    At {
        /// The host.
        silo: SiloId,
        /// What it hosts the actor under.
        registration: Registration,
    },
    /// To a silo of the caller's choice, after [`Directory::assign`].
    Vacant,
}

impl Directory {
    /// Where an actor is. The hot path of a call that misses every cache.
    pub fn resolve(&mut self, actor: &ActorId) -> Resolution {
        let point = actor.point();
        if !self.open.contains(point) {
            return if self.owned.contains(point) {
                Resolution::Locked
            } else {
                let owner = self.ring.as_ref().filter(|_| !self.stopped).and_then(|r| r.owner(point));
                Resolution::NotOwner { owner: owner.filter(|o| *o != self.me) }
            };
        }
        if self.stopped {
            return Resolution::NotOwner { owner: None };
        }
        let Some(&Place { silo, registration }) = self.table.get(actor) else {
            return match self.hosted.get(actor) {
                // It lost against another placement that has ended before it did; the next one has to wait for it.
                Some(registration) => Resolution::At { silo: self.me, registration },
                None => Resolution::Vacant,
            };
        };
        match fate(&self.view, &self.graces, silo) {
            Fate::Alive if mutant!("m01") => Resolution::Vacant,
            Fate::Alive => Resolution::At { silo, registration },
            Fate::Dying { until } => {
                reached!("directory.entry_draining");
                Resolution::Draining { until }
            }
            Fate::Gone => {
                self.table.remove(actor);
                Resolution::Vacant
            }
        }
    }

    /// Places a vacant actor on an active silo and writes its entry. On this silo it counts as hosted at once; another
    /// one hosts it when a request with the registration reaches it.
    ///
    /// Errors: what [`resolve`](Self::resolve) says when that is not `Vacant`, and `NotOwner` when the silo is not
    /// active in our view. Nothing happened then.
    pub fn assign(&mut self, actor: &ActorId, silo: SiloId) -> Result<Registration, Resolution> {
        match self.resolve(actor) {
            Resolution::Vacant => {}
            other => return Err(other),
        }
        // Only an active member: those are the silos that a recovery asks.
        if self.view.member(silo).is_none_or(|m| m.status != Status::Active) {
            return Err(Resolution::NotOwner { owner: Some(self.me) });
        }
        self.serial += 1;
        let registration = Registration { view: self.view.version, serial: self.serial };
        self.table.insert(actor, Place { silo, registration });
        if silo == self.me {
            self.hosted.insert(actor, registration);
        }
        Ok(registration)
    }

    /// A host has sent a request back: it refuses this placement ([`Hosting::Stale`](super::Hosting::Stale)) and will
    /// never take it. Its directory says the same in a message of its own; with this call the request that is at hand
    /// need not wait for it.
    pub fn refused(&mut self, host: SiloId, actor: &ActorId, registration: Registration) {
        self.forget(actor, host, registration);
    }

    /// Every entry of the ranges that are open here, in ring order. For checkers and diagnostics.
    pub fn entries(&self) -> impl Iterator<Item = (&ActorId, Place)> {
        self.table.iter().map(|(actor, place)| (actor, *place))
    }

    /// How many entries are kept here.
    pub fn entry_count(&self) -> usize {
        self.table.len()
    }

    /// The points that this silo owns and answers for.
    pub fn open_spans(&self) -> &Spans {
        &self.open
    }

    /// Whether some range is owned and locked.
    pub fn is_locked(&self) -> bool {
        self.open != self.owned
    }

    /// A host says what it no longer hosts. An older placement never removes a newer one.
    pub(super) fn ended_told(
        &mut self,
        peer: Peer,
        view: ViewVersion,
        floor: Registration,
        ended: Vec<(ActorId, Registration)>,
        out: &mut Vec<Action>,
    ) {
        if view > self.view.version {
            out.push(Action::ReadTable { at_least: view });
        }
        if floor.view == self.view.version && floor.serial < SERIAL_SANE {
            // The host refuses what is not above its floor: the next placement must be.
            self.serial = self.serial.max(floor.serial);
        }
        let mut done = Vec::new();
        for (actor, registration) in ended {
            self.notices.evicted(peer.silo, &actor, registration);
            // While the range is locked the entry may still be on its way here: not forgotten yet, tell again.
            if self.forget(&actor, peer.silo, registration) {
                done.push((actor, registration));
            }
        }
        if !done.is_empty() {
            self.answer(peer, DirectoryMessage::Forgotten { ended: done }, out);
        }
    }

    /// Removes the entry of a placement that ended, or an older one of the same silo. Whether we could tell.
    pub(super) fn forget(&mut self, actor: &ActorId, silo: SiloId, ended: Registration) -> bool {
        if !self.open.contains(actor.point()) {
            return false;
        }
        if let Some(place) = self.table.get(actor) {
            if place.silo == silo && place.registration <= ended {
                self.table.remove(actor);
            } else {
                reached!("directory.stale_unregister");
            }
        }
        true
    }

    /// Takes entries in, but for those of silos that are dead beyond doubt.
    pub(super) fn admit(&mut self, mut entries: PointMap<Place>) {
        let (view, graces) = (&self.view, &self.graces);
        entries.sweep(None, usize::MAX, |place| !matches!(fate(view, graces, place.silo), Fate::Gone));
        self.table.append(entries);
    }

    /// Removes entries of silos that are dead beyond doubt, some at a time.
    pub(super) fn sweep_dead(&mut self, after: Option<ActorId>) {
        let (view, graces) = (&self.view, &self.graces);
        let last = self
            .table
            .sweep(after.as_ref(), SWEEP_ENTRIES, |p| !matches!(fate(view, graces, p.silo), Fate::Gone));
        self.sweep = last.map(Some);
    }
}

enum Fate {
    Alive,
    Dying { until: Instant },
    Gone,
}

/// Whether what a silo hosts runs.
fn fate(view: &View, graces: &Graces, silo: SiloId) -> Fate {
    if view.member(silo).is_some_and(|m| m.status != Status::Dead) {
        return Fate::Alive;
    }
    // Every host was a member once, so one that the view does not know has been dead for long.
    match graces.of(silo.name) {
        Some(until) => Fate::Dying { until },
        None => Fate::Gone,
    }
}

/// Entries looked at in one step: some hundred microseconds.
const SWEEP_ENTRIES: usize = 8192;

/// No silo ever counts this far; a peer that says so is broken.
const SERIAL_SANE: u64 = 1 << 62;
