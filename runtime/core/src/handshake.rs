//! Who may talk to whom: what two peers say first, and the pure decision whether they understand each other.
//!
//! It comes before any frame, so a peer of another cluster, protocol or contract is refused with a reason before
//! anything of it is decoded (promise P16). Both sides decide by the same function and agree on the same protocol.

#[cfg(test)]
mod tests;

use crate::view::View;
use crate::{Generation, SiloId};
use serde::{Deserialize, Serialize};

/// The protocol that this version speaks.
pub const PROTOCOL: u16 = 1;
/// The oldest protocol that this version still speaks.
pub const PROTOCOL_MIN: u16 = 1;

/// What a peer says about itself.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Hello {
    /// The cluster it belongs to.
    pub cluster: String,
    /// Who it is.
    pub silo: SiloId,
    /// The oldest protocol it speaks.
    pub protocol_min: u16,
    /// The newest protocol it speaks.
    pub protocol_max: u16,
    /// A digest of the kinds it hosts with their methods and types. 0 hosts nothing and accepts any: a client of
    /// untyped calls, a tool.
    pub contract_digest: u64,
}

impl Hello {
    /// The hello of a peer of this version.
    pub fn new(cluster: &str, silo: SiloId, contract_digest: u64) -> Self {
        Self {
            cluster: cluster.into(),
            silo,
            protocol_min: PROTOCOL_MIN,
            protocol_max: PROTOCOL,
            contract_digest,
        }
    }
}

/// What two peers that understand each other have settled.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Agreed {
    /// The newest protocol that both speak.
    pub protocol: u16,
}

/// Why a peer is refused. Nothing of it was decoded. Retrying does not help until somebody does what the text says.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error, Serialize, Deserialize)]
pub enum Refusal {
    /// It belongs to another cluster.
    #[error(
        "{silo} belongs to cluster `{theirs}`, this is cluster `{ours}`: \
         give both the same cluster id, or point it at its own cluster"
    )]
    Cluster {
        /// The refused peer.
        silo: SiloId,
        /// The cluster here.
        ours: String,
        /// The cluster that it named.
        theirs: String,
    },
    /// There is no protocol that both speak.
    #[error(
        "{silo} speaks protocols {theirs_min} to {theirs_max}, this side {ours_min} to {ours_max}: \
         upgrade the older of the two by way of a version that speaks both"
    )]
    Protocol {
        /// The refused peer.
        silo: SiloId,
        /// The oldest spoken here.
        ours_min: u16,
        /// The newest spoken here.
        ours_max: u16,
        /// The oldest that it speaks.
        theirs_min: u16,
        /// The newest that it speaks.
        theirs_max: u16,
    },
    /// The same kinds mean something else to it.
    #[error(
        "{silo} was built with contract {theirs:016x}, this side with {ours:016x}: \
         deploy the same actor kinds, methods and types on both"
    )]
    Contract {
        /// The refused peer.
        silo: SiloId,
        /// The digest here.
        ours: u64,
        /// The digest that it named.
        theirs: u64,
    },
    /// It has been declared dead, or has been superseded: it has to stop.
    #[error(
        "{silo} is dead: the cluster goes on with generation {known}; \
         stop it, and start it again to join with a newer one"
    )]
    Dead {
        /// The refused peer.
        silo: SiloId,
        /// The generation of that name that the membership table knows.
        known: Generation,
    },
    /// Another peer answers than the one that was meant.
    #[error(
        "{found} answers where {expected} was expected: its address is stale, read the membership table again"
    )]
    Misdirected {
        /// Who was meant.
        expected: SiloId,
        /// Who answers.
        found: SiloId,
    },
}

/// Decides whether a peer may link. Both sides come to the same protocol, or both refuse.
///
/// Errors: the first of [`Refusal::Cluster`], [`Refusal::Protocol`] and [`Refusal::Contract`] that holds.
pub fn agree(ours: &Hello, theirs: &Hello) -> Result<Agreed, Refusal> {
    let silo = theirs.silo;
    if ours.cluster != theirs.cluster {
        let (ours, theirs) = (ours.cluster.clone(), theirs.cluster.clone());
        return Err(Refusal::Cluster { silo, ours, theirs });
    }
    // A range that is upside down has no protocol in common with anything.
    let protocol = ours.protocol_max.min(theirs.protocol_max);
    if protocol < ours.protocol_min.max(theirs.protocol_min) {
        return Err(Refusal::Protocol {
            silo,
            ours_min: ours.protocol_min,
            ours_max: ours.protocol_max,
            theirs_min: theirs.protocol_min,
            theirs_max: theirs.protocol_max,
        });
    }
    let (ours, theirs) = (ours.contract_digest, theirs.contract_digest);
    if ours != theirs && ours != 0 && theirs != 0 {
        return Err(Refusal::Contract { silo, ours, theirs });
    }
    Ok(Agreed { protocol })
}

/// Refuses a peer that a view knows as dead. One that the view has never heard of is no dead one: it may be newer.
///
/// Errors: [`Refusal::Dead`].
pub fn check_alive(view: &View, theirs: &Hello) -> Result<(), Refusal> {
    let silo = theirs.silo;
    match view.named(silo.name) {
        Some(member) if view.is_dead(silo) => Err(Refusal::Dead { silo, known: member.id.generation }),
        _ => Ok(()),
    }
}

/// Refuses a peer that is not the one that was dialled.
///
/// Errors: [`Refusal::Misdirected`].
pub fn check_expected(expected: SiloId, theirs: &Hello) -> Result<(), Refusal> {
    if theirs.silo == expected { Ok(()) } else { Err(Refusal::Misdirected { expected, found: theirs.silo }) }
}
