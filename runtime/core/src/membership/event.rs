//! Everything that can happen to the membership core, and everything that it can ask for.

use super::message::MembershipMessage;
use super::table::{Change, LeaseRow, StoreFault, Table};
use crate::view::View;
use crate::{Generation, Instant, SiloId, SiloName, Version, ViewVersion};
use std::sync::Arc;

/// Names a store operation, so that its outcome finds its way back.
pub type RequestId = u64;

/// What happens to the core.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Input {
    /// The transport listens: join. The silo's row must already be reserved as joining, see [`super::join`].
    Start,
    /// The table was read.
    TableRead {
        /// Which [`Action::ReadTable`] this answers.
        request: RequestId,
        /// The table, or `None` if it still has the version that the request named.
        result: Result<Option<Arc<Table>>, StoreFault>,
    },
    /// A lease row was read.
    LeaseRead {
        /// Which [`Action::ReadLease`] this answers.
        request: RequestId,
        /// The row and its version, or `None` if there is none.
        result: Result<Option<(LeaseRow, Version)>, StoreFault>,
    },
    /// A change was committed, or not.
    Committed {
        /// Which [`Action::Commit`] this answers.
        request: RequestId,
        /// The version that all rows of the change now have.
        result: Result<Version, StoreFault>,
    },
    /// A message arrived.
    Message {
        /// From whom, as the transport's handshake has proven.
        from: SiloId,
        /// What it says.
        msg: MembershipMessage,
    },
    /// Some other message carried this version of the view: a hint.
    ViewSeen {
        /// The version.
        view: ViewVersion,
    },
    /// The link to a peer broke: a hint.
    LinkDown {
        /// The peer.
        peer: SiloId,
    },
    /// A peer's transport refused this silo.
    Refused {
        /// Whether it says that this generation is dead: a hint.
        dead: bool,
    },
    /// Begin to leave: own no range any more, but keep what is hosted.
    Drain,
    /// Leave the cluster now: nothing is hosted any more.
    Leave,
    /// A deadline has come.
    Timer,
}

/// What the core asks for. The driver performs the actions in order and never waits in doing so.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Action {
    /// Read the table; answer [`Input::TableRead`].
    ReadTable {
        /// Names the request.
        request: RequestId,
        /// If the table still has this version, its rows need not be read.
        known: Option<ViewVersion>,
    },
    /// Read a lease row; answer [`Input::LeaseRead`].
    ReadLease {
        /// Names the request.
        request: RequestId,
        /// Whose.
        name: SiloName,
    },
    /// Commit a change, a renewal of the lease among them; answer [`Input::Committed`].
    Commit {
        /// Names the request.
        request: RequestId,
        /// What to commit.
        change: Change,
    },
    /// Send a message; it may be lost.
    Send {
        /// To whom.
        to: SiloId,
        /// What to say.
        msg: MembershipMessage,
    },
    /// A newer view. Versions only grow.
    Publish(Arc<View>),
    /// The lease is held until then, on this silo's clock: turns may run.
    LeaseHeld {
        /// Until when.
        until: Instant,
    },
    /// The lease has ended: run no turn until [`Action::LeaseHeld`]. Do not exit.
    LeaseLost,
    /// End this silo at once.
    Stop {
        /// Why.
        reason: StopReason,
    },
    /// This incarnation is gone: drop its links and refuse it.
    Forget {
        /// Which incarnation.
        peer: SiloId,
        /// Why, for people.
        reason: &'static str,
    },
    /// This silo is now active.
    Joined {
        /// Who it is.
        id: SiloId,
    },
    /// This silo is now draining: the others have been told, or will read it.
    Draining,
}

/// Why a silo has to stop.
#[derive(Clone, PartialEq, Eq, Hash, Debug, thiserror::Error)]
pub enum StopReason {
    /// It left in order.
    #[error("left the cluster in order")]
    Left,
    /// The others declared it dead.
    #[error("{id} was declared dead by the others: restart it to join as a new generation")]
    DeclaredDead {
        /// This silo.
        id: SiloId,
    },
    /// A newer generation took its name.
    #[error("generation {newer} of {id} has started: a name is for one process at a time")]
    Superseded {
        /// This silo.
        id: SiloId,
        /// The newer generation.
        newer: Generation,
    },
    /// The table belongs to another cluster, to a newer version of the program, or is broken.
    #[error("{0}")]
    Unusable(String),
}
