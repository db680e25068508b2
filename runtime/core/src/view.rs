//! A membership view: who is in the cluster, at one version of the table.

use crate::{SiloId, SiloName, ViewVersion};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Where a silo is in its life, as the table says.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Status {
    /// Known, not yet serving: owns no range.
    Joining,
    /// Serving: owns ranges, hosts activations.
    Active,
    /// Leaving in order: hosts what it hosts, owns no range, takes nothing new.
    Draining,
    /// Gone for ever; its generation is refused everywhere.
    Dead,
}

/// One silo in a view.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Member {
    /// Which incarnation.
    pub id: SiloId,
    /// Where its transport listens, as `host:port`.
    pub address: String,
    /// Where it is in its life.
    pub status: Status,
    /// For a dead silo: how long, from the first sight of this row, its last lease may still run. For a living one:
    /// the same for the generation that it superseded. Nothing that the dead one hosted is placed again before
    /// (promise P2). The margin for clock rates is included.
    pub grace: Duration,
}

/// The members at one version of the table, sorted by name. One generation per name: the newest.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub struct View {
    /// The table's version.
    pub version: ViewVersion,
    /// Sorted by name.
    pub members: Vec<Member>,
}

impl View {
    /// The member of this name, whatever its generation.
    pub fn named(&self, name: SiloName) -> Option<&Member> {
        self.members.binary_search_by(|m| m.id.name.cmp(&name)).ok().map(|at| &self.members[at])
    }

    /// The member with exactly this id.
    pub fn member(&self, id: SiloId) -> Option<&Member> {
        self.named(id.name).filter(|m| m.id == id)
    }

    /// Whether exactly this incarnation is known dead: its row says so, or a newer generation took its name.
    ///
    /// A silo that the view has never heard of is not dead.
    pub fn is_dead(&self, id: SiloId) -> bool {
        self.named(id.name)
            .is_some_and(|m| m.id.generation > id.generation || (m.id == id && m.status == Status::Dead))
    }

    /// The members that serve.
    pub fn active(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(|m| m.status == Status::Active)
    }

    /// The members that are not dead.
    pub fn alive(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(|m| m.status != Status::Dead)
    }
}
