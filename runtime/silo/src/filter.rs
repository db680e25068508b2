//! Call filters: code that sees every call that a silo issues or runs, and may refuse it.

use quark_core::ActorId;

/// Sees calls. All methods have a default that lets everything pass.
pub trait CallFilter: Send + Sync {
    /// A call is about to be issued by this silo or client. `Err` refuses it with a reason; it did not happen.
    fn outgoing(&self, _actor: &ActorId, _method: &str) -> Result<(), String> {
        Ok(())
    }

    /// A call is about to run here. `Err` refuses it with a reason; it did not happen.
    fn incoming(&self, _actor: &ActorId, _method: &str, _headers: &[(String, String)]) -> Result<(), String> {
        Ok(())
    }
}
