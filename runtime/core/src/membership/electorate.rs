//! Who could vouch for a silo, and so whose votes are needed to evict it.
//!
//! A silo that the store is dark to asks the lease holders of *one* version of the table to vouch for it: the
//! version that it wrote into its lease row when it last renewed. The table may have moved on since. Counting votes
//! in today's table would be wrong: two silos that joined a cluster of three behind its back would be two of five,
//! and with one straggler a majority against a silo that the other straggler still vouches for. So an evictor
//! counts in the version that the lease row names, and, where the table no longer tells exactly who that was, errs
//! on the side of a larger electorate and fewer voters.

use super::table::Table;
use crate::{SiloId, ViewVersion};

/// The electorate of a silo, as far as a later table tells.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Electorate {
    version: ViewVersion,
    /// No fewer silos than held a lease in that version; `None` if the table has forgotten.
    size_max: Option<usize>,
}

impl Electorate {
    /// The lease holders of `version`, seen from `table`, which is not older.
    pub(super) fn of(table: &Table, version: ViewVersion) -> Self {
        assert!(version <= table.view.version, "an electorate is seen from a later table");
        let remembered = version >= table.view.forgotten;
        let size = || table.entries.iter().filter(|entry| entry.row.held_lease_in(version)).count();
        Self { version, size_max: remembered.then(size) }
    }

    /// Whether the vote of this silo counts: it, or the generation before it, is one whom the target would ask.
    ///
    /// A newer generation speaks for its elder because a name is for one process at a time: the elder can no longer
    /// vouch, and what it vouched for before is waited for (see `Pledges::of_a_new_generation`).
    pub(super) fn includes(&self, table: &Table, voter: SiloId) -> bool {
        let row = table.entry(voter).map(|entry| &entry.row);
        row.is_some_and(|row| row.holds_lease() && row.held_lease_in(self.version))
    }

    /// Whether so many votes of its members leave the target too few that could vouch for it.
    ///
    /// Of n holders the target needs floor(n/2) others, so ceil(n/2) others that do not vouch are one too many:
    /// floor(n/2) + ceil(n/2) = n, and only n - 1 are not the target.
    pub(super) fn is_blocked_by(&self, votes: usize) -> bool {
        self.size_max.is_some_and(|size| votes >= size.div_ceil(2))
    }
}
