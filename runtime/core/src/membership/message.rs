//! What the membership cores of two silos say to one another. All of it may be lost, doubled, or late.

use crate::{Generation, SiloId, Version, ViewVersion};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A membership message, carried on the control lane.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum MembershipMessage {
    /// "Are you there?"
    Probe {
        /// Comes back in the answer.
        nonce: u64,
        /// How the prober is.
        pulse: Pulse,
    },
    /// "I am."
    ProbeAck {
        /// From the probe.
        nonce: u64,
        /// How the probed is.
        pulse: Pulse,
    },
    /// "I cannot reach it: can you?"
    ProbeFor {
        /// Comes back in the answer.
        nonce: u64,
        /// Whom to probe.
        target: SiloId,
    },
    /// The answer to [`MembershipMessage::ProbeFor`].
    ProbedFor {
        /// From the question.
        nonce: u64,
        /// Who was probed.
        target: SiloId,
        /// What it answered; `None` if it did not.
        pulse: Option<Pulse>,
    },
    /// "The table has reached this version": read it if yours is older.
    ViewHint {
        /// The version.
        view: ViewVersion,
    },
    /// "I suspect these: what do you say?"
    Ballot {
        /// Comes back in the answer.
        round: u64,
        /// The asker's view.
        view: ViewVersion,
        /// Who is suspected; at most [`BALLOT_TARGETS_MAX`].
        targets: Vec<SiloId>,
    },
    /// The answer to a ballot.
    Votes {
        /// From the ballot.
        round: u64,
        /// A vote per target.
        votes: Vec<(SiloId, Vote)>,
    },
    /// "The store is dark to me: promise for one lease not to vote against me."
    VouchRequest {
        /// Comes back in the answer.
        round: u64,
    },
    /// "I promise."
    Vouch {
        /// From the request.
        round: u64,
    },
    /// "Your generation has been declared dead." A hint: the table is the truth.
    YouAreDead {
        /// The generation that is dead.
        generation: Generation,
        /// The view that says so.
        view: ViewVersion,
    },
}

/// The most targets of one ballot: their rows must fit into one commit.
pub const BALLOT_TARGETS_MAX: usize = 40;

/// How a silo is, as it says itself.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Pulse {
    /// Its view.
    pub view: ViewVersion,
    /// Whether it holds its lease, from the store or by vouches, and runs turns.
    pub serving: bool,
    /// Its last lease from the store: the version of its lease row, and how long that lease still runs by its clock.
    /// Lets the prober know how long to wait without reading the row.
    pub lease: Option<(Version, Duration)>,
}

/// What a voter says about a suspected silo.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Vote {
    /// I cannot reach it either.
    Suspect,
    /// I know nothing in its favour.
    NoObjection,
    /// I have just heard from it, or I vouched for it.
    Object,
}
