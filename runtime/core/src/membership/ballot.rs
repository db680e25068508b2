//! An eviction, from the ballot to the commit.
//!
//! The evictor first reads the lease row of each target, so that what it knows of the lease is older than every
//! vote; then it asks the others; then it commits, checking that no lease row has changed since. In that order, a
//! silo that renews meanwhile is spared, one that is vouched for is spared, and one that does neither has no lease
//! left when its grace ends.

use super::config::{Config, with_margin};
use super::electorate::Electorate;
use super::message::Vote;
use super::suspicion::{LeaseWatch, Vouchers};
use super::table::Table;
use crate::{Instant, SiloId};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Hash, Debug)]
pub(super) struct Ballot {
    pub(super) round: u64,
    pub(super) until: Instant,
    pub(super) charges: BTreeMap<SiloId, Charge>,
    pub(super) waiting: BTreeSet<SiloId>,
}

/// What is held against one silo.
#[derive(Clone, Hash, Debug)]
pub(super) struct Charge {
    /// Its lease, as known when the ballot was opened.
    pub(super) lease: LeaseWatch,
    pub(super) votes: BTreeMap<SiloId, Vote>,
}

/// How a ballot ended for one silo.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    /// Enough of those who could vouch for it have promised not to: its last lease is the one from the store.
    Voted,
    /// Too few are left to vote, but its row has been unrenewed for longer than anybody could vouch for it.
    Outwaited,
    /// It stays.
    Spared,
}

impl Charge {
    /// Counts.
    ///
    /// Two suspects, so that one broken link proves nothing; fewer objections than suspects, so that a silo whom many
    /// can reach is not evicted by those who cannot; and the binding votes that leave it no majority to vouch. The
    /// objections need not be none: a silo that only one other still hears is no use to the cluster. (What is won
    /// against an objection has to be won twice in a row, see [`Charge::is_contested`].)
    pub(super) fn verdict(
        &self,
        now: Instant,
        target: SiloId,
        me: SiloId,
        table: &Table,
        config: &Config,
    ) -> Verdict {
        if crate::mutant!("m53") {
            return Verdict::Voted;
        }
        let count = |vote| self.votes.values().filter(|v| **v == vote).count();
        let (suspects, objections) = (count(Vote::Suspect), count(Vote::Object));
        if objections >= suspects {
            crate::reached!("membership.ballot.objected");
            return Verdict::Spared;
        }
        let others = table.holders().filter(|row| row.id != target).count();
        let suspects_suffice = suspects >= others.min(2);
        let named = match self.lease.vouchers {
            Vouchers::HoldersIn(named) if named <= table.view.version => named,
            Vouchers::Nobody if suspects_suffice => {
                crate::reached!("membership.ballot.nobody_could_vouch");
                return Verdict::Voted;
            }
            _ => return Verdict::Spared,
        };
        let electorate = Electorate::of(table, named);
        let bound = self.votes.iter().filter(|(voter, vote)| **vote != Vote::Object && **voter != target);
        if suspects_suffice && electorate.is_blocked_by(bound.map(|(voter, _)| *voter)) {
            return Verdict::Voted;
        }
        // Without us, a silo of its electorate cannot have all the vouches, only a majority's. One that is not ours
        // to vouch for may have them all, and run for longer.
        let dark_run = match electorate.includes(me) {
            true => config.dark_run_max,
            false => config.dark_run_unanimous_max,
        };
        if now.since(self.lease.since) >= with_margin(config.lease.saturating_add(dark_run)) {
            crate::reached!("membership.ballot.outwaited");
            return Verdict::Outwaited;
        }
        Verdict::Spared
    }
    /// Whether somebody objected: then it lives, and a few lost probes may be all that is held against it.
    pub(super) fn is_contested(&self) -> bool {
        self.votes.values().any(|vote| *vote == Vote::Object)
    }
}
