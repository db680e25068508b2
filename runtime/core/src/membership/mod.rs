//! Membership: who is in the cluster, and who may run turns.
//!
//! A silo lives by a *lease*: a proof, renewed each second, that the table still has it. It runs turns only while it
//! holds one. Others declare it dead by a commit to the table, and place its actors again only when its last lease
//! must have run out. Everything else here serves those two sentences; `docs/membership.md` has the proof.
//!
//! The core is sans-IO: [`Membership::step`] takes what happened and says what to do, and reads neither clock nor
//! network. Time is the silo's own monotonic clock; only durations and versions ever leave the silo.

mod ballot;
mod config;
mod derived;
mod electorate;
mod event;
mod evict;
pub mod join;
mod lease;
mod life;
mod message;
mod monitors;
mod pledge;
mod probing;
mod proof;
mod restore;
pub mod rows;
mod suspicion;
pub mod table;
mod tables;
mod vote;

#[cfg(test)]
mod tests;

pub use config::{Config, with_margin};
pub use event::{Action, Input, RequestId, StopReason};
pub use message::{BALLOT_TARGETS_MAX, MembershipMessage, Pulse, Vote};

use crate::view::View;
use crate::{Instant, SiloId, SiloName, Version, ViewVersion, hash};
use ballot::Ballot;
use evict::{PendingChange, Sentence};
use lease::OwnLease;
use life::Phase;
use pledge::Pledges;
use probing::{Proxied, Sighting};
use restore::Restoring;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use suspicion::Target;
use table::Table;
use tables::{Reading, Sight};

/// One silo's part in the membership of its cluster.
///
/// It can be cloned and hashed, so that tests can explore what it may come to.
#[derive(Clone, Hash, Debug)]
pub struct Membership {
    config: Arc<Config>,
    me: SiloId,
    address: Arc<str>,
    contract: u64,
    /// The latest time that it has been told.
    now: Instant,
    phase: Phase,
    drain_wanted: bool,

    table: Option<Arc<Table>>,
    view: Arc<View>,
    reading: Reading,
    /// The version of our own row.
    own_row: Version,
    /// When each member whose row carries a grace, or is dead, was first seen so.
    sights: BTreeMap<SiloId, Sight>,

    lease: Option<OwnLease>,
    /// Until when the driver believes that the lease is held.
    announced: Instant,
    own_lease_read: Option<(RequestId, Instant)>,
    pledges: Pledges,
    /// Requests to vouch that wait for our own next word from the store.
    vouch_requests: BTreeMap<SiloId, u64>,

    targets: BTreeMap<SiloId, Target>,
    /// Those of them that are suspected: we watch in their place.
    acts_for: BTreeSet<SiloName>,
    proxied: BTreeMap<u64, Proxied>,
    sightings: BTreeMap<SiloId, Sighting>,
    ballot: Option<Ballot>,
    sentence: Option<Sentence>,
    change: Option<PendingChange>,
    /// The last change did not go through: nothing is changed before the table has been read again.
    stale: bool,
    /// Changes in a row that met a conflict.
    conflicts: u32,
    /// Nor before this.
    change_at: Instant,
    restoring: Restoring,

    numbers: u64,
    seed: u64,
}

impl Membership {
    /// A silo that has reserved its row, see [`join::reserve`], and has not started.
    ///
    /// `address` is where its transport listens, `contract` the digest of what it serves; both go into its row.
    /// `seed` spreads what would otherwise happen at the same moment on all silos.
    ///
    /// Panics: if the configuration contradicts itself.
    pub fn new(config: Config, me: SiloId, address: &str, contract: u64, seed: u64) -> Self {
        config.check();
        Self {
            config: Arc::new(config),
            me,
            address: address.into(),
            contract,
            now: Instant::ZERO,
            phase: Phase::Idle,
            drain_wanted: false,
            table: None,
            view: Arc::default(),
            reading: Reading::default(),
            own_row: Version(0),
            sights: BTreeMap::new(),
            lease: None,
            announced: Instant::ZERO,
            own_lease_read: None,
            pledges: Pledges::default(),
            vouch_requests: BTreeMap::new(),
            targets: BTreeMap::new(),
            acts_for: BTreeSet::new(),
            proxied: BTreeMap::new(),
            sightings: BTreeMap::new(),
            ballot: None,
            sentence: None,
            change: None,
            stale: false,
            conflicts: 0,
            change_at: Instant::ZERO,
            restoring: Restoring::default(),
            numbers: 0,
            seed,
        }
    }

    /// Who this silo is.
    pub fn id(&self) -> SiloId {
        self.me
    }

    /// The newest view known; empty, at version 0, before the first reading of the table.
    pub fn view(&self) -> &Arc<View> {
        &self.view
    }

    /// Until when this silo may run turns; in the past if it may not.
    pub fn lease_until(&self) -> Instant {
        if crate::mutant!("m04") && self.announced > Instant::ZERO {
            return Instant::NEVER;
        }
        self.lease.as_ref().map_or(Instant::ZERO, |lease| lease.until)
    }

    /// Whether the core has said [`Action::Stop`]; it then ignores everything.
    pub fn is_stopped(&self) -> bool {
        self.phase == Phase::Stopped
    }

    /// Takes what happened and appends what is to be done.
    ///
    /// `now` that goes back is taken as no progress of time.
    pub fn step(&mut self, now: Instant, input: Input, out: &mut Vec<Action>) {
        self.now = self.now.max(now);
        if self.is_stopped() {
            return;
        }
        let now = self.now;
        match input {
            Input::Start => self.start(now, out),
            Input::TableRead { request, result } => self.table_read(now, request, result, out),
            Input::LeaseRead { request, result } => self.lease_read(now, request, result, out),
            Input::Committed { request, result } => self.committed(now, request, result, out),
            Input::Message { from, msg } => self.message(now, from, msg, out),
            Input::ViewSeen { .. } if crate::mutant!("m49") => {}
            Input::ViewSeen { view } => self.view_seen(now, view, out),
            Input::LinkDown { peer } => self.link_down(now, peer),
            Input::Refused { dead } => {
                if dead {
                    self.read_table_at_once(now, out);
                }
            }
            Input::Drain => self.drain_wanted = true,
            Input::Leave => self.leave(now, out),
            Input::Timer => {}
        }
        self.tick(now, out);
        self.check();
    }

    /// Does everything that is due.
    fn tick(&mut self, now: Instant, out: &mut Vec<Action>) {
        if self.is_stopped() || self.phase == Phase::Idle {
            return;
        }
        self.tick_reading(now, out);
        self.tick_restoring(now, out);
        self.tick_life(now, out);
        self.tick_lease(now, out);
        self.tick_probes(now, out);
        self.tick_ballot(now, out);
        self.tick_change(now, out);
    }

    /// When [`Input::Timer`] is due at the latest, if ever. May be in the past.
    pub fn next_deadline(&self) -> Option<Instant> {
        if self.is_stopped() || self.phase == Phase::Idle {
            return None;
        }
        self.deadlines().into_iter().min().filter(|at| *at != Instant::NEVER)
    }

    fn deadlines(&self) -> [Instant; 6] {
        [
            self.reading_deadline(),
            self.life_deadline(),
            self.lease_deadline(),
            self.probes_deadline(),
            self.ballot_deadline(),
            self.change_deadline(),
        ]
    }

    /// Panics: if the state contradicts itself, which would be a bug here and nowhere else.
    pub fn check(&self) {
        if let Some(table) = &self.table {
            assert_eq!(table.view.version, self.view.version, "the view is the table's");
        }
        if !self.is_stopped() && !crate::mutant!("m04") {
            assert!(
                self.announced <= self.lease_until().max(self.now),
                "the driver runs on a lease that we have not"
            );
        }
        self.pledges.check(self.now);
        for target in self.targets.keys() {
            assert!(*target != self.me, "nobody watches themself");
            debug_assert!(!self.view.is_dead(*target), "{target} is dead and watched");
        }
        if let Some(ballot) = &self.ballot {
            assert!(!ballot.charges.contains_key(&self.me), "nobody votes about themself");
        }
        assert!(self.proxied.len() <= probing::PROXIED_MAX, "probes for others are bounded");
    }

    /// A number that was not given before.
    fn next_number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    /// A number without a pattern, the same for the same history.
    fn draw(&mut self) -> u64 {
        self.seed = self.seed.wrapping_add(1);
        hash::mix(self.seed)
    }

    fn view_version(&self) -> ViewVersion {
        self.view.version
    }
}
