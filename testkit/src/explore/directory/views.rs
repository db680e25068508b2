//! The views, and how one becomes the next.

use super::super::{Renaming, renamed};
use super::GRACE;
use quark_core::directory::{Owners, Spans};
use quark_core::view::{Member, Status, View};
use quark_core::{Generation, SiloId, SiloName, ViewVersion};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// A view, and who owns all points in it.
#[derive(Clone, Debug)]
pub(super) struct Era {
    pub view: Arc<View>,
    pub owner: Option<SiloId>,
    /// Its fingerprint under each renaming.
    pub digests: Vec<u128>,
}

/// What happens to the table.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Change {
    /// To whom.
    pub(super) silo: SiloId,
    /// What.
    pub(super) what: What,
    /// Who owns all points then.
    pub(super) owner: Option<SiloId>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum What {
    /// It becomes the owner.
    Owns,
    /// It joins, as a new generation.
    Joins,
    /// It owns nothing any more, and keeps what it hosts.
    Drains,
    /// It has left in order.
    Leaves,
    /// The others declare it dead.
    Dies,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.what {
            What::Owns => "becomes the owner",
            What::Joins => "joins",
            What::Drains => "drains",
            What::Leaves => "has left",
            What::Dies => "is declared dead",
        };
        write!(f, "a new view: {} {what}", self.silo)?;
        match self.owner {
            Some(owner) if self.what != What::Owns => write!(f, ", {owner} owns"),
            _ => Ok(()),
        }
    }
}

impl Change {
    pub fn left(&self) -> Option<SiloId> {
        (self.what == What::Leaves).then_some(self.silo)
    }

    pub fn joined(&self) -> Option<SiloId> {
        (self.what == What::Joins).then_some(self.silo)
    }
}

/// One silo owns every point, or nobody does.
#[derive(Debug)]
struct Everything(Option<SiloId>);

impl Owners for Everything {
    fn owner(&self, _point: u64) -> Option<SiloId> {
        self.0
    }

    fn spans_of(&self, silo: SiloId) -> Spans {
        if self.0 == Some(silo) { Spans::all() } else { Spans::none() }
    }
}

impl Era {
    pub fn first(ids: &[SiloId], names: &[Renaming]) -> Self {
        let member = |id: &SiloId| row(*id, Status::Active, Duration::ZERO);
        let view = View { version: ViewVersion(1), members: ids.iter().map(member).collect() };
        Self::of(view, ids.first().copied(), names)
    }

    fn of(view: View, owner: Option<SiloId>, names: &[Renaming]) -> Self {
        let members: BTreeMap<SiloName, _> =
            view.members.iter().map(|m| (m.id.name, (m.id.generation, m.status, m.grace))).collect();
        let digests = names.iter().map(|names| renamed(&(view.version, &members, owner), names)).collect();
        Self { view: Arc::new(view), owner, digests }
    }

    pub fn ring(&self) -> Arc<dyn Owners> {
        Arc::new(Everything(self.owner))
    }

    pub fn after(&self, change: &Change, names: &[Renaming]) -> Self {
        let mut view = (*self.view).clone();
        view.version = view.version.next();
        let known = view.members.iter().position(|m| m.id.name == change.silo.name);
        let grace = known.map_or(Duration::ZERO, |at| view.members[at].grace);
        let next = match change.what {
            What::Owns => None,
            // The generation before may run on for as long as its own row said, or may have to be outwaited.
            What::Joins => {
                Some(row(change.silo, Status::Active, if known.is_some() { GRACE } else { grace }))
            }
            What::Drains => Some(row(change.silo, Status::Draining, grace)),
            What::Leaves => Some(row(change.silo, Status::Dead, grace)),
            What::Dies => Some(row(change.silo, Status::Dead, GRACE)),
        };
        if let Some(next) = next {
            view.members.retain(|m| m.id.name != next.id.name);
            view.members.push(next);
            view.members.sort_by_key(|m| m.id.name);
        }
        Self::of(view, change.owner, names)
    }

    /// Everything that may happen to this view next. `may_leave` says of a draining silo whether nobody needs it.
    pub fn changes(&self, may_leave: impl Fn(SiloId) -> bool) -> Vec<Change> {
        let active = |except: Option<SiloId>| {
            self.view.active().map(|m| m.id).filter(move |id| Some(*id) != except).collect::<Vec<_>>()
        };
        let mut changes = Vec::new();
        for silo in active(self.owner) {
            changes.push(Change { silo, what: What::Owns, owner: Some(silo) });
        }
        for member in &self.view.members {
            let silo = member.id;
            let mut push = |silo, what, owner| changes.push(Change { silo, what, owner });
            let heirs: Vec<Option<SiloId>> = match self.owner {
                Some(owner) if owner == silo => active(Some(silo)).into_iter().map(Some).collect(),
                owner => vec![owner],
            };
            match member.status {
                Status::Active => {
                    heirs.iter().for_each(|owner| push(silo, What::Dies, *owner));
                    heirs.iter().for_each(|owner| push(silo, What::Drains, *owner));
                }
                Status::Draining => {
                    push(silo, What::Dies, self.owner);
                    if may_leave(silo) {
                        push(silo, What::Leaves, self.owner);
                    }
                }
                Status::Dead => {}
                Status::Joining => unreachable!("whoever joins serves at once here"),
            }
            // A newer generation of anybody may come, whether the others know that the one before is gone or not.
            let next = SiloId::new(silo.name, Generation(silo.generation.0 + 1));
            let owner = self.owner.filter(|owner| *owner != silo);
            push(next, What::Joins, Some(next));
            if let Some(owner) = owner {
                push(next, What::Joins, Some(owner));
            }
        }
        changes
    }
}

fn row(id: SiloId, status: Status, grace: Duration) -> Member {
    Member { id, address: String::new(), status, grace }
}
