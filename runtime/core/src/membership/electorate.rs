//! Who could vouch for a silo, and so whose votes are needed to evict it.
//!
//! A silo that the store is dark to asks the lease holders of *one* version of the table to vouch for it: the
//! version that it wrote into its lease row when it last renewed. The table may have moved on since. Counting votes
//! in today's table would be wrong: two silos that joined a cluster of three behind its back would be two of five,
//! and with one straggler a majority against a silo that the other straggler still vouches for. So an evictor
//! counts in the version that the lease row names, and, where the table no longer tells exactly who that was, errs
//! on the side of a larger electorate and fewer voters.

use super::table::{Held, Table};
use crate::{SiloId, ViewVersion};

/// The electorate of a silo, as far as a later table tells.
#[derive(Clone, Copy, Debug)]
pub(super) struct Electorate<'a> {
    table: &'a Table,
    version: ViewVersion,
}

impl<'a> Electorate<'a> {
    /// The lease holders of `version`, seen from `table`, which is not older.
    pub(super) fn of(table: &'a Table, version: ViewVersion) -> Self {
        assert!(version <= table.view.version, "an electorate is seen from a later table");
        Self { table, version }
    }

    /// Whether the vote of this silo surely counts: it, or a generation before it, is one whom the target would ask.
    ///
    /// A newer generation speaks for its elders because a name is for one process at a time: they can no longer
    /// vouch, and what they vouched for before is waited for (see `Pledges::of_a_new_generation`).
    pub(super) fn includes(&self, voter: SiloId) -> bool {
        self.membership(voter) == Held::Yes
    }

    fn membership(&self, voter: SiloId) -> Held {
        let row = self.table.entry(voter).map(|entry| &entry.row).filter(|row| row.holds_lease());
        row.map_or(Held::No, |row| row.held_lease_in(self.version))
    }

    /// Whether the votes of these silos, all different and none of them the target, leave the target too few that could
    /// vouch for it.
    ///
    /// Of n holders the target needs floor(n/2) others, so ceil(n/2) others that do not vouch are one too many:
    /// floor(n/2) + ceil(n/2) = n, and only n - 1 are not the target.
    ///
    /// Of whom the table no longer tells whether they were among them, the worst is presumed: that those who did not
    /// vote were, and that those who did vote were not. (One more member that votes adds one vote and half a vote to
    /// what is needed.)
    pub(super) fn is_blocked_by(&self, voters: impl IntoIterator<Item = SiloId>) -> bool {
        if self.version < self.table.view.forgotten {
            return false;
        }
        let (mut votes, mut size) = (0, 0);
        for entry in &self.table.entries {
            size += usize::from(entry.row.held_lease_in(self.version) != Held::No);
        }
        for voter in voters {
            match self.membership(voter) {
                Held::Yes => votes += 1,
                Held::Maybe => {
                    crate::reached!("membership.ballot.perhaps_a_voter");
                    size -= 1;
                }
                Held::No => {}
            }
        }
        votes >= usize::div_ceil(size, 2)
    }
}

#[cfg(test)]
mod tests {
    use super::super::config::Config;
    use super::super::join::reserve;
    use super::super::table::{Change, ELDERS_KEPT, Row, SiloRow, THIS, Tenure};
    use super::*;
    use crate::view::Status;
    use crate::{SiloName, Version};
    use proptest::prelude::*;
    use std::collections::{BTreeMap, BTreeSet};

    const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];

    /// A table, and the truth about who held a lease when.
    struct Chronicle {
        table: Option<Table>,
        holders: BTreeMap<ViewVersion, BTreeSet<SiloName>>,
    }

    impl Chronicle {
        fn commit(&mut self, change: &Change) {
            let version = Version(self.table.as_ref().map_or(1, |table| table.view.version.0 + 1));
            let empty = || {
                let Row::View(view) = &change.puts[0] else { panic!("`view` comes first") };
                Table::new(view.clone(), version, Vec::new())
            };
            let table = self.table.take().unwrap_or_else(empty).after(change, version);
            self.holders.insert(table.view.version, table.holders().map(|row| row.id.name).collect());
            self.table = Some(table);
        }

        /// One step in the life of a name: it joins or joins anew, becomes active, or dies.
        fn step(&mut self, name: SiloName, what: u8) {
            let row = self.table.as_ref().and_then(|table| table.named(name)).map(|entry| entry.row.clone());
            match (what, row) {
                (0, _) | (_, None) => {
                    let config = Config::new("test");
                    let plan = reserve(self.table.as_ref(), &config, name, "1.2.3.4:5", 0);
                    self.commit(&plan.expect("its own cluster").change);
                }
                (1, Some(row)) if row.status == Status::Joining => {
                    let tenure = Some(Tenure { since: THIS, left: None });
                    self.put(SiloRow { status: Status::Active, tenure, ..row });
                }
                (2, Some(row)) if row.status != Status::Dead => {
                    let tenure = row.tenure.map(|t| Tenure { left: Some(THIS), ..t });
                    self.put(SiloRow { status: Status::Dead, tenure, ..row });
                }
                _ => {}
            }
        }

        fn put(&mut self, row: SiloRow) {
            let mut change = Change::of_membership(self.table.as_ref().expect("the row is in it"));
            change.puts.push(Row::Silo(row));
            self.commit(&change);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        /// Whatever the table has forgotten: if it says that a silo cannot be vouched for, it cannot.
        #[test]
        fn who_is_voted_out_has_no_majority_left_that_could_vouch(
            steps in proptest::collection::vec((0_usize..8, 0_u8..3), 20..200),
            back in 0_u64..200,
            who_votes in 0_u8..16,
        ) {
            let names = NAMES.map(|name| SiloName::new(name).expect("valid"));
            let target = names[4];
            let mut chronicle = Chronicle { table: None, holders: BTreeMap::new() };
            chronicle.step(target, 0);
            chronicle.step(target, 1);
            for (name, what) in steps {
                // One of them starts more often than the table has room for.
                chronicle.step(names[name.saturating_sub(4)], what);
            }
            let table = chronicle.table.expect("something was done");
            let version = ViewVersion(table.view.version.0.saturating_sub(back).max(2));
            let asked = &chronicle.holders[&version];
            let is_voter = |id: &SiloId| {
                names[..4].iter().zip(0..).any(|(name, n)| *name == id.name && who_votes & (1 << n) != 0)
            };
            let voters: Vec<SiloId> = table.holders().map(|row| row.id).filter(is_voter).collect();
            if Electorate::of(&table, version).is_blocked_by(voters.iter().copied()) {
                let votes = |name: &SiloName| voters.iter().any(|voter| voter.name == *name);
                let left = asked.iter().filter(|name| **name != target && !votes(name)).count();
                prop_assert!(left < asked.len() / 2, "{voters:?} vote, {asked:?} are asked: {table:?}");
            }
        }

        /// And as long as no name has started more often than the table has room for, it says so whenever it can be said.
        #[test]
        fn of_silos_that_have_restarted_some_times_nothing_is_forgotten(
            restarts in proptest::collection::vec(0_usize..5, 0..ELDERS_KEPT),
            back in 0_u64..30,
            who_votes in 0_u8..16,
        ) {
            let names = NAMES.map(|name| SiloName::new(name).expect("valid"));
            let mut chronicle = Chronicle { table: None, holders: BTreeMap::new() };
            for name in (0..5).chain(restarts) {
                chronicle.step(names[name], 0);
                chronicle.step(names[name], 1);
            }
            let table = chronicle.table.expect("something was done");
            let version = ViewVersion(table.view.version.0.saturating_sub(back).max(1));
            let asked = &chronicle.holders[&version];
            if !asked.contains(&names[4]) {
                return Ok(());
            }
            let is_voter = |id: &SiloId| names[..4].iter().zip(0..).any(|(name, n)| *name == id.name && who_votes & (1 << n) != 0);
            let voters: Vec<SiloId> = table.holders().map(|row| row.id).filter(is_voter).collect();
            let left = asked.iter().filter(|name| **name != names[4] && voters.iter().all(|v| v.name != **name));
            let blocked = Electorate::of(&table, version).is_blocked_by(voters.iter().copied());
            prop_assert_eq!(blocked, left.count() < asked.len() / 2);
        }
    }
}
