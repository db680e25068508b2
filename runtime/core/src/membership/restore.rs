//! A store that went back in time: what it has forgotten of the table is written once more.
//!
//! What can be said of a name only grows: its generation, and within one its status, from `Joining` to `Dead`. A table that
//! says less of a name than one that was read before has lost something, as has one that is older than what was known when
//! its reading began. (A replica took over that was behind, say. The store gives out no version twice, so whatever is
//! committed on top of such a table has a higher version than what was lost.) Then
//!
//! - **deaths** are written again by whoever knew them, with a full grace: the dead may have renewed its lease meanwhile.
//!   So is the order in which a silo drains;
//! - **a living silo's row** is written again by that silo alone, and with it its lease row if that is gone too: nobody
//!   else knows whom it may ask to vouch. Those who knew it hold such a table off for up to [`HELD_OFF_MAX`];
//! - a table of which no row is lost, but an earlier version is there, is written as it is, so that all agree on a version.
//!
//! Nothing of this can be wrong because it is old: a generation that has died stays dead, and one that lives says so itself.

use super::Membership;
use super::config::with_margin;
use super::event::{Action, StopReason};
use super::evict::Purpose;
use super::lease::is_alone;
use super::life::Phase;
use super::table::{Change, LeaseRow, Row, SiloRow, Table};
use crate::view::Status;
use crate::{Generation, Instant, SiloId};
use std::sync::Arc;
use std::time::Duration;

/// A loss that this silo has noticed.
#[derive(Clone, Hash, Debug, Default)]
pub(super) struct Restoring {
    /// The table without what was lost: the one to write it into.
    base: Option<Arc<Table>>,
    /// Since when tables without a living silo have been held off.
    held_off_since: Option<Instant>,
}

/// What one table says and a later reading does not.
#[derive(Default)]
struct Loss {
    gone: Vec<SiloRow>,
    own: Option<SiloRow>,
    /// A living silo other than this one.
    living: bool,
}

impl Loss {
    fn between(known: &Table, found: &Table, me: SiloId, full_grace: Duration) -> Self {
        let mut loss = Self::default();
        let mut found_entries = found.entries.iter().peekable();
        for entry in &known.entries {
            let row = &entry.row;
            // Both are sorted by name: one walk along the two, for the sake of a thousand members.
            while found_entries.next_if(|there| there.row.id.name < row.id.name).is_some() {}
            let there = found_entries.next_if(|there| there.row.id.name == row.id.name);
            let is_said = match there {
                Some(there) => there.version == entry.version || place(&there.row) >= place(row),
                None => row.id.generation <= found.view.generation_floor,
            };
            if is_said {
                continue;
            }
            let still_serves = there.is_some_and(|there| there.row.id == row.id && there.row.holds_lease());
            match row.status {
                Status::Dead => loss.gone.push(SiloRow { grace: full_grace, ..row.clone() }),
                _ if row.id == me => loss.own = Some(row.clone()),
                Status::Draining if still_serves => loss.gone.push(row.clone()),
                _ => loss.living = true,
            }
        }
        loss
    }
}

/// How much is said of a name.
fn place(row: &SiloRow) -> (Generation, Status) {
    (row.id.generation, row.status)
}

impl Membership {
    /// A table has come that is newer than the one known. Whether it may be taken in.
    pub(super) fn says_no_less(&mut self, now: Instant, found: &Arc<Table>) -> bool {
        let Some(known) = self.table.clone().filter(|_| self.may_restore()) else {
            self.restoring = Restoring::default();
            return true;
        };
        let loss = self.loss_between(&known, found);
        if loss.gone.is_empty() && loss.own.is_none() {
            let since = *self.restoring.held_off_since.get_or_insert(now);
            if !loss.living || now.since(since) >= HELD_OFF_MAX {
                self.restoring = Restoring::default();
                return true;
            }
            crate::reached!("membership.table.held_off");
            self.restoring.base = None;
            self.read_table_at(now + HELD_OFF_PAUSE);
        } else {
            self.found_back(now, found.clone());
        }
        if let Some(own) = found.entry(self.me) {
            self.own_row = own.version;
        }
        false
    }

    /// The store has a table that is older than what was known before it was asked, or that says less.
    pub(super) fn found_back(&mut self, now: Instant, found: Arc<Table>) {
        if !self.may_restore() {
            return;
        }
        crate::reached!("membership.table.went_back");
        self.restoring.base = Some(found);
        // All who know notice it at the same time, and one is enough.
        let spread = SPREAD_EACH * self.view.members.len() as u32;
        let later = Duration::from_nanos(self.draw() % spread.as_nanos().max(1) as u64);
        self.change_at = self.change_at.max(now + later);
    }

    fn loss_between(&self, known: &Table, found: &Table) -> Loss {
        Loss::between(known, found, self.me, with_margin(self.config.lease))
    }

    fn may_restore(&self) -> bool {
        if crate::mutant!("m46") {
            return false;
        }
        !matches!(self.phase, Phase::Idle | Phase::Leaving { .. } | Phase::Stopped)
    }

    /// Writes what was lost, if something was.
    pub(super) fn tick_restoring(&mut self, now: Instant, out: &mut Vec<Action>) {
        if !self.may_change(now) {
            return;
        }
        let Some(base) = self.restoring.base.take() else { return };
        let Some(known) = self.table.clone().filter(|_| self.may_restore()) else { return };
        let loss = self.loss_between(&known, &base);
        let mut change = Change::of_membership(&base);
        let view = change.view_row();
        view.generation_floor = view.generation_floor.max(known.view.generation_floor);
        view.forgotten = view.forgotten.max(known.view.forgotten);
        for row in loss.gone {
            crate::reached!("membership.restored.death");
            change.puts.push(Row::Silo(row));
        }
        let mut lease = None;
        if let Some(own) = loss.own {
            if self.lease_must_come_along(&base) {
                if is_alone(&self.view, self.me) && base.holders().any(|row| row.id.name != self.me.name) {
                    // Whoever came meanwhile has formed a cluster without it. A row that names nobody could never be voted
                    // out, and one that names others than it knew would have voters who are not those who could vouch.
                    crate::reached!("membership.restore.gave_way");
                    return self.stop(StopReason::DeclaredDead { id: self.me }, out);
                }
                lease = self.lease_to_restore(now);
                if lease.is_none() {
                    return self.read_table_soon(now, out);
                }
            }
            crate::reached!("membership.restored.self");
            let grace = self.grace_left(now, &own);
            change.puts.push(Row::Silo(SiloRow { grace, ..own }));
        }
        let request = match lease {
            Some((request, row)) => {
                change.puts.push(Row::Lease(self.me.name, row));
                request
            }
            None => self.next_number(),
        };
        self.commit_on(now, Purpose::Restore, request, base, change, out);
    }

    /// Whether the commit that made this silo active is among what was lost: its lease row came with it.
    fn lease_must_come_along(&self, base: &Table) -> bool {
        self.lease.is_some() && !base.entry(self.me).is_some_and(|entry| entry.row.holds_lease())
    }

    /// Renews the lease by the commit that restores the row. No renewal that is still under way can be written: each
    /// checks our row, which is not there.
    fn lease_to_restore(&mut self, now: Instant) -> Option<(u64, LeaseRow)> {
        let request = self.next_number();
        let (view, me) = (self.view.clone(), self.me);
        let lease = self.lease.as_mut().filter(|lease| lease.in_flight.is_none())?;
        let (seq, named) = lease.attempt(now, request, &view);
        Some((request, LeaseRow { generation: me.generation, seq, view: named }))
    }
}

/// How long those who knew a living silo wait for it to come back into a table that has lost it.
pub(super) const HELD_OFF_MAX: Duration = Duration::from_secs(3);
const HELD_OFF_PAUSE: Duration = Duration::from_millis(250);
const SPREAD_EACH: Duration = Duration::from_millis(2);
