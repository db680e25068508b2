//! What HTTP asks of whoever knows the actors.

use crate::problem::Problem;
use serde_json::Value;
use std::future::Future;
use std::pin::Pin;

/// A boxed future.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Answers what comes in by HTTP.
pub trait Backend: Send + Sync + 'static {
    /// Calls an actor and waits for the outcome.
    ///
    /// Errors: whatever went wrong, in words for a person; its [`Reason`](crate::Reason) becomes the status code.
    fn call(&self, call: ActorCall) -> BoxFuture<Result<Value, Problem>>;

    /// Who is in the cluster.
    fn cluster(&self) -> Value;

    /// Whether calls are served.
    fn health(&self) -> Health;

    /// What somebody who opens the root is told: a few lines of text.
    fn greeting(&self) -> String;
}

/// One call of an actor.
#[derive(Clone, PartialEq, Debug)]
pub struct ActorCall {
    /// The kind, as the path had it.
    pub kind: String,
    /// The key.
    pub key: String,
    /// The method.
    pub method: String,
    /// The arguments: what the body held, or an empty object if there was none.
    pub arguments: Value,
}

/// The answer to a health check.
#[derive(Clone, PartialEq, Debug)]
pub struct Health {
    /// Whether calls are served.
    pub is_serving: bool,
    /// The details, shown in the body.
    pub details: Value,
}
