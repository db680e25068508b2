//! What silos say to one another beside calls. Small, urgent, and on a lane of its own.

use quark_core::directory::DirectoryMessage;
use quark_core::membership::MembershipMessage;
use serde::{Deserialize, Serialize};

/// The payload of a control envelope.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum ControlMessage {
    /// Between membership cores.
    Membership(MembershipMessage),
    /// Between directory cores.
    Directory(DirectoryMessage),
    /// A client asks whether the gateway lives and which others there are.
    Hello { nonce: u64 },
    /// The gateway's answer: every active silo's name and address.
    Gateways { nonce: u64, members: Vec<(quark_core::SiloId, String)> },
    /// Between an actor's silo and the owner of the shard of its reminders.
    Reminder(crate::reminders::Notice),
}
