//! The driver of [`quark_core::membership`]: feeds it what happens and performs what it decides.
//!
//! Two steps, because the transport has to know who it is before it starts: [`join_identity`] reserves a generation
//! in the table, then [`MembershipDriver::start`] joins. The driver is one task: it waits for a deadline, a message
//! or a finished store operation, steps the core once for each, and performs the actions.

mod driver;
mod handle;
mod join;
mod shared_tables;
mod table_store;

pub use driver::MembershipDriver;
pub use handle::Handle;
pub use join::{JoinError, Newcomer, join_identity};
pub use quark_core::membership::{Config, MembershipMessage, StopReason};

use quark_core::view::View;
use quark_core::{Instant, SiloId};
use std::sync::Arc;

/// Carries membership messages on the control lane. Must not wait; may lose what it is given.
pub trait ControlSender: Send + Sync {
    /// Sends a message to a peer of the newest published view.
    fn send(&self, to: SiloId, msg: MembershipMessage);

    /// This incarnation is gone. Nothing to do if [`MembershipEvents::view_changed`] draws that conclusion itself.
    fn forget(&self, peer: SiloId, reason: &str) {
        let _ = (peer, reason);
    }
}

/// What the silo learns from its membership. Called on the driver's task: must be quick and must not wait.
pub trait MembershipEvents: Send + Sync {
    /// A newer view. Called before any message to its new members is sent, so that their addresses can be learnt.
    fn view_changed(&self, view: Arc<View>);

    /// The lease has ended: no turn may run until [`MembershipEvents::lease_held`]. The silo must not exit.
    fn lease_lost(&self);

    /// The lease is held until then, on this silo's clock.
    fn lease_held(&self, until: Instant);

    /// This silo is active.
    fn joined(&self, id: SiloId) {
        let _ = id;
    }

    /// This silo has to stop at once: it was declared dead, was superseded, or has left.
    ///
    /// The reason names the remedy.
    fn must_stop(&self, reason: String);
}
