//! One event of a telling.

use quark_core::Instant;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// Something that happened, and what it came from.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Entry {
    /// When, in nanoseconds of true time.
    #[serde(rename = "at_ns")]
    pub at: Instant,
    /// What.
    pub kind: EntryKind,
    /// Where: a position in the lanes. `None` for the world as a whole, and the store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lane: Option<u32>,
    /// Which incarnation of that node: its generation in the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub life: Option<u64>,
    /// About whom: a position in the actors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<u32>,
    /// Of which call: its caller and the caller's number for it, as `client-0#1:3.17`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<String>,
    /// Of which frame: a position in the frames.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frame: Option<u32>,
    /// In words.
    pub text: String,
    /// Everything else that was written down of it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub data: BTreeMap<String, Value>,
    /// The events that it came from, all of them before it. What is known for certain comes first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<u32>,
}

macro_rules! kinds {
    ($($(#[doc = $doc:literal])* $name:ident = $text:literal,)*) => {
        /// What kind of event.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum EntryKind {
            $($(#[doc = $doc])* $name,)*
        }

        impl EntryKind {
            /// All of them, in the order in which they are listed to people.
            pub const ALL: &[EntryKind] = &[$(EntryKind::$name,)*];

            /// As it is written in files.
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

kinds! {
    /// A client is about to call.
    Invoked = "invoked",
    /// A client's call has ended.
    Returned = "returned",
    /// A silo issued a call.
    Call = "call",
    /// A call that a silo had issued got its outcome.
    CallEnd = "call_end",
    /// A turn began.
    Turn = "turn",
    /// A turn ended.
    TurnEnd = "turn_end",
    /// A silo is about to ask the store for a commit.
    CommitAsked = "commit_asked",
    /// What that commit does to a reminder.
    ReminderAsked = "reminder_asked",
    /// A silo was told that a commit took place.
    Commit = "commit",
    /// A commit took effect in the store.
    StoreCommit = "store_commit",
    /// An activation that had lost its actor was kept from committing.
    Fenced = "fenced",
    /// The store lost commits that it had acknowledged.
    StoreWentBack = "store_went_back",
    /// The owner of an actor's range chose a silo for it.
    Placed = "placed",
    /// An activation is ready.
    Activated = "activated",
    /// An activation ended.
    Deactivated = "deactivated",
    /// A silo joined.
    Joined = "joined",
    /// A view took effect.
    View = "view",
    /// A lease was proven.
    LeaseHeld = "lease_held",
    /// A lease ended unproven.
    LeaseLost = "lease_lost",
    /// A silo stopped.
    Stopped = "stopped",
    /// A process lost power.
    Crashed = "crashed",
    /// A process froze.
    Paused = "paused",
    /// It goes on.
    Resumed = "resumed",
    /// A message was dropped with a reason.
    DeadLetter = "dead_letter",
    /// A frame was sent.
    Sent = "sent",
    /// A frame arrived.
    Delivered = "delivered",
    /// A frame was dropped.
    Dropped = "dropped",
    /// Something was done to the world.
    Fault = "fault",
    /// It ended.
    FaultEnd = "fault_end",
    /// All faults are over.
    Healed = "healed",
    /// Nothing is under way any more.
    Quiet = "quiet",
    /// A silo counted what it holds.
    Sampled = "sampled",
    /// Something was looked at: where actors live, what the store has, what the clocks say.
    Observed = "observed",
    /// From here on the story breaks what a promise presumes.
    Waived = "waived",
}

impl EntryKind {
    /// Whether it is the life of a frame: the many among the events.
    pub fn is_of_frames(self) -> bool {
        matches!(self, Self::Sent | Self::Delivered | Self::Dropped)
    }

    /// Whether something was done to the world, or ended being done.
    pub fn is_of_faults(self) -> bool {
        matches!(self, Self::Fault | Self::FaultEnd | Self::Crashed | Self::Paused | Self::Resumed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_written_as_it_is_called() {
        for kind in EntryKind::ALL {
            assert_eq!(serde_json::to_value(kind).expect("plain"), kind.name());
        }
    }
}
