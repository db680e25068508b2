//! What directories say to one another. Everything fits the control lane: small when empty, bounded when full.

use super::span::Spans;
use crate::{ActorId, SiloId, ViewVersion};
use serde::{Deserialize, Serialize};

/// Which of an actor's placements is meant. Unique per actor, and a later placement is always greater.
///
/// Within one view a point has one owner, who counts; between views the view decides.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
pub struct Registration {
    /// The owner's view when it placed.
    pub view: ViewVersion,
    /// The owner's count of placements.
    pub serial: u64,
}

/// Where an actor lives.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Place {
    /// The silo that hosts it.
    pub silo: SiloId,
    /// Under which placement.
    pub registration: Registration,
}

/// A page of a longer answer that the requester wants: pages are pulled, so a lost one is simply asked for again.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub struct Page {
    /// Counts the pages from 0; the answer repeats it.
    pub number: u32,
    /// The last actor of the page before.
    pub after: Option<ActorId>,
}

/// One message between the directories of two silos.
///
/// `since` is the view in which the requester's ownership of `spans` began; an answer is given only by a silo whose
/// own view is at least that, and only when it has given none of them to the owner of a later view.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum DirectoryMessage {
    /// "You owned these ranges before me: hand over."
    Transfer {
        /// Chosen by the requester, repeated in the answer.
        request: u64,
        /// See [`DirectoryMessage`].
        since: ViewVersion,
        /// The points asked for.
        spans: Spans,
        /// Which page.
        page: Page,
    },
    /// A page of entries.
    Transferred {
        /// The request.
        request: u64,
        /// The page's number.
        page: u32,
        /// At most `chunk_entries_max` entries.
        entries: Vec<(ActorId, Place)>,
        /// Points for which the answering silo does not know every entry: they must be recovered.
        missing: Spans,
        /// Whether another page follows. With the last one the right to answer for the points passes over.
        more: bool,
    },
    /// "I own these ranges and nobody could hand them over: what do you host there?"
    Recover {
        /// Chosen by the requester, repeated in the answer.
        request: u64,
        /// See [`DirectoryMessage`].
        since: ViewVersion,
        /// The points asked for.
        spans: Spans,
        /// Which page.
        page: Page,
    },
    /// A page of activations that the sender hosts. From its first page on it takes no placement of an older view.
    Hosting {
        /// The request.
        request: u64,
        /// The page's number.
        page: u32,
        /// At most `chunk_entries_max` activations.
        hosted: Vec<(ActorId, Registration)>,
        /// Whether another page follows.
        more: bool,
    },
    /// "Your ownership is older than what I know": learn this view, then ask again.
    Behind {
        /// The request.
        request: u64,
        /// The view to learn.
        view: ViewVersion,
    },
    /// "These placements with me have ended, or will never be": up to `chunk_entries_max` of them.
    Ended {
        /// The sender's view.
        view: ViewVersion,
        /// The sender takes no placement up to this one that it does not host already: place above it.
        floor: Registration,
        /// What ended.
        ended: Vec<(ActorId, Registration)>,
    },
    /// The owner has forgotten these placements (or never had them): stop telling.
    Forgotten {
        /// Repeats what [`DirectoryMessage::Ended`] listed.
        ended: Vec<(ActorId, Registration)>,
    },
    /// "Another silo has a newer placement of this actor": end yours. Answered with [`DirectoryMessage::Ended`].
    Evict {
        /// The actor.
        actor: ActorId,
        /// The placement that lost.
        registration: Registration,
    },
    /// A detour around a cut link: passed on once, never nested.
    Relay {
        /// Who says it.
        origin: SiloId,
        /// To whom.
        to: SiloId,
        /// What.
        message: Box<DirectoryMessage>,
    },
}
