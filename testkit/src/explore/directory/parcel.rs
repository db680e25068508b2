//! What is on its way to a silo.

use quark_core::SiloId;
use quark_core::directory::{DirectoryMessage, Registration};
use serde::Serialize;

#[derive(Clone, PartialEq, Debug, Serialize)]
pub(super) enum Parcel {
    /// The word of another directory.
    Said { from: SiloId, to: SiloId, message: DirectoryMessage },
    /// A call that the owner sends to the host of an actor.
    Call { to: SiloId, actor: usize, registration: Registration },
}

impl Parcel {
    pub fn to(&self) -> SiloId {
        match self {
            Self::Said { to, .. } | Self::Call { to, .. } => *to,
        }
    }
}
